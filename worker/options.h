/* SPDX-License-Identifier: MIT */
/* The command line of refq-worker. */
#ifndef REFQ_WORKER_OPTIONS_H
#define REFQ_WORKER_OPTIONS_H

#include "logger.h"

#include <refq/error.h>
#include <refq/log.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define RQI_OPTIONS_CONFIGS 64

typedef struct rqi_options {
    const char *configs[RQI_OPTIONS_CONFIGS]; /* task files */
    size_t configs_n;                         /* 0 only with help or version */
    const char *redis;                        /* URL; NULL = not given */
    const char *prefix;                       /* of all keys; NULL = not given */
    int64_t concurrency;                      /* attempts at a time; 0 = not given */
    int64_t lease_ms;                         /* 0 = not given */
    int64_t beat_ms;                          /* 0 = not given */
    int64_t grace_ms;                         /* 0 = not given */
    int64_t unknown_grace_ms;                 /* 0 = not given */
    const char *health;                       /* where to serve health; NULL = nowhere */
    refq_log_level log_level;
    rqi_log_format log_format;
    bool check;
    bool help;
    bool version;
} rqi_options;

/* Reads the command line; texts are borrowed from argv. REFQ_ERR_INVALID tells a wrong use. */
refq_err rqi_options_parse(int argc, char *const *argv, rqi_options *ret_options, refq_error *err);

/* Writes what --help shows. */
void rqi_options_help(FILE *out);

#endif
