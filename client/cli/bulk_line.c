/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. One table row per member. A member that is unknown is refused: a
 * misspelt "dealy" would otherwise run a task at once that was to wait. Times
 * are texts with a unit, as on the command line, because nobody remembers which
 * unit a bare number would have.
 */
#include "bulk_line.h"

#include "base/error.h"
#include "base/parse.h"
#include "codec/args.h"

#include <jansson.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define RETRIES_MAX     1000
#define KEY_MAX         128
#define TRACEPARENT_MAX 64

typedef struct member member;
typedef refq_err (*member_reader)(const member *m, const json_t *value, cli_bulk_item *item,
                                  refq_error *err);

struct member {
    const char *name;
    member_reader read;
    size_t offset; /* in the item */
    size_t max;    /* bytes of a text */
};

/* --- Readers ---------------------------------------------------------------------------------- */

static refq_err wrong(const member *m, const char *wanted, refq_error *err)
{
    return rqi_fail(err, REFQ_ERR_INVALID, "\"%s\" must be %s", m->name, wanted);
}

static refq_err read_text(const member *m, const json_t *value, cli_bulk_item *item,
                          refq_error *err)
{
    char **target = (char **)(void *)((char *)item + m->offset);
    const char *text = json_string_value(value);
    if (text == NULL || text[0] == '\0') {
        return wrong(m, "a text that is not empty", err);
    }
    if (strlen(text) > m->max) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "\"%s\" has more than the %zu bytes allowed", m->name,
                        m->max);
    }
    *target = strdup(text);
    return *target != NULL ? REFQ_OK : rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
}

static refq_err read_args(const member *m, const json_t *value, cli_bulk_item *item,
                          refq_error *err)
{
    rqi_buf packed = {0};
    if (!json_is_object(value)) {
        return wrong(m, "an object", err);
    }
    item->args = json_dumps(value, JSON_COMPACT);
    if (item->args == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    refq_err code = rqi_args_encode(item->args, strlen(item->args), &packed, err);
    rqi_buf_done(&packed);
    return code;
}

static refq_err read_lane(const member *m, const json_t *value, cli_bulk_item *item,
                          refq_error *err)
{
    const char *text = json_string_value(value);
    if (text == NULL || refq_lane_parse(text, &item->spec.lane) != REFQ_OK) {
        return wrong(m, "\"high\", \"normal\" or \"low\"", err);
    }
    return REFQ_OK;
}

static refq_err read_time(const member *m, const json_t *value, cli_bulk_item *item,
                          refq_error *err)
{
    const char *text = json_string_value(value);
    if (text == NULL) {
        return wrong(m, "a text with a unit, such as \"5s\"", err);
    }
    refq_err code = rqi_parse_duration(text, (int64_t *)(void *)((char *)item + m->offset), err);
    return code == REFQ_OK ? REFQ_OK : rqi_fail_in(err, code, "\"%s\"", m->name);
}

static refq_err read_retries(const member *m, const json_t *value, cli_bulk_item *item,
                             refq_error *err)
{
    json_int_t n = json_integer_value(value);
    if (!json_is_integer(value) || n < 0 || n > RETRIES_MAX) {
        return wrong(m, "a number from 0 to 1000", err);
    }
    item->spec.max_retries = n == 0 ? REFQ_NO_RETRIES : (int)n;
    return REFQ_OK;
}

#define AT(field) offsetof(cli_bulk_item, field)

static const member members[] = {
    {"task", read_text, AT(task), REFQ_NAME_MAX},
    {"args", read_args, 0, 0},
    {"lane", read_lane, 0, 0},
    {"delay", read_time, AT(spec.delay_ms), 0},
    {"timeout", read_time, AT(spec.timeout_ms), 0},
    {"start_within", read_time, AT(spec.start_within_ms), 0},
    {"max_retries", read_retries, 0, 0},
    {"key", read_text, AT(key), KEY_MAX},
    {"key_ttl", read_time, AT(spec.key_ttl_ms), 0},
    {"traceparent", read_text, AT(traceparent), TRACEPARENT_MAX},
};

#define N_MEMBERS (sizeof members / sizeof members[0])

/* --- The line --------------------------------------------------------------------------------- */

static refq_err refuse_member(const char *name, refq_error *err)
{
    const char *names[N_MEMBERS];
    for (size_t i = 0; i < N_MEMBERS; i++) {
        names[i] = members[i].name;
    }
    const char *nearest = rqi_nearest(name, names, N_MEMBERS);
    if (nearest == NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID, "unknown member \"%.40s\"", name);
    }
    return rqi_fail(err, REFQ_ERR_INVALID, "unknown member \"%.40s\"; did you mean \"%s\"?", name,
                    nearest);
}

static refq_err read_member(const char *name, const json_t *value, cli_bulk_item *item,
                            refq_error *err)
{
    for (size_t i = 0; i < N_MEMBERS; i++) {
        if (strcmp(members[i].name, name) == 0) {
            return members[i].read(&members[i], value, item, err);
        }
    }
    return refuse_member(name, err);
}

static refq_err read_members(json_t *root, cli_bulk_item *item, refq_error *err)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(root, name, value)
    {
        refq_err code = read_member(name, value, item, err);
        if (code != REFQ_OK) {
            return code;
        }
    }
    return REFQ_OK;
}

static refq_err finish(cli_bulk_item *item, refq_error *err)
{
    item->spec.args = item->args;
    item->spec.key = item->key;
    item->spec.task = item->task != NULL ? item->task : item->spec.task;
    item->spec.traceparent = item->traceparent;
    if (item->spec.task == NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID, "\"task\" is missing, and the call names none");
    }
    return refq_name_check(item->spec.task, err);
}

refq_err cli_bulk_line_read(const char *text, const refq_spec *defaults, cli_bulk_item *ret,
                            refq_error *err)
{
    json_error_t why;
    *ret = (cli_bulk_item){.spec = *defaults};
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (root == NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID, "not JSON: %.150s (column %d)", why.text,
                        why.column);
    }
    refq_err code = json_is_object(root) ? read_members(root, ret, err)
                                         : rqi_fail(err, REFQ_ERR_INVALID, "not a JSON object");
    json_decref(root);
    return code == REFQ_OK ? finish(ret, err) : code;
}

void cli_bulk_item_done(cli_bulk_item *item)
{
    free(item->args);
    free(item->task);
    free(item->key);
    free(item->traceparent);
    *item = (cli_bulk_item){0};
}
