/* SPDX-License-Identifier: MIT */
/* Command-line options: one table per command drives both the parsing and the help. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <refq/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads an option's value into its target. text is NULL when the option came without one. */
typedef refq_err (*cli_reader)(const char *text, void *target, refq_error *err);

typedef enum cli_value { CLI_NO_VALUE = 0, CLI_VALUE, CLI_MAYBE_VALUE } cli_value;

typedef struct cli_option {
    const char *name;    /* without dashes */
    char letter;         /* 0 = none */
    cli_value value;     /* whether a value follows */
    const char *metavar; /* how help names the value */
    size_t offset;       /* of the target in the command's options */
    cli_reader read;
    const char *help; /* one line */
} cli_option;

/* A table and the struct it fills. */
typedef struct cli_group {
    const cli_option *rows; /* borrowed */
    size_t n;
    void *target; /* borrowed; NULL where only the help is wanted */
} cli_group;

#define CLI_OPTIONS_MAX 32 /* options of one command, the common ones included */

/* Reads the options of argv (argv[0] is skipped) and moves the operands to its end; *ret_first is
 * the first one's index. With at_front, stops at the first operand. Errors are for the user. */
refq_err cli_options_parse(int argc, char **argv, const cli_group *groups, size_t n_groups,
                           bool at_front, int *ret_first, refq_error *err);

/* --- Targets and readers that several commands share ------------------------------------------ */

typedef struct cli_number {
    bool given;
    int64_t value; /* what was given, else 0 */
} cli_number;

refq_err cli_read_flag(const char *text, void *target, refq_error *err);     /* bool */
refq_err cli_read_text(const char *text, void *target, refq_error *err);     /* const char * */
refq_err cli_read_duration(const char *text, void *target, refq_error *err); /* cli_number, ms */

#endif
