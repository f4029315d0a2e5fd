/* SPDX-License-Identifier: MIT */
/*
 * Tasks: references, states, and a read-only view of a task's record.
 *
 * A task's id is its reference: `<queue>:<32 lower-case hex digits>`. The queue
 * is part of it, so a reference alone is enough to find the task's keys.
 */
#ifndef REFQ_TASK_H
#define REFQ_TASK_H

#include <refq/bytes.h>
#include <refq/error.h>
#include <refq/export.h>

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define REFQ_QUEUE_MAX 64 /* bytes in a queue's name */
#define REFQ_NAME_MAX  64 /* bytes in a task's name */
#define REFQ_HEX_LEN   32 /* hex digits in a reference */
#define REFQ_REF_MAX   (REFQ_QUEUE_MAX + 1 + REFQ_HEX_LEN)

#define REFQ_NO_RETRIES (-1) /* where 0 means "the default" */

typedef enum refq_status {
    REFQ_PENDING = 0, /* waits for a worker, for its delay, or for its next attempt */
    REFQ_PROCESSING,  /* an attempt runs */
    REFQ_COMPLETE,    /* the result is readable */
    REFQ_FAILED,      /* out of retries, or failed for good */
    REFQ_CANCELLED    /* cancelled; a late result is dropped */
} refq_status;

/* The word stored in Redis: "pending", "processing", "complete", "failed", "cancelled". */
REFQ_API const char *refq_status_name(refq_status status);

/* Reads such a word. REFQ_ERR_INVALID when it is none. */
REFQ_API REFQ_MUST_USE refq_err refq_status_parse(const char *text, refq_status *ret);

/* 1 for complete, failed and cancelled: such a task never changes again. */
REFQ_API int refq_status_is_terminal(refq_status status);

/* 1 when the state machine has a step from one status to the other. */
REFQ_API int refq_status_can_become(refq_status from, refq_status to);

/* Priority within a queue. Served by credits 8:4:1, so `low` is slow but never starved. */
typedef enum refq_lane { REFQ_LANE_NORMAL = 0, REFQ_LANE_HIGH, REFQ_LANE_LOW } refq_lane;

REFQ_API const char *refq_lane_name(refq_lane lane);
REFQ_API REFQ_MUST_USE refq_err refq_lane_parse(const char *text, refq_lane *ret);

/* Whether an identical call shares the task of one before it, instead of being queued. */
typedef enum refq_reuse {
    REFQ_REUSE_NONE = 0,
    REFQ_REUSE_IN_FLIGHT, /* while that task is pending or processing */
    REFQ_REUSE_RESULT     /* also once it is complete, as long as its result lives */
} refq_reuse;

/* A parsed reference. A value: copy it freely. */
typedef struct refq_ref {
    char queue[REFQ_QUEUE_MAX + 1];
    char hex[REFQ_HEX_LEN + 1];
} refq_ref;

/* Makes a fresh random reference in `queue`. REFQ_ERR_INVALID when the name is not a queue's. */
REFQ_API REFQ_MUST_USE refq_err refq_ref_make(const char *queue, refq_ref *ret, refq_error *err);

/* Reads `queue:hex`; the error says which part is wrong. */
REFQ_API REFQ_MUST_USE refq_err refq_ref_parse(const char *text, refq_ref *ret, refq_error *err);

/* Writes `queue:hex` into out, which has room for REFQ_REF_MAX + 1 bytes; returns out. */
REFQ_API const char *refq_ref_format(const refq_ref *ref, char out[REFQ_REF_MAX + 1]);

/* Queue names match [A-Za-z][A-Za-z0-9_-]*, task names [A-Za-z0-9_-]+; both at most 64 bytes. */
REFQ_API REFQ_MUST_USE refq_err refq_queue_check(const char *name, refq_error *err);
REFQ_API REFQ_MUST_USE refq_err refq_name_check(const char *name, refq_error *err);

/* --- Scope ------------------------------------------------------------------------------------ */

/* Whose a task's result will be and who submitted it. Texts are UTF-8 without control characters,
 * at most 256 bytes long; NULL = the default. The first four become part of the cache entry. */
typedef struct refq_scope {
    size_t struct_size;         /* sizeof(refq_scope) */
    const char *namespace_name; /* NULL = "public" */
    const char *owner;          /* NULL = nobody */
    const char *session;        /* only this session may use the result; NULL = any */
    const char *policy; /* JSON object of what differs from the default policy: user_permissions,
                           agent_permissions, owner_permissions, allowed_actors, denied_actors; at
                           most 16 KiB; NULL = nothing does */
    const char *actor;  /* who submitted it: input references are resolved for him; NULL = nobody */
    const char *actor_session; /* his session; NULL = none */
    const char *inputs; /* names (the part before the colon) of the input references he may use, one
                           blank between two; at most 4 KiB. A reference of such a name that leads
                           nowhere fails the task; NULL = only those of queues do */
} refq_scope;

/* --- A task's record -------------------------------------------------------------------------- */

/* A snapshot of one task's record; immutable, so any thread may read it. */
typedef struct refq_task refq_task;

/* Frees a snapshot; NULL is fine. */
REFQ_API void refq_task_free(refq_task *task);

REFQ_API const refq_ref *refq_task_ref(const refq_task *task);
REFQ_API refq_status refq_task_status(const refq_task *task);

/* A field of the record by the name PROTOCOL.md gives it ("task", "worker", "error", "attempt"
 * ...), as text; NULL when it is not set. Borrowed from the snapshot. */
REFQ_API const char *refq_task_field(const refq_task *task, const char *name);

/* The same as a number; `otherwise` when it is not set or not a number. */
REFQ_API int64_t refq_task_number(const refq_task *task, const char *name, int64_t otherwise);

/* Field i in stored order; 0 when i is past the end. Names and values are borrowed. */
REFQ_API int refq_task_field_at(const refq_task *task, unsigned i, const char **ret_name,
                                const char **ret_value);

/* The scope it was submitted with. Its texts are borrowed from the snapshot. */
REFQ_API void refq_task_scope(const refq_task *task, refq_scope *ret);

/* Progress of the running attempt: 1 and both numbers when known, else 0. total 0 = unknown. */
REFQ_API int refq_task_progress(const refq_task *task, int64_t *ret_current, int64_t *ret_total);

/* The server's clock when the snapshot was taken, Unix milliseconds. */
REFQ_API int64_t refq_task_seen_at_ms(const refq_task *task);

#ifdef __cplusplus
}
#endif
#endif
