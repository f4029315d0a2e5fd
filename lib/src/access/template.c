/* SPDX-License-Identifier: MIT */
#include "access/template.h"

#include "access/identity.h"
#include "access/name.h"
#include "base/error.h"

#include <stdio.h>
#include <string.h>

/* The length of a "{name}" at the start of text; 0 when there is none. */
static size_t placeholder(const char *text)
{
    size_t name = text[0] == '{' ? rqi_identity_name(text + 1) : 0;
    return name > 0 && text[1 + name] == '}' ? name + 2 : 0;
}

static void add_value(rqi_buf *out, const refq_identity *identity, refq_bytes name)
{
    const char *value = rqi_identity_value(identity, name);
    if (value != NULL) {
        rqi_identity_escape(out, value);
    } else {
        rqi_buf_adds(out, rqi_identity_fallback(name));
    }
}

static void expand(rqi_buf *out, const char *text, const refq_identity *identity)
{
    while (*text != '\0') {
        size_t len = placeholder(text);
        if (len > 0) {
            add_value(out, identity, (refq_bytes){text + 1, len - 2});
        } else {
            rqi_buf_addc(out, *text);
        }
        text += len > 0 ? len : 1;
    }
}

refq_err rqi_template_expand(const char *what, const char *text, const refq_identity *identity,
                             char *out, size_t size, refq_error *err)
{
    if (strnlen(text, RQI_TEMPLATE_MAX + 1) > RQI_TEMPLATE_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "%s has a template of more than %d bytes", what,
                        RQI_TEMPLATE_MAX);
    }
    /* Much too long is told apart from out of memory by the buffer's own error. */
    rqi_buf made = rqi_buf_make((size_t)4 * REFQ_ACCESS_NAME_MAX);
    expand(&made, text, identity);
    refq_err rc = made.err;
    if (rc == REFQ_ERR_NOMEM) {
        (void)rqi_fail(err, rc, "out of memory for %s", what);
    } else if (rc != REFQ_OK || made.len >= size) {
        size_t room = size <= REFQ_ACCESS_NAME_MAX ? size : REFQ_ACCESS_NAME_MAX + 1;
        rc = rqi_fail(err, REFQ_ERR_LIMIT,
                      "%s does not fit %zu bytes with this identity; shorten the template", what,
                      room);
    } else {
        rc = rqi_name_check(what, rqi_buf_str(&made), err);
    }
    if (rc == REFQ_OK) {
        (void)snprintf(out, size, "%s", rqi_buf_str(&made));
    }
    rqi_buf_done(&made);
    return rc;
}

refq_err refq_template_expand(const char *text, const refq_identity *identity, char *out,
                              size_t size, refq_error *err)
{
    refq_err rc = rqi_identity_check(identity, err);
    return rc == REFQ_OK ? rqi_template_expand("the text", text, identity, out, size, err) : rc;
}
