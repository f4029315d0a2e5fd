/* SPDX-License-Identifier: MIT */
/* Command line templates: the input is one element a line, then an empty line, then the arguments.
 * What is expanded has one string for each element, whatever the values hold. */
#include "fuzz/fz.h"

#include "run/argv.h"

#include <stdlib.h>
#include <string.h>

#define ELEMENTS_MAX 16

static void expand(const char *const *argv, size_t n, const char *args)
{
    refq_error err = {0};
    rqi_strv strv = {0};
    if (rqi_argv_check(argv, &err) != REFQ_OK) {
        RQT_HOLDS(err.text[0] != '\0');
        return;
    }
    const rqi_template t = {.argv = argv, .output = "/srv/result"};
    if (rqi_argv_expand(&t, (refq_bytes){args, strlen(args)}, &strv, &err) == REFQ_OK) {
        char **made = rqi_strv_make(&strv);
        for (size_t i = 0; made != NULL && i < n; i++) {
            RQT_HOLDS(made[i] != NULL);
            RQT_HOLDS(made[i][0] != '-' || argv[i][0] == '-');
        }
        RQT_HOLDS(made == NULL || made[n] == NULL);
    } else {
        RQT_HOLDS(err.text[0] != '\0');
    }
    rqi_strv_done(&strv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *argv[ELEMENTS_MAX + 1] = {NULL};
    char *text = rqt_fz_text(data, size);
    char *at = text;
    size_t n = 0;
    while (n < ELEMENTS_MAX && *at != '\n' && *at != '\0') {
        char *end = at + strcspn(at, "\n");
        argv[n++] = at;
        at = *end == '\n' ? end + 1 : end;
        *end = '\0';
    }
    if (n > 0) {
        expand(argv, n, at);
    }
    free(text);
    return 0;
}
