/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A task of a plugin is listed by its name, or as a map whose keys are
 * those of any task: what stands in the file replaces what the plugin says, so
 * that whoever runs a plugin can give a task more time without compiling it.
 */
#include "config/config_plugin.h"

#include "base/buf.h"
#include "config/place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_PATH_BYTES 4096
#define MAX_CONFIG     65536

enum { RUN_THREAD, RUN_CHILD };

static const char *const run_words[] = {[RUN_THREAD] = "thread", [RUN_CHILD] = "child", NULL};

static rqi_read_fn read_path, read_run, read_plugin_tasks;

static const rqi_key plugin_keys[] = {
    {"path", read_path, .required = true},
    {"run", read_run, .words = run_words},
    {"tasks", read_plugin_tasks, .offset = 0},
    {"config", rqi_read_json, .offset = offsetof(rqi_config_plugin, options.config_json),
     .max = MAX_CONFIG},
};

const rqi_key_table rqi_plugin_table = {"a plugin", plugin_keys,
                                        sizeof plugin_keys / sizeof plugin_keys[0]};

/* --- Keys --------------------------------------------------------------------------------------
 */

static refq_err read_path(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                          void *target)
{
    rqi_config_plugin *plugin = target;
    const char *text = "";
    refq_err e = rqi_read_scalar(r, key->name, node, &text);
    if (e != REFQ_OK) {
        return e;
    }
    if (text[0] == '\0' || strlen(text) > MAX_PATH_BYTES) {
        return rqi_fail_at(r->err, REFQ_ERR_LIMIT, r->file, node->line,
                           "path: a plugin's path has 1 to %d bytes", MAX_PATH_BYTES);
    }
    plugin->given = text;
    plugin->line = node->line;
    if (text[0] == '/') {
        plugin->options.path = text;
        return REFQ_OK;
    }
    rqi_buf out = {0};
    rqi_buf_addf(&out, "%s/%s", strcmp(r->folder, "/") == 0 ? "" : r->folder, text);
    plugin->options.path = rqi_arena_own(r->arena, rqi_buf_take(&out, NULL));
    return plugin->options.path != NULL ? REFQ_OK : rqi_read_nomem(r);
}

static refq_err read_run(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                         void *target)
{
    unsigned word = RUN_THREAD;
    refq_err e = rqi_read_word(r, key, node, &word);
    ((rqi_config_plugin *)target)->options.child = word == RUN_CHILD;
    return e;
}

static refq_err read_plugin_task(const rqi_reading *r, const rqi_yaml_node *node,
                                 refq_task_def *ret)
{
    ret->struct_size = sizeof *ret;
    if (node->kind == RQI_YAML_MAP) {
        return rqi_read_definition(r, node, ret);
    }
    return rqi_read_scalar(r, "a task of a plugin", node, &ret->name);
}

static refq_err read_plugin_tasks(const rqi_reading *r, const rqi_key *key,
                                  const rqi_yaml_node *node, void *target)
{
    rqi_config_plugin *plugin = target;
    refq_err e = rqi_read_expect(r, key->name, node, RQI_YAML_LIST);
    if (e != REFQ_OK) {
        return e;
    }
    if (node->count == 0 || node->count > RQI_CONFIG_MAX_TASKS) {
        return rqi_fail_at(r->err, REFQ_ERR_LIMIT, r->file, node->line,
                           "%u tasks of a plugin are listed; allowed are 1 to %d, and without the "
                           "key all are taken",
                           node->count, RQI_CONFIG_MAX_TASKS);
    }
    refq_task_def *tasks = rqi_arena_alloc(r->arena, node->count, sizeof *tasks);
    if (tasks == NULL) {
        return rqi_read_nomem(r);
    }
    for (const rqi_yaml_node *child = node->first; e == REFQ_OK && child != NULL;
         child = child->next) {
        e = read_plugin_task(r, child, &tasks[plugin->options.n_tasks++]);
    }
    plugin->options.tasks = tasks;
    return e;
}

refq_err rqi_read_plugins(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                          void *target)
{
    rqi_config *config = target;
    refq_err e = rqi_read_expect(r, key->name, node, RQI_YAML_LIST);
    if (e != REFQ_OK) {
        return e;
    }
    if (node->count == 0 || node->count > RQI_CONFIG_MAX_PLUGINS) {
        return rqi_fail_at(r->err, REFQ_ERR_LIMIT, r->file, node->line,
                           "%u plugins are listed; allowed are 1 to %d", node->count,
                           RQI_CONFIG_MAX_PLUGINS);
    }
    config->plugins = rqi_arena_alloc(r->arena, node->count, sizeof *config->plugins);
    if (config->plugins == NULL) {
        return rqi_read_nomem(r);
    }
    for (const rqi_yaml_node *child = node->first; e == REFQ_OK && child != NULL;
         child = child->next) {
        rqi_config_plugin *plugin = &config->plugins[config->n_plugins++];
        plugin->options.struct_size = sizeof plugin->options;
        e = rqi_read_map(r, key->inner, child, plugin);
    }
    return e;
}

/* --- Files and tasks ---------------------------------------------------------------------------
 */

refq_err rqi_config_check_plugins(const rqi_config *config, refq_error *err)
{
    for (size_t i = 0; i < config->n_plugins; i++) {
        const rqi_config_plugin *plugin = &config->plugins[i];
        if (access(plugin->options.path, R_OK) != 0) {
            return rqi_fail_at(err, REFQ_ERR_NOTFOUND, config->file, plugin->line,
                               "path: cannot read the plugin '%.100s': %s", plugin->given,
                               strerror(errno));
        }
    }
    return REFQ_OK;
}

refq_err rqi_config_add_plugins(const rqi_config *config, refq_handlers *handlers, refq_error *err)
{
    for (size_t i = 0; i < config->n_plugins; i++) {
        const rqi_config_plugin *plugin = &config->plugins[i];
        refq_error inner;
        refq_err e = refq_handlers_add_plugin(handlers, &plugin->options, &inner);
        if (e != REFQ_OK) {
            return rqi_fail_at(err, e, config->file, plugin->line, "%s", inner.text);
        }
    }
    return REFQ_OK;
}
