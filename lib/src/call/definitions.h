/* SPDX-License-Identifier: MIT */
/*
 * What tasks want and give, as the catalog tells it: read once, kept for some
 * seconds.
 *
 * DESIGN. A call needs its task's schema and times before it submits; asking for
 * them each time would double its round trips, and compiling the schema each
 * time would cost more than the rest of the call. A definition is asked for
 * again after KEEP_MS; when its text is the same, what was compiled stays.
 */
#ifndef RQI_CALL_DEFINITIONS_H
#define RQI_CALL_DEFINITIONS_H

#include "call/definition.h"

#include <refq/client.h>

typedef struct rqi_definitions rqi_definitions;

/* NULL when out of memory. The client is borrowed. */
rqi_definitions *rqi_definitions_new(refq_client *client);
void rqi_definitions_free(rqi_definitions *all);

/* The caller gives it back. REFQ_ERR_NOTFOUND when nobody offers the task: the error names the
 * nearest one that is. Otherwise as rqi_definition_read(). */
refq_err rqi_definitions_take(rqi_definitions *all, const char *queue, const char *task,
                              const rqi_definition **ret, refq_error *err);
void rqi_definitions_give_back(rqi_definitions *all, const rqi_definition *definition);

#endif
