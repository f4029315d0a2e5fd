/* SPDX-License-Identifier: MIT */
/* content.h has the design. */
#include "call/content.h"

#include "base/error.h"
#include "codec/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static json_t *shared(const json_t *value)
{
    return json_incref((json_t *)(uintptr_t)value);
}

static refq_err no_memory(refq_error *err)
{
    return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory for the arguments of a call");
}

/* --- Keeping ---------------------------------------------------------------------------------- */

refq_err rqi_content_add(rqi_content *content, const char *ref_id, refq_bytes value,
                         refq_error *err)
{
    char *text = NULL;
    if (value.ptr != NULL && value.len > RQI_CONTENT_BYTES - content->bytes) {
        content->too_large = true;
    } else if (value.ptr != NULL && !content->too_large) {
        text = malloc(value.len + 1);
        if (text == NULL) {
            return no_memory(err);
        }
        memcpy(text, value.ptr, value.len);
        text[value.len] = '\0';
        content->bytes += value.len;
    }
    content->items[content->n].ref_id = ref_id;
    content->items[content->n].text = text;
    content->items[content->n].len = value.len;
    content->n++;
    return REFQ_OK;
}

void rqi_content_done(rqi_content *content)
{
    for (size_t i = 0; i < content->n; i++) {
        free(content->items[i].text);
    }
    *content = (rqi_content){0};
}

/* --- Replacing -------------------------------------------------------------------------------- */

struct put {
    const rqi_content *content;
    json_t *values[RQI_CONTENT_MAX]; /* owned; NULL = it counts as itself */
    size_t bytes;                    /* of the values put so far */
    bool no_memory;
};

/* Which reference a value is; content->n when it is none. */
static size_t which(const struct put *p, const json_t *value)
{
    const char *text = json_string_value(value);
    bool is_one = text != NULL && strlen(text) == json_string_length(value);
    size_t i = is_one ? 0 : p->content->n;
    while (i < p->content->n && strcmp(p->content->items[i].ref_id, text) != 0) {
        i++;
    }
    return i;
}

static void load(struct put *p)
{
    for (size_t i = 0; i < p->content->n && !p->content->too_large; i++) {
        const char *text = p->content->items[i].text;
        if (text != NULL && rqi_json_load_any(text, p->content->items[i].len, RQI_CONTENT_BYTES, 0,
                                              &p->values[i], NULL) != REFQ_OK) {
            p->values[i] = NULL;
        }
    }
}

static void forget(struct put *p)
{
    for (size_t i = 0; i < p->content->n; i++) {
        json_decref(p->values[i]);
        p->values[i] = NULL;
    }
}

static json_t *put_leaf(struct put *p, const json_t *value)
{
    size_t i = which(p, value);
    if (i == p->content->n || p->values[i] == NULL) {
        return shared(value);
    }
    p->bytes += p->content->items[i].len;
    return shared(p->values[i]);
}

/* The value with references replaced, owned. Arguments are nested 32 deep at most. */
static json_t *put(struct put *p, const json_t *value)
{
    size_t i = 0;
    const char *name = NULL;
    json_t *item = NULL;
    if (!json_is_array(value) && !json_is_object(value)) {
        return put_leaf(p, value);
    }
    json_t *out = json_is_array(value) ? json_array() : json_object();
    json_array_foreach(value, i, item)
    {
        p->no_memory = json_array_append_new(out, put(p, item)) != 0 || p->no_memory;
    }
    json_object_foreach((json_t *)(uintptr_t)value, name, item)
    {
        p->no_memory = json_object_set_new(out, name, put(p, item)) != 0 || p->no_memory;
    }
    return out;
}

/* Only the references that count as themselves, at their places; NULL when there are none. */
static json_t *left(struct put *p, const json_t *value)
{
    size_t i = which(p, value);
    const char *name = NULL;
    json_t *item = NULL;
    bool any = false;
    if (!json_is_array(value) && !json_is_object(value)) {
        return i < p->content->n && p->values[i] == NULL ? shared(value) : NULL;
    }
    json_t *out = json_is_array(value) ? json_array() : json_object();
    json_array_foreach(value, i, item)
    {
        json_t *one = left(p, item);
        any = any || one != NULL;
        one = one != NULL ? one : json_null();
        p->no_memory = json_array_append_new(out, one) != 0 || p->no_memory;
    }
    json_object_foreach((json_t *)(uintptr_t)value, name, item)
    {
        json_t *one = left(p, item);
        any = any || one != NULL;
        p->no_memory = (one != NULL && json_object_set_new(out, name, one) != 0) || p->no_memory;
    }
    if (!any) {
        json_decref(out);
    }
    return any ? out : NULL;
}

static char *write_put(struct put *p, const json_t *args)
{
    json_t *whole = put(p, args);
    if (p->bytes > RQI_CONTENT_BYTES) {
        forget(p);
        json_decref(whole);
        whole = shared(args);
    }
    char *text = p->no_memory ? NULL : json_dumps(whole, JSON_COMPACT);
    json_decref(whole);
    return text;
}

refq_err rqi_content_write(const rqi_content *content, const json_t *args, char **ret_args,
                           char **ret_references, refq_error *err)
{
    struct put p = {.content = content};
    load(&p);
    char *text = write_put(&p, args);
    json_t *rest = text != NULL ? left(&p, args) : NULL;
    char *references = rest != NULL ? json_dumps(rest, JSON_COMPACT) : NULL;
    bool ok = text != NULL && !p.no_memory && (rest == NULL || references != NULL);
    json_decref(rest);
    forget(&p);
    if (!ok) {
        free(text);
        free(references);
        return no_memory(err);
    }
    *ret_args = text;
    *ret_references = references;
    return REFQ_OK;
}
