/* SPDX-License-Identifier: MIT */
#include "schema/place.h"

#include "base/parse.h"

#include <string.h>

static void write_key(rqi_buf *out, const char *key, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (key[i] == '~') {
            rqi_buf_adds(out, "~0");
        } else if (key[i] == '/') {
            rqi_buf_adds(out, "~1");
        } else {
            rqi_buf_addc(out, key[i]);
        }
    }
}

static void write_step(rqi_buf *out, const rqi_js_place *place)
{
    rqi_buf_addc(out, '/');
    if (place->key != NULL) {
        write_key(out, place->key, place->key_len);
    } else {
        rqi_buf_addf(out, "%zu", place->index);
    }
}

size_t rqi_js_place_depth(const rqi_js_place *place)
{
    size_t depth = 0;
    for (; place != NULL && place->up != NULL; place = place->up) {
        depth++;
    }
    return depth;
}

/* Not recursive: an instance's depth is its sender's choice. */
void rqi_js_place_write(rqi_buf *out, const rqi_js_place *place)
{
    for (size_t depth = rqi_js_place_depth(place); depth > 0; depth--) {
        const rqi_js_place *at = place;
        for (size_t i = 1; i < depth; i++) {
            at = at->up;
        }
        write_step(out, at);
    }
}

bool rqi_js_pointer_next(const char **pointer, rqi_buf *out)
{
    const char *p = *pointer;
    if (*p != '/') {
        return false;
    }
    rqi_buf_clear(out);
    for (p++; *p != '\0' && *p != '/'; p++) {
        if (*p != '~') {
            rqi_buf_addc(out, *p);
            continue;
        }
        p++;
        if (*p != '0' && *p != '1') {
            return false;
        }
        rqi_buf_addc(out, *p == '0' ? '~' : '/');
    }
    *pointer = p;
    return out->err == REFQ_OK;
}

/* Digits without a leading zero, as JSON pointers have them. */
static bool parse_index(const char *text, size_t *ret)
{
    int64_t index;
    if ((text[0] == '0' && text[1] != '\0') || strspn(text, "0123456789") != strlen(text) ||
        rqi_parse_int(text, 0, INT32_MAX, &index, NULL) != REFQ_OK) {
        return false;
    }
    *ret = (size_t)index;
    return true;
}

json_t *rqi_js_pointer_step(const json_t *value, const rqi_buf *step, rqi_js_place *ret)
{
    const char *key = rqi_buf_str(step);
    if (json_is_object(value)) {
        void *iter = json_object_iter_at((json_t *)(uintptr_t)value, key);
        if (iter == NULL || strlen(key) != step->len) {
            return NULL;
        }
        ret->key = json_object_iter_key(iter);
        ret->key_len = json_object_iter_key_len(iter);
        return json_object_iter_value(iter);
    }
    if (!json_is_array(value) || !parse_index(key, &ret->index)) {
        return NULL;
    }
    ret->key = NULL;
    return json_array_get(value, ret->index);
}
