/* SPDX-License-Identifier: MIT */
#include "run/outcome.h"

#include "run/text.h"

#include <stdio.h>
#include <string.h>

/* Takes away a character whose last bytes did not fit. */
static void drop_partial(char *text)
{
    size_t len = strlen(text);
    size_t at = len;
    while (at > 0 && ((unsigned char)text[at - 1] & 0xc0) == 0x80) {
        at--;
    }
    if (at > 0 && (unsigned char)text[at - 1] >= 0xc0) {
        text[at - 1] = '\0';
    }
}

void rqi_outcome_fail(rqi_outcome *outcome, rqi_outcome_kind kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int need = vsnprintf(outcome->error, sizeof outcome->error, fmt, ap);
    va_end(ap);
    if (need >= (int)sizeof outcome->error) {
        drop_partial(outcome->error);
    }
    rqi_text_clean(outcome->error, strlen(outcome->error));
    outcome->kind = kind;
}

void rqi_outcome_done(rqi_outcome *outcome)
{
    rqi_buf_done(&outcome->value);
    rqi_buf_done(&outcome->log_tail);
}
