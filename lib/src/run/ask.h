/* SPDX-License-Identifier: MIT */
/* A question of a handler: {"ask":"text"} or {"ask":{"question":"text","schema":{...}}} */
#ifndef RQI_RUN_ASK_H
#define RQI_RUN_ASK_H

#include "base/buf.h"

#include <jansson.h>

#define RQI_ASK_MAX    ((size_t)8 * 1024)  /* bytes of a question as JSON */
#define RQI_ANSWER_MAX ((size_t)64 * 1024) /* bytes of an answer as JSON */

/* Appends {"question":...} or {"question":...,"schema":...} to ret. NULL, or why body is no
 * question: a text that lives for ever; ret is then empty. */
const char *rqi_ask_read(const json_t *body, rqi_buf *ret);

#endif
