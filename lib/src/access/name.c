/* SPDX-License-Identifier: MIT */
#include "access/name.h"

#include "base/error.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

size_t rqi_name_control(const char *text)
{
    unsigned char c = (unsigned char)text[0];
    if (c == '\0') {
        return 0;
    }
    if (c < 0x20 || c == 0x7f) {
        return 1;
    }
    unsigned char next = (unsigned char)text[1];
    return c == 0xc2 && next >= 0x80 && next <= 0x9f ? 2 : 0;
}

static size_t first_control(const char *text, size_t len)
{
    size_t at = 0;
    while (at < len && rqi_name_control(text + at) == 0) {
        at++;
    }
    return at;
}

refq_err rqi_name_check(const char *what, const char *text, refq_error *err)
{
    size_t len = strnlen(text, REFQ_ACCESS_NAME_MAX + 1);
    if (len > REFQ_ACCESS_NAME_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "%s is longer than %d bytes; make it shorter", what,
                        REFQ_ACCESS_NAME_MAX);
    }
    size_t valid = rqi_utf8_valid(text, len);
    if (valid != len) {
        return rqi_fail(err, REFQ_ERR_INVALID, "%s is not UTF-8 at byte %zu; write it in UTF-8",
                        what, valid);
    }
    size_t control = first_control(text, len);
    if (control != len) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "%s has a control character at byte %zu; leave it out", what, control);
    }
    return REFQ_OK;
}

const char *rqi_name_shown(char *out, const char *name)
{
    size_t len = strnlen(name, REFQ_ACCESS_NAME_MAX);
    int whole = len < RQI_NAME_SHOWN;
    int cut = (int)rqi_utf8_cut(name, len, whole ? len : RQI_NAME_SHOWN - sizeof "...");
    (void)snprintf(out, RQI_NAME_SHOWN, "%.*s%s", cut, name, whole ? "" : "...");
    return out;
}
