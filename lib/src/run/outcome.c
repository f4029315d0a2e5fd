/* SPDX-License-Identifier: MIT */
#include "run/outcome.h"

#include "base/utf8.h"
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

void rqi_outcome_short(const char *error, char out[RQI_ERROR_SHORT + 1])
{
    size_t len = strlen(error);
    size_t cut = rqi_utf8_cut(error, len, RQI_ERROR_SHORT);
    if (cut < len) {
        cut = rqi_utf8_cut(error, len, RQI_ERROR_SHORT - 3);
    }
    (void)snprintf(out, RQI_ERROR_SHORT + 1, "%.*s%s", (int)cut, error, cut < len ? "..." : "");
    for (char *p = out; *p != '\0'; p++) {
        *p = (unsigned char)*p < ' ' ? ' ' : *p;
    }
}

void rqi_outcome_history(const rqi_outcome *outcome, unsigned attempt, int64_t at_ms,
                         const char *class, const char *worker, rqi_buf *out)
{
    rqi_buf_addf(out, "{\"attempt\":%u,\"at\":%lld,\"class\":\"%s\",\"worker\":\"%s\",\"error\":",
                 attempt, (long long)at_ms, class, worker);
    rqi_buf_add_json(out, outcome->error, strlen(outcome->error));
    if (outcome->log_tail.len > 0) {
        rqi_buf_adds(out, ",\"stderr\":");
        rqi_buf_add_json(out, outcome->log_tail.ptr, outcome->log_tail.len);
    }
    rqi_buf_addc(out, '}');
}

void rqi_outcome_done(rqi_outcome *outcome)
{
    rqi_buf_done(&outcome->value);
    rqi_buf_done(&outcome->log_tail);
}
