/* SPDX-License-Identifier: MIT */
/*
 * Putting values in the place of the references in a task's arguments.
 *
 * DESIGN. A resolver knows neither Redis nor threads. It says which references
 * it wants to know about, is told what lies behind each, and then works through
 * that, which may bring up more of them: for references inside of values are
 * replaced, too. Telling is cheap and is done on an event loop; working takes as
 * long as the values are large and belongs onto another thread. Never both at a
 * time.
 *
 *     WORK --> FETCH --(all told)--> WORK --> ... --> DONE | PARK | FAILED
 *
 * Each reference is looked up once, however often it occurs. All is checked with
 * the actor that submitted the task; values may be used by who may READ or
 * EXECUTE them. So nothing of a value may get into an error: the
 * texts name references of the arguments, never what is inside of their values.
 */
#ifndef RQI_INPUTS_RESOLVER_H
#define RQI_INPUTS_RESOLVER_H

#include "base/buf.h"

#include <refq/access.h>
#include <refq/backend.h>

#define RQI_INPUT_VALUES 256                   /* values fetched for one task */
#define RQI_INPUT_LOOKS  4096                  /* texts of the form of a reference, all in all */
#define RQI_INPUT_PLACES 1000000               /* places where such texts stand */
#define RQI_INPUT_CHAIN  16                    /* references that lead to references */
#define RQI_INPUT_BYTES  ((size_t)64 << 20)    /* of all values fetched, and of what comes out */
#define RQI_INPUT_DEPTH  128                   /* containers inside each other in what comes out */
#define RQI_INPUT_STEPS  ((uint64_t)100000000) /* of a validation */

typedef enum rqi_resolve_state {
    RQI_RESOLVE_WORK,  /* rqi_resolver_work() is to be called */
    RQI_RESOLVE_FETCH, /* it wants to know about references */
    RQI_RESOLVE_PARK,  /* inputs are still being made: rqi_resolver_after() */
    RQI_RESOLVE_DONE,  /* rqi_resolver_take() */
    RQI_RESOLVE_FAILED /* rqi_resolver_error() */
} rqi_resolve_state;

typedef struct rqi_resolver rqi_resolver;

typedef struct rqi_resolver_options {
    refq_ref self;             /* the task itself */
    const char *task;          /* its name; borrowed, as all that follows */
    refq_bytes args;           /* as they are stored: codec byte and bytes */
    const refq_scope *scope;   /* the task's */
    const char *schema;        /* of its arguments; NULL = none */
    const refq_access *access; /* who may use which values */
} rqi_resolver_options;

refq_err rqi_resolver_new(const rqi_resolver_options *options, rqi_resolver **ret, refq_error *err);
void rqi_resolver_free(rqi_resolver *r); /* NULL is fine */

rqi_resolve_state rqi_resolver_state(const rqi_resolver *r);

/* Goes on with what it was told; now_ms: Unix time. Any thread. */
void rqi_resolver_work(rqi_resolver *r, int64_t now_ms);

/* --- FETCH ------------------------------------------------------------------------------------ */

/* The next reference it wants to know about and its number, for what it is to be told about it;
 * NULL when none is left. */
const char *rqi_resolver_next(rqi_resolver *r, size_t *ret_i);

/* Whether there is room for an entry of so many bytes; if not, it has failed. */
bool rqi_resolver_reserve(rqi_resolver *r, size_t i, size_t len);

/* The entry's text; taken, and left empty. */
void rqi_resolver_give_entry(rqi_resolver *r, size_t i, rqi_buf *entry);

/* There is no entry, but a task. Its scope is borrowed during the call. */
void rqi_resolver_give_task(rqi_resolver *r, size_t i, refq_status status, const refq_scope *scope);

/* There is neither. is_queue: its name is a queue's. */
void rqi_resolver_give_nothing(rqi_resolver *r, size_t i, bool is_queue);

/* --- Ends ------------------------------------------------------------------------------------- */

/* The tasks that have to be over first, at most REFQ_AFTER_MAX; *ret is borrowed. */
size_t rqi_resolver_after(const rqi_resolver *r, const refq_ref **ret);

/* The arguments with all values in their places: strict JSON, an object. */
void rqi_resolver_take(rqi_resolver *r, rqi_buf *ret);

/* Why not, as one sentence; REFQ_ERR_NOMEM may be tried again, all else stays so. Borrowed. */
const char *rqi_resolver_error(const rqi_resolver *r, refq_err *ret_code);

#endif
