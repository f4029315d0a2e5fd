/* SPDX-License-Identifier: MIT */
/* Progress by a pattern on stderr. The first line of the input is the pattern, the rest is what the
 * program writes. */
#include "fuzz/fz.h"

#include "run/scrape.h"

#include <stdlib.h>
#include <string.h>

static void take(void *arg, int64_t current, int64_t total)
{
    ++*(int *)arg;
    RQT_HOLDS(current >= 0 && total >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    refq_error err = {0};
    rqi_scrape *scrape = NULL;
    int calls = 0;
    char *text = rqt_fz_text(data, size);
    size_t len = strcspn(text, "\n");
    size_t rest = len < size ? len + 1 : size;
    text[len] = '\0';
    if (rqi_scrape_new(text, &scrape, &err) == REFQ_OK) {
        rqi_scrape_add(scrape, text + rest, size - rest, take, &calls);
        RQT_HOLDS(calls <= 1);
    } else {
        RQT_HOLDS(err.text[0] != '\0');
    }
    rqi_scrape_free(scrape);
    free(text);
    return 0;
}
