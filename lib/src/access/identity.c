/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Values come from whoever logged in, so a value must not be able to say more than "this
 * one": with a colon "x:user:bob" would forge levels of a namespace, "*" would be the owner that
 * every anonymous actor is. They are percent-encoded, as everybody knows it from URLs; % itself,
 * too, so that two values never become one. Refusing such values instead would lock out people
 * whose login has a colon, as those of several identity providers do.
 */
#include "access/identity.h"

#include "access/name.h"
#include "base/error.h"
#include "base/utf8.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct field {
    const char *name;
    size_t offset;
    const char *fallback;
} fields[] = {
    {"session_id", offsetof(refq_identity, session_id), "nosession"},
    {"client_id", offsetof(refq_identity, client_id), "unknown"},
    {"request_id", offsetof(refq_identity, request_id), "unknown"},
    {"user_id", offsetof(refq_identity, user_id), "anonymous"},
    {"org_id", offsetof(refq_identity, org_id), "default"},
    {"tenant_id", offsetof(refq_identity, tenant_id), "default"},
    {"agent_id", offsetof(refq_identity, agent_id), "anonymous"},
};

#define N_FIELDS (sizeof fields / sizeof fields[0])

/* --- Names ------------------------------------------------------------------------------------ */

size_t rqi_identity_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char more[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    return strspn(text, letters) > 0 ? strspn(text, more) : 0;
}

static bool is_called(const char *name, refq_bytes wanted)
{
    return strlen(name) == wanted.len && memcmp(name, wanted.ptr, wanted.len) == 0;
}

static const struct field *field_called(refq_bytes name)
{
    for (size_t i = 0; i < N_FIELDS; i++) {
        if (is_called(fields[i].name, name)) {
            return &fields[i];
        }
    }
    return NULL;
}

static const char *field_value(const refq_identity *identity, const struct field *field)
{
    return *(const char *const *)((const char *)identity + field->offset);
}

/* --- Checking --------------------------------------------------------------------------------- */

static refq_err check_value(const char *name, const char *value, refq_error *err)
{
    size_t len = value != NULL ? strnlen(value, REFQ_ACCESS_NAME_MAX + 1) : 0;
    if (len > REFQ_ACCESS_NAME_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "%s of the identity is longer than %d bytes", name,
                        REFQ_ACCESS_NAME_MAX);
    }
    if (rqi_utf8_valid(value, len) != len) {
        return rqi_fail(err, REFQ_ERR_INVALID, "%s of the identity is not UTF-8", name);
    }
    return REFQ_OK;
}

static refq_err check_extra(const refq_identity_value *extra, refq_error *err)
{
    size_t len = extra->name != NULL ? strnlen(extra->name, REFQ_ACCESS_NAME_MAX + 1) : 0;
    if (len == 0 || len > REFQ_ACCESS_NAME_MAX || rqi_identity_name(extra->name) != len) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "a further value of the identity has no proper name; use letters, digits "
                        "and _, at most %d",
                        REFQ_ACCESS_NAME_MAX);
    }
    if (field_called((refq_bytes){extra->name, len}) != NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the identity has %s twice; set the field of the struct only", extra->name);
    }
    char name[RQI_NAME_SHOWN];
    return check_value(rqi_name_shown(name, extra->name), extra->value, err);
}

refq_err rqi_identity_check(const refq_identity *identity, refq_error *err)
{
    if (identity == NULL) {
        return REFQ_OK;
    }
    refq_err rc = REFQ_OK;
    for (size_t i = 0; i < N_FIELDS && rc == REFQ_OK; i++) {
        rc = check_value(fields[i].name, field_value(identity, &fields[i]), err);
    }
    if (rc == REFQ_OK && identity->n_extra > REFQ_IDENTITY_EXTRA) {
        rc = rqi_fail(err, REFQ_ERR_LIMIT, "the identity has %zu further values; at most %d",
                      identity->n_extra, REFQ_IDENTITY_EXTRA);
    }
    for (size_t i = 0; rc == REFQ_OK && i < identity->n_extra; i++) {
        rc = check_extra(&identity->extra[i], err);
    }
    return rc;
}

/* --- Values ----------------------------------------------------------------------------------- */

static const char *known(const char *value)
{
    return value != NULL && value[0] != '\0' ? value : NULL;
}

const char *rqi_identity_value(const refq_identity *identity, refq_bytes name)
{
    if (identity == NULL) {
        return NULL;
    }
    const struct field *field = field_called(name);
    if (field != NULL) {
        return known(field_value(identity, field));
    }
    for (size_t i = 0; i < identity->n_extra; i++) {
        if (is_called(identity->extra[i].name, name)) {
            return known(identity->extra[i].value);
        }
    }
    return NULL;
}

const char *rqi_identity_fallback(refq_bytes name)
{
    const struct field *field = field_called(name);
    return field != NULL ? field->fallback : "unknown";
}

void rqi_identity_escape(rqi_buf *out, const char *value)
{
    size_t escaped = 0; /* bytes still to come of a character that is escaped */
    for (; *value != '\0'; value++) {
        if (escaped == 0) {
            escaped = strchr(":%*", *value) != NULL ? 1 : rqi_name_control(value);
        }
        if (escaped == 0) {
            rqi_buf_addc(out, *value);
            continue;
        }
        rqi_buf_addf(out, "%%%02X", (unsigned)(unsigned char)*value);
        escaped--;
    }
}
