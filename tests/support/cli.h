/* SPDX-License-Identifier: MIT */
/* What tests of the command line have in common. */
#ifndef RQT_SUPPORT_CLI_H
#define RQT_SUPPORT_CLI_H

#include "support/proc.h"

#include <jansson.h>

#define RQT_WORDS 14

/* One call and what must come of it. */
typedef struct rqt_call {
    const char *args[RQT_WORDS];
    int status;
    const char *says; /* on stderr; NULL = nothing may be there */
} rqt_call;

/* Runs the calls one after the other; fails the test at the first that differs. */
void rqt_calls(const rqt_call *calls, size_t n);

/* Both fail the test with all that the program printed. */
void rqt_expect_out(const rqt_result *result, const char *text); /* status 0, text in its output */
void rqt_expect_err(const rqt_result *result, int status, const char *text);

/* The output as JSON, whatever the status; fails the test when it is none. The caller owns it. */
json_t *rqt_json(const rqt_result *result);

/* The first word of the output. Valid until 8 more were asked for. */
const char *rqt_word(const rqt_result *result);

/* Runs `refq` on a terminal of its own, where `input` is typed; out holds all it showed. */
const rqt_result *rqt_refq_on_terminal(const char *const *args, const char *input);

#endif
