/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. What is printed is what the worker would offer, so it comes from the handlers, which have
 * the defaults and the tasks of plugins, not from the text of the file. A plugin is loaded and its
 * init called for that, as a worker does: only then is it known to work.
 */
#include "contents.h"

#include "base/buf.h"
#include "base/parse.h"
#include "run/call_def.h"
#include "run/handlers.h"

#include <stdio.h>

static void print_limits(const refq_task_def *def)
{
    char timeout[24] = "no timeout";
    if (def->timeout_ms > 0) {
        (void)rqi_format_duration(timeout, sizeof timeout, def->timeout_ms);
    }
    int retries = def->max_retries == REFQ_NO_RETRIES ? 0 : def->max_retries;
    rqi_buf calls = {0};
    rqi_call_def_words(def, &calls);
    printf("%s, %d retr%s%s\n", timeout, retries, retries == 1 ? "y" : "ies", rqi_buf_str(&calls));
    rqi_buf_done(&calls);
}

static const char *place(const rqi_handler *h)
{
    if (h->def.child) {
        return "in a child";
    }
    return h->kind == RQI_HANDLER_INLINE ? "in the loop" : "on a thread";
}

/* Those from `at` on that are of one plugin. Returns where the next one's begin. */
static size_t print_plugin(const rqi_config_plugin *plugin, const refq_handlers *handlers,
                           size_t at)
{
    const struct rqi_plugin *one = rqi_handlers_at(handlers, at)->plugin;
    printf("  plugin %s (line %u)\n", plugin->given, plugin->line);
    for (; at < rqi_handlers_count(handlers); at++) {
        const rqi_handler *h = rqi_handlers_at(handlers, at);
        if (h->plugin != one) {
            break;
        }
        printf("    %s: %s, ", h->def.name, place(h));
        print_limits(&h->def);
    }
    return at;
}

void rqi_contents_print(const rqi_file *file)
{
    const rqi_config *config = &file->config;
    size_t n = rqi_handlers_count(file->handlers);
    size_t at = config->n;
    printf("%s: ok, queue %s, %zu task%s\n", config->file, config->queue, n, n == 1 ? "" : "s");
    for (size_t i = 0; i < config->n; i++) {
        const rqi_config_task *task = &config->tasks[i];
        printf("  %s (line %u): %s, ", task->def.name, task->line, task->argv0);
        print_limits(&rqi_handlers_at(file->handlers, i)->def);
    }
    for (size_t i = 0; i < config->n_plugins; i++) {
        at = print_plugin(&config->plugins[i], file->handlers, at);
    }
}
