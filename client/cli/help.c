/* SPDX-License-Identifier: MIT */
#include "help.h"

#include <string.h>

#define HELP_COLUMN 28 /* where the explanations start */

static void pad_to(rqi_buf *out, size_t line_start, size_t column)
{
    size_t at = out->len - line_start;
    if (at + 2 > column) {
        rqi_buf_addc(out, '\n');
        at = 0;
    }
    for (; at < column; at++) {
        rqi_buf_addc(out, ' ');
    }
}

static void put_option(rqi_buf *out, const cli_option *row)
{
    static const char *const values[] = {
        [CLI_NO_VALUE] = "", [CLI_VALUE] = " ", [CLI_MAYBE_VALUE] = "[="};
    size_t start = out->len;
    if (row->letter != 0) {
        rqi_buf_addf(out, "  -%c, --%s", row->letter, row->name);
    } else {
        rqi_buf_addf(out, "      --%s", row->name);
    }
    rqi_buf_addf(out, "%s%s%s", values[row->value], row->metavar != NULL ? row->metavar : "",
                 row->value == CLI_MAYBE_VALUE ? "]" : "");
    pad_to(out, start, HELP_COLUMN);
    rqi_buf_addf(out, "%s\n", row->help);
}

static void put_rows(rqi_buf *out, const cli_option *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put_option(out, &rows[i]);
    }
}

static void put_options(rqi_buf *out, const char *heading, const cli_option *rows, size_t n)
{
    if (n > 0) {
        rqi_buf_addf(out, "\n%s:\n", heading);
    }
    put_rows(out, rows, n);
}

void cli_help_all(rqi_buf *out, const cli_command *const *commands, size_t n,
                  const cli_group *common)
{
    rqi_buf_adds(out, "usage: refq COMMAND [options]\n\n"
                      "Hand work to a fleet of workers and follow it by its reference.\n\n"
                      "commands:\n");
    for (size_t i = 0; i < n; i++) {
        size_t start = out->len;
        rqi_buf_addf(out, "  %s %s", commands[i]->name, commands[i]->operands);
        pad_to(out, start, HELP_COLUMN);
        rqi_buf_addf(out, "%s\n", commands[i]->summary);
    }
    put_options(out, "options of every command", common->rows, common->n);
    rqi_buf_adds(out, "\nDurations are written 500ms, 5s, 2m, 1h, 7d. "
                      "`refq help COMMAND` tells more.\n"
                      "REFQ_REDIS_PASSWORD holds the password where the URL has none: unlike a "
                      "URL it does not show in ps.\n");
}

void cli_help_command(rqi_buf *out, const cli_command *command, const cli_group *common)
{
    rqi_buf_addf(out, "usage: refq %s%s%s [options]\n\n%s", command->name,
                 command->operands[0] != '\0' ? " " : "", command->operands, command->about);
    put_options(out, "options", command->options, command->n_options);
    put_options(out, "options of every command", common->rows, common->n);
    rqi_buf_addf(out, "\nexample:\n  %s\n", command->example);
}

static bool is_verb_of(const cli_command *command, const char *group)
{
    size_t len = strlen(group);
    return strncmp(command->name, group, len) == 0 && command->name[len] == ' ';
}

void cli_help_verbs(rqi_buf *out, const cli_command *const *commands, size_t n, const char *group)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_verb_of(commands[i], group)) {
            continue;
        }
        rqi_buf_addf(out, "%srefq %s%s%s [options]: %s\n", out->len > 0 ? "\n" : "",
                     commands[i]->name, commands[i]->operands[0] != '\0' ? " " : "",
                     commands[i]->operands, commands[i]->summary);
        put_rows(out, commands[i]->options, commands[i]->n_options);
    }
}
