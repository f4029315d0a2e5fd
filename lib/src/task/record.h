/* SPDX-License-Identifier: MIT */
/* Building refq_task snapshots from replies. */
#ifndef RQI_TASK_RECORD_H
#define RQI_TASK_RECORD_H

#include "redis/reply.h"

#include <refq/task.h>

/* Takes one record (count, then that many pairs) from a reply of `get`. *ret is owned by the
 * caller, NULL with REFQ_ERR_NOTFOUND when the task does not exist. */
refq_err rqi_record_read(rqi_cursor *cur, const refq_ref *ref, int64_t now_ms, refq_task **ret,
                         refq_error *err);

/* A field that may hold any bytes, borrowed; 0 when it is not set. */
int rqi_record_bytes(const refq_task *task, const char *name, const char **ret, size_t *ret_len);

/* An empty record, owned by the caller: for backends that do not read it from Redis. A status is to
 * be set before it is handed out. NULL when out of memory. */
refq_task *rqi_record_new(const refq_ref *ref, int64_t now_ms);

/* Sets or replaces one field: for backends that do not read it from Redis. */
refq_err rqi_record_set(refq_task *task, const char *name, const char *value);

/* Returns owned; NULL when out of memory. */
refq_task *rqi_record_copy(const refq_task *task);

#endif
