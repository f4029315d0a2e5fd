/* SPDX-License-Identifier: MIT */
#include "run/handlers.h"

#include "base/error.h"
#include "base/parse.h"
#include "run/call_def.h"
#include "run/exec_def.h"
#include "run/plugin.h"

#include <refq/task.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define HANDLERS_MAX       512
#define RETRIES_DEFAULT    3
#define RESULT_TTL_DEFAULT ((int64_t)24 * 3600 * 1000)
#define ASYNC_TIMEOUT_MS   5000
#define TEXT_MAX           16384
#define CONCURRENCY_MAX    4096

struct refq_handlers {
    atomic_uint refs;
    atomic_bool sealed;  /* somebody runs them: nothing is added any more */
    rqi_handler **items; /* owned, each too: runs point to them */
    size_t n;
    struct rqi_plugin **plugins; /* owned */
    size_t n_plugins;
};

static atomic_ulong last_serial;

static const refq_backoff default_backoff = {.base_ms = 1000, .factor = 2, .cap_ms = 60000};

static refq_err check_texts(const refq_task_def *def, refq_error *err)
{
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

static refq_err check_numbers(const refq_task_def *def, refq_error *err)
{
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
    if (def->concurrency > CONCURRENCY_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "task %s: concurrency must be 0 to %d", def->name,
                        CONCURRENCY_MAX);
    }
    const refq_backoff *b = &def->backoff;
    int unset = b->base_ms == 0 && b->cap_ms == 0 && b->factor <= 0 && !b->no_jitter;
    if (!unset && !(b->factor >= 1 && b->factor <= 1000)) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "task %s: backoff factor must be 1 to 1000",
                        def->name);
    }
    return REFQ_OK;
}

static refq_err check_def(const refq_task_def *def, refq_error *err)
{
    if (def->struct_size != sizeof *def) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "struct_size of a task's definition is %zu, not %zu: set it to "
                        "sizeof(refq_task_def), and compile against the installed headers",
                        def->struct_size, sizeof *def);
    }
    refq_err rc = refq_name_check(def->name != NULL ? def->name : "", err);
    if (rc != REFQ_OK) {
        return rc;
    }
    rc = check_numbers(def, err);
    rc = rc == REFQ_OK ? check_texts(def, err) : rc;
    if (rc != REFQ_OK) {
        return rc;
    }
    rc = rqi_call_def_check(def, err);
    return rc == REFQ_OK ? rc : rqi_fail_in(err, rc, "task %s", def->name);
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
    free((void *)h->def.namespace_template);
    free((void *)h->def.owner_template);
    free((void *)h->def.policy);
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
    h->serial = atomic_fetch_add(&last_serial, 1) + 1;
    h->def = *def;
    h->def.name = copy(def->name, &ok);
    h->def.description = copy(def->description, &ok);
    h->def.input_schema = copy(def->input_schema, &ok);
    h->def.output_schema = copy(def->output_schema, &ok);
    h->def.namespace_template = copy(def->namespace_template, &ok);
    h->def.owner_template = copy(def->owner_template, &ok);
    h->def.policy = copy(def->policy, &ok);
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

static refq_err check_room(const refq_handlers *set, const char *name, refq_error *err)
{
    if (atomic_load(&set->sealed)) {
        return rqi_fail(err, REFQ_ERR_CONFLICT,
                        "task %s comes too late: these handlers are in use; make a new set", name);
    }
    if (rqi_handlers_find(set, name) != NULL) {
        return rqi_fail(err, REFQ_ERR_CONFLICT, "task %s is already registered", name);
    }
    if (set->n == HANDLERS_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "a queue has at most %d tasks", HANDLERS_MAX);
    }
    return REFQ_OK;
}

refq_err rqi_handlers_add(refq_handlers *set, rqi_handler_kind kind, const refq_task_def *def,
                          const refq_exec_def *exec, rqi_handler **ret, refq_error *err)
{
    refq_err rc = check_def(def, err);
    if (rc == REFQ_OK && exec != NULL) {
        rc = rqi_exec_def_check(exec, err);
    }
    if (rc == REFQ_OK) {
        rc = check_room(set, def->name, err);
    }
    if (rc != REFQ_OK) {
        return rc;
    }
    rqi_handler **items = realloc(set->items, (set->n + 1) * sizeof *items);
    set->items = items != NULL ? items : set->items;
    rqi_handler *h = items != NULL ? handler_copy(kind, def, exec) : NULL;
    if (h == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    set->items[set->n++] = h;
    *ret = h;
    return REFQ_OK;
}

refq_err rqi_handlers_take_plugin(refq_handlers *set, size_t first, rqi_plugin *plugin,
                                  refq_error *err)
{
    rqi_plugin **plugins = realloc(set->plugins, (set->n_plugins + 1) * sizeof(rqi_plugin *));
    if (plugins == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory for a plugin");
    }
    set->plugins = plugins;
    set->plugins[set->n_plugins++] = plugin;
    for (size_t i = first; i < set->n; i++) {
        set->items[i]->arg = plugin->arg;
    }
    return REFQ_OK;
}

void rqi_handlers_cut(refq_handlers *set, size_t first)
{
    while (set->n > first) {
        handler_free(set->items[--set->n]);
    }
}

const rqi_handler *rqi_handlers_find(const refq_handlers *set, const char *name)
{
    for (size_t i = 0; i < set->n; i++) {
        if (strcmp(set->items[i]->def.name, name) == 0) {
            return set->items[i];
        }
    }
    return NULL;
}

size_t rqi_handlers_count(const refq_handlers *set)
{
    return set->n;
}

const rqi_handler *rqi_handlers_at(const refq_handlers *set, size_t i)
{
    return set->items[i];
}

bool rqi_handlers_have_programs(const refq_handlers *set)
{
    for (size_t i = 0; i < set->n; i++) {
        if (set->items[i]->kind == RQI_HANDLER_EXEC || set->items[i]->def.child) {
            return true;
        }
    }
    return false;
}

unsigned long rqi_handlers_serial(void)
{
    return atomic_load(&last_serial);
}

void rqi_handlers_seal(refq_handlers *set)
{
    atomic_store(&set->sealed, true);
}

/* --- Public ----------------------------------------------------------------------------------- */

refq_err refq_handlers_new(refq_handlers **ret, refq_error *err)
{
    refq_handlers *set = calloc(1, sizeof *set);
    if (set == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    atomic_init(&set->refs, 1);
    atomic_init(&set->sealed, false);
    *ret = set;
    return REFQ_OK;
}

refq_err refq_handlers_add_function(refq_handlers *handlers, const refq_task_def *def,
                                    refq_run_mode mode, refq_handler handler, void *arg,
                                    refq_error *err)
{
    rqi_handler *h = NULL;
    rqi_handler_kind kind = mode == REFQ_RUN_INLINE ? RQI_HANDLER_INLINE : RQI_HANDLER_THREAD;
    refq_err rc = rqi_handlers_add(handlers, kind, def, NULL, &h, err);
    if (rc == REFQ_OK) {
        h->fn = handler;
        h->arg = arg;
    }
    return rc;
}

refq_err refq_handlers_add_exec(refq_handlers *handlers, const refq_task_def *def,
                                const refq_exec_def *exec, refq_error *err)
{
    rqi_handler *h = NULL;
    return rqi_handlers_add(handlers, RQI_HANDLER_EXEC, def, exec, &h, err);
}

refq_handlers *refq_handlers_ref(refq_handlers *handlers)
{
    (void)atomic_fetch_add(&handlers->refs, 1);
    return handlers;
}

void refq_handlers_unref(refq_handlers *handlers)
{
    if (handlers == NULL || atomic_fetch_sub(&handlers->refs, 1) > 1) {
        return;
    }
    rqi_handlers_cut(handlers, 0);
    for (size_t i = 0; i < handlers->n_plugins; i++) {
        rqi_plugin_free(handlers->plugins[i]);
    }
    free(handlers->plugins);
    free(handlers->items);
    free(handlers);
}
