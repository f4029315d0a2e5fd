/* SPDX-License-Identifier: MIT */
/* Reading a response (refq/response.h) and showing it to people. */
#ifndef CLI_REPLY_H
#define CLI_REPLY_H

#include "base/buf.h"

#include <refq/response.h>

#include <stdbool.h>
#include <stdint.h>

/* The member of a JSON object as text, "" when it is missing or null. Borrowed. */
refq_bytes cli_reply_member(refq_bytes object, const char *name);

/* Appends a member that is a string, decoded; nothing when it is none. */
void cli_reply_text(refq_bytes object, const char *name, rqi_buf *out);

int64_t cli_reply_number(refq_bytes object, const char *name, int64_t otherwise);

/* Appends the value on many lines, indented; for people. */
void cli_reply_pretty(refq_bytes value, rqi_buf *out);

/* Writes the whole object, or of an answer for people what is worth knowing, and returns the exit
 * status: EX_OK for a value, CLI_EXIT_NO for a task that failed or was cancelled, EX_TEMPFAIL for
 * one that is not over. */
int cli_reply_json(const refq_response *response);

/* For a call: the value on many lines, or the reference and how to go on with it. The commands that
 * it names get these options (each with a blank before it); about: how a task that is not over
 * stands, in words, empty when that is not known. */
int cli_reply_called(const refq_response *response, const char *options, const rqi_buf *about);

/* For a look at a reference: the preview on one line with a note of what it is, or why there is no
 * value (on stderr). options as above. */
int cli_reply_preview(const refq_response *response, const char *options);

/* Says on stderr why there is no value. */
int cli_reply_missing(const refq_response *response);

#endif
