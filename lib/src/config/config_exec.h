/* SPDX-License-Identifier: MIT */
/* Readers of the keys that say how a program is started. Their target is a rqi_config_task. */
#ifndef REFQ_WORKER_CONFIG_EXEC_H
#define REFQ_WORKER_CONFIG_EXEC_H

#include "config/config.h"
#include "config/config_read.h"

rqi_read_fn rqi_read_exec;      /* argv */
rqi_read_fn rqi_read_directory; /* made absolute */
rqi_read_fn rqi_read_progress;  /* checked */
rqi_read_fn rqi_read_limits;    /* rqi_limit_table, the key's inner one */
rqi_read_fn rqi_read_env;       /* a map, or a list of NAME=VALUE */

extern const rqi_key_table rqi_limit_table;

/* Defaults and checks that need several keys; after all of them are read. */
refq_err rqi_read_exec_finish(const rqi_reading *r, rqi_config_task *task);

#endif
