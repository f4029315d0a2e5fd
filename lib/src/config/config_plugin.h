/* SPDX-License-Identifier: MIT */
/* The key `plugins` of a task file. */
#ifndef REFQ_WORKER_CONFIG_PLUGIN_H
#define REFQ_WORKER_CONFIG_PLUGIN_H

#include "config/config.h"
#include "config/config_read.h"

#define RQI_CONFIG_MAX_PLUGINS 32

rqi_read_fn rqi_read_plugins; /* target: a rqi_config; rqi_plugin_table is the key's inner one */

extern const rqi_key_table rqi_plugin_table;

/* Reads what a task of a plugin may change: a map with `name` and keys of the definition. By
 * config.c, which has these keys. */
refq_err rqi_read_definition(const rqi_reading *r, const rqi_yaml_node *node, refq_task_def *ret);

/* Looks whether the files are there. */
refq_err rqi_config_check_plugins(const rqi_config *config, refq_error *err);

/* Loads the plugins and adds their tasks; the error has file and line. */
refq_err rqi_config_add_plugins(const rqi_config *config, refq_handlers *handlers, refq_error *err);

#endif
