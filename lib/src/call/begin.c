/* SPDX-License-Identifier: MIT */
/*
 * The first part of a call: everything that can be wrong with it is found before
 * anything is queued, in the order in which a caller would want to know: is there
 * such a task, do the arguments fit, may they be used.
 */
#include "call/calls.h"

#include "base/error.h"
#include "call/digest.h"
#include "cache/cache.h"
#include "codec/args.h"
#include "codec/json.h"

#include <stdlib.h>
#include <string.h>

#define FORMAT_MEMBER "_async_response_format"

/* --- Arguments -------------------------------------------------------------------------------- */

/* The caller's wish for a format is no argument of the task. */
static refq_err take_format(rqi_under_way *w, refq_error *err)
{
    const json_t *wish = json_object_get(w->args, FORMAT_MEMBER);
    w->format = w->spec->has_format ? w->spec->format : w->definition->format;
    if (wish == NULL) {
        return REFQ_OK;
    }
    refq_err rc = json_is_string(wish)
                      ? refq_format_parse(json_string_value(wish), &w->format, err)
                      : rqi_fail(err, REFQ_ERR_INVALID,
                                 "%s must be \"minimal\", \"standard\" or \"full\"", FORMAT_MEMBER);
    if (rc == REFQ_OK) {
        (void)json_object_del(w->args, FORMAT_MEMBER);
    }
    return rc;
}

static refq_err read_args(rqi_under_way *w, refq_error *err)
{
    const char *text = w->spec->args != NULL ? w->spec->args : "{}";
    refq_err rc = rqi_json_load(text, strlen(text), RQI_ARGS_MAX, 0, &w->args, err);
    if (rc == REFQ_OK && !json_is_object(w->args)) {
        rc = rqi_fail(err, REFQ_ERR_INVALID, "not an object");
    }
    rc = rc == REFQ_OK ? take_format(w, err) : rc;
    if (rc != REFQ_OK) {
        return rqi_fail_in(err, rc, "arguments of %s", w->spec->task);
    }
    w->args_text = json_dumps(w->args, JSON_COMPACT);
    return w->args_text != NULL ? REFQ_OK : rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
}

/* A reference stands for a value of any type, so where one is given the schema is not asked: what
 * the task makes of the value is the worker's to say. */
static refq_err validate(const rqi_under_way *w, refq_error *err)
{
    if (w->definition->input == NULL || w->inputs.n > 0) {
        return REFQ_OK;
    }
    refq_err rc =
        refq_schema_validate(w->definition->input, w->args_text, strlen(w->args_text), err);
    return rc == REFQ_OK ? rc : rqi_fail_in(err, rc, "arguments of %s", w->spec->task);
}

/* --- Whose it is ------------------------------------------------------------------------------ */

/* What is to be one session's, in a call without any, would be bound to nobody and open to all. */
static refq_err find_place(rqi_under_way *w, refq_error *err)
{
    const refq_caller_rule *rule = w->spec->rule != NULL ? w->spec->rule : &w->definition->rule;
    refq_err rc =
        refq_caller_make(rule, w->spec->identity, w->calls->cache->policy, &w->caller, err);
    if (rc == REFQ_OK && rule->session_scoped &&
        refq_caller_policy(w->caller)->bound_session == NULL) {
        return rqi_fail(err, REFQ_ERR_DENIED,
                        "the result of %s is for the session that calls, but this call has none: "
                        "call with a session",
                        w->spec->task);
    }
    return rc;
}

static refq_reuse reuse_of(const rqi_under_way *w)
{
    return w->spec->has_reuse ? w->spec->reuse : w->definition->reuse;
}

static refq_err name_call(const rqi_under_way *w, const refq_scope *scope,
                          char out[RQI_DIGEST_LEN + 1], refq_error *err)
{
    char *args = NULL;
    char *references = NULL;
    refq_err rc = rqi_content_write(&w->inputs.content, w->args, &args, &references, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    rqi_identical same = {.task = w->spec->task,
                          .namespace_name = scope->namespace_name,
                          .owner = scope->owner,
                          .session = scope->session,
                          .policy = scope->policy,
                          .args = {.ptr = args, .len = strlen(args)},
                          .references = references};
    rc = rqi_call_digest(&same, out, err);
    free(args);
    free(references);
    return rc;
}

/* --- Submitting ------------------------------------------------------------------------------- */

static refq_err submit(rqi_under_way *w, refq_error *err)
{
    char call[RQI_DIGEST_LEN + 1];
    refq_scope scope = {.struct_size = sizeof scope};
    const refq_call_spec *s = w->spec;
    refq_caller_scope(w->caller, &scope);
    if (w->inputs.n == 0) { /* the worker has nothing to ask in his name */
        scope.actor = NULL;
        scope.actor_session = NULL;
    } else {
        scope.inputs = rqi_buf_str(&w->inputs.names);
    }
    refq_err rc = refq_ref_make(s->queue, &w->as, err);
    bool named = reuse_of(w) != REFQ_REUSE_NONE;
    rc = rc == REFQ_OK && named ? name_call(w, &scope, call, err) : rc;
    rqi_content_done(&w->inputs.content); /* not needed for as long as the wait may take */
    if (rc != REFQ_OK) {
        return rc;
    }
    refq_spec spec = {.struct_size = sizeof spec,
                      .ref = w->as,
                      .task = s->task,
                      .args = w->args_text,
                      .lane = s->lane,
                      .timeout_ms = s->timeout_ms,
                      .max_retries = s->max_retries,
                      .key = s->key,
                      .traceparent = s->traceparent,
                      .scope = &scope,
                      .reuse = reuse_of(w),
                      .call = named ? call : NULL,
                      .after = w->inputs.after,
                      .n_after = w->inputs.n_after};
    return refq_client_submit(w->calls->client, &spec, &w->submitted, err);
}

/* An idempotency key is a word that others may hit upon, by chance or not. What it leads to is for
 * those only who could have used it without the key. */
static refq_err check_key(const rqi_under_way *w, refq_error *err)
{
    const refq_submitted *s = &w->submitted;
    refq_task *task = NULL;
    char ref_id[REFQ_REF_MAX + 1];
    if (w->spec->key == NULL || !s->existed || s->joined || strcmp(s->ref.hex, w->as.hex) == 0) {
        return REFQ_OK;
    }
    refq_err rc =
        rqi_cache_task(w->calls->cache, refq_ref_format(&s->ref, ref_id), REFQ_READ | REFQ_EXECUTE,
                       refq_caller_actor(w->caller), &task, err);
    const char *name = rc == REFQ_OK ? refq_task_field(task, "task") : NULL;
    if (name != NULL && strcmp(name, w->spec->task) != 0) {
        rc = rqi_fail(err, REFQ_ERR_CONFLICT,
                      "the idempotency key belongs to a call of '%s'; use another key", name);
    }
    refq_task_free(task);
    return rc == REFQ_ERR_NOTFOUND
               ? rqi_fail(err, REFQ_ERR_CONFLICT,
                          "the idempotency key belongs to a call of somebody else; use another key")
               : rc;
}

static void tell(const rqi_under_way *w)
{
    char ref_id[REFQ_REF_MAX + 1];
    if (w->spec->on_submitted != NULL) {
        w->spec->on_submitted(w->spec->on_submitted_arg,
                              refq_ref_format(&w->submitted.ref, ref_id));
    }
}

refq_err rqi_call_begin(rqi_under_way *w, refq_error *err)
{
    refq_calls *c = w->calls;
    refq_err rc =
        rqi_definitions_take(c->definitions, w->spec->queue, w->spec->task, &w->definition, err);
    rc = rc == REFQ_OK ? read_args(w, err) : rc;
    rc = rc == REFQ_OK ? find_place(w, err) : rc;
    rc = rc == REFQ_OK ? rqi_inputs_check(c->cache, w->spec->queue, (const char *const *)c->caches,
                                          w->args, refq_caller_actor(w->caller), &w->inputs, err)
                       : rc;
    rc = rc == REFQ_OK ? validate(w, err) : rc;
    rc = rc == REFQ_OK ? submit(w, err) : rc;
    rc = rc == REFQ_OK ? check_key(w, err) : rc;
    if (rc == REFQ_OK) {
        tell(w);
    }
    return rc;
}

void rqi_call_end(rqi_under_way *w)
{
    if (w->definition != NULL) {
        rqi_definitions_give_back(w->calls->definitions, w->definition);
    }
    refq_caller_free(w->caller);
    rqi_content_done(&w->inputs.content);
    json_decref(w->args);
    free(w->args_text);
    rqi_buf_done(&w->inputs.names);
    *w = (rqi_under_way){0};
}
