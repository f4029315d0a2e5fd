/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A result is stored as its handler wrote it, and parsing and printing
 * it again would change it (1.0 to 1, key order, NaN refused). So the value is
 * cut out of the entry by its lexical bounds: strings are skipped as strings,
 * brackets are counted, and the value ends at the comma or brace that follows
 * on the outermost level. No recursion, so nesting cannot exhaust the stack.
 * What does not look like our own entry goes through the JSON parser.
 */
#include "value.h"

#include "base/error.h"

#include <jansson.h>

#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r\n"

/* All of these return where the thing ends, NULL when it is not there. Entries are terminated. */

static const char *skip_token(const char *at, const char *token)
{
    at += strspn(at, BLANKS);
    size_t len = strlen(token);
    return strncmp(at, token, len) == 0 ? at + len : NULL;
}

static const char *skip_string(const char *at)
{
    for (at++; *at != '"'; at++) {
        if (*at == '\\') {
            at++;
        }
        if (*at == '\0') {
            return NULL;
        }
    }
    return at + 1;
}

static const char *skip_value(const char *at)
{
    size_t depth = 0;
    while (at != NULL) {
        at += strcspn(at, "\"[]{},");
        if (depth == 0 && (*at == ',' || *at == '}')) {
            return at;
        }
        if (*at == '\0' || (depth == 0 && *at == ']')) {
            return NULL;
        }
        depth += *at == '[' || *at == '{';
        depth -= *at == ']' || *at == '}';
        at = *at == '"' ? skip_string(at) : at + 1;
    }
    return NULL;
}

static refq_bytes find_first_value(const char *entry)
{
    const char *at = skip_token(entry, "{");
    at = at != NULL ? skip_token(at, "\"value\"") : NULL;
    at = at != NULL ? skip_token(at, ":") : NULL;
    if (at == NULL) {
        return (refq_bytes){0};
    }
    at += strspn(at, BLANKS);
    const char *end = skip_value(at);
    while (end != NULL && end > at && strchr(BLANKS, end[-1]) != NULL) {
        end--;
    }
    return end != NULL ? (refq_bytes){.ptr = at, .len = (size_t)(end - at)} : (refq_bytes){0};
}

static refq_err print_parsed(const char *entry, size_t len, rqi_buf *out, refq_error *err)
{
    json_t *root = json_loadb(entry, len, JSON_ALLOW_NUL, NULL);
    json_t *value = json_object_get(root, "value");
    char *text = value != NULL ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    json_decref(root);
    if (text == NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the stored entry has no readable value; --entry prints it as it is");
    }
    rqi_buf_adds(out, text);
    free(text);
    return out->err;
}

refq_err cli_value_cut(const char *entry, size_t len, rqi_buf *out, refq_error *err)
{
    refq_bytes value = find_first_value(entry);
    if (value.len == 0) {
        return print_parsed(entry, len, out, err);
    }
    rqi_buf_add(out, value.ptr, value.len);
    return out->err == REFQ_OK ? REFQ_OK : rqi_fail(err, out->err, "no memory for the value");
}
