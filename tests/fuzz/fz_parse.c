/* SPDX-License-Identifier: MIT */
/* Numbers, durations and sizes as people write them: what is taken is within its bounds. */
#include "fuzz/fz.h"

#include "base/parse.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

static void check_numbers(const char *text)
{
    refq_error err = {0};
    int64_t value = 0;
    size_t bytes = 0;
    char out[64];
    if (rqi_parse_duration(text, &value, &err) == REFQ_OK) {
        RQT_HOLDS(value >= 0 && value <= RQI_DURATION_MAX_MS);
        RQT_HOLDS(strlen(rqi_format_duration(out, sizeof out, value)) > 0);
    } else {
        RQT_HOLDS(err.text[0] != '\0');
    }
    if (rqi_parse_int(text, -5, 1000, &value, &err) == REFQ_OK) {
        RQT_HOLDS(value >= -5 && value <= 1000);
    }
    if (rqi_parse_size(text, &bytes, &err) == REFQ_OK) {
        RQT_HOLDS(text[0] >= '0' && text[0] <= '9');
    }
}

static void check_nearest(const char *text)
{
    static const char *const names[] = {"timeout", "timeouts", "exec", "max_retries"};
    const char *nearest = rqi_nearest(text, names, 4);
    RQT_HOLDS(nearest == NULL || rqi_edit_distance(text, nearest) <= strlen(nearest));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = rqt_fz_text(data, size);
    size_t valid = rqi_utf8_valid(text, size);
    RQT_HOLDS(valid <= size && rqi_utf8_valid(text, valid) == valid);
    RQT_HOLDS(rqi_utf8_cut(text, valid, valid / 2) <= valid / 2);
    check_numbers(text);
    check_nearest(text);
    free(text);
    return 0;
}
