/* SPDX-License-Identifier: MIT */
/* What an unquoted YAML scalar means, by the core schema of YAML 1.2. */
#ifndef REFQ_WORKER_YAML_SCALAR_H
#define REFQ_WORKER_YAML_SCALAR_H

#include "base/buf.h"

#include <stdbool.h>

typedef enum rqi_yaml_kind {
    RQI_YAML_NULL = 0,
    RQI_YAML_BOOL,
    RQI_YAML_INT,
    RQI_YAML_FLOAT,
    RQI_YAML_TEXT,
    RQI_YAML_LIST,
    RQI_YAML_MAP
} rqi_yaml_kind;

/* "a text", "a list" ... for error messages. */
const char *rqi_yaml_kind_name(rqi_yaml_kind kind);

/* The kind of a plain (unquoted) scalar. */
rqi_yaml_kind rqi_yaml_scalar_kind(const char *text);

/* True for the words of the core schema that mean true. */
bool rqi_yaml_scalar_true(const char *text);

/* Appends a scalar of kind INT or FLOAT as a JSON number. False when JSON or 64 bits cannot hold it
 * (.inf, .nan, too large). */
bool rqi_yaml_scalar_number(rqi_buf *out, rqi_yaml_kind kind, const char *text);

#endif
