/* SPDX-License-Identifier: MIT */
/* What the files of the resolver share: resolver.c asks and is told, expand.c fills the holes,
 * fit.c holds the outcome against the task's schema. */
#ifndef RQI_INPUTS_RESOLVER_STATE_H
#define RQI_INPUTS_RESOLVER_STATE_H

#include "inputs/resolver.h"
#include "inputs/value.h"
#include "task/scope.h"

#include <refq/access.h>

typedef enum rqi_input_kind {
    RQI_INPUT_WANTED,
    RQI_INPUT_ASKED,
    RQI_INPUT_ENTRY, /* told, and not read yet */
    RQI_INPUT_VALUE,
    RQI_INPUT_LIVE, /* a task that is not over */
    RQI_INPUT_TEXT  /* no reference after all */
} rqi_input_kind;

/* Something that goes into holes; the first one is the arguments. */
typedef struct rqi_input_node {
    char *ref_id; /* owned; NULL = the arguments */
    uint32_t number;
    uint32_t top; /* the reference of the arguments that led to it */
    unsigned level;
    rqi_input_kind kind;
    rqi_buf entry;
    rqi_input_value value;

    /* expand.c: with all holes filled. */
    bool measuring;
    bool measured;
    size_t size;
    unsigned depth;  /* containers inside each other */
    unsigned height; /* references that lead on, one after the other */
} rqi_input_node;

struct rqi_resolver {
    rqi_resolve_state state;
    refq_ref self;
    char self_id[REFQ_REF_MAX + 1];
    const char *task;
    const char *schema;
    refq_bytes args;
    rqi_scope scope;
    refq_actor actor;
    const refq_access *access;

    rqi_input_node **nodes; /* owned */
    uint32_t n;
    uint32_t cap;
    void *by_ref;     /* tree of nodes */
    uint32_t reading; /* whose value is being read */
    uint32_t next;    /* to be asked about */
    size_t untold;
    size_t values;
    size_t places;
    size_t bytes;

    refq_ref after[REFQ_AFTER_MAX];
    size_t n_after;
    rqi_buf out;
    refq_err code;
    char why[1024];
};

/* Fails it, unless it has already: the first reason counts. Returns code. */
refq_err rqi_resolver_fail(rqi_resolver *r, refq_err code, const char *fmt, ...) REFQ_PRINTF(3, 4);

/* The reference of the arguments that led to a node. */
const char *rqi_resolver_top(const rqi_resolver *r, const rqi_input_node *node);

/* Fills r->out. On failure the resolver has failed. */
refq_err rqi_resolver_expand(rqi_resolver *r);

/* Holds r->out against the schema. */
refq_err rqi_resolver_fit(rqi_resolver *r);

#endif
