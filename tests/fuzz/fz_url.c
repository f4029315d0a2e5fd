/* SPDX-License-Identifier: MIT */
/* Where Redis is: what is taken has all its parts, and a password is in no message, whatever
 * surrounds it. */
#include "fuzz/fz.h"

#include "redis/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "5ecret5ecret"

static void check(const char *text)
{
    refq_error err = {0};
    rqi_url url;
    memset(&url, 0x5a, sizeof url);
    if (rqi_url_parse(text, &url, &err) != REFQ_OK) {
        RQT_HOLDS(err.text[0] != '\0' && strstr(err.text, SECRET) == NULL);
        return;
    }
    RQT_HOLDS(url.shown[0] != '\0' && strstr(url.shown, SECRET) == NULL);
    RQT_HOLDS(url.db >= 0 && url.port >= 0 && url.port <= 65535);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const before[] = {"redis://me:" SECRET "@", "unix://:" SECRET "@",
                                         "rediss://" SECRET "@", "redis://:" SECRET, SECRET "@"};
    char *text = rqt_fz_text(data, size);
    /* A secret that is also a host's name or a path is not kept back. */
    if (strstr(text, "5ecret") == NULL) {
        check(text);
        for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
            char longer[2048];
            (void)snprintf(longer, sizeof longer, "%s%s", before[i], text);
            check(longer);
        }
    }
    free(text);
    return 0;
}
