/* SPDX-License-Identifier: MIT */
/* A piece of a YAML tree as compact JSON text. */
#ifndef REFQ_WORKER_YAML_JSON_H
#define REFQ_WORKER_YAML_JSON_H

#include "config/yaml_node.h"

/* Appends node to out. `file` is for messages. Whether out has overflowed is for the caller to ask.
 */
refq_err rqi_yaml_json(const rqi_yaml_node *node, const char *file, rqi_buf *out, refq_error *err);

#endif
