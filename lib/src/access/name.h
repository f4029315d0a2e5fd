/* SPDX-License-Identifier: MIT */
/*
 * Texts that name actors, namespaces, sessions and patterns: one rule for all of them.
 *
 * DESIGN. They end up in keys, logs, terminals and other programs' JSON, so what could steer one of
 * those is refused once, here: bytes that are no UTF-8, and control characters of both blocks
 * (below U+0020 and U+007F to U+009F). Nothing is normalised: two names are the same when their
 * bytes are.
 */
#ifndef RQI_ACCESS_NAME_H
#define RQI_ACCESS_NAME_H

#include <refq/access.h>

/* `what` begins the error's sentence. An empty text is fine. */
REFQ_MUST_USE refq_err rqi_name_check(const char *what, const char *text, refq_error *err);

/* The length in bytes of a control character at the start of text: 1, 2, or 0 when there is none.
 */
size_t rqi_name_control(const char *text);

#define RQI_NAME_SHOWN 88 /* two of them and a sentence fit a refq_error */

/* Writes a valid name, cut with "..." when long, into out[RQI_NAME_SHOWN]. Returns out. */
const char *rqi_name_shown(char *out, const char *name);

#endif
