/* SPDX-License-Identifier: MIT */
/*
 * refq: the command line. This file finds the command, reads its options and
 * calls it; everything else is in the command's own file.
 */
#include "cli.h"

#include "exit.h"
#include "help.h"
#include "options.h"
#include "out.h"

#include "base/error.h"
#include "base/parse.h"

#include <refq/version.h>

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In the order of the help. A name of two words ("dead list") is a verb of a group. */
static const cli_command *const commands[] = {
    &cli_submit,        &cli_call,        &cli_run,        &cli_status,        &cli_get,
    &cli_watch,         &cli_cancel,      &cli_answer,     &cli_list,          &cli_show,
    &cli_logs,          &cli_events,      &cli_retry,      &cli_dead_list,     &cli_dead_replay,
    &cli_dead_purge,    &cli_cleanup,     &cli_queues,     &cli_stats,         &cli_pause,
    &cli_resume,        &cli_limit,       &cli_workers,    &cli_workers_quiet, &cli_workers_resume,
    &cli_workers_drain, &cli_doctor,      &cli_dev,        &cli_cache_set,     &cli_cache_ls,
    &cli_cache_rm,      &cli_cache_clear, &cli_cache_stat,
};

#define N_COMMANDS (sizeof commands / sizeof commands[0])
#define WORD_MAX   32 /* bytes of a word in a command's name */

/* --- Options of every command ----------------------------------------------------------------- */

static refq_err read_format(const char *text, void *target, refq_error *err)
{
    bool json = strcmp(text, "json") == 0;
    if (!json && strcmp(text, "table") != 0) {
        return rqi_fail(err, REFQ_ERR_INVALID, "'%.40s' is not a format; use table or json", text);
    }
    *(bool *)target = json;
    return REFQ_OK;
}

static const cli_option common_options[] = {
    {"redis", 0, CLI_VALUE, "URL", offsetof(cli_common, redis), cli_read_text,
     "server (default: REFQ_REDIS, else redis://127.0.0.1:6379)"},
    {"prefix", 0, CLI_VALUE, "NAME", offsetof(cli_common, prefix), cli_read_text,
     "prefix of all keys (default: refq)"},
    {"output", 'o', CLI_VALUE, "FORMAT", offsetof(cli_common, json), read_format,
     "table for people (default) or json for programs"},
    {"help", 'h', CLI_NO_VALUE, NULL, offsetof(cli_common, help), cli_read_flag, "show this help"},
    {"version", 0, CLI_NO_VALUE, NULL, offsetof(cli_common, version), cli_read_flag,
     "show the version"},
};

static cli_group common_group(cli_common *target)
{
    return (cli_group){.rows = common_options,
                       .n = sizeof common_options / sizeof common_options[0],
                       .target = target};
}

/* --- Help and version ------------------------------------------------------------------------- */

static int show(rqi_buf *text)
{
    (void)cli_out(text);
    rqi_buf_done(text);
    return EX_OK;
}

static int show_help(const cli_command *command)
{
    cli_group common = common_group(NULL);
    rqi_buf text = {0};
    if (command != NULL) {
        cli_help_command(&text, command, &common);
        cli_help_verbs(&text, commands, N_COMMANDS, command->name);
    } else {
        cli_help_all(&text, commands, N_COMMANDS, &common);
    }
    return show(&text);
}

static int show_version(void)
{
    (void)cli_out_line("refq " REFQ_VERSION);
    return EX_OK;
}

/* --- Commands --------------------------------------------------------------------------------- */

/* What is looked for under another name, too: a value is read like a task's result. */
static const struct {
    const char *name;
    const char *meant;
} aliases[] = {{"cache get", "get"}};

static const cli_command *find_by_name(const char *name)
{
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
        name = strcmp(aliases[i].name, name) == 0 ? aliases[i].meant : name;
    }
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

/* The command that words[0], or words[0] and words[1], name; *ret_words gets how many. */
static const cli_command *find_command(int n, char **words, int *ret_words)
{
    char both[2 * WORD_MAX];
    const cli_command *found = NULL;
    if (n > 1 && strlen(words[0]) < WORD_MAX && strlen(words[1]) < WORD_MAX - 1) {
        (void)snprintf(both, sizeof both, "%s %s", words[0], words[1]);
        found = find_by_name(both);
    }
    *ret_words = found != NULL ? 2 : 1;
    return found != NULL ? found : find_by_name(words[0]);
}

static void add_verb(rqi_buf *out, const char *group, const char *name)
{
    size_t len = strlen(group);
    if (strncmp(name, group, len) == 0 && name[len] == ' ') {
        rqi_buf_addf(out, "%s%s", out->len > 0 ? ", " : "", name + len + 1);
    }
}

/* The verbs of a group, such as "list, replay, purge"; "" when there is no such group. */
static void add_verbs(rqi_buf *out, const char *group)
{
    for (size_t i = 0; i < N_COMMANDS; i++) {
        add_verb(out, group, commands[i]->name);
    }
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
        add_verb(out, group, aliases[i].name);
    }
}

/* A name that only begins commands: its help, when that is asked for. */
static int show_group(const char *name, const rqi_buf *verbs, bool help)
{
    if (!help) {
        return cli_fail_as(EX_USAGE, "'%s' needs one of: %s", name, rqi_buf_str(verbs));
    }
    rqi_buf text = {0};
    cli_help_verbs(&text, commands, N_COMMANDS, name);
    return show(&text);
}

static int unknown_name(const char *name)
{
    const char *names[N_COMMANDS + 1];
    for (size_t i = 0; i < N_COMMANDS; i++) {
        names[i] = commands[i]->name;
    }
    names[N_COMMANDS] = "help";
    const char *nearest = rqi_nearest(name, names, N_COMMANDS + 1);
    if (nearest == NULL) {
        return cli_fail_as(EX_USAGE, "unknown command '%s'; refq --help lists them", name);
    }
    return cli_fail_as(EX_USAGE, "unknown command '%s'; did you mean '%s'?", name, nearest);
}

static int unknown_command(const char *name, bool help)
{
    rqi_buf verbs = {0};
    add_verbs(&verbs, name);
    int code = verbs.len > 0 ? show_group(name, &verbs, help) : unknown_name(name);
    rqi_buf_done(&verbs);
    return code;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* The value of an option that may stand alone has to be joined to it: easily forgotten. */
static int refuse_operand(const cli_command *command, const char *operand)
{
    for (size_t i = 0; i < command->n_options; i++) {
        const cli_option *row = &command->options[i];
        if (row->value == CLI_MAYBE_VALUE) {
            return cli_fail_as(EX_USAGE,
                               "%s: '%s' is one operand too many; if it belongs to --%s, write "
                               "--%s=%s",
                               command->name, operand, row->name, row->name, operand);
        }
    }
    return cli_fail_as(EX_USAGE, "%s: '%s' is one operand too many (refq help %s)", command->name,
                       operand, command->name);
}

static int check_operands(const cli_command *command, int n, char **operands)
{
    if (n < command->min_operands) {
        return cli_fail_as(EX_USAGE, "%s: %s is missing (refq help %s)", command->name,
                           command->operands, command->name);
    }
    bool fits = command->max_operands < 0 || n <= command->max_operands;
    return fits ? EX_OK : refuse_operand(command, operands[command->max_operands]);
}

static int call(const cli_command *command, const cli_common *common, const void *options, int n,
                char **operands)
{
    if (common->help) {
        return show_help(command);
    }
    if (common->version) {
        return show_version();
    }
    int code = check_operands(command, n, operands);
    return code == EX_OK ? command->run(common, options, n, operands) : code;
}

static int run_command(const cli_command *command, cli_common *common, int argc, char **argv)
{
    void *options = calloc(1, command->options_size + 1);
    if (options == NULL) {
        return cli_fail_as(EX_OSERR, "out of memory");
    }
    cli_group groups[] = {{command->options, command->n_options, options}, common_group(common)};
    refq_error err = {0};
    int first = 0;
    int code = EX_OK;
    if (cli_options_parse(argc, argv, groups, 2, false, &first, &err) == REFQ_OK) {
        code = call(command, common, options, argc - first, argv + first);
    } else {
        code = cli_fail_as(EX_USAGE, "%s: %s", command->name, err.text);
    }
    free(options);
    return code;
}

static int help_command(int argc, char **argv)
{
    if (argc < 2) {
        return show_help(NULL);
    }
    int words = 0;
    const cli_command *command = find_command(argc - 1, argv + 1, &words);
    return command != NULL ? show_help(command) : unknown_command(argv[1], true);
}

static int run(int argc, char **argv)
{
    cli_common common = {0};
    cli_group group = common_group(&common);
    refq_error err = {0};
    int first = 0;
    if (cli_options_parse(argc, argv, &group, 1, true, &first, &err) != REFQ_OK) {
        return cli_fail_as(EX_USAGE, "%s", err.text);
    }
    if (common.version) {
        return show_version();
    }
    if (first >= argc) {
        return common.help ? show_help(NULL)
                           : cli_fail_as(EX_USAGE, "no command given; refq --help lists them");
    }
    if (strcmp(argv[first], "help") == 0) {
        return help_command(argc - first, argv + first);
    }
    int words = 0;
    const cli_command *command = find_command(argc - first, argv + first, &words);
    if (command == NULL) {
        bool help = first + 1 < argc && asks_for_help(argv[first + 1]);
        return unknown_command(argv[first], common.help || help);
    }
    int skip = first + words - 1; /* the last word takes the place of a program's name */
    return run_command(command, &common, argc - skip, argv + skip);
}

/* A closed standard stream would hand its number to the next socket, and output would go to Redis.
 * Opened for the wrong direction, using it fails as it should. */
static void guard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) == -1) {
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}

int main(int argc, char **argv)
{
    guard_streams();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setlocale(LC_CTYPE, "");
    return cli_out_finish(run(argc, argv));
}
