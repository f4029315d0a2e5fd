/* SPDX-License-Identifier: MIT */
#include "run/text.h"

#include "base/utf8.h"

#include <string.h>

void rqi_text_clean(char *text, size_t len)
{
    for (char *nul = text; nul != NULL && (nul = memchr(nul, '\0', len - (nul - text))) != NULL;) {
        *nul = '?';
    }
    size_t at = 0;
    while ((at += rqi_utf8_valid(text + at, len - at)) < len) {
        text[at++] = '?';
    }
}

void rqi_text_flatten(char *text)
{
    rqi_text_clean(text, strlen(text));
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            *text = ' ';
        }
    }
}
