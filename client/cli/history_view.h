/* SPDX-License-Identifier: MIT */
/* Attempts for people. */
#ifndef CLI_HISTORY_VIEW_H
#define CLI_HISTORY_VIEW_H

#include "base/buf.h"

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

/* Appends one attempt: a heading, its error in full, what it wrote on stderr. now_ms is the
 * server's clock. */
void cli_history_add(rqi_buf *out, const json_t *entry, int64_t now_ms, bool colour);

#endif
