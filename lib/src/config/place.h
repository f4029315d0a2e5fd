/* SPDX-License-Identifier: MIT */
/* Errors that point at a line of a file, as `tasks.yaml:12: what is wrong`. */
#ifndef REFQ_WORKER_PLACE_H
#define REFQ_WORKER_PLACE_H

#include <refq/error.h>

/* Fills err and returns code. The start of a long file name gives way to the message; what a cut
 * leaves of a character becomes '?', so the text is always valid UTF-8. */
refq_err rqi_fail_at(refq_error *err, refq_err code, const char *file, unsigned line,
                     const char *fmt, ...) REFQ_PRINTF(5, 6);

/* Replaces every byte of text that is not part of valid UTF-8, and every control character. */
void rqi_clean_text(char *text);

#endif
