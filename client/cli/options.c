/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. getopt_long does the scanning, so that everything people expect works
 * (--name=value, clusters, abbreviations, "--"). It runs with its own messages
 * off: ours name the nearest option. Long options get values from 256 up, the
 * index of their row plus LONG_BASE, so a letter can never be mistaken for one.
 */
#include "options.h"

#include "base/error.h"
#include "base/parse.h"

#include <assert.h>
#include <getopt.h>
#include <string.h>

#define LONG_BASE 256

struct parser {
    struct option longs[CLI_OPTIONS_MAX + 1];
    char shorts[3 * CLI_OPTIONS_MAX + 3]; /* "+:" and up to a letter and two colons each */
    size_t shorts_len;
    const cli_option *rows[CLI_OPTIONS_MAX];
    const char *names[CLI_OPTIONS_MAX];
    void *targets[CLI_OPTIONS_MAX];
    size_t n;
};

static_assert(CLI_NO_VALUE == no_argument && CLI_VALUE == required_argument &&
                  CLI_MAYBE_VALUE == optional_argument,
              "cli_value is handed to getopt_long as it is");

static void add_short(struct parser *p, const cli_option *row)
{
    if (row->letter == 0) {
        return;
    }
    p->shorts[p->shorts_len++] = row->letter;
    for (int colons = 0; colons < (int)row->value; colons++) {
        p->shorts[p->shorts_len++] = ':';
    }
}

static void add_row(struct parser *p, const cli_option *row, void *target)
{
    p->longs[p->n] = (struct option){
        .name = row->name, .has_arg = (int)row->value, .val = LONG_BASE + (int)p->n};
    p->rows[p->n] = row;
    p->names[p->n] = row->name;
    p->targets[p->n] = (char *)target + row->offset;
    add_short(p, row);
    p->n++;
}

static struct parser make_parser(const cli_group *groups, size_t n_groups, bool at_front)
{
    struct parser p = {0};
    if (at_front) {
        p.shorts[p.shorts_len++] = '+';
    }
    p.shorts[p.shorts_len++] = ':';
    for (size_t g = 0; g < n_groups; g++) {
        for (size_t i = 0; i < groups[g].n && p.n < CLI_OPTIONS_MAX; i++) {
            add_row(&p, &groups[g].rows[i], groups[g].target);
        }
    }
    return p;
}

/* The row for what getopt_long returned or left in optopt; n when there is none. */
static size_t find_row(const struct parser *p, int code)
{
    if (code >= LONG_BASE) {
        return (size_t)(code - LONG_BASE);
    }
    size_t i = 0;
    while (i < p->n && (p->rows[i]->letter == 0 || p->rows[i]->letter != code)) {
        i++;
    }
    return i;
}

static refq_err unknown_long(const struct parser *p, const char *given, refq_error *err)
{
    char name[65] = {0};
    const char *start = given + strspn(given, "-");
    size_t len = strcspn(start, "=");
    memcpy(name, start, len < sizeof name - 1 ? len : sizeof name - 1);
    const char *nearest = rqi_nearest(name, p->names, p->n);
    if (nearest == NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID, "unknown option --%s", name);
    }
    return rqi_fail(err, REFQ_ERR_INVALID, "unknown option --%s; did you mean --%s?", name,
                    nearest);
}

static refq_err refuse(const struct parser *p, int result, char **argv, refq_error *err)
{
    size_t i = find_row(p, optopt);
    if (optopt != 0 && i < p->n) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        result == ':' ? "--%s needs a value" : "--%s takes no value", p->names[i]);
    }
    if (optopt != 0) {
        return rqi_fail(err, REFQ_ERR_INVALID, "unknown option -%c", optopt);
    }
    return unknown_long(p, argv[optind - 1], err);
}

static refq_err take(const struct parser *p, int result, refq_error *err)
{
    size_t i = find_row(p, result);
    const char *text = optarg;
    if (p->rows[i]->value == CLI_MAYBE_VALUE && result < LONG_BASE && text != NULL) {
        text += text[0] == '='; /* -w=5s, by analogy with --wait=5s */
    }
    refq_err code = p->rows[i]->read(text, p->targets[i], err);
    return code == REFQ_OK ? REFQ_OK : rqi_fail_in(err, code, "--%s", p->names[i]);
}

refq_err cli_options_parse(int argc, char **argv, const cli_group *groups, size_t n_groups,
                           bool at_front, int *ret_first, refq_error *err)
{
    struct parser p = make_parser(groups, n_groups, at_front);
    opterr = 0;
    optind = 0; /* makes glibc forget an earlier scan */
    for (;;) {
        int result = getopt_long(argc, argv, p.shorts, p.longs, NULL);
        if (result == -1) {
            break;
        }
        bool bad = result == '?' || result == ':';
        refq_err code = bad ? refuse(&p, result, argv, err) : take(&p, result, err);
        if (code != REFQ_OK) {
            return code;
        }
    }
    *ret_first = optind;
    return REFQ_OK;
}

/* --- Readers ---------------------------------------------------------------------------------- */

refq_err cli_read_flag(const char *text, void *target, refq_error *err)
{
    (void)text;
    (void)err;
    *(bool *)target = true;
    return REFQ_OK;
}

refq_err cli_read_text(const char *text, void *target, refq_error *err)
{
    if (text[0] == '\0') {
        return rqi_fail(err, REFQ_ERR_INVALID, "the value is empty");
    }
    *(const char **)target = text;
    return REFQ_OK;
}

refq_err cli_read_duration(const char *text, void *target, refq_error *err)
{
    cli_number number = {.given = true};
    refq_err code = text != NULL ? rqi_parse_duration(text, &number.value, err) : REFQ_OK;
    if (code == REFQ_OK) {
        *(cli_number *)target = number;
    }
    return code;
}
