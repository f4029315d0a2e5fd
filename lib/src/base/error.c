/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int retryable;
} errors[] = {
    [REFQ_OK] = {"ok", 0},
    [REFQ_ERR_IO] = {"io", 1},
    [REFQ_ERR_CLOSED] = {"closed", 1},
    [REFQ_ERR_TIMEOUT] = {"timeout", 1},
    [REFQ_ERR_PROTO] = {"protocol", 0},
    [REFQ_ERR_AUTH] = {"auth", 0},
    [REFQ_ERR_VERSION] = {"version", 0},
    [REFQ_ERR_NOTFOUND] = {"not found", 0},
    [REFQ_ERR_CONFLICT] = {"conflict", 0},
    [REFQ_ERR_FENCED] = {"fenced", 0},
    [REFQ_ERR_LIMIT] = {"limit", 0},
    [REFQ_ERR_FULL] = {"full", 1},
    [REFQ_ERR_INVALID] = {"invalid", 0},
    [REFQ_ERR_UNSUPPORTED] = {"unsupported", 0},
    [REFQ_ERR_NOMEM] = {"out of memory", 1},
    [REFQ_ERR_INTERNAL] = {"internal", 0},
    [REFQ_ERR_DENIED] = {"denied", 0},
};

static int known(refq_err code)
{
    return (unsigned)code < sizeof errors / sizeof errors[0];
}

const char *refq_strerror(refq_err code)
{
    return known(code) ? errors[code].name : "unknown";
}

int refq_err_retryable(refq_err code)
{
    return known(code) && errors[code].retryable;
}

refq_err rqi_fail(refq_error *err, refq_err code, const char *fmt, ...)
{
    if (err == NULL) {
        return code;
    }
    va_list ap;
    va_start(ap, fmt);
    err->code = code;
    (void)vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    return code;
}

refq_err rqi_fail_in(refq_error *err, refq_err code, const char *fmt, ...)
{
    if (err == NULL) {
        return code;
    }
    char inner[sizeof err->text];
    char where[sizeof err->text];
    memcpy(inner, err->text, sizeof inner);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(where, sizeof where, fmt, ap);
    va_end(ap);
    err->code = code;
    (void)snprintf(err->text, sizeof err->text, "%.120s: %.130s", where, inner);
    return code;
}
