/* SPDX-License-Identifier: MIT */
#include "work/handler.h"

#include "base/error.h"
#include "base/parse.h"
#include "run/exec_def.h"

#include <refq/task.h>

#include <stdlib.h>
#include <string.h>

#define HANDLERS_MAX       512
#define RETRIES_DEFAULT    3
#define RESULT_TTL_DEFAULT ((int64_t)24 * 3600 * 1000)
#define ASYNC_TIMEOUT_MS   5000
#define TEXT_MAX           16384

static const refq_backoff default_backoff = {.base_ms = 1000, .factor = 2, .cap_ms = 60000};

static refq_err check_def(const refq_task_def *def, refq_error *err)
{
    refq_err rc = refq_name_check(def->name != NULL ? def->name : "", err);
    if (rc != REFQ_OK) {
        return rc;
    }
    const int64_t times[] = {def->async_timeout_ms, def->timeout_ms, def->result_ttl_ms,
                             def->backoff.base_ms, def->backoff.cap_ms};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        if (times[i] < 0 || times[i] > RQI_DURATION_MAX_MS) {
            return rqi_fail(err, REFQ_ERR_LIMIT, "task %s: times must be 0 to 366 days", def->name);
        }
    }
    if (def->max_retries < REFQ_NO_RETRIES || def->max_retries > 1000) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "task %s: max_retries must be 0 to 1000", def->name);
    }
    const refq_backoff *b = &def->backoff;
    int unset = b->base_ms == 0 && b->cap_ms == 0 && b->factor <= 0 && !b->no_jitter;
    if (!unset && !(b->factor >= 1 && b->factor <= 1000)) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "task %s: backoff factor must be 1 to 1000",
                        def->name);
    }
    const char *texts[] = {def->description, def->input_schema, def->output_schema};
    for (size_t i = 0; i < 3; i++) {
        if (texts[i] != NULL && strlen(texts[i]) > TEXT_MAX) {
            return rqi_fail(err, REFQ_ERR_LIMIT,
                            "task %s: description and schemas have at most %d bytes each",
                            def->name, TEXT_MAX);
        }
    }
    return REFQ_OK;
}

/* Copies text when set; *ok turns false when there is no memory. */
static const char *copy(const char *text, bool *ok)
{
    char *out = text != NULL ? strdup(text) : NULL;
    *ok = *ok && (text == NULL || out != NULL);
    return out;
}

static void handler_free(rqi_handler *h)
{
    free((void *)h->def.name);
    free((void *)h->def.description);
    free((void *)h->def.input_schema);
    free((void *)h->def.output_schema);
    rqi_exec_def_done(&h->exec);
    free(h);
}

static void fill_defaults(refq_task_def *def)
{
    if (def->max_retries == 0) {
        def->max_retries = RETRIES_DEFAULT;
    }
    if (def->result_ttl_ms == 0) {
        def->result_ttl_ms = RESULT_TTL_DEFAULT;
    }
    if (def->async_timeout_ms == 0) {
        def->async_timeout_ms = ASYNC_TIMEOUT_MS;
    }
    if (def->backoff.factor <= 0) {
        def->backoff = default_backoff;
    }
}

static rqi_handler *handler_copy(rqi_handler_kind kind, const refq_task_def *def,
                                 const refq_exec_def *exec)
{
    bool ok = true;
    rqi_handler *h = calloc(1, sizeof *h);
    if (h == NULL) {
        return NULL;
    }
    h->kind = kind;
    h->def = *def;
    h->def.name = copy(def->name, &ok);
    h->def.description = copy(def->description, &ok);
    h->def.input_schema = copy(def->input_schema, &ok);
    h->def.output_schema = copy(def->output_schema, &ok);
    fill_defaults(&h->def);
    if (ok && exec != NULL) {
        ok = rqi_exec_def_copy(exec, &h->exec, NULL) == REFQ_OK;
    }
    if (!ok) {
        handler_free(h);
        return NULL;
    }
    return h;
}

refq_err rqi_registry_add(rqi_registry *reg, rqi_handler_kind kind, const refq_task_def *def,
                          const refq_exec_def *exec, rqi_handler **ret, refq_error *err)
{
    refq_err rc = check_def(def, err);
    if (rc == REFQ_OK && exec != NULL) {
        rc = rqi_exec_def_check(exec, err);
    }
    if (rc != REFQ_OK) {
        return rc;
    }
    if (rqi_registry_find(reg, def->name) != NULL) {
        return rqi_fail(err, REFQ_ERR_CONFLICT, "task %s is already registered", def->name);
    }
    if (reg->n == HANDLERS_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "a worker offers at most %d tasks", HANDLERS_MAX);
    }
    rqi_handler **items = realloc(reg->items, (reg->n + 1) * sizeof *items);
    reg->items = items != NULL ? items : reg->items;
    rqi_handler *h = items != NULL ? handler_copy(kind, def, exec) : NULL;
    if (h == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    reg->items[reg->n++] = h;
    *ret = h;
    return REFQ_OK;
}

const rqi_handler *rqi_registry_find(const rqi_registry *reg, const char *name)
{
    for (size_t i = 0; i < reg->n; i++) {
        if (strcmp(reg->items[i]->def.name, name) == 0) {
            return reg->items[i];
        }
    }
    return NULL;
}

void rqi_registry_done(rqi_registry *reg)
{
    for (size_t i = 0; i < reg->n; i++) {
        handler_free(reg->items[i]);
    }
    free(reg->items);
    *reg = (rqi_registry){0};
}
