/* SPDX-License-Identifier: MIT */
/* JSON as an option or operand names it: the text itself, @file, or - for standard input. */
#ifndef CLI_ARGS_INPUT_H
#define CLI_ARGS_INPUT_H

#include "base/buf.h"

/* Reads JSON text from where `given` says (the text itself, @file, or - for standard input; NULL
 * means none, "{}") and checks that it can be a task's arguments. The caller frees *out
 * (rqi_buf_done) in any case. Returns an exit status, after complaining. */
int cli_args_read(const char *given, rqi_buf *out);

/* Appends the text that `given` names to out, unchecked; out->err tells when it was too large.
 * `what` ("--args") begins a complaint. Returns an exit status. */
int cli_input_read(const char *given, const char *what, rqi_buf *out);

#endif
