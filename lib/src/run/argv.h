/* SPDX-License-Identifier: MIT */
/*
 * Command line templates.
 *
 * `{name}` anywhere in an element stands for that argument of the task: a
 * string as it is, anything else as compact JSON text. `{@output}` is the file
 * for the result. `{{` and `}}` are braces.
 */
#ifndef RQI_RUN_ARGV_H
#define RQI_RUN_ARGV_H

#include "run/strv.h"

#include <stdbool.h>

/* Checks templates when they are configured: at least one element, balanced braces, and a fixed
 * program name. */
refq_err rqi_argv_check(const char *const *argv, refq_error *err);

/* Whether a checked command has a placeholder for this argument. */
bool rqi_argv_uses(const char *const *argv, const char *name);

/* True when good templates hold {@output}. */
bool rqi_argv_uses_output(const char *const *argv);

typedef struct rqi_template {
    const char *const *argv;
    const char *output; /* stands for {@output}; NULL = that is refused */
    bool allow_dash;    /* a value may make its element start with '-' */
} rqi_template;

/* Fills in the templates from args (JSON text of an object) and appends them to ret. Refuses a
 * missing or null argument, a value with a NUL byte, and, unless allow_dash, a value that would
 * make its element start with '-' and so be read as an option. */
refq_err rqi_argv_expand(const rqi_template *t, refq_bytes args, rqi_strv *ret, refq_error *err);

#endif
