/* SPDX-License-Identifier: MIT */
/* What the subcommands of `refq` have in common: the command table's row and the shared options. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "options.h"

#include <refq/client.h>

#include <stdbool.h>
#include <stddef.h>

/* The options every command takes. */
typedef struct cli_common {
    const char *redis;  /* NULL = REFQ_REDIS, else the default address */
    const char *prefix; /* NULL = the library's */
    bool json;          /* -o json */
    bool help;
    bool version;
} cli_common;

typedef struct cli_command {
    const char *name;     /* one word, or two: "dead list" */
    const char *operands; /* as the usage line shows them */
    const char *summary;  /* half a line, for the list of commands */
    const char *about;    /* what a user has to know beyond the options; ends with a newline */
    const char *example;  /* one realistic call */
    const cli_option *options;
    size_t n_options;
    size_t options_size; /* of the struct the table fills; its zero value means defaults */
    int min_operands;
    int max_operands; /* -1 = any number */
    /* argv holds the operands only. Returns the exit status. */
    int (*run)(const cli_common *common, const void *options, int argc, char **argv);
} cli_command;

extern const cli_command cli_submit;
extern const cli_command cli_call;
extern const cli_command cli_status;
extern const cli_command cli_get;
extern const cli_command cli_watch;
extern const cli_command cli_cancel;
extern const cli_command cli_list;
extern const cli_command cli_workers;
extern const cli_command cli_workers_quiet;
extern const cli_command cli_workers_resume;
extern const cli_command cli_workers_drain;
extern const cli_command cli_retry;
extern const cli_command cli_queues;
extern const cli_command cli_stats;
extern const cli_command cli_cleanup;
extern const cli_command cli_dead_list;
extern const cli_command cli_dead_replay;
extern const cli_command cli_dead_purge;
extern const cli_command cli_pause;
extern const cli_command cli_resume;
extern const cli_command cli_limit;
extern const cli_command cli_logs;
extern const cli_command cli_show;
extern const cli_command cli_answer;
extern const cli_command cli_events;
extern const cli_command cli_doctor;
extern const cli_command cli_dev;
extern const cli_command cli_run;
extern const cli_command cli_cache_set;
extern const cli_command cli_cache_ls;
extern const cli_command cli_cache_rm;
extern const cli_command cli_cache_clear;
extern const cli_command cli_cache_stat;

/* Starts a client as the common options say. Returns an exit status. */
int cli_connect(const cli_common *common, refq_client **ret_client);

/* Reads a reference or complains. Returns an exit status. */
int cli_parse_ref(const char *text, refq_ref *ret);

/* A client, and the task whose reference the text is. Returns an exit status; what was made is the
 * caller's to close and free also then. */
int cli_open_task(const cli_common *common, const char *text, refq_client **ret_client,
                  refq_task **ret_task);

/* Reads n of them into an array that the caller frees. One that is malformed stops all, so that
 * nothing is done by half a command line. Returns an exit status. */
int cli_parse_refs(int n, char **texts, refq_ref **ret);

#endif
