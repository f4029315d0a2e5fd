/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. One table row per option is the parser, the target and the help text.
 * getopt_long() splits the words; its own messages are switched off so that
 * ours can name the nearest option.
 */
#include "options.h"

#include "base/error.h"
#include "base/parse.h"
#include "logger.h"

#include <getopt.h>
#include <stddef.h>
#include <string.h>

#define SECOND ((int64_t)1000)
#define HOUR   (3600 * SECOND)

#define DEFAULT_LEASE_MS (10 * SECOND)

/* read_word() stores an unsigned. */
_Static_assert(sizeof(refq_log_level) == sizeof(unsigned), "enum size");
_Static_assert(sizeof(rqi_log_format) == sizeof(unsigned), "enum size");

typedef struct option_row option_row;
typedef refq_err read_fn(const option_row *row, const char *value, rqi_options *target,
                         refq_error *err);

struct option_row {
    const char *name;
    const char *value; /* what follows it, for --help; NULL = nothing */
    read_fn *read;
    size_t offset; /* in rqi_options */
    int64_t min;
    int64_t max;
    const char *allowed; /* min and max in words */
    const char *help;
    const char *const *words; /* read_word: NULL-terminated; the index is stored */
};

static read_fn read_text, read_config, read_count, read_duration, read_grace, read_word, set_flag;

#define AT(member) offsetof(rqi_options, member)

/* clang-format off */
static const option_row rows[] = {
    {"config", "FILE", read_config, 0, 0, 0, NULL,
     .help = "a task file, YAML (required); again for each further queue, up to 64"},
    {"redis", "URL", read_text, AT(redis), 0, 0, NULL,
     .help = "the server; default $REFQ_REDIS, else redis://127.0.0.1:6379"},
    {"concurrency", "N", read_count, AT(concurrency), 1, 4096, "1 to 4096",
     .help = "tasks that run at a time, 1 to 4096; default: the number of CPUs"},
    {"lease", "DUR", read_duration, AT(lease_ms), 100, HOUR, "100ms to 1h",
     .help = "after this silence other workers take the tasks over; default 10s"},
    {"beat", "DUR", read_duration, AT(beat_ms), 10, HOUR / 2, "10ms to 30m",
     .help = "how often the lease is renewed; default a fifth of it"},
    {"grace", "DUR", read_grace, AT(grace_ms), 0, 24 * HOUR, "0 to 24h",
     .help = "how long a stopping worker waits for running tasks; default 25s"},
    {"unknown-grace", "DUR", read_duration, AT(unknown_grace_ms), 1, 24 * HOUR, "1ms to 24h",
     .help = "how long a task that no worker offers is kept; default 60s"},
    {"prefix", "TEXT", read_text, AT(prefix), 0, 0, NULL,
     .help = "of all keys in Redis; default refq"},
    {"log-level", "LEVEL", read_word, AT(log_level), 0, 0, "debug, info, warn or error",
     .help = "debug, info, warn or error; default info", .words = rqi_logger_levels},
    {"log-format", "FORMAT", read_word, AT(log_format), 0, 0, "logfmt or json",
     .help = "logfmt or json, one object a line; default logfmt", .words = rqi_logger_formats},
    {"health", "ADDRESS", read_text, AT(health), 0, 0, NULL,
     .help = "serve /livez, /readyz and /status there: PORT (of 127.0.0.1), IP:PORT or unix:PATH"},
    {"check", NULL, set_flag, AT(check), 0, 0, NULL,
     .help = "check the task file, say what it holds, and exit"},
    {"help", NULL, set_flag, AT(help), 0, 0, NULL,
     .help = "show this text and exit"},
    {"version", NULL, set_flag, AT(version), 0, 0, NULL,
     .help = "show the version and exit"},
};
/* clang-format on */

#define ROWS     (sizeof rows / sizeof rows[0])
#define ROW_BASE 256 /* getopt_long() answers this plus the row: no character is as large */

static void *at(rqi_options *target, const option_row *row)
{
    return (char *)target + row->offset;
}

/* --- Readers -----------------------------------------------------------------------------------
 */

static refq_err read_text(const option_row *row, const char *value, rqi_options *target,
                          refq_error *err)
{
    if (value[0] == '\0') {
        return rqi_fail(err, REFQ_ERR_INVALID, "--%s is empty", row->name);
    }
    *(const char **)at(target, row) = value;
    return REFQ_OK;
}

static refq_err read_config(const option_row *row, const char *value, rqi_options *target,
                            refq_error *err)
{
    if (value[0] == '\0') {
        return rqi_fail(err, REFQ_ERR_INVALID, "--%s is empty", row->name);
    }
    if (target->configs_n == RQI_OPTIONS_CONFIGS) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "--%s may be given up to %d times", row->name,
                        RQI_OPTIONS_CONFIGS);
    }
    target->configs[target->configs_n++] = value;
    return REFQ_OK;
}

static refq_err out_of_range(const option_row *row, const char *value, refq_error *err)
{
    return rqi_fail(err, REFQ_ERR_INVALID, "--%s %.40s: must be %s", row->name, value,
                    row->allowed);
}

static refq_err read_count(const option_row *row, const char *value, rqi_options *target,
                           refq_error *err)
{
    if (rqi_parse_int(value, row->min, row->max, at(target, row), NULL) != REFQ_OK) {
        return out_of_range(row, value, err);
    }
    return REFQ_OK;
}

static refq_err read_duration(const option_row *row, const char *value, rqi_options *target,
                              refq_error *err)
{
    int64_t ms = 0;
    if (rqi_parse_duration(value, &ms, err) != REFQ_OK) {
        return rqi_fail_in(err, REFQ_ERR_INVALID, "--%s", row->name);
    }
    if (ms < row->min || ms > row->max) {
        return out_of_range(row, value, err);
    }
    *(int64_t *)at(target, row) = ms;
    return REFQ_OK;
}

/* To the library zero means the default, to the person it means at once. */
static refq_err read_grace(const option_row *row, const char *value, rqi_options *target,
                           refq_error *err)
{
    refq_err e = read_duration(row, value, target, err);
    if (e == REFQ_OK && target->grace_ms == 0) {
        target->grace_ms = 1;
    }
    return e;
}

static refq_err read_word(const option_row *row, const char *value, rqi_options *target,
                          refq_error *err)
{
    for (unsigned i = 0; row->words[i] != NULL; i++) {
        if (strcmp(value, row->words[i]) == 0) {
            *(unsigned *)at(target, row) = i;
            return REFQ_OK;
        }
    }
    return out_of_range(row, value, err);
}

static refq_err set_flag(const option_row *row, const char *value, rqi_options *target,
                         refq_error *err)
{
    (void)value;
    (void)err;
    *(bool *)at(target, row) = true;
    return REFQ_OK;
}

/* --- Parsing -----------------------------------------------------------------------------------
 */

static refq_err unknown_option(const char *word, refq_error *err)
{
    const char *names[ROWS];
    char name[64];
    for (size_t i = 0; i < ROWS; i++) {
        names[i] = rows[i].name;
    }
    const char *start = word + strspn(word, "-");
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(start, "="), start);
    const char *nearest = rqi_nearest(name, names, ROWS);
    if (nearest != NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID, "unknown option '%.60s'; did you mean '--%s'?", word,
                        nearest);
    }
    return rqi_fail(err, REFQ_ERR_INVALID, "unknown option '%.60s'; see --help", word);
}

static refq_err check_all(const rqi_options *o, int argc, char *const *argv, refq_error *err)
{
    int64_t lease = o->lease_ms != 0 ? o->lease_ms : DEFAULT_LEASE_MS;
    if (o->help || o->version) {
        return REFQ_OK;
    }
    if (optind < argc) {
        return rqi_fail(err, REFQ_ERR_INVALID, "unexpected argument '%.60s'; see --help",
                        argv[optind]);
    }
    if (o->configs_n == 0) {
        return rqi_fail(err, REFQ_ERR_INVALID, "--config FILE is missing; see --help");
    }
    if (o->beat_ms * 3 > lease) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "--beat %lldms: must be at most a third of the lease (%lldms)",
                        (long long)o->beat_ms, (long long)lease);
    }
    return REFQ_OK;
}

static void fill_long_options(struct option *out)
{
    for (size_t i = 0; i < ROWS; i++) {
        out[i] = (struct option){
            .name = rows[i].name,
            .has_arg = rows[i].value != NULL ? required_argument : no_argument,
            .val = ROW_BASE + (int)i,
        };
    }
}

/* getopt_long() answers ':' when a value is missing, '?' when it refuses the word; then optopt
 * tells the row if there is one. */
static refq_err take_option(int answer, const char *word, rqi_options *o, refq_error *err)
{
    if (answer == ':') {
        return rqi_fail(err, REFQ_ERR_INVALID, "option '%.60s' needs a value; see --help", word);
    }
    if (answer < ROW_BASE && optopt >= ROW_BASE) {
        return rqi_fail(err, REFQ_ERR_INVALID, "option '%.60s' takes no value; see --help", word);
    }
    if (answer < ROW_BASE) {
        return unknown_option(word, err);
    }
    const option_row *row = &rows[answer - ROW_BASE];
    return row->read(row, optarg, o, err);
}

refq_err rqi_options_parse(int argc, char *const *argv, rqi_options *ret_options, refq_error *err)
{
    rqi_options o = {.log_level = REFQ_LOG_INFO};
    struct option longs[ROWS + 1] = {{0}};
    fill_long_options(longs);
    optind = 0; /* also resets getopt's hidden state, so that tests may call this again */
    opterr = 0;
    for (;;) {
        int word = optind > 0 ? optind : 1;
        int answer = getopt_long(argc, argv, "+:", longs, NULL);
        if (answer == -1) {
            break;
        }
        refq_err e = take_option(answer, argv[word], &o, err);
        if (e != REFQ_OK) {
            return e;
        }
    }
    refq_err e = check_all(&o, argc, argv, err);
    if (e == REFQ_OK) {
        *ret_options = o;
    }
    return e;
}

void rqi_options_help(FILE *out)
{
    fputs("Usage: refq-worker --config FILE [OPTION]...\n"
          "Claims the tasks of a queue and runs them with the programs of its task file.\n\n",
          out);
    for (size_t i = 0; i < ROWS; i++) {
        char left[40];
        (void)snprintf(left, sizeof left, "--%s%s%s", rows[i].name, rows[i].value ? " " : "",
                       rows[i].value ? rows[i].value : "");
        fprintf(out, "  %-20s %s\n", left, rows[i].help);
    }
    fputs("\nDUR is a number with a unit: 500ms, 5s, 2m, 1h, 7d.\n"
          "REFQ_REDIS_PASSWORD holds the password where the URL has none; it does not show in ps.\n"
          "SIGTERM or SIGINT: finish what runs within the grace, then stop; a second one cancels "
          "it.\n"
          "SIGHUP: read the task files again.  SIGUSR1: claim nothing more; SIGUSR2: claim again.\n"
          "Exit: 0 stopped cleanly, 64 wrong use, 69 Redis unavailable, 70 internal error,\n"
          "      77 Redis refused the password or user, 78 mistake in the task file.\n",
          out);
}
