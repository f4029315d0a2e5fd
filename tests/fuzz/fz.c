/* SPDX-License-Identifier: MIT */
#include "fuzz/fz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rqt_fz_broken(const char *file, int line, const char *what)
{
    (void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

char *rqt_fz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    RQT_HOLDS(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    return text;
}

uint8_t rqt_fz_byte(const uint8_t **data, size_t *size)
{
    if (*size == 0) {
        return 0;
    }
    (*size)--;
    return *(*data)++;
}
