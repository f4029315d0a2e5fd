/* SPDX-License-Identifier: MIT */
/* The history checker as a program: history_check [OPTION...] FILE... */
#include "support/history_check.h"

#include "base/parse.h"

#include <getopt.h>
#include <stdlib.h>

static int usage(FILE *out)
{
    (void)fputs("usage: history_check [--grace MS] [--slack MS] [--extra-runs N] [--stories N]"
                " FILE...\n"
                "Reads the history of a run (tests/support/history.h) and says what it broke.\n"
                "Exit status: 0 nothing, 1 something, 2 the history cannot be read.\n",
                out);
    return 2;
}

static int64_t number_of(const char *text)
{
    int64_t n = 0;
    refq_error err;
    if (rqi_parse_int(text, 0, INT32_MAX, &n, &err) != REFQ_OK) {
        (void)fprintf(stderr, "history_check: %s\n", err.text);
        exit(2);
    }
    return n;
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"grace", required_argument, NULL, 'g'},
        {"slack", required_argument, NULL, 's'},
        {"extra-runs", required_argument, NULL, 'e'},
        {"stories", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int64_t values['z' + 1] = {['n'] = 20};
    for (int c = 0; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'h' || c == '?') {
            return usage(c == 'h' ? stdout : stderr) * (c != 'h');
        }
        values[c] = number_of(optarg);
    }
    if (optind == argc) {
        return usage(stderr);
    }
    rqt_check_options options = {
        .grace_ms = values['g'], .slack_ms = values['s'], .extra_runs = (unsigned)values['e']};
    rqt_history h = {0};
    rqt_verdict v = {0};
    refq_error err = {0};
    refq_err rc = REFQ_OK;
    for (int i = optind; rc == REFQ_OK && i < argc; i++) {
        rc = rqt_history_read(&h, argv[i], &err);
    }
    rqt_history_sort(&h);
    if (rc == REFQ_OK) {
        rc = rqt_history_check(&h, &options, &v, &err);
    }
    int status = rc != REFQ_OK || rqt_verdict_broken(&v) > 0;
    if (rc == REFQ_OK) {
        rqt_verdict_print(stdout, &h, &v, (size_t)values['n']);
    } else {
        (void)fprintf(stderr, "history_check: %s\n", err.text);
        status = 2;
    }
    rqt_verdict_done(&v);
    rqt_history_done(&h);
    return status;
}
