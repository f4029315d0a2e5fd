/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The library hands out lines of logfmt, so JSON is made from these: the
 * fields of both formats cannot drift apart. A whole number becomes a number, so
 * that it can be compared and summed, but for the fields whose text is somebody
 * else's choice: a field must not change its type with its value.
 */
#include "logjson.h"

#include "base/buf.h"
#include "base/parse.h"

#include <stdbool.h>
#include <string.h>

#define FIELDS_MAX 64
#define DIGITS_MAX 15 /* any reader of JSON takes so many exactly */

static const char end_cut[] = ",\"cut\":true}\n";

static const char *const always_text[] = {"task", "message", "error", "reason", "file", "config"};

struct object {
    rqi_buf buf;
    refq_bytes keys[FIELDS_MAX];
    size_t n;
    bool cut;
};

static bool has_key(const struct object *o, refq_bytes key)
{
    for (size_t i = 0; i < o->n; i++) {
        if (o->keys[i].len == key.len && memcmp(o->keys[i].ptr, key.ptr, key.len) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_always_text(refq_bytes key)
{
    for (size_t i = 0; i < sizeof always_text / sizeof always_text[0]; i++) {
        if (strlen(always_text[i]) == key.len && memcmp(always_text[i], key.ptr, key.len) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_whole_number(const char *text, size_t len)
{
    size_t sign = len > 0 && text[0] == '-';
    size_t digits = len - sign;
    if (digits == 0 || digits > DIGITS_MAX || strspn(text + sign, "0123456789") < digits) {
        return false;
    }
    return text[sign] != '0' || (digits == 1 && sign == 0);
}

/* value NULL = the key stands alone. A field that does not fit leaves no trace. */
static void add_field(struct object *o, refq_bytes key, const rqi_buf *value)
{
    size_t before = o->buf.len;
    if (key.len == 0 || o->cut || has_key(o, key)) {
        return;
    }
    rqi_buf_addc(&o->buf, before == 0 ? '{' : ',');
    rqi_buf_add_json(&o->buf, key.ptr, key.len);
    rqi_buf_addc(&o->buf, ':');
    if (value == NULL) {
        rqi_buf_adds(&o->buf, "true");
    } else if (!is_always_text(key) && is_whole_number(rqi_buf_str(value), value->len)) {
        rqi_buf_add(&o->buf, rqi_buf_str(value), value->len);
    } else {
        rqi_buf_add_json(&o->buf, rqi_buf_str(value), value->len);
    }
    if (o->buf.len + sizeof end_cut > RQI_LOGJSON_MAX || o->n == FIELDS_MAX) {
        o->buf.len = before;
        o->cut = true;
        return;
    }
    o->keys[o->n++] = key;
}

static void add_text(struct object *o, const char *key, const char *text)
{
    rqi_buf value = {0};
    rqi_buf_adds(&value, text);
    add_field(o, (refq_bytes){key, strlen(key)}, &value);
    rqi_buf_done(&value);
}

/* --- Reading logfmt --------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* at is behind a backslash; returns what follows the escape. Unknown ones stay as they are. */
static const char *read_escape(const char *at, rqi_buf *value)
{
    if (*at == '"' || *at == '\\') {
        rqi_buf_addc(value, *at);
        return at + 1;
    }
    if (*at == 'n') {
        rqi_buf_addc(value, '\n');
        return at + 1;
    }
    int high = *at == 'x' ? hex_digit(at[1]) : -1;
    int low = high >= 0 ? hex_digit(at[2]) : -1;
    if (low >= 0 && high < 8) {
        rqi_buf_addc(value, (char)(high * 16 + low));
        return at + 3;
    }
    rqi_buf_addc(value, '\\');
    return at;
}

/* at is behind the first quote. A line that was cut has no second one. */
static const char *read_quoted(const char *at, rqi_buf *value)
{
    while (*at != '\0' && *at != '"') {
        if (*at == '\\') {
            at = read_escape(at + 1, value);
        } else {
            rqi_buf_addc(value, *at++);
        }
    }
    return *at == '"' ? at + 1 : at;
}

static const char *read_value(const char *at, rqi_buf *value)
{
    if (*at == '"') {
        return read_quoted(at + 1, value);
    }
    size_t len = strcspn(at, " ");
    rqi_buf_add(value, at, len);
    return at + len;
}

static const char *read_field(struct object *o, const char *at)
{
    rqi_buf value = {0};
    refq_bytes key = {at, strcspn(at, " =")};
    at += key.len;
    bool has_value = *at == '=';
    if (has_value) {
        at = read_value(at + 1, &value);
    }
    add_field(o, key, has_value ? &value : NULL);
    rqi_buf_done(&value);
    return at;
}

size_t rqi_logjson(char out[RQI_LOGJSON_MAX], const char *time, const char *level, const char *line)
{
    struct object o = {0};
    add_text(&o, "ts", time);
    add_text(&o, "level", level);
    for (const char *at = line + strspn(line, " "); *at != '\0'; at += strspn(at, " ")) {
        at = read_field(&o, at);
    }
    rqi_buf_adds(&o.buf, o.cut ? end_cut : "}\n");
    size_t len = o.buf.err == REFQ_OK ? o.buf.len : 0;
    memcpy(out, rqi_buf_str(&o.buf), len);
    rqi_buf_done(&o.buf);
    return len;
}
