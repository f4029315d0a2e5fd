/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A plugin is checked before any of its code but its entry is called: the
 * sizes of the structs it was compiled with have to be ours, so that a field
 * added to a definition is a clear refusal and not a shifted struct. One version
 * number would do only as long as nobody forgets to raise it.
 *
 * The file is never unloaded. A reload of a changed file (a new one moved into
 * its place, as package managers do) maps the new one beside the old one, which
 * running attempts go on using.
 */
#include "run/plugin.h"

#include "base/error.h"
#include "codec/json.h"
#include "run/handlers.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_MAX   ((size_t)64 * 1024)
#define CONFIG_DEPTH 32
#define TASKS_MAX    512

/* --- Loading ---------------------------------------------------------------------------------- */

static refq_err check_table(const refq_plugin *p, const char *path, refq_error *err)
{
    if (p == NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID, "%.120s: refq_plugin_v1() returned nothing", path);
    }
    if (p->abi != REFQ_PLUGIN_ABI) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "%.120s: the plugin has ABI %u, this program needs %u; compile it against "
                        "the installed headers",
                        path, p->abi, REFQ_PLUGIN_ABI);
    }
    if (p->struct_size != sizeof(refq_plugin) || p->task_size != sizeof(refq_plugin_task)) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "%.120s: the plugin was compiled against headers of another version of "
                        "refq; compile it anew",
                        path);
    }
    if (p->name == NULL || p->tasks == NULL || p->n_tasks == 0 || p->n_tasks > TASKS_MAX) {
        return rqi_fail(err, REFQ_ERR_INVALID, "%.120s: the plugin needs a name and 1 to %d tasks",
                        path, TASKS_MAX);
    }
    return REFQ_OK;
}

static refq_err check_task(const refq_plugin *p, size_t i, const char *path, refq_error *err)
{
    const refq_plugin_task *task = &p->tasks[i];
    if (task->def.struct_size != sizeof(refq_task_def) || task->def.name == NULL ||
        task->handler == NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "%.120s: task %zu of the plugin lacks a name, a handler or the "
                        "struct_size of its definition",
                        path, i + 1);
    }
    if (rqi_plugin_find(p, task->def.name) != task) {
        return rqi_fail(err, REFQ_ERR_CONFLICT, "%.120s: the plugin has two tasks named '%.64s'",
                        path, task->def.name);
    }
    return REFQ_OK;
}

static refq_err check_path(const char *path, refq_error *err)
{
    if (path == NULL || strchr(path, '/') == NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the path of a plugin needs a slash; write ./%.120s for one in this folder",
                        path != NULL ? path : "name.so");
    }
    if (access(path, R_OK) != 0) {
        return rqi_fail(err, REFQ_ERR_NOTFOUND, "cannot read the plugin %.150s: %s", path,
                        strerror(errno));
    }
    return REFQ_OK;
}

static refq_err load(const char *path, void **ret_symbol, refq_error *err)
{
    refq_err code = check_path(path, err);
    if (code != REFQ_OK) {
        return code;
    }
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID, "cannot load the plugin: %.200s", dlerror());
    }
    *ret_symbol = dlsym(object, "refq_plugin_v1");
    if (*ret_symbol == NULL) {
        (void)dlclose(object);
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "%.120s is not a plugin: it does not define refq_plugin_v1()", path);
    }
    return REFQ_OK;
}

refq_err rqi_plugin_open(const char *path, const refq_plugin **ret, refq_error *err)
{
    void *symbol = NULL;
    refq_err code = load(path, &symbol, err);
    if (code != REFQ_OK) {
        return code;
    }
    const refq_plugin *(*entry)(void) = NULL;
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from an object to a function */
    const refq_plugin *plugin = entry();
    code = check_table(plugin, path, err);
    for (size_t i = 0; code == REFQ_OK && i < plugin->n_tasks; i++) {
        code = check_task(plugin, i, path, err);
    }
    if (code == REFQ_OK) {
        *ret = plugin;
    }
    return code;
}

const refq_plugin_task *rqi_plugin_find(const refq_plugin *plugin, const char *name)
{
    for (size_t i = 0; i < plugin->n_tasks; i++) {
        const char *has = plugin->tasks[i].def.name;
        if (has != NULL && strcmp(has, name) == 0) {
            return &plugin->tasks[i];
        }
    }
    return NULL;
}

refq_err rqi_plugin_init(const refq_plugin *plugin, const char *config, void **ret_arg,
                         refq_error *err)
{
    void *arg = NULL;
    refq_error inner = {0};
    refq_err code = plugin->init != NULL ? plugin->init(config, &arg, &inner) : REFQ_OK;
    if (code != REFQ_OK) {
        return rqi_fail(err, code, "plugin %.64s: init failed: %.160s", plugin->name,
                        inner.text[0] != '\0' ? inner.text : refq_strerror(code));
    }
    *ret_arg = arg;
    return REFQ_OK;
}

void rqi_plugin_free(rqi_plugin *plugin)
{
    if (plugin == NULL) {
        return;
    }
    if (plugin->inited && plugin->table->fini != NULL) {
        plugin->table->fini(plugin->arg);
    }
    free(plugin->path);
    free(plugin->config);
    free(plugin);
}

/* --- Adding ----------------------------------------------------------------------------------- */

static refq_err make(const refq_plugin_options *o, rqi_plugin **ret, refq_error *err)
{
    const char *config = o->config_json != NULL ? o->config_json : "null";
    json_t *json = NULL;
    refq_err code = rqi_json_load_any(config, strlen(config), CONFIG_MAX, CONFIG_DEPTH, &json, err);
    json_decref(json);
    if (code != REFQ_OK) {
        return rqi_fail_in(err, code, "the configuration of a plugin");
    }
    rqi_plugin *p = calloc(1, sizeof *p);
    if (p != NULL) {
        p->path = o->path != NULL ? strdup(o->path) : NULL;
        p->config = strdup(config);
    }
    if (p == NULL || p->config == NULL || (o->path != NULL && p->path == NULL)) {
        rqi_plugin_free(p);
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory for a plugin");
    }
    *ret = p;
    return REFQ_OK;
}

static const void *pick(const void *changed, const void *own)
{
    return changed != NULL ? changed : own;
}

static int64_t pick_number(int64_t changed, int64_t own)
{
    return changed != 0 ? changed : own;
}

static void merge_call(const refq_task_def *change, refq_task_def *d)
{
    if (change->has_reuse) {
        d->has_reuse = 1;
        d->reuse = change->reuse;
    }
    if (change->has_response_format) {
        d->has_response_format = 1;
        d->response_format = change->response_format;
    }
    d->max_size = pick_number(change->max_size, d->max_size);
    d->namespace_template = pick(change->namespace_template, d->namespace_template);
    d->owner_template = pick(change->owner_template, d->owner_template);
    d->session_scoped = change->session_scoped || d->session_scoped;
    d->policy = pick(change->policy, d->policy);
}

static refq_task_def merge(const refq_task_def *own, const refq_task_def *change)
{
    refq_task_def d = *own;
    merge_call(change, &d);
    d.description = pick(change->description, own->description);
    d.input_schema = pick(change->input_schema, own->input_schema);
    d.output_schema = pick(change->output_schema, own->output_schema);
    d.async_timeout_ms = pick_number(change->async_timeout_ms, own->async_timeout_ms);
    d.timeout_ms = pick_number(change->timeout_ms, own->timeout_ms);
    d.result_ttl_ms = pick_number(change->result_ttl_ms, own->result_ttl_ms);
    d.max_retries = (int)pick_number(change->max_retries, own->max_retries);
    d.concurrency = (unsigned)pick_number(change->concurrency, own->concurrency);
    d.child = change->child || own->child;
    if (change->backoff.factor > 0) {
        d.backoff = change->backoff;
    }
    return d;
}

static refq_err add_task(refq_handlers *set, rqi_plugin *p, const refq_plugin_task *task,
                         const refq_task_def *change, bool child, refq_error *err)
{
    static const refq_task_def no_change = {0};
    refq_task_def def = merge(&task->def, change != NULL ? change : &no_change);
    def.child = def.child || child;
    rqi_handler *h = NULL;
    refq_err code = rqi_handlers_add(
        set, task->mode == REFQ_RUN_INLINE ? RQI_HANDLER_INLINE : RQI_HANDLER_THREAD, &def, NULL,
        &h, err);
    if (code == REFQ_OK) {
        h->fn = task->handler;
        h->plugin = p;
    }
    return code;
}

static refq_err add_listed(refq_handlers *set, rqi_plugin *p, const refq_plugin_options *o,
                           refq_error *err)
{
    refq_err code = REFQ_OK;
    for (size_t i = 0; code == REFQ_OK && i < o->n_tasks; i++) {
        const char *name = o->tasks[i].name != NULL ? o->tasks[i].name : "";
        const refq_plugin_task *task = rqi_plugin_find(p->table, name);
        if (task == NULL) {
            return rqi_fail(err, REFQ_ERR_NOTFOUND, "plugin %.64s has no task '%.64s'",
                            p->table->name, name);
        }
        code = add_task(set, p, task, &o->tasks[i], o->child, err);
    }
    return code;
}

static refq_err add_tasks(refq_handlers *set, rqi_plugin *p, const refq_plugin_options *o,
                          refq_error *err)
{
    if (o->tasks != NULL) {
        return add_listed(set, p, o, err);
    }
    refq_err code = REFQ_OK;
    for (size_t i = 0; code == REFQ_OK && i < p->table->n_tasks; i++) {
        code = add_task(set, p, &p->table->tasks[i], NULL, o->child, err);
    }
    return code;
}

/* A child calls init by itself; here it is needed only for what runs here. */
static refq_err init_here(refq_handlers *set, size_t first, rqi_plugin *p, refq_error *err)
{
    bool needed = false;
    for (size_t i = first; i < rqi_handlers_count(set); i++) {
        needed = needed || !rqi_handlers_at(set, i)->def.child;
    }
    if (!needed) {
        return REFQ_OK;
    }
    refq_err code = rqi_plugin_init(p->table, p->config, &p->arg, err);
    p->inited = code == REFQ_OK;
    return code;
}

refq_err refq_handlers_add_plugin(refq_handlers *handlers, const refq_plugin_options *options,
                                  refq_error *err)
{
    rqi_plugin *p = NULL;
    size_t first = rqi_handlers_count(handlers);
    refq_err code = make(options, &p, err);
    if (code != REFQ_OK) {
        return code;
    }
    code = rqi_plugin_open(p->path, &p->table, err);
    if (code == REFQ_OK) {
        code = add_tasks(handlers, p, options, err);
    }
    if (code == REFQ_OK) {
        code = init_here(handlers, first, p, err);
    }
    if (code == REFQ_OK) {
        code = rqi_handlers_take_plugin(handlers, first, p, err);
    }
    if (code != REFQ_OK) {
        rqi_handlers_cut(handlers, first);
        rqi_plugin_free(p);
    }
    return code;
}
