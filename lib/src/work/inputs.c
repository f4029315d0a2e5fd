/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The loop fetches, a thread of the pool does all that takes as long as
 * the values are large (inputs/resolver.h). The attempt has its slot already, so
 * there is a thread for it. What lies behind a reference is found in up to four
 * questions: how large is the entry (so that nothing is fetched that is too
 * large anyway), the entry; if there is none, the task's record; if there is
 * none, whether its name is that of a queue. A task that has become complete
 * between the first question and the third has its entry by then: once more.
 */
#include "work/inputs.h"

#include "base/error.h"
#include "entry/reference.h"
#include "inputs/resolver.h"
#include "run/resolved.h"
#include "work/fetch.h"
#include "work/worker.h"

#include <stdlib.h>
#include <string.h>

#define AT_ONCE      64   /* references of an attempt that are looked up at a time */
#define BYTES_A_MS   1000 /* a slower connection than this is taken for a broken one */
#define ENTRY_PREFIX "mcp-refcache:entry:"
#define ENTRY_KEY    (sizeof ENTRY_PREFIX + RQI_REFERENCE_MAX)

struct rqi_inputs {
    rqi_resolver *resolver;
    void (*ready)(rqi_attempt *a);
    unsigned looks;    /* references that are being looked up */
    int64_t fetching;  /* bytes asked for: what is asked next comes behind them */
    refq_error broken; /* why Redis could not be asked; code REFQ_OK = it could */
    int64_t now_ms;    /* for the thread of the pool */
    refq_err rc;       /* from it: whether the arguments could be put to use */
    refq_error why;
};

/* One reference that is being looked up. */
struct look {
    rqi_attempt *a;
    size_t i;
    const char *ref_id; /* borrowed from the resolver */
    bool again;
};

static void go_on(rqi_attempt *a);

void rqi_inputs_free(struct rqi_inputs *inputs)
{
    if (inputs != NULL) {
        rqi_resolver_free(inputs->resolver);
        free(inputs);
    }
}

/* --- Looking up ------------------------------------------------------------------------------- */

static rqi_cmd *command(const struct look *look, const char *name)
{
    rqi_cmd *cmd = &look->a->line->worker->cmd;
    rqi_cmd_clear(cmd);
    rqi_cmd_adds(cmd, name);
    return cmd;
}

/* Large values take their time; one that were given up half-way would be asked for again for ever.
 */
static int64_t patience(const struct look *look)
{
    return RQI_TIMEOUT_MS + look->a->inputs->fetching / BYTES_A_MS;
}

/* About the entry; the key has to last until it is sent. */
static void send_for_entry(struct look *look, const char *name, rqi_reply_cb cb)
{
    char key[ENTRY_KEY];
    rqi_cmd *cmd = command(look, name);
    (void)snprintf(key, sizeof key, "%s%s", ENTRY_PREFIX, look->ref_id);
    rqi_cmd_adds(cmd, key);
    rqi_conn_send(look->a->line->worker->conn, cmd, patience(look), cb, look);
}

static void look_over(struct look *look)
{
    rqi_attempt *a = look->a;
    free(look);
    a->inputs->looks--;
    go_on(a);
}

/* A failure of the connection is the attempt's; what is the matter with this very key (of another
 * type, not for this user) makes it one that cannot be used. */
static bool is_broken(struct look *look, const refq_error *err)
{
    if (err == NULL || err->code == REFQ_ERR_PROTO || err->code == REFQ_ERR_AUTH) {
        return false;
    }
    look->a->inputs->broken = *err;
    look_over(look);
    return true;
}

static void give_nothing(struct look *look, bool is_queue)
{
    rqi_resolver_give_nothing(look->a->inputs->resolver, look->i, is_queue);
    look_over(look);
}

static void on_queue(void *arg, const refq_error *err, const redisReply *reply)
{
    struct look *look = arg;
    if (!is_broken(look, err)) {
        give_nothing(look,
                     err == NULL && reply->type == REDIS_REPLY_INTEGER && reply->integer != 0);
    }
}

static void ask_queue(struct look *look)
{
    rqi_key key;
    char name[RQI_KEY_MAX];
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(look->ref_id, ":"), look->ref_id);
    if (strcmp(name, look->a->line->queue) == 0) {
        give_nothing(look, true);
        return;
    }
    rqi_cmd *cmd = command(look, "SISMEMBER");
    rqi_cmd_adds(cmd, rqi_key_queues(look->a->line->worker->prefix, key));
    rqi_cmd_adds(cmd, name);
    rqi_conn_send(look->a->line->worker->conn, cmd, patience(look), on_queue, look);
}

static void ask_entry_size(struct look *look);

static const char *text_at(const redisReply *array, size_t i)
{
    const redisReply *r = array->element[i];
    return r->type == REDIS_REPLY_STRING ? r->str : NULL;
}

enum { STATUS, NAMESPACE, OWNER, SESSION, POLICY, FIELDS };

static void take_task(struct look *look, const redisReply *reply)
{
    refq_status status = REFQ_PENDING;
    const char *text = text_at(reply, STATUS);
    if (text == NULL || refq_status_parse(text, &status) != REFQ_OK) {
        ask_queue(look);
        return;
    }
    if (status == REFQ_COMPLETE && !look->again) {
        look->again = true;
        ask_entry_size(look);
        return;
    }
    const refq_scope scope = {.struct_size = sizeof scope,
                              .namespace_name = text_at(reply, NAMESPACE),
                              .owner = text_at(reply, OWNER),
                              .session = text_at(reply, SESSION),
                              .policy = text_at(reply, POLICY)};
    rqi_resolver_give_task(look->a->inputs->resolver, look->i, status, &scope);
    look_over(look);
}

static void on_task(void *arg, const refq_error *err, const redisReply *reply)
{
    struct look *look = arg;
    if (is_broken(look, err)) {
        return;
    }
    if (err == NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == FIELDS) {
        take_task(look, reply);
    } else {
        ask_queue(look);
    }
}

static void ask_task(struct look *look)
{
    static const char *const fields[FIELDS] = {"status", "namespace", "owner", "session", "policy"};
    refq_ref ref;
    rqi_keys keys;
    rqi_key key;
    if (refq_ref_parse(look->ref_id, &ref, NULL) != REFQ_OK ||
        rqi_keys_make(look->a->line->worker->prefix, ref.queue, &keys, NULL) != REFQ_OK) {
        ask_queue(look);
        return;
    }
    rqi_cmd *cmd = command(look, "HMGET");
    rqi_cmd_adds(cmd, rqi_key_of(&keys, key, "task:", ref.hex));
    for (size_t i = 0; i < FIELDS; i++) {
        rqi_cmd_adds(cmd, fields[i]);
    }
    rqi_conn_send(look->a->line->worker->conn, cmd, patience(look), on_task, look);
}

static void on_entry(void *arg, const refq_error *err, const redisReply *reply)
{
    struct look *look = arg;
    rqi_buf entry = {0};
    if (is_broken(look, err)) {
        return;
    }
    if (err != NULL || reply->type != REDIS_REPLY_STRING) {
        ask_task(look); /* it has expired in between */
        return;
    }
    rqi_buf_add(&entry, reply->str, (size_t)reply->len);
    rqi_resolver_give_entry(look->a->inputs->resolver, look->i, &entry);
    look_over(look);
}

static void on_entry_size(void *arg, const refq_error *err, const redisReply *reply)
{
    struct look *look = arg;
    if (is_broken(look, err)) {
        return;
    }
    if (err != NULL || reply->type != REDIS_REPLY_INTEGER || reply->integer <= 0) {
        ask_task(look);
        return;
    }
    struct rqi_inputs *in = look->a->inputs;
    if (!rqi_resolver_reserve(in->resolver, look->i, (size_t)reply->integer)) {
        look_over(look);
        return;
    }
    in->fetching += reply->integer;
    send_for_entry(look, "GET", on_entry);
}

static void ask_entry_size(struct look *look)
{
    send_for_entry(look, "STRLEN", on_entry_size);
}

/* False when there is no memory for it. */
static bool look_up_some(rqi_attempt *a)
{
    struct rqi_inputs *in = a->inputs;
    size_t i = 0;
    const char *ref_id = NULL;
    while (in->looks < AT_ONCE && (ref_id = rqi_resolver_next(in->resolver, &i)) != NULL) {
        struct look *look = calloc(1, sizeof *look);
        if (look == NULL) {
            (void)rqi_fail(&in->broken, REFQ_ERR_NOMEM, "out of memory");
            return false;
        }
        *look = (struct look){.a = a, .i = i, .ref_id = ref_id};
        in->looks++;
        ask_entry_size(look);
    }
    return true;
}

/* --- Ends ------------------------------------------------------------------------------------- */

static void park(rqi_attempt *a)
{
    struct rqi_inputs *in = a->inputs;
    const refq_ref *refs = NULL;
    char text[REFQ_REF_MAX + 1];
    size_t n = rqi_resolver_after(in->resolver, &refs);
    for (size_t i = 0; i < n; i++) {
        rqi_buf_adds(&a->after, i > 0 ? " " : "");
        rqi_buf_adds(&a->after, refq_ref_format(&refs[i], text));
    }
    if (a->after.err != REFQ_OK) {
        rqi_buf_done(&a->after);
        rqi_run_fail(&a->run, RQI_RETRYABLE, "out of memory");
    }
    a->inputs = NULL; /* what it holds can be large */
    rqi_inputs_free(in);
    rqi_worker_attempt_done(a);
}

static void fail(rqi_attempt *a, refq_err code, const char *why)
{
    rqi_run_fail(&a->run, code == REFQ_ERR_NOMEM ? RQI_RETRYABLE : RQI_PERMANENT, "%s", why);
    rqi_worker_attempt_done(a);
}

/* Nobody has anything left to say: what has come of it? */
static void conclude(rqi_attempt *a)
{
    struct rqi_inputs *in = a->inputs;
    refq_err code = REFQ_OK;
    a->inputs = NULL;
    if (rqi_resolver_state(in->resolver) == RQI_RESOLVE_DONE && in->rc == REFQ_OK) {
        in->ready(a);
    } else if (rqi_resolver_state(in->resolver) == RQI_RESOLVE_DONE) {
        fail(a, in->rc, in->why.text);
    } else {
        const char *why = rqi_resolver_error(in->resolver, &code);
        fail(a, code, why);
    }
    rqi_inputs_free(in);
}

/* --- Working ---------------------------------------------------------------------------------- */

/* On a thread of the pool. */
static void work(rqi_run *run)
{
    rqi_attempt *a = (rqi_attempt *)run;
    struct rqi_inputs *in = a->inputs;
    rqi_buf json = {0};
    rqi_resolver_work(in->resolver, in->now_ms);
    if (rqi_resolver_state(in->resolver) == RQI_RESOLVE_DONE) {
        rqi_resolver_take(in->resolver, &json);
        in->rc = rqi_run_take_resolved(run, &json, &in->why);
    }
}

static void on_worked(rqi_run *run)
{
    go_on((rqi_attempt *)run);
}

static void start_work(rqi_attempt *a)
{
    refq_worker *w = a->line->worker;
    a->inputs->now_ms = rqi_worker_server_ms(w);
    if (rqi_run_job(w->executor, &a->run, work, on_worked) != REFQ_OK) {
        fail(a, REFQ_ERR_NOMEM, "the worker cannot start a thread");
    }
}

static void start_anew(rqi_attempt *a)
{
    rqi_inputs_start(a, a->inputs->ready);
}

/* Redis could not be asked: all of it once more, after a pause. */
static void mend(rqi_attempt *a)
{
    refq_error err = a->inputs->broken;
    if (!rqi_fetch_later(a, &err, start_anew)) {
        rqi_fetch_end(a, "the inputs", &err);
    }
}

static bool is_wanted(const rqi_attempt *a)
{
    return a->run.stop == RQI_STOP_NONE && a->line->worker->conn != NULL;
}

static void go_on(rqi_attempt *a)
{
    struct rqi_inputs *in = a->inputs;
    rqi_resolve_state state = rqi_resolver_state(in->resolver);
    if (in->broken.code == REFQ_OK && is_wanted(a) && state == RQI_RESOLVE_FETCH &&
        look_up_some(a)) {
        return;
    }
    if (in->looks > 0) {
        return; /* the last one will be back */
    }
    if (!is_wanted(a)) {
        rqi_fetch_end(a, "the inputs", NULL);
    } else if (in->broken.code != REFQ_OK && state != RQI_RESOLVE_FAILED) {
        mend(a);
    } else if (state == RQI_RESOLVE_WORK) {
        start_work(a);
    } else if (state == RQI_RESOLVE_PARK) {
        park(a);
    } else {
        conclude(a);
    }
}

static const char *schema_of(const rqi_attempt *a)
{
    return a->run.handler->def.input_schema;
}

void rqi_inputs_start(rqi_attempt *a, void (*ready)(rqi_attempt *a))
{
    refq_error err;
    const rqi_resolver_options options = {.self = a->run.ref,
                                          .task = a->run.task,
                                          .args = rqi_buf_bytes(&a->run.args),
                                          .scope = &a->scope.pub,
                                          .schema = schema_of(a),
                                          .access = &a->line->worker->access};
    a->state = RQI_ATTEMPT_LOADING;
    rqi_inputs_free(a->inputs);
    a->inputs = calloc(1, sizeof *a->inputs);
    if (a->inputs == NULL) {
        fail(a, REFQ_ERR_NOMEM, "out of memory");
        return;
    }
    a->inputs->ready = ready;
    refq_err rc = rqi_resolver_new(&options, &a->inputs->resolver, &err);
    if (rc != REFQ_OK) {
        fail(a, rc, err.text);
        return;
    }
    start_work(a);
}
