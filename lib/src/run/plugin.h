/* SPDX-License-Identifier: MIT */
/* Loading plugins. */
#ifndef RQI_RUN_PLUGIN_H
#define RQI_RUN_PLUGIN_H

#include <refq/plugin.h>

/* A plugin of one registry. */
typedef struct rqi_plugin {
    char *path;
    char *config; /* JSON */
    const refq_plugin *table;
    void *arg;
    bool inited; /* fini is owed */
} rqi_plugin;

/* Loads the shared object and checks that it fits this library. */
refq_err rqi_plugin_open(const char *path, const refq_plugin **ret, refq_error *err);

/* NULL when it has no such task. */
const refq_plugin_task *rqi_plugin_find(const refq_plugin *plugin, const char *name);

/* Calls init; where there is none, *ret_arg becomes NULL. */
refq_err rqi_plugin_init(const refq_plugin *plugin, const char *config, void **ret_arg,
                         refq_error *err);

/* NULL is fine. */
void rqi_plugin_free(rqi_plugin *plugin);

#endif
