/* SPDX-License-Identifier: MIT */
#include "config/config_read.h"

#include "base/error.h"
#include "base/parse.h"
#include "config/place.h"
#include "config/yaml_json.h"

#include <refq/handlers.h>

#include <stdlib.h>
#include <string.h>

#define MAX_KEYS 32

static void *at(void *target, const rqi_key *key)
{
    return (char *)target + key->offset;
}

refq_err rqi_read_nomem(const rqi_reading *r)
{
    return rqi_fail(r->err, REFQ_ERR_NOMEM, "out of memory");
}

refq_err rqi_read_expect(const rqi_reading *r, const char *what, const rqi_yaml_node *node,
                         rqi_yaml_kind kind)
{
    if (node->kind == kind) {
        return REFQ_OK;
    }
    return rqi_fail_at(r->err, REFQ_ERR_INVALID, r->file, node->line, "%.80s must be %s, not %s",
                       what, rqi_yaml_kind_name(kind), rqi_yaml_kind_name(node->kind));
}

refq_err rqi_read_scalar(const rqi_reading *r, const char *what, const rqi_yaml_node *node,
                         const char **ret_text)
{
    if (node->kind == RQI_YAML_NULL) {
        return rqi_fail_at(r->err, REFQ_ERR_INVALID, r->file, node->line,
                           "%.80s has no value; write \"\" for an empty text", what);
    }
    if (node->text == NULL) {
        return rqi_read_expect(r, what, node, RQI_YAML_TEXT);
    }
    *ret_text = node->text;
    return REFQ_OK;
}

/* --- Values ------------------------------------------------------------------------------------
 */

static refq_err out_of_range(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node)
{
    return rqi_fail_at(r->err, REFQ_ERR_LIMIT, r->file, node->line,
                       "%s: '%.40s' is out of range; allowed are %s", key->name, node->text,
                       key->allowed);
}

/* Puts the place before what a parser of base/parse.h said. */
static refq_err not_parsed(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                           const refq_error *inner)
{
    return rqi_fail_at(r->err, inner->code, r->file, node->line, "%s: %s", key->name, inner->text);
}

refq_err rqi_read_text(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                       void *target)
{
    const char *text = "";
    refq_err e = rqi_read_scalar(r, key->name, node, &text);
    if (e != REFQ_OK) {
        return e;
    }
    size_t len = strlen(text);
    if (len > (size_t)key->max) {
        return rqi_fail_at(r->err, REFQ_ERR_LIMIT, r->file, node->line,
                           "%s is %zu bytes long; at most %lld are allowed", key->name, len,
                           (long long)key->max);
    }
    *(const char **)at(target, key) = text;
    return REFQ_OK;
}

refq_err rqi_read_duration(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                           void *target)
{
    const char *text = "";
    refq_error inner;
    int64_t ms = 0;
    refq_err e = rqi_read_scalar(r, key->name, node, &text);
    if (e != REFQ_OK) {
        return e;
    }
    if (rqi_parse_duration(text, &ms, &inner) != REFQ_OK) {
        return not_parsed(r, key, node, &inner);
    }
    if (ms < key->min || ms > key->max) {
        return out_of_range(r, key, node);
    }
    *(int64_t *)at(target, key) = ms;
    return REFQ_OK;
}

refq_err rqi_read_size(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                       void *target)
{
    const char *text = "";
    refq_error inner;
    size_t bytes = 0;
    refq_err e = rqi_read_scalar(r, key->name, node, &text);
    if (e != REFQ_OK) {
        return e;
    }
    if (rqi_parse_size(text, &bytes, &inner) != REFQ_OK) {
        return not_parsed(r, key, node, &inner);
    }
    if (bytes < (size_t)key->min || bytes > (size_t)key->max) {
        return out_of_range(r, key, node);
    }
    *(size_t *)at(target, key) = bytes;
    return REFQ_OK;
}

static refq_err read_int(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                         int64_t *ret)
{
    const char *text = "";
    refq_error inner;
    refq_err e = rqi_read_scalar(r, key->name, node, &text);
    if (e != REFQ_OK) {
        return e;
    }
    bool parsed = rqi_parse_int(text, key->min, key->max, ret, &inner) == REFQ_OK;
    return parsed ? REFQ_OK : not_parsed(r, key, node, &inner);
}

refq_err rqi_read_retries(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                          void *target)
{
    int64_t value = 0;
    refq_err e = read_int(r, key, node, &value);
    if (e == REFQ_OK) {
        *(int *)at(target, key) = value == 0 ? REFQ_NO_RETRIES : (int)value;
    }
    return e;
}

refq_err rqi_read_count(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                        void *target)
{
    int64_t value = 0;
    refq_err e = read_int(r, key, node, &value);
    if (e == REFQ_OK) {
        *(unsigned *)at(target, key) = (unsigned)value;
    }
    return e;
}

refq_err rqi_read_number(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                         void *target)
{
    if (node->kind != RQI_YAML_INT && node->kind != RQI_YAML_FLOAT) {
        return rqi_read_expect(r, key->name, node, RQI_YAML_FLOAT);
    }
    double value = strtod(node->text, NULL);
    if (!(value >= (double)key->min && value <= (double)key->max)) { /* also catches .nan */
        return out_of_range(r, key, node);
    }
    *(double *)at(target, key) = value;
    return REFQ_OK;
}

refq_err rqi_read_flag(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                       void *target)
{
    refq_err e = rqi_read_expect(r, key->name, node, RQI_YAML_BOOL);
    if (e == REFQ_OK) {
        *(bool *)at(target, key) = rqi_yaml_scalar_true(node->text);
    }
    return e;
}

static const char *list_words(rqi_buf *out, const char *const *words)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        rqi_buf_addf(out, "%s%s", i == 0 ? "" : ", ", words[i]);
    }
    return rqi_buf_str(out);
}

refq_err rqi_read_word(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                       void *target)
{
    const char *text = "";
    refq_err e = rqi_read_scalar(r, key->name, node, &text);
    if (e != REFQ_OK) {
        return e;
    }
    for (unsigned i = 0; key->words[i] != NULL; i++) {
        if (strcmp(text, key->words[i]) == 0) {
            *(unsigned *)at(target, key) = i;
            return REFQ_OK;
        }
    }
    rqi_buf known = {0};
    e = rqi_fail_at(r->err, REFQ_ERR_INVALID, r->file, node->line, "%s: '%.40s' is not one of %s",
                    key->name, text, list_words(&known, key->words));
    rqi_buf_done(&known);
    return e;
}

refq_err rqi_read_json(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                       void *target)
{
    rqi_buf json = rqi_buf_make((size_t)key->max);
    refq_err e = rqi_yaml_json(node, r->file, &json, r->err);
    if (e == REFQ_OK && json.err == REFQ_ERR_LIMIT) {
        e = rqi_fail_at(r->err, REFQ_ERR_LIMIT, r->file, node->line,
                        "%s is larger than %lld bytes of JSON", key->name, (long long)key->max);
    }
    char *text = e == REFQ_OK ? rqi_arena_own(r->arena, rqi_buf_take(&json, NULL)) : NULL;
    rqi_buf_done(&json);
    if (e == REFQ_OK && text == NULL) {
        return rqi_read_nomem(r);
    }
    *(const char **)at(target, key) = text;
    return e;
}

refq_err rqi_read_schema(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                         void *target)
{
    refq_err e = rqi_read_expect(r, key->name, node, RQI_YAML_MAP);
    return e == REFQ_OK ? rqi_read_json(r, key, node, target) : e;
}

/* --- Maps --------------------------------------------------------------------------------------
 */

static const rqi_key *find_key(const rqi_key_table *table, const char *name)
{
    for (size_t i = 0; i < table->n; i++) {
        if (strcmp(table->keys[i].name, name) == 0) {
            return &table->keys[i];
        }
    }
    return NULL;
}

static refq_err unknown_key(const rqi_reading *r, const rqi_yaml_node *child,
                            const rqi_key_table *table)
{
    const char *names[MAX_KEYS + 1] = {NULL};
    size_t n = table->n < MAX_KEYS ? table->n : MAX_KEYS;
    for (size_t i = 0; i < n; i++) {
        names[i] = table->keys[i].name;
    }
    const char *nearest = rqi_nearest(child->key, names, n);
    if (nearest != NULL) {
        return rqi_fail_at(r->err, REFQ_ERR_INVALID, r->file, child->key_line,
                           "unknown key '%.40s'; did you mean '%s'?", child->key, nearest);
    }
    rqi_buf known = {0};
    refq_err e =
        rqi_fail_at(r->err, REFQ_ERR_INVALID, r->file, child->key_line,
                    "unknown key '%.40s'; known are %s", child->key, list_words(&known, names));
    rqi_buf_done(&known);
    return e;
}

static refq_err check_required(const rqi_reading *r, const rqi_yaml_node *node,
                               const rqi_key_table *table)
{
    for (size_t i = 0; i < table->n; i++) {
        const rqi_key *key = &table->keys[i];
        const rqi_yaml_node *child = node->first;
        while (child != NULL && strcmp(child->key, key->name) != 0) {
            child = child->next;
        }
        if (key->required && child == NULL) {
            return rqi_fail_at(r->err, REFQ_ERR_INVALID, r->file, node->line,
                               "%s lacks the key '%s'", table->map, key->name);
        }
    }
    return REFQ_OK;
}

refq_err rqi_read_map(const rqi_reading *r, const rqi_key_table *table, const rqi_yaml_node *node,
                      void *target)
{
    refq_err e = rqi_read_expect(r, table->map, node, RQI_YAML_MAP);
    for (const rqi_yaml_node *child = node->first; e == REFQ_OK && child != NULL;
         child = child->next) {
        const rqi_key *key = find_key(table, child->key);
        e = key != NULL ? key->read(r, key, child, target) : unknown_key(r, child, table);
    }
    return e == REFQ_OK ? check_required(r, node, table) : e;
}
