/* SPDX-License-Identifier: MIT */
#include "config/config_offer.h"

#include "base/error.h"
#include "config/config_plugin.h"

refq_err rqi_config_offer(const rqi_config *config, refq_handlers *handlers, refq_error *err)
{
    for (size_t i = 0; i < config->n; i++) {
        const rqi_config_task *task = &config->tasks[i];
        refq_err e = refq_handlers_add_exec(handlers, &task->def, &task->exec, err);
        if (e != REFQ_OK) {
            return rqi_fail_in(err, e, "%s:%u: task '%s'", config->file, task->line,
                               task->def.name);
        }
    }
    return rqi_config_add_plugins(config, handlers, err);
}
