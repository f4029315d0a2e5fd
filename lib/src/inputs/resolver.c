/* SPDX-License-Identifier: MIT */
#include "inputs/resolver_state.h"

#include "base/error.h"
#include "codec/args.h"
#include "entry/read.h"
#include "entry/reference.h"
#include "entry/scope_policy.h"

#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAY_USE    (REFQ_READ | REFQ_EXECUTE)
#define SYSTEM     "system:internal"
#define MIB(bytes) ((bytes) >> 20)

/* --- Failing ---------------------------------------------------------------------------------- */

refq_err rqi_resolver_fail(rqi_resolver *r, refq_err code, const char *fmt, ...)
{
    va_list ap;
    if (r->state != RQI_RESOLVE_FAILED) {
        r->state = RQI_RESOLVE_FAILED;
        r->code = code;
        va_start(ap, fmt);
        (void)vsnprintf(r->why, sizeof r->why, fmt, ap);
        va_end(ap);
    }
    return code;
}

const char *rqi_resolver_top(const rqi_resolver *r, const rqi_input_node *node)
{
    return r->nodes[node->top]->ref_id;
}

/* Missing, expired and denied are the same to who asks. */
static refq_err hide(rqi_resolver *r, const rqi_input_node *node)
{
    return rqi_resolver_fail(r, REFQ_ERR_NOTFOUND, "Invalid or inaccessible reference: %s",
                             rqi_resolver_top(r, node));
}

static refq_err no_memory(rqi_resolver *r)
{
    return rqi_resolver_fail(r, REFQ_ERR_NOMEM, "out of memory while the inputs were put together");
}

/* --- Nodes ------------------------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
    return strcmp(((const rqi_input_node *)a)->ref_id, ((const rqi_input_node *)b)->ref_id);
}

static rqi_input_node *add_node(rqi_resolver *r, const char *ref_id)
{
    if (r->n == r->cap) {
        uint32_t cap = r->cap != 0 ? 2 * r->cap : 8;
        rqi_input_node **nodes = reallocarray((void *)r->nodes, cap, sizeof(rqi_input_node *));
        if (nodes == NULL) {
            return NULL;
        }
        r->nodes = nodes;
        r->cap = cap;
    }
    rqi_input_node *node = calloc(1, sizeof *node);
    if (node == NULL) {
        return NULL;
    }
    node->ref_id = ref_id != NULL ? strdup(ref_id) : NULL;
    if (ref_id != NULL && (node->ref_id == NULL || tsearch(node, &r->by_ref, compare) == NULL)) {
        free(node->ref_id);
        free(node);
        return NULL;
    }
    node->top = r->reading == 0 ? r->n : r->nodes[r->reading]->top;
    node->level = ref_id != NULL ? r->nodes[r->reading]->level + 1 : 0;
    node->number = r->n;
    r->nodes[r->n++] = node;
    return node;
}

static void free_node(rqi_input_node *node)
{
    free(node->ref_id);
    rqi_buf_done(&node->entry);
    rqi_input_value_done(&node->value);
    free(node);
}

/* Nodes are found by their text, but their number is what goes into holes. */
static uint32_t number_of(const rqi_resolver *r, const char *ref_id)
{
    const rqi_input_node key = {.ref_id = (char *)(uintptr_t)ref_id};
    rqi_input_node *const *found = tfind(&key, &r->by_ref, compare);
    return found != NULL ? (*found)->number : 0;
}

/* A string of this form was found in what is being read. */
static refq_err on_found(void *arg, const char *ref_id, uint32_t *ret_node, refq_error *err)
{
    rqi_resolver *r = arg;
    (void)err;
    *ret_node = number_of(r, ref_id);
    if (++r->places > RQI_INPUT_PLACES) {
        return rqi_resolver_fail(r, REFQ_ERR_LIMIT,
                                 "references stand in more than %d places of the arguments and "
                                 "their values",
                                 RQI_INPUT_PLACES);
    }
    if (*ret_node != 0) {
        return REFQ_OK;
    }
    if (strcmp(ref_id, r->self_id) == 0) {
        return rqi_resolver_fail(r, REFQ_ERR_INVALID, "Circular reference detected: %s -> %s",
                                 ref_id, ref_id);
    }
    if (r->n > RQI_INPUT_LOOKS) {
        return rqi_resolver_fail(r, REFQ_ERR_LIMIT,
                                 "more than %d different texts in the arguments and their values "
                                 "have the form of a reference",
                                 RQI_INPUT_LOOKS);
    }
    *ret_node = r->n;
    rqi_input_node *node = add_node(r, ref_id);
    if (node == NULL) {
        return no_memory(r);
    }
    r->untold++;
    if (node->level > RQI_INPUT_CHAIN) {
        return rqi_resolver_fail(r, REFQ_ERR_LIMIT,
                                 "%s: references lead to references more than %d deep",
                                 rqi_resolver_top(r, node), RQI_INPUT_CHAIN);
    }
    return REFQ_OK;
}

/* --- Life ------------------------------------------------------------------------------------- */

static refq_err read_actor(rqi_resolver *r, refq_error *err)
{
    const refq_scope *scope = &r->scope.pub;
    if (strcmp(scope->actor, SYSTEM) == 0) { /* who may write records may say so */
        r->actor = refq_actor_system();
        return REFQ_OK;
    }
    refq_err rc = refq_actor_parse(scope->actor, scope->actor_session, &r->actor, err);
    return rc == REFQ_OK ? rc : rqi_fail_in(err, rc, "the actor in the record");
}

refq_err rqi_resolver_new(const rqi_resolver_options *options, rqi_resolver **ret, refq_error *err)
{
    rqi_resolver *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    r->self = options->self;
    (void)refq_ref_format(&r->self, r->self_id);
    r->task = options->task;
    r->schema = options->schema;
    r->access = options->access;
    r->args = options->args;
    r->out = rqi_buf_make(RQI_INPUT_BYTES);
    refq_err rc = rqi_scope_copy(options->scope, &r->scope, err);
    rc = rc == REFQ_OK ? read_actor(r, err) : rc;
    if (rc != REFQ_OK) {
        rqi_resolver_free(r);
        return rc;
    }
    *ret = r;
    return REFQ_OK;
}

static void leave(void *node)
{
    (void)node; /* freed with the list */
}

void rqi_resolver_free(rqi_resolver *r)
{
    if (r == NULL) {
        return;
    }
    tdestroy(r->by_ref, leave);
    for (uint32_t i = 0; i < r->n; i++) {
        free_node(r->nodes[i]);
    }
    free((void *)r->nodes);
    rqi_buf_done(&r->out);
    rqi_scope_done(&r->scope);
    free(r);
}

rqi_resolve_state rqi_resolver_state(const rqi_resolver *r)
{
    return r->state;
}

/* --- Asking ----------------------------------------------------------------------------------- */

const char *rqi_resolver_next(rqi_resolver *r, size_t *ret_i)
{
    if (r->state != RQI_RESOLVE_FETCH || r->next == r->n) {
        return NULL;
    }
    rqi_input_node *node = r->nodes[r->next];
    node->kind = RQI_INPUT_ASKED;
    *ret_i = r->next++;
    return node->ref_id;
}

static void told(rqi_resolver *r, rqi_input_node *node, rqi_input_kind kind)
{
    node->kind = kind;
    r->untold--;
    if (r->untold == 0 && r->state == RQI_RESOLVE_FETCH) {
        r->state = RQI_RESOLVE_WORK;
    }
}

bool rqi_resolver_reserve(rqi_resolver *r, size_t i, size_t len)
{
    const char *top = rqi_resolver_top(r, r->nodes[i]);
    r->values++;
    r->bytes += len < RQI_INPUT_BYTES ? len : RQI_INPUT_BYTES + 1;
    if (r->values > RQI_INPUT_VALUES) {
        (void)rqi_resolver_fail(r, REFQ_ERR_LIMIT, "%s: one task takes at most %d values", top,
                                RQI_INPUT_VALUES);
    } else if (r->bytes > RQI_INPUT_BYTES) {
        (void)rqi_resolver_fail(r, REFQ_ERR_LIMIT,
                                "%s: the values a task takes have at most %zu MiB in all", top,
                                MIB(RQI_INPUT_BYTES));
    }
    return r->state != RQI_RESOLVE_FAILED;
}

void rqi_resolver_give_entry(rqi_resolver *r, size_t i, rqi_buf *entry)
{
    rqi_input_node *node = r->nodes[i];
    node->entry = *entry;
    *entry = (rqi_buf){0};
    if (node->entry.err != REFQ_OK) {
        (void)no_memory(r);
    }
    told(r, node, RQI_INPUT_ENTRY);
}

static bool may_use(const rqi_resolver *r, const refq_policy *policy, const char *namespace_name)
{
    return (refq_access_permissions(r->access, &r->actor, policy, namespace_name) & MAY_USE) != 0;
}

static bool may_use_task(const rqi_resolver *r, const refq_scope *scope)
{
    rqi_scope_policy p;
    if (rqi_scope_policy_read(scope, &p, NULL) != REFQ_OK) {
        return false;
    }
    bool may = may_use(r, &p.policy, p.namespace_name);
    rqi_scope_policy_done(&p);
    return may;
}

static void no_value(rqi_resolver *r, const rqi_input_node *node, refq_status status)
{
    const char *what = status == REFQ_FAILED ? "has failed" : "was cancelled";
    if (node->level == 1) {
        (void)rqi_resolver_fail(r, REFQ_ERR_CONFLICT,
                                "%s has no value to use as an input: its task %s", node->ref_id,
                                what);
        return;
    }
    (void)rqi_resolver_fail(r, REFQ_ERR_CONFLICT,
                            "%s cannot be used as an input: a reference in its value leads to a "
                            "task that %s",
                            rqi_resolver_top(r, node), what);
}

void rqi_resolver_give_task(rqi_resolver *r, size_t i, refq_status status, const refq_scope *scope)
{
    rqi_input_node *node = r->nodes[i];
    if (!may_use_task(r, scope) || status == REFQ_COMPLETE) { /* complete: its value is gone */
        (void)hide(r, node);
    } else if (status == REFQ_FAILED || status == REFQ_CANCELLED) {
        no_value(r, node, status);
    } else if (r->n_after < REFQ_AFTER_MAX &&
               refq_ref_parse(node->ref_id, &r->after[r->n_after], NULL) == REFQ_OK) {
        r->n_after++;
    }
    told(r, node, RQI_INPUT_LIVE);
}

/* Whether references of this name were authorised when the task was submitted. */
static bool was_authorised(const rqi_resolver *r, const char *ref_id)
{
    const char *names = r->scope.pub.inputs != NULL ? r->scope.pub.inputs : "";
    for (size_t len = 0; *names != '\0'; names += len + (names[len] == ' ')) {
        len = strcspn(names, " ");
        if (rqi_reference_is_of(ref_id, names, len)) {
            return true;
        }
    }
    return false;
}

void rqi_resolver_give_nothing(rqi_resolver *r, size_t i, bool is_queue)
{
    rqi_input_node *node = r->nodes[i];
    if (is_queue || was_authorised(r, node->ref_id)) {
        (void)hide(r, node);
    }
    told(r, node, RQI_INPUT_TEXT);
}

/* --- Working ---------------------------------------------------------------------------------- */

static refq_err read_value(rqi_resolver *r, uint32_t i, refq_bytes json)
{
    refq_error why = {0};
    r->reading = i;
    refq_err rc =
        rqi_input_value_read(&r->nodes[i]->value, json, RQI_INPUT_BYTES, on_found, r, &why);
    r->reading = 0;
    r->nodes[i]->kind = RQI_INPUT_VALUE;
    if (rc == REFQ_ERR_NOMEM) {
        return no_memory(r);
    }
    if (rc != REFQ_OK) { /* of no effect when on_found() has refused */
        return i == 0 ? rqi_resolver_fail(r, rc, "undecodable arguments: %s", why.text)
                      : hide(r, r->nodes[i]);
    }
    return REFQ_OK;
}

static refq_err read_args(rqi_resolver *r)
{
    refq_error why = {0};
    rqi_buf json = {0};
    refq_bytes packed = {.ptr = (const char *)r->args.ptr + 1, .len = r->args.len - 1};
    if (r->args.len == 0 || ((const char *)r->args.ptr)[0] != 'm') {
        return rqi_resolver_fail(r, REFQ_ERR_INVALID,
                                 "undecodable arguments: they are gone or of a format this version "
                                 "does not know");
    }
    refq_err rc = rqi_args_decode(packed, &json, &why);
    if (rc != REFQ_OK) {
        rc = rqi_resolver_fail(r, rc, "undecodable arguments: %s", why.text);
    } else {
        rc = add_node(r, NULL) != NULL ? read_value(r, 0, rqi_buf_bytes(&json)) : no_memory(r);
    }
    rqi_buf_done(&json);
    return rc;
}

static refq_err read_entry(rqi_resolver *r, uint32_t i, int64_t now_ms)
{
    rqi_input_node *node = r->nodes[i];
    rqi_entry_view view;
    refq_err rc = rqi_entry_read(rqi_buf_bytes(&node->entry), &view, NULL);
    if (rc != REFQ_OK) {
        return rc == REFQ_ERR_NOMEM ? no_memory(r) : hide(r, node);
    }
    if (rqi_entry_has_expired(&view, now_ms) || !may_use(r, view.policy, view.namespace_name)) {
        rc = hide(r, node);
    } else {
        rc = read_value(r, i, view.value);
    }
    rqi_entry_view_done(&view);
    rqi_buf_done(&node->entry);
    return rc;
}

static refq_err read_entries(rqi_resolver *r, int64_t now_ms)
{
    refq_err rc = REFQ_OK;
    uint32_t n = r->n; /* reading one may add more */
    for (uint32_t i = 0; i < n && rc == REFQ_OK; i++) {
        if (r->nodes[i]->kind == RQI_INPUT_ENTRY) {
            rc = read_entry(r, i, now_ms);
        }
    }
    return rc;
}

void rqi_resolver_work(rqi_resolver *r, int64_t now_ms)
{
    if (r->state != RQI_RESOLVE_WORK) {
        return;
    }
    refq_err rc = r->n == 0 ? read_args(r) : read_entries(r, now_ms);
    if (rc != REFQ_OK) {
        return;
    }
    r->next = r->next == 0 ? 1 : r->next;
    if (r->untold > 0) {
        r->state = RQI_RESOLVE_FETCH;
    } else if (r->n_after > 0) {
        r->state = RQI_RESOLVE_PARK;
    } else if (rqi_resolver_expand(r) == REFQ_OK && rqi_resolver_fit(r) == REFQ_OK) {
        r->state = RQI_RESOLVE_DONE;
    }
}

/* --- Ends ------------------------------------------------------------------------------------- */

size_t rqi_resolver_after(const rqi_resolver *r, const refq_ref **ret)
{
    *ret = r->after;
    return r->n_after;
}

void rqi_resolver_take(rqi_resolver *r, rqi_buf *ret)
{
    *ret = r->out;
    r->out = (rqi_buf){0};
}

const char *rqi_resolver_error(const rqi_resolver *r, refq_err *ret_code)
{
    *ret_code = r->code;
    return r->why;
}
