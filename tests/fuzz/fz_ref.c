/* SPDX-License-Identifier: MIT */
/* References and the small words beside them: what is read is written back the same. */
#include "fuzz/fz.h"

#include <refq/task.h>

#include <stdlib.h>
#include <string.h>

static void check_ref(const char *text)
{
    refq_error err = {0};
    refq_ref ref;
    char out[REFQ_REF_MAX + 1];
    if (refq_ref_parse(text, &ref, &err) != REFQ_OK) {
        RQT_HOLDS(err.text[0] != '\0');
        return;
    }
    RQT_HOLDS(strcmp(refq_ref_format(&ref, out), text) == 0);
    RQT_HOLDS(refq_queue_check(ref.queue, &err) == REFQ_OK);
    RQT_HOLDS(strlen(ref.hex) == REFQ_HEX_LEN);
}

static void check_words(const char *text)
{
    refq_error err = {0};
    refq_status status;
    refq_lane lane;
    if (refq_status_parse(text, &status) == REFQ_OK) {
        RQT_HOLDS(strcmp(refq_status_name(status), text) == 0);
    }
    if (refq_lane_parse(text, &lane) == REFQ_OK) {
        RQT_HOLDS(strcmp(refq_lane_name(lane), text) == 0);
    }
    if (refq_queue_check(text, &err) == REFQ_OK) {
        RQT_HOLDS(strlen(text) <= REFQ_QUEUE_MAX && strpbrk(text, ":{} \n") == NULL);
    }
    if (refq_name_check(text, &err) == REFQ_OK) {
        RQT_HOLDS(strlen(text) <= REFQ_NAME_MAX && strpbrk(text, ":{} \n") == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = rqt_fz_text(data, size);
    check_ref(text);
    check_words(text);
    free(text);
    return 0;
}
