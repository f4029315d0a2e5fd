/* SPDX-License-Identifier: MIT */
/* Calls: answered in time or by reference, joined, refused; over a real server and worker. */
#include "support/access_cells.h"
#include "support/inworker.h"
#include "support/main.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <refq/call.h>

#include <check.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static refq_store *store;
static refq_cache *cache;
static refq_calls *calls;
static atomic_bool gate;
static atomic_int runs;
static atomic_int answered; /* callbacks of started calls */
static atomic_int whole;    /* of them, with the value */

/* --- Handlers --------------------------------------------------------------------------------- */

/* Gives its arguments back. */
static refq_err echo(refq_ctx *ctx, void *arg)
{
    (void)arg;
    atomic_fetch_add(&runs, 1);
    return refq_ctx_return_json(ctx, refq_ctx_args_json(ctx));
}

/* Runs until the gate is open. */
static refq_err slow(refq_ctx *ctx, void *arg)
{
    (void)arg;
    atomic_fetch_add(&runs, 1);
    bool go_on = refq_ctx_progress(ctx, 3, 4, "three of four");
    while (go_on && !atomic_load(&gate)) {
        struct pollfd told = {.fd = refq_ctx_cancel_fd(ctx), .events = POLLIN};
        (void)poll(&told, 1, 5);
        go_on = !refq_ctx_is_cancelled(ctx);
    }
    return go_on ? refq_ctx_return_json(ctx, "{\"text\": \"done\"}")
                 : refq_ctx_fail(ctx, REFQ_ERR_CLOSED, "told to stop");
}

static refq_err give_up(refq_ctx *ctx, void *arg)
{
    (void)arg;
    return refq_ctx_fail(ctx, REFQ_ERR_INVALID,
                         "a reason that is longer than what fits into the sixty-four bytes of the "
                         "record");
}

static refq_err many(refq_ctx *ctx, void *arg)
{
    char text[16 * 1000];
    size_t at = 0;
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%d", i == 0 ? "[" : ", ", i);
    }
    (void)snprintf(text + at, sizeof text - at, "]");
    return refq_ctx_return_json(ctx, text);
}

#define INPUT                                                                        \
    "{\"type\":\"object\",\"properties\":{\"pages\":{\"type\":\"array\",\"items\":{" \
    "\"type\":\"integer\"}}},\"additionalProperties\":false}"
#define OUTPUT "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\"}}}"

/* Tasks whose authors say how calls of them behave. */
static void add_with_rules(refq_handlers *set)
{
    rqt_handlers_add(set,
                     (refq_task_def){.name = "kept", .has_reuse = 1, .reuse = REFQ_REUSE_RESULT},
                     REFQ_RUN_THREAD, echo, NULL);
    rqt_handlers_add(set,
                     (refq_task_def){.name = "fresh", .has_reuse = 1, .reuse = REFQ_REUSE_NONE},
                     REFQ_RUN_THREAD, slow, NULL);
    rqt_handlers_add(set,
                     (refq_task_def){.name = "terse",
                                     .has_response_format = 1,
                                     .response_format = REFQ_FORMAT_MINIMAL},
                     REFQ_RUN_THREAD, slow, NULL);
    rqt_handlers_add(set, (refq_task_def){.name = "wordy", .max_size = 100000}, REFQ_RUN_THREAD,
                     many, NULL);
    rqt_handlers_add(set,
                     (refq_task_def){.name = "own",
                                     .namespace_template = "user:{user_id}",
                                     .owner_template = "user:{user_id}",
                                     .policy = "user_only"},
                     REFQ_RUN_THREAD, slow, NULL);
    rqt_handlers_add(set, (refq_task_def){.name = "bound", .session_scoped = true}, REFQ_RUN_THREAD,
                     slow, NULL);
    rqt_handlers_add(set,
                     (refq_task_def){.name = "unseen", .policy = "{\"agent_permissions\": 16}"},
                     REFQ_RUN_THREAD, echo, NULL);
}

static refq_handlers *handlers(void)
{
    refq_handlers *set = rqt_handlers();
    rqt_handlers_add(set, (refq_task_def){.name = "echo"}, REFQ_RUN_THREAD, echo, NULL);
    rqt_handlers_add(set, (refq_task_def){.name = "slow", .output_schema = OUTPUT}, REFQ_RUN_THREAD,
                     slow, NULL);
    rqt_handlers_add(set, (refq_task_def){.name = "fail"}, REFQ_RUN_THREAD, give_up, NULL);
    rqt_handlers_add(set, (refq_task_def){.name = "many"}, REFQ_RUN_THREAD, many, NULL);
    rqt_handlers_add(set, (refq_task_def){.name = "strict", .input_schema = INPUT}, REFQ_RUN_THREAD,
                     echo, NULL);
    add_with_rules(set);
    return set;
}

/* --- Scaffolding ------------------------------------------------------------------------------ */

static bool is_offered(void)
{
    refq_texts texts = {0};
    bool there = refq_client_catalog(rqt_client(), RQT_QUEUE, "echo", &texts, NULL) == REFQ_OK;
    if (there) {
        refq_texts_free(&texts);
    }
    return there;
}

/* The worker says so after it has put its tasks into the catalog. */
static bool is_known(void)
{
    redisReply *reply = rqt_redis("SISMEMBER refq:queues " RQT_QUEUE);
    bool known = reply->integer == 1;
    freeReplyObject(reply);
    return known;
}

static void begin(void)
{
    refq_error err = {0};
    atomic_store(&gate, false);
    atomic_store(&runs, 0);
    atomic_store(&answered, 0);
    atomic_store(&whole, 0);
    rqt_redis_do("FLUSHALL");
    rqt_inworker_make((refq_worker_options){.concurrency = 8});
    rqt_inworker_serve(RQT_QUEUE, handlers());
    rqt_inworker_start();
    refq_store_options so = {.struct_size = sizeof so, .url = rqt_redis_url()};
    ck_assert_msg(refq_store_open(&so, &store, &err) == REFQ_OK, "%s", err.text);
    refq_cache_options co = {.struct_size = sizeof co, .name = "calls", .client = rqt_client()};
    ck_assert_msg(refq_cache_open(store, &co, &cache, &err) == REFQ_OK, "%s", err.text);
    refq_calls_options o = {.struct_size = sizeof o, .client = rqt_client(), .cache = cache};
    ck_assert_msg(refq_calls_new(&o, &calls, &err) == REFQ_OK, "%s", err.text);
    ck_assert(RQT_UNTIL(is_offered() && is_known(), 10000));
}

static void end(void)
{
    refq_calls_free(calls);
    refq_cache_close(cache);
    refq_store_close(store);
    atomic_store(&gate, true);
    rqt_inworker_stop(REFQ_OK);
    rqt_client_end();
}

static refq_call_spec spec_of(refq_call_spec s)
{
    s.struct_size = sizeof s;
    s.queue = s.queue != NULL ? s.queue : RQT_QUEUE;
    if (!s.has_async_timeout) {
        s.has_async_timeout = 1;
        s.async_timeout_ms = 20000;
    }
    return s;
}

static json_t *parse(refq_response *response)
{
    json_error_t at;
    json_t *root = json_loads(response->json, JSON_REJECT_DUPLICATES, &at);
    ck_assert_msg(root != NULL, "%s: %s", at.text, response->json);
    ck_assert_str_eq(json_string_value(json_object_get(root, "status")),
                     refq_status_name(response->status));
    ck_assert_int_eq(json_is_true(json_object_get(root, "is_async")), response->is_async);
    ck_assert_int_eq(json_is_true(json_object_get(root, "is_complete")), response->is_complete);
    refq_response_free(response);
    return root;
}

static json_t *make_call(refq_call_spec s)
{
    refq_error err = {0};
    refq_response response;
    s = spec_of(s);
    ck_assert_msg(refq_call(calls, &s, &response, &err) == REFQ_OK, "%s", err.text);
    return parse(&response);
}

#define CALL(...) make_call((refq_call_spec){__VA_ARGS__})
#define AT_ONCE   .has_async_timeout = 1, .async_timeout_ms = 0

static json_t *poll_ref(const char *ref_id, const refq_actor *who)
{
    refq_error err = {0};
    refq_response response;
    refq_cache_query q = {.struct_size = sizeof q, .format = REFQ_FORMAT_FULL};
    ck_assert_msg(refq_cache_get(cache, ref_id, &q, who, &response, &err) == REFQ_OK, "%s",
                  err.text);
    return parse(&response);
}

static void refuse_call(refq_call_spec s, refq_err rc, const char *says)
{
    refq_error err = {0};
    refq_response response;
    s = spec_of(s);
    refq_err got = refq_call(calls, &s, &response, &err);
    ck_assert_msg(got == rc, "%s: %s", refq_strerror(got), err.text);
    ck_assert_msg(strstr(err.text, says) != NULL, "%s", err.text);
}

#define REFUSE(rc, says, ...) refuse_call((refq_call_spec){__VA_ARGS__}, (rc), (says))

static const char *text_of(json_t *root, const char *name)
{
    const char *text = json_string_value(json_object_get(root, name));
    return text != NULL ? text : "";
}

static void expect_json(json_t *root, const char *name, const char *want)
{
    char *text = json_dumps(json_object_get(root, name), JSON_ENCODE_ANY | JSON_COMPACT);
    ck_assert_msg(text != NULL && strcmp(text, want) == 0, "%s is %s, not %s", name, text, want);
    free(text);
}

/* --- In time or not --------------------------------------------------------------------------- */

START_TEST(work_within_the_timeout_is_answered_with_its_value)
{
    begin();
    json_t *root = CALL(.task = "echo", .args = "{\"a\": [1, 2.50, \"x\"]}");
    expect_json(root, "is_complete", "true");
    expect_json(root, "is_async", "false");
    expect_json(root, "value", "{\"a\":[1,2.5,\"x\"]}");
    expect_json(root, "total_items", "1");
    json_decref(root);
    ck_assert_int_eq(atomic_load(&runs), 1);
    end();
}
END_TEST

static bool has_field(const refq_ref *ref, const char *name)
{
    redisReply *reply = rqt_redis("HEXISTS refq:{%s}:task:%s %s", ref->queue, ref->hex, name);
    bool has = reply->integer == 1;
    freeReplyObject(reply);
    return has;
}

static bool is_status(const char *ref_id, const char *status)
{
    json_t *root = poll_ref(ref_id, NULL);
    bool is = strcmp(text_of(root, "status"), status) == 0;
    json_decref(root);
    return is;
}

START_TEST(work_that_takes_longer_is_answered_with_its_reference)
{
    char ref_id[REFQ_REF_MAX + 1];
    begin();
    json_t *root = CALL(.task = "slow", AT_ONCE, .has_format = 1, .format = REFQ_FORMAT_FULL);
    expect_json(root, "is_complete", "false");
    expect_json(root, "is_async", "true");
    expect_json(root, "expected_schema",
                "{\"return_type\":\"object\",\"fields\":{\"text\":\"string\"},\"example\":null,"
                "\"description\":null}");
    (void)snprintf(ref_id, sizeof ref_id, "%s", text_of(root, "ref_id"));
    json_decref(root);
    ck_assert(RQT_UNTIL(is_status(ref_id, "processing"), 10000));
    root = poll_ref(ref_id, NULL);
    expect_json(root, "is_async", "true");
    json_decref(root);
    atomic_store(&gate, true);
    ck_assert(RQT_UNTIL(is_status(ref_id, "complete"), 10000));
    for (int i = 0; i < 3; i++) {
        root = poll_ref(ref_id, NULL);
        expect_json(root, "preview", "{\"text\":\"done\"}");
        expect_json(root, "is_complete", "true");
        json_decref(root);
    }
    ck_assert_int_eq(atomic_load(&runs), 1);
    end();
}
END_TEST

START_TEST(a_large_value_is_answered_with_a_preview)
{
    begin();
    json_t *root = CALL(.task = "many", .has_max_size = 1, .max_size = 50);
    expect_json(root, "is_complete", "false");
    expect_json(root, "is_async", "false");
    expect_json(root, "total_items", "1000");
    ck_assert_str_eq(text_of(root, "preview_strategy"), "sample");
    ck_assert_ptr_nonnull(strstr(text_of(root, "message"), "get_cached_result"));
    json_decref(root);
    end();
}
END_TEST

START_TEST(a_failure_is_told_in_full)
{
    char ref_id[REFQ_REF_MAX + 1];
    begin();
    json_t *root = CALL(.task = "fail", .has_format = 1, .format = REFQ_FORMAT_FULL);
    ck_assert_str_eq(text_of(root, "status"), "failed");
    ck_assert_ptr_nonnull(strstr(text_of(root, "error"), "sixty-four bytes of the record"));
    ck_assert_ptr_nonnull(strstr(text_of(root, "message"), "Task failed: a reason"));
    (void)snprintf(ref_id, sizeof ref_id, "%s", text_of(root, "ref_id"));
    json_decref(root);
    root = poll_ref(ref_id, NULL);
    ck_assert_str_eq(text_of(root, "status"), "failed");
    json_decref(root);
    end();
}
END_TEST

START_TEST(why_it_failed_is_not_everybodys_business)
{
    refq_error err = {0};
    refq_response response;
    begin();
    refq_calls_free(calls);
    refq_cache_close(cache);
    refq_cache_options co = {.struct_size = sizeof co, .client = rqt_client(), .hide_errors = true};
    ck_assert_int_eq(refq_cache_open(store, &co, &cache, &err), REFQ_OK);
    refq_calls_options o = {.struct_size = sizeof o, .client = rqt_client(), .cache = cache};
    ck_assert_int_eq(refq_calls_new(&o, &calls, &err), REFQ_OK);
    json_t *root = CALL(.task = "fail", .has_format = 1, .format = REFQ_FORMAT_FULL);
    const char *ref_id = text_of(root, "ref_id");
    json_t *polled = poll_ref(ref_id, NULL);
    ck_assert_int_eq(refq_call_cancel(calls, ref_id, NULL, &response, &err), REFQ_OK);
    json_t *cancelled = parse(&response);
    json_t *all[] = {root, polled, cancelled};
    for (size_t i = 0; i < 3; i++) {
        char *text = json_dumps(all[i], 0);
        ck_assert_ptr_null(strstr(text, "a reason that"));
        ck_assert_ptr_nonnull(strstr(text, "Task failed: the reason is in the log of the server"));
        free(text);
    }
    json_decref(cancelled);
    json_decref(polled);
    json_decref(root);
    end();
}
END_TEST

START_TEST(an_agent_chooses_the_format)
{
    begin();
    json_t *root = CALL(.task = "slow", AT_ONCE,
                        .args = "{\"_async_response_format\": \"minimal\", \"a\": 1}");
    ck_assert_uint_eq(json_object_size(root), 4);
    json_decref(root);
    atomic_store(&gate, true);
    root = CALL(.task = "echo", .args = "{\"_async_response_format\": \"full\", \"a\": 1}");
    expect_json(root, "value", "{\"a\":1}");
    json_decref(root);
    REFUSE(REFQ_ERR_INVALID, "minimal, standard and full", .task = "echo",
           .args = "{\"_async_response_format\": \"tiny\"}");
    REFUSE(REFQ_ERR_INVALID, "_async_response_format", .task = "echo",
           .args = "{\"_async_response_format\": 1}");
    end();
}
END_TEST

/* --- Refused before anything is queued -------------------------------------------------------- */

START_TEST(arguments_that_do_not_fit_are_refused)
{
    begin();
    REFUSE(REFQ_ERR_INVALID, "/pages/1", .task = "strict", .args = "{\"pages\": [1, \"x\"]}");
    REFUSE(REFQ_ERR_INVALID, "more", .task = "strict", .args = "{\"more\": 1}");
    REFUSE(REFQ_ERR_INVALID, "arguments of echo", .task = "echo", .args = "[1]");
    REFUSE(REFQ_ERR_INVALID, "arguments of echo", .task = "echo", .args = "{\"a\"");
    json_decref(CALL(.task = "strict", .args = "{\"pages\": [1, 2]}"));
    ck_assert_int_eq(rqt_meta("complete"), 1);
    ck_assert_int_eq(rqt_meta("pending"), 0);
    end();
}
END_TEST

START_TEST(a_task_that_nobody_offers_is_not_found)
{
    begin();
    REFUSE(REFQ_ERR_NOTFOUND, "did you mean 'echo'", .task = "ecko");
    REFUSE(REFQ_ERR_NOTFOUND, "nobodys", .task = "echo", .queue = "nobodys");
    REFUSE(REFQ_ERR_INVALID, "no name", .task = "no name");
    end();
}
END_TEST

/* Definitions are what some worker has written; the error is about them, not about the call. */
START_TEST(a_definition_that_is_none_is_refused)
{
    static const char *const bad[] = {
        "",
        "[1]",
        "5",
        "null",
        "{\"input_schema\": ",
        "{\"input_schema\": 5}",
        "\xff",
        "{}x",
        "{\"input_schema\": {\"type\": \"nothing\"}}",
    };
    begin();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char name[16];
        refq_error err = {0};
        refq_response response;
        (void)snprintf(name, sizeof name, "bad%zu", i);
        freeReplyObject(
            rqt_redis("HSET refq:{" RQT_QUEUE "}:catalog %s %b", name, bad[i], strlen(bad[i])));
        refq_call_spec s = spec_of((refq_call_spec){.task = name});
        ck_assert_int_eq(refq_call(calls, &s, &response, NULL), REFQ_ERR_UNSUPPORTED);
        ck_assert_int_eq(refq_call(calls, &s, &response, &err), REFQ_ERR_UNSUPPORTED);
        ck_assert_msg(strstr(err.text, name) != NULL, "%s", err.text);
    }
    end();
}
END_TEST

/* --- Identical calls -------------------------------------------------------------------------- */

enum { CALLERS = 8 };

struct caller {
    pthread_t thread;
    const char *task;
    refq_call_spec spec;
    char ref_id[REFQ_REF_MAX + 1];
    refq_err rc;
    bool complete;
};

static void *call_once(void *arg)
{
    struct caller *c = arg;
    refq_response response = {0};
    c->rc = refq_call(calls, &c->spec, &response, NULL);
    json_t *root = c->rc == REFQ_OK ? json_loads(response.json, 0, NULL) : NULL;
    (void)snprintf(c->ref_id, sizeof c->ref_id, "%s", text_of(root, "ref_id"));
    c->complete = response.is_complete;
    json_decref(root);
    refq_response_free(&response);
    return NULL;
}

static void start_callers(struct caller *callers, refq_call_spec s)
{
    for (int i = 0; i < CALLERS; i++) {
        callers[i].spec = spec_of(s);
        ck_assert_int_eq(pthread_create(&callers[i].thread, NULL, call_once, &callers[i]), 0);
    }
}

START_TEST(identical_calls_share_one_execution)
{
    struct caller callers[CALLERS] = {0};
    begin();
    start_callers(callers, (refq_call_spec){.task = "slow", .args = "{\"a\": 1}"});
    ck_assert(RQT_UNTIL(rqt_callers() == CALLERS, 10000));
    atomic_store(&gate, true);
    for (int i = 0; i < CALLERS; i++) {
        (void)pthread_join(callers[i].thread, NULL);
        ck_assert_int_eq(callers[i].rc, REFQ_OK);
        ck_assert(callers[i].complete);
        ck_assert_str_eq(callers[i].ref_id, callers[0].ref_id);
    }
    ck_assert_int_eq(atomic_load(&runs), 1);
    end();
}
END_TEST

START_TEST(reuse_is_the_callers_choice)
{
    char first[REFQ_REF_MAX + 1];
    static const struct {
        refq_reuse reuse;
        bool same;
    } cases[] = {{REFQ_REUSE_NONE, false}, {REFQ_REUSE_IN_FLIGHT, true}, {REFQ_REUSE_RESULT, true}};
    begin();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char args[32];
        (void)snprintf(args, sizeof args, "{\"a\": %zu}", i);
        refq_call_spec s = {
            .task = "slow", .args = args, AT_ONCE, .has_reuse = 1, .reuse = cases[i].reuse};
        json_t *root = make_call(s);
        (void)snprintf(first, sizeof first, "%s", text_of(root, "ref_id"));
        json_decref(root);
        root = make_call(s);
        ck_assert_int_eq(strcmp(first, text_of(root, "ref_id")) == 0, cases[i].same);
        json_decref(root);
    }
    end();
}
END_TEST

START_TEST(a_result_is_used_again_when_the_caller_wants)
{
    static const struct {
        refq_reuse reuse;
        int runs;
    } cases[] = {{REFQ_REUSE_IN_FLIGHT, 2}, {REFQ_REUSE_RESULT, 1}};
    begin();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char args[32];
        atomic_store(&runs, 0);
        (void)snprintf(args, sizeof args, "{\"b\": %zu}", i);
        for (int k = 0; k < 2; k++) {
            json_t *root =
                CALL(.task = "echo", .args = args, .has_reuse = 1, .reuse = cases[i].reuse);
            expect_json(root, "is_complete", "true");
            json_decref(root);
        }
        ck_assert_int_eq(atomic_load(&runs), cases[i].runs);
    }
    end();
}
END_TEST

/* --- Without blocking ------------------------------------------------------------------------- */

enum { THOUSAND = 1000 };

static void on_answer(void *arg, const refq_error *err, refq_response *response)
{
    (void)arg;
    if (err == NULL) {
        atomic_fetch_add(&whole, response->is_complete);
        refq_response_free(response);
    }
    atomic_fetch_add(&answered, 1);
}

static refq_call_id start(refq_call_spec s)
{
    refq_error err = {0};
    refq_call_id id = 0;
    s = spec_of(s);
    ck_assert_msg(refq_call_start(calls, &s, on_answer, NULL, &id, &err) == REFQ_OK, "%s",
                  err.text);
    ck_assert_uint_ne(id, 0);
    return id;
}

/* Calls of functions, which all questions about tasks are. */
static long long questions(void)
{
    return rqt_redis_calls("fcall") + rqt_redis_calls("fcall_ro");
}

/* Some beats of the worker long. */
static void let_time_pass(void)
{
    for (int i = 0; i < 4; i++) {
        long long before = rqt_meta("last_beat");
        ck_assert(RQT_UNTIL(rqt_meta("last_beat") != before, 10000));
    }
}

START_TEST(a_thousand_calls_wait_without_polling)
{
    begin();
    for (int i = 0; i < THOUSAND; i++) {
        char args[32];
        (void)snprintf(args, sizeof args, "{\"i\": %d}", i);
        (void)start((refq_call_spec){
            .task = "slow", .args = args, .has_async_timeout = 1, .async_timeout_ms = 60000});
    }
    ck_assert(RQT_UNTIL(atomic_load(&runs) == 8, 10000));
    let_time_pass();
    long long before = questions();
    let_time_pass();
    ck_assert_int_lt(questions() - before, 50);
    ck_assert_int_eq(atomic_load(&answered), 0);
    atomic_store(&gate, true);
    ck_assert(RQT_UNTIL(atomic_load(&answered) > THOUSAND / 10, 20000));
    rqt_redis_do("CLIENT KILL TYPE pubsub");
    ck_assert(RQT_UNTIL(atomic_load(&answered) == THOUSAND, 40000));
    ck_assert_int_eq(atomic_load(&whole), THOUSAND);
    end();
}
END_TEST

START_TEST(a_started_call_gives_its_reference_in_time)
{
    begin();
    (void)start((refq_call_spec){.task = "slow", .has_async_timeout = 1, .async_timeout_ms = 50});
    ck_assert(RQT_UNTIL(atomic_load(&answered) == 1, 10000));
    ck_assert_int_eq(atomic_load(&whole), 0);
    end();
}
END_TEST

START_TEST(a_call_that_cannot_begin_is_not_answered)
{
    begin();
    refq_error err = {0};
    refq_call_id id = 0;
    refq_call_spec s = spec_of((refq_call_spec){.task = "ecko"});
    ck_assert_int_eq(refq_call_start(calls, &s, on_answer, NULL, &id, &err), REFQ_ERR_NOTFOUND);
    ck_assert_int_eq(refq_call_abandon(calls, id, &err), REFQ_ERR_NOTFOUND);
    end();
    ck_assert_int_eq(atomic_load(&answered), 0);
}
END_TEST

static void abandon(refq_call_id id)
{
    refq_error err = {0};
    ck_assert_msg(refq_call_abandon(calls, id, &err) == REFQ_OK, "%s", err.text);
    ck_assert_int_eq(refq_call_abandon(calls, id, &err), REFQ_ERR_NOTFOUND);
}

/* All who say this share a task. */
static refq_call_spec shared(int64_t patience_ms)
{
    return (refq_call_spec){.task = "slow",
                            .args = "{\"shared\": 1}",
                            .has_async_timeout = 1,
                            .async_timeout_ms = patience_ms};
}

START_TEST(the_last_caller_to_leave_takes_the_task_along)
{
    begin();
    refq_call_spec s = shared(60000);
    refq_call_id first = start(s);
    refq_call_id second = start(s);
    ck_assert(RQT_UNTIL(atomic_load(&runs) == 1, 10000));
    abandon(first);
    let_time_pass();
    ck_assert_int_eq((int)rqt_meta("processing"), 1);
    abandon(second);
    ck_assert(RQT_UNTIL(rqt_meta("cancelled") == 1, 10000));
    end();
    ck_assert_int_eq(atomic_load(&answered), 0);
    ck_assert_int_eq(atomic_load(&runs), 1);
}
END_TEST

START_TEST(who_was_given_the_reference_keeps_the_task)
{
    begin();
    refq_call_spec s = shared(60000);
    refq_call_id first = start(s);
    json_decref(CALL(.task = "slow", .args = "{\"shared\": 1}", AT_ONCE));
    abandon(first);
    let_time_pass();
    ck_assert_int_eq((int)rqt_meta("cancelled"), 0);
    atomic_store(&gate, true);
    ck_assert(RQT_UNTIL(rqt_meta("complete") == 1, 10000));
    end();
}
END_TEST

/* Records that are gone, and a server that answers no more, end calls instead of keeping them. */
START_TEST(a_call_whose_task_vanishes_comes_back)
{
    begin();
    (void)start((refq_call_spec){.task = "slow", .has_async_timeout = 1, .async_timeout_ms = 1000});
    ck_assert(RQT_UNTIL(atomic_load(&runs) == 1, 10000));
    rqt_redis_do("FLUSHALL");
    ck_assert(RQT_UNTIL(atomic_load(&answered) == 1, 20000));
    ck_assert_int_eq(atomic_load(&whole), 0);
    end();
}
END_TEST

START_TEST(calls_end_with_those_who_asked)
{
    begin();
    refq_call_id ids[16];
    for (int i = 0; i < 16; i++) {
        char args[32];
        (void)snprintf(args, sizeof args, "{\"i\": %d}", i / 2);
        ids[i] = start((refq_call_spec){
            .task = "slow", .args = args, .has_async_timeout = 1, .async_timeout_ms = 600});
    }
    for (int i = 0; i < 16; i += 3) {
        abandon(ids[i]);
    }
    refq_calls_free(calls); /* waits for all of them */
    calls = NULL;
    ck_assert_int_eq(atomic_load(&answered), 10);
    end();
}
END_TEST

START_TEST(nobody_waits_for_those_who_left)
{
    begin();
    refq_call_spec s = shared(600000);
    refq_call_id first = start(s);
    json_decref(CALL(.task = "slow", .args = "{\"shared\": 1}", AT_ONCE)); /* holds the task */
    abandon(first);
    int64_t before = rqt_now_ms();
    refq_calls_free(calls);
    calls = NULL;
    ck_assert_int_lt(rqt_now_ms() - before, 60000);
    ck_assert_int_eq(atomic_load(&answered), 0);
    end();
    ck_assert_int_eq(rqt_redis_int("HGET refq:{" RQT_QUEUE "}:meta complete"), 1);
}
END_TEST

/* --- Whose it is ------------------------------------------------------------------------------ */

static const refq_identity alice = {.struct_size = sizeof alice, .user_id = "alice"};
static const refq_identity bob = {.struct_size = sizeof bob, .user_id = "bob"};
static const refq_actor user_alice = {.type = REFQ_ACTOR_USER, .id = "alice"};
static const refq_actor user_bob = {.type = REFQ_ACTOR_USER, .id = "bob"};

static refq_caller_rule own_rule(void)
{
    return (refq_caller_rule){.struct_size = sizeof(refq_caller_rule),
                              .namespace_template = "user:{user_id}",
                              .owner_template = "user:{user_id}"};
}

START_TEST(a_task_is_its_callers_from_the_start)
{
    char ref_id[REFQ_REF_MAX + 1];
    refq_error err = {0};
    refq_response response;
    refq_caller_rule rule = own_rule();
    begin();
    json_t *root = CALL(.task = "slow", .identity = &alice, .rule = &rule, AT_ONCE);
    (void)snprintf(ref_id, sizeof ref_id, "%s", text_of(root, "ref_id"));
    json_decref(root);
    for (int i = 0; i < 2; i++) {
        json_decref(poll_ref(ref_id, &user_alice));
        ck_assert_int_eq(refq_cache_get(cache, ref_id, NULL, &user_bob, &response, &err),
                         REFQ_ERR_NOTFOUND);
        ck_assert_int_eq(refq_cache_get(cache, ref_id, NULL, NULL, &response, &err),
                         REFQ_ERR_NOTFOUND);
        ck_assert_int_eq(refq_call_cancel(calls, ref_id, &user_bob, &response, &err),
                         REFQ_ERR_NOTFOUND);
        atomic_store(&gate, true);
        refq_ref ref;
        ck_assert_int_eq(refq_ref_parse(ref_id, &ref, &err), REFQ_OK);
        rqt_expect(&ref, "complete", 10000);
    }
    end();
}
END_TEST

START_TEST(another_users_identical_call_is_another_call)
{
    refq_caller_rule rule = own_rule();
    begin();
    const refq_identity *who[] = {&alice, &bob, &alice};
    for (int i = 0; i < 3; i++) {
        json_decref(CALL(.task = "echo", .args = "{\"c\": 1}", .identity = who[i], .rule = &rule,
                         .has_reuse = 1, .reuse = REFQ_REUSE_RESULT));
    }
    ck_assert_int_eq(atomic_load(&runs), 2);
    end();
}
END_TEST

START_TEST(what_may_only_be_used_is_answered_by_reference)
{
    refq_policy hidden = refq_policy_preset(REFQ_POLICY_EXECUTE_ONLY);
    refq_caller_rule rule = {.struct_size = sizeof rule, .policy = &hidden};
    begin();
    json_t *root = CALL(.task = "echo", .args = "{\"secret\": 1}", .rule = &rule);
    ck_assert_ptr_null(json_object_get(root, "value"));
    ck_assert_ptr_null(json_object_get(root, "preview"));
    expect_json(root, "is_complete", "false");
    ck_assert_str_eq(text_of(root, "status"), "complete");
    json_decref(root);
    end();
}
END_TEST

/* Nor is what a task reports on its way to a result, or why there is none. */
START_TEST(what_may_only_be_used_tells_nothing_while_it_is_made)
{
    refq_policy hidden = refq_policy_preset(REFQ_POLICY_EXECUTE_ONLY);
    refq_caller_rule rule = {.struct_size = sizeof rule, .policy = &hidden};
    char ref_id[REFQ_REF_MAX + 1];
    refq_ref ref;
    refq_response response;
    begin();
    json_t *root = CALL(.task = "fail", .rule = &rule, .has_format = 1, .format = REFQ_FORMAT_FULL);
    ck_assert_str_eq(text_of(root, "status"), "failed");
    ck_assert_uint_eq(json_object_size(root), 4);
    json_decref(root);
    root = CALL(.task = "slow", .rule = &rule, AT_ONCE);
    (void)snprintf(ref_id, sizeof ref_id, "%s", text_of(root, "ref_id"));
    json_decref(root);
    ck_assert_int_eq(refq_ref_parse(ref_id, &ref, NULL), REFQ_OK);
    ck_assert(RQT_UNTIL(has_field(&ref, "message"), 10000));
    root = CALL(.task = "slow", .rule = &rule, AT_ONCE); /* joins it */
    ck_assert_str_eq(text_of(root, "ref_id"), ref_id);
    ck_assert_str_eq(text_of(root, "status"), "processing");
    ck_assert_uint_eq(json_object_size(root), 4);
    json_decref(root);
    ck_assert_int_eq(refq_call_cancel(calls, ref_id, NULL, &response, NULL), REFQ_OK);
    root = parse(&response);
    ck_assert_uint_eq(json_object_size(root), 4);
    json_decref(root);
    end();
}
END_TEST

/* Whoever guesses a key must not be given what another one has begun with it. */
START_TEST(a_key_leads_nobody_to_anothers_task)
{
    refq_caller_rule rule = own_rule();
    begin();
    json_t *first = CALL(.task = "fail", .identity = &alice, .rule = &rule, .key = "k");
    json_t *again = CALL(.task = "fail", .identity = &alice, .rule = &rule, .key = "k");
    ck_assert_str_eq(text_of(first, "ref_id"), text_of(again, "ref_id"));
    REFUSE(REFQ_ERR_CONFLICT, "key", .task = "fail", .identity = &bob, .rule = &rule, .key = "k");
    REFUSE(REFQ_ERR_CONFLICT, "key", .task = "fail", .key = "k");
    json_decref(first);
    json_decref(again);
    end();
}
END_TEST

/* Tasks of every policy in every namespace, none of them over. */
static void submit_cells(refq_ref refs[RQT_CELL_POLICIES * RQT_CELL_NAMESPACES])
{
    for (int i = 0; i < RQT_CELL_POLICIES * RQT_CELL_NAMESPACES; i++) {
        refq_error err = {0};
        refq_caller *caller = NULL;
        refq_scope scope = {.struct_size = sizeof scope};
        refq_policy policy = rqt_cell_policy(i % RQT_CELL_POLICIES);
        refq_caller_rule rule = {.struct_size = sizeof rule,
                                 .namespace_name = rqt_cell_namespaces[i / RQT_CELL_POLICIES],
                                 .policy = &policy};
        ck_assert_msg(refq_caller_make(&rule, NULL, NULL, &caller, &err) == REFQ_OK, "%s",
                      err.text);
        refq_caller_scope(caller, &scope);
        refs[i] = rqt_submit((refq_spec){.task = "slow", .scope = &scope});
        refq_caller_free(caller);
    }
}

/* Polling, asking and cancelling, against what the rules say. */
static int try_task(const refq_ref *ref, const refq_actor *who, unsigned may)
{
    char ref_id[REFQ_REF_MAX + 1];
    refq_error err = {0};
    refq_response response = {0};
    bool there = false;
    (void)refq_ref_format(ref, ref_id);
    refq_err want = (may & REFQ_READ) != 0 ? REFQ_OK : REFQ_ERR_NOTFOUND;
    ck_assert_int_eq(refq_cache_get(cache, ref_id, NULL, who, &response, &err), want);
    refq_response_free(&response);
    ck_assert_int_eq(refq_cache_exists(cache, ref_id, who, &there, &err), REFQ_OK);
    ck_assert_int_eq(there, (may & (REFQ_READ | REFQ_EXECUTE)) != 0);
    if ((may & REFQ_EXECUTE) == 0) {
        ck_assert_int_eq(refq_call_cancel(calls, ref_id, who, &response, &err), REFQ_ERR_NOTFOUND);
    }
    return 3;
}

static int try_cells(const refq_ref refs[RQT_CELL_POLICIES * RQT_CELL_NAMESPACES])
{
    int cells = 0;
    for (int i = 0; i < RQT_CELL_POLICIES * RQT_CELL_NAMESPACES * RQT_CELL_ACTORS; i++) {
        int task = i % (RQT_CELL_POLICIES * RQT_CELL_NAMESPACES);
        refq_policy policy = rqt_cell_policy(task % RQT_CELL_POLICIES);
        refq_actor who = rqt_cell_actor(i / (RQT_CELL_POLICIES * RQT_CELL_NAMESPACES));
        unsigned may = refq_access_permissions(NULL, &who, &policy,
                                               rqt_cell_namespaces[task / RQT_CELL_POLICIES]);
        cells += try_task(&refs[task], &who, may);
    }
    return cells;
}

START_TEST(every_path_to_a_task_asks_the_same_rules)
{
    refq_ref refs[RQT_CELL_POLICIES * RQT_CELL_NAMESPACES];
    begin();
    submit_cells(refs);
    ck_assert_int_gt(try_cells(refs), 2500);
    atomic_store(&gate, true);
    for (int i = 0; i < RQT_CELL_POLICIES * RQT_CELL_NAMESPACES; i++) {
        rqt_expect(&refs[i], "complete", 20000);
    }
    ck_assert_int_gt(try_cells(refs), 2500);
    end();
}
END_TEST

START_TEST(cancel_is_for_those_who_may_use_it)
{
    refq_error err = {0};
    refq_response response;
    begin();
    json_t *root = CALL(.task = "slow", AT_ONCE);
    const char *ref_id = text_of(root, "ref_id");
    for (int i = 0; i < 2; i++) { /* a repeat does no harm */
        ck_assert_msg(refq_call_cancel(calls, ref_id, NULL, &response, &err) == REFQ_OK, "%s",
                      err.text);
        ck_assert_int_eq(response.status, REFQ_CANCELLED);
        refq_response_free(&response);
    }
    json_t *now = poll_ref(ref_id, NULL);
    ck_assert_str_eq(text_of(now, "message"), "Task was cancelled");
    json_decref(now);
    json_decref(root);
    end();
}
END_TEST

/* --- References as arguments ------------------------------------------------------------------ */

START_TEST(a_text_that_only_looks_like_a_reference_is_a_text)
{
    begin();
    json_t *root = CALL(.task = "echo", .args = "{\"image\": \"sha256:deadbeefdeadbeef\"}");
    expect_json(root, "value", "{\"image\":\"sha256:deadbeefdeadbeef\"}");
    json_decref(root);
    end();
}
END_TEST

static bool is_listed(void)
{
    redisReply *r = rqt_redis("SISMEMBER refq:queues " RQT_QUEUE);
    bool listed = r->integer == 1;
    freeReplyObject(r);
    return listed;
}

/* A worker offers its tasks a moment before its queue is in the list of all. */
START_TEST(the_queue_of_a_call_is_one_before_it_is_listed)
{
    begin();
    ck_assert(RQT_UNTIL(is_listed(), 10000));
    rqt_redis_do("DEL refq:queues");
    REFUSE(REFQ_ERR_NOTFOUND, "Invalid or inaccessible reference", .task = "echo",
           .args = "{\"x\": \"" RQT_QUEUE ":0123456789abcdef0123456789abcdef\"}");
    end();
}
END_TEST

START_TEST(a_reference_that_may_not_be_used_is_refused)
{
    char ref_id[REFQ_STORE_ID_MAX + 1];
    char args[REFQ_STORE_ID_MAX + 32];
    refq_error err = {0};
    begin();
    refq_cache_value v = {
        .struct_size = sizeof v, .json = "1", .len = 1, .namespace_name = "user:alice"};
    ck_assert_int_eq(refq_cache_set(cache, &v, &user_alice, ref_id, &err), REFQ_OK);
    (void)snprintf(args, sizeof args, "{\"x\": [{\"y\": \"%s\"}]}", ref_id);
    REFUSE(REFQ_ERR_NOTFOUND, "Invalid or inaccessible reference", .task = "echo", .args = args,
           .identity = &bob);
    REFUSE(REFQ_ERR_NOTFOUND, "Invalid or inaccessible reference", .task = "echo",
           .args = "{\"x\": \"calls:0123456789abcdef\"}");
    REFUSE(REFQ_ERR_NOTFOUND, "Invalid or inaccessible reference", .task = "echo",
           .args = "{\"x\": \"docs:0123456789abcdef0123456789abcdef\"}");
    ck_assert_int_eq(rqt_meta("pending"), 0);
    ck_assert_int_eq(atomic_load(&runs), 0);
    end();
}
END_TEST

/* --- What the task's author says -------------------------------------------------------------- */

/* Another server of the same fleet. */
static refq_calls *second_server(void)
{
    refq_calls *other = NULL;
    refq_error err = {0};
    refq_calls_options o = {.struct_size = sizeof o, .client = rqt_client(), .cache = cache};
    ck_assert_msg(refq_calls_new(&o, &other, &err) == REFQ_OK, "%s", err.text);
    return other;
}

START_TEST(a_kept_result_is_that_of_all_servers)
{
    static const char *const same[] = {"{\"a\": 1, \"b\": 2}", "{\"b\":2,\"a\":1}"};
    char ref_id[REFQ_REF_MAX + 1] = "";
    begin();
    refq_calls *first = calls;
    refq_calls *second = second_server();
    for (int i = 0; i < 2; i++) {
        calls = i == 0 ? first : second;
        json_t *root = CALL(.task = "kept", .args = same[i]);
        expect_json(root, "is_complete", "true");
        ck_assert(i == 0 || strcmp(ref_id, text_of(root, "ref_id")) == 0);
        (void)snprintf(ref_id, sizeof ref_id, "%s", text_of(root, "ref_id"));
        json_decref(root);
    }
    ck_assert_int_eq(atomic_load(&runs), 1);
    json_decref(CALL(.task = "kept", .args = same[0], .has_reuse = 1, .reuse = REFQ_REUSE_NONE));
    ck_assert_int_eq(atomic_load(&runs), 2);
    calls = first;
    refq_calls_free(second);
    end();
}
END_TEST

static bool joins(refq_call_spec s)
{
    json_t *first = make_call(s);
    json_t *second = make_call(s);
    bool same = strcmp(text_of(first, "ref_id"), text_of(second, "ref_id")) == 0;
    json_decref(first);
    json_decref(second);
    return same;
}

START_TEST(the_call_decides_before_the_task_about_reuse)
{
    begin();
    ck_assert(joins((refq_call_spec){.task = "slow", AT_ONCE}));
    ck_assert(!joins((refq_call_spec){.task = "fresh", AT_ONCE}));
    ck_assert(joins(
        (refq_call_spec){.task = "fresh", AT_ONCE, .has_reuse = 1, .reuse = REFQ_REUSE_IN_FLIGHT}));
    end();
}
END_TEST

#define MINIMAL 4 /* members of the response */
#define FULL    12

START_TEST(the_agent_then_the_call_then_the_task_decide_about_the_format)
{
    static const struct {
        refq_call_spec spec;
        size_t members;
    } cases[] = {
        {{.task = "terse"}, MINIMAL},
        {{.task = "terse", .has_format = 1, .format = REFQ_FORMAT_FULL}, FULL},
        {{.task = "terse",
          .args = "{\"_async_response_format\": \"minimal\"}",
          .has_format = 1,
          .format = REFQ_FORMAT_FULL},
         MINIMAL},
        {{.task = "terse", .args = "{\"_async_response_format\": \"full\"}"}, FULL},
        {{.task = "slow"}, 7},
    };
    begin();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        refq_call_spec s = cases[i].spec;
        s.has_async_timeout = 1;
        json_t *root = make_call(s);
        ck_assert_msg(json_object_size(root) == cases[i].members, "case %zu", i);
        json_decref(root);
    }
    end();
}
END_TEST

START_TEST(the_call_then_the_task_then_the_cache_decide_about_the_size)
{
    static const struct {
        refq_call_spec spec;
        bool whole;
    } cases[] = {
        {{.task = "many"}, false},
        {{.task = "wordy"}, true},
        {{.task = "wordy", .has_max_size = 1, .max_size = 50}, false},
        {{.task = "many", .has_max_size = 1, .max_size = 100000}, true},
    };
    begin();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *root = make_call(cases[i].spec);
        ck_assert_msg((json_object_get(root, "value") != NULL) == cases[i].whole, "case %zu", i);
        json_decref(root);
    }
    end();
}
END_TEST

static void expect_hidden(const char *ref_id, const refq_actor *who)
{
    refq_error err = {0};
    refq_response response;
    ck_assert_int_eq(refq_cache_get(cache, ref_id, NULL, who, &response, &err), REFQ_ERR_NOTFOUND);
}

START_TEST(a_template_makes_the_task_its_callers)
{
    static const refq_actor agent_alice = {.type = REFQ_ACTOR_AGENT, .id = "alice"};
    char ref_id[REFQ_REF_MAX + 1];
    refq_caller_rule open = {.struct_size = sizeof open};
    begin();
    json_t *root = CALL(.task = "own", .identity = &alice, AT_ONCE);
    (void)snprintf(ref_id, sizeof ref_id, "%s", text_of(root, "ref_id"));
    json_decref(root);
    json_decref(poll_ref(ref_id, &user_alice));
    expect_hidden(ref_id, &user_bob);
    expect_hidden(ref_id, &agent_alice);
    expect_hidden(ref_id, NULL);
    root = CALL(.task = "own", .identity = &bob, AT_ONCE);
    ck_assert_str_ne(ref_id, text_of(root, "ref_id"));
    json_decref(root);
    root = CALL(.task = "own", .identity = &alice, .rule = &open, AT_ONCE); /* before the task's */
    json_decref(poll_ref(text_of(root, "ref_id"), &user_bob));
    json_decref(root);
    end();
}
END_TEST

/* Bound to nothing, it would be everybody's. */
START_TEST(a_session_scoped_task_wants_a_session)
{
    static const refq_identity lost[] = {
        {.struct_size = sizeof lost[0], .user_id = "alice"},
        {.struct_size = sizeof lost[0], .session_id = ""},
        {.struct_size = sizeof lost[0], .session_id = "nosession"}};
    begin();
    REFUSE(REFQ_ERR_DENIED, "session", .task = "bound");
    for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++) {
        REFUSE(REFQ_ERR_DENIED, "session", .task = "bound", .identity = &lost[i]);
    }
    ck_assert_int_eq(atomic_load(&runs), 0);
    end();
}
END_TEST

START_TEST(a_session_scoped_task_is_its_sessions)
{
    static const refq_identity seven = {.struct_size = sizeof seven, .session_id = "7"};
    static const refq_actor in_seven = {.session_id = "7"};
    static const refq_actor in_eight = {.session_id = "8"};
    begin();
    json_t *root = CALL(.task = "bound", .identity = &seven, AT_ONCE);
    json_decref(poll_ref(text_of(root, "ref_id"), &in_seven));
    expect_hidden(text_of(root, "ref_id"), &in_eight);
    expect_hidden(text_of(root, "ref_id"), NULL);
    json_decref(root);
    end();
}
END_TEST

START_TEST(a_policy_of_the_task_is_that_of_its_value)
{
    begin();
    json_t *root = CALL(.task = "unseen", .args = "{\"secret\": 1}");
    ck_assert_str_eq(text_of(root, "status"), "complete");
    ck_assert_ptr_null(json_object_get(root, "value"));
    ck_assert_ptr_null(json_object_get(root, "preview"));
    expect_hidden(text_of(root, "ref_id"), NULL);
    json_t *seen = poll_ref(text_of(root, "ref_id"), &user_alice);
    expect_json(seen, "preview", "{\"secret\":1}");
    json_decref(seen);
    json_decref(root);
    end();
}
END_TEST

/* --- Identical by content --------------------------------------------------------------------- */

static void store_value(const char *json, refq_policy_kind kind, char ref_id[REFQ_STORE_ID_MAX + 1])
{
    refq_error err = {0};
    refq_policy policy = refq_policy_preset(kind);
    refq_cache_value v = {
        .struct_size = sizeof v, .json = json, .len = strlen(json), .policy = &policy};
    ck_assert_msg(refq_cache_set(cache, &v, NULL, ref_id, &err) == REFQ_OK, "%s", err.text);
}

/* Calls the task that runs until the gate is open; its reference. */
static void call_slow(const char *x, char ref_id[REFQ_REF_MAX + 1])
{
    char args[REFQ_STORE_ID_MAX + 200];
    (void)snprintf(args, sizeof args, "{\"x\": [%s, 7]}", x);
    json_t *root = CALL(.task = "slow", .args = args, AT_ONCE);
    (void)snprintf(ref_id, REFQ_REF_MAX + 1, "%s", text_of(root, "ref_id"));
    json_decref(root);
}

static const struct {
    const char *value;
    refq_policy_kind kind;
    bool same;
} contents[] = {
    {"{\"b\": [1, 2.50], \"a\": \"x\"}", REFQ_POLICY_PUBLIC, true},
    {"\"text\"", REFQ_POLICY_PUBLIC, true},
    {"null", REFQ_POLICY_PUBLIC, true},
    {"{\"b\": 1}", REFQ_POLICY_EXECUTE_ONLY, false}, /* or guesses could be tried */
};

START_TEST(a_reference_and_its_value_make_the_same_call)
{
    char ref_id[REFQ_STORE_ID_MAX + 1];
    char quoted[REFQ_STORE_ID_MAX + 3];
    char literal[REFQ_REF_MAX + 1];
    char by_reference[REFQ_REF_MAX + 1];
    char again[REFQ_REF_MAX + 1];
    begin();
    store_value(contents[_i].value, contents[_i].kind, ref_id);
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", ref_id);
    call_slow(contents[_i].value, literal);
    call_slow(quoted, by_reference);
    call_slow(quoted, again);
    ck_assert_int_eq(strcmp(literal, by_reference) == 0, contents[_i].same);
    ck_assert_str_eq(by_reference, again);
    end();
}
END_TEST

START_TEST(a_kept_result_is_found_by_reference)
{
    char ref_id[REFQ_STORE_ID_MAX + 1];
    char args[REFQ_STORE_ID_MAX + 32];
    begin();
    store_value("{\"b\": 1}", REFQ_POLICY_PUBLIC, ref_id);
    (void)snprintf(args, sizeof args, "{\"x\": \"%s\"}", ref_id);
    json_decref(CALL(.task = "kept", .args = "{\"x\": {\"b\": 1}}"));
    json_t *root = CALL(.task = "kept", .args = args);
    expect_json(root, "value", "{\"x\":{\"b\":1}}");
    json_decref(root);
    ck_assert_int_eq(atomic_load(&runs), 1);
    end();
}
END_TEST

static void add_shared_and_started(Suite *s)
{
    TCase *same = tcase_create("same");
    tcase_set_timeout(same, 60);
    tcase_add_test(same, identical_calls_share_one_execution);
    tcase_add_test(same, reuse_is_the_callers_choice);
    tcase_add_test(same, a_result_is_used_again_when_the_caller_wants);
    suite_add_tcase(s, same);
    TCase *started = tcase_create("started");
    tcase_set_timeout(started, 120);
    tcase_add_test(started, a_thousand_calls_wait_without_polling);
    tcase_add_test(started, a_started_call_gives_its_reference_in_time);
    tcase_add_test(started, a_call_that_cannot_begin_is_not_answered);
    tcase_add_test(started, the_last_caller_to_leave_takes_the_task_along);
    tcase_add_test(started, who_was_given_the_reference_keeps_the_task);
    tcase_add_test(started, a_call_whose_task_vanishes_comes_back);
    tcase_add_test(started, calls_end_with_those_who_asked);
    tcase_add_test(started, nobody_waits_for_those_who_left);
    suite_add_tcase(s, started);
}

int main(void)
{
    Suite *s = suite_create("it_call");
    TCase *c = tcase_create("call");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, work_within_the_timeout_is_answered_with_its_value);
    tcase_add_test(c, work_that_takes_longer_is_answered_with_its_reference);
    tcase_add_test(c, a_large_value_is_answered_with_a_preview);
    tcase_add_test(c, a_failure_is_told_in_full);
    tcase_add_test(c, why_it_failed_is_not_everybodys_business);
    tcase_add_test(c, an_agent_chooses_the_format);
    tcase_add_test(c, arguments_that_do_not_fit_are_refused);
    tcase_add_test(c, a_task_that_nobody_offers_is_not_found);
    tcase_add_test(c, a_definition_that_is_none_is_refused);
    suite_add_tcase(s, c);
    add_shared_and_started(s);
    TCase *who = tcase_create("who");
    tcase_set_timeout(who, 60);
    tcase_add_test(who, a_task_is_its_callers_from_the_start);
    tcase_add_test(who, another_users_identical_call_is_another_call);
    tcase_add_test(who, what_may_only_be_used_is_answered_by_reference);
    tcase_add_test(who, what_may_only_be_used_tells_nothing_while_it_is_made);
    tcase_add_test(who, a_key_leads_nobody_to_anothers_task);
    tcase_add_test(who, every_path_to_a_task_asks_the_same_rules);
    tcase_add_test(who, cancel_is_for_those_who_may_use_it);
    suite_add_tcase(s, who);
    TCase *inputs = tcase_create("inputs");
    tcase_set_timeout(inputs, 60);
    tcase_add_test(inputs, a_text_that_only_looks_like_a_reference_is_a_text);
    tcase_add_test(inputs, the_queue_of_a_call_is_one_before_it_is_listed);
    tcase_add_test(inputs, a_reference_that_may_not_be_used_is_refused);
    suite_add_tcase(s, inputs);
    TCase *author = tcase_create("author");
    tcase_set_timeout(author, 60);
    tcase_add_test(author, a_kept_result_is_that_of_all_servers);
    tcase_add_test(author, the_call_decides_before_the_task_about_reuse);
    tcase_add_test(author, the_agent_then_the_call_then_the_task_decide_about_the_format);
    tcase_add_test(author, the_call_then_the_task_then_the_cache_decide_about_the_size);
    tcase_add_test(author, a_template_makes_the_task_its_callers);
    tcase_add_test(author, a_session_scoped_task_wants_a_session);
    tcase_add_test(author, a_session_scoped_task_is_its_sessions);
    tcase_add_test(author, a_policy_of_the_task_is_that_of_its_value);
    suite_add_tcase(s, author);
    TCase *content = tcase_create("content");
    tcase_set_timeout(content, 60);
    tcase_add_loop_test(content, a_reference_and_its_value_make_the_same_call, 0,
                        sizeof contents / sizeof contents[0]);
    tcase_add_test(content, a_kept_result_is_found_by_reference);
    suite_add_tcase(s, content);
    return rqt_main_redis(s, NULL);
}
