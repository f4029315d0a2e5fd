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
    const char *name;
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
extern const cli_command cli_status;
extern const cli_command cli_get;
extern const cli_command cli_watch;
extern const cli_command cli_cancel;
extern const cli_command cli_list;
extern const cli_command cli_workers;

/* Starts a client as the common options say. Returns an exit status. */
int cli_connect(const cli_common *common, refq_client **ret_client);

/* The queue to use when --queue is absent: REFQ_QUEUE, else "default". */
const char *cli_default_queue(void);

/* Reads a reference or complains. Returns an exit status. */
int cli_parse_ref(const char *text, refq_ref *ret);

#endif
