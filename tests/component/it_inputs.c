/* SPDX-License-Identifier: MIT */
/* References in arguments: what a real worker puts in their place, and what it refuses. */
#include "codec/args.h"
#include "support/inworker.h"
#include "support/main.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <refq/call.h>

#include <check.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OTHER    "pages"
#define BUDGET   20000
#define REF_TEXT (REFQ_STORE_ID_MAX + 1)
#define SECRET   "the-secret-of-alice"

static refq_store *store;
static refq_cache *cache;
static refq_calls *calls;
static atomic_bool gate;
static atomic_int runs;

/* --- Handlers --------------------------------------------------------------------------------- */

static refq_err echo(refq_ctx *ctx, void *arg)
{
    (void)arg;
    atomic_fetch_add(&runs, 1);
    return refq_ctx_return_json(ctx, refq_ctx_args_json(ctx));
}

/* Says how long its arguments are and nothing of what they hold. */
static refq_err measure(refq_ctx *ctx, void *arg)
{
    char text[32];
    (void)arg;
    (void)snprintf(text, sizeof text, "%zu", strlen(refq_ctx_args_json(ctx)));
    return refq_ctx_return_json(ctx, text);
}

/* Gives back what it got as msgpack; null when it got none. */
static refq_err unpack(refq_ctx *ctx, void *arg)
{
    rqi_buf json = {0};
    (void)arg;
    if (rqi_args_decode(refq_ctx_args_msgpack(ctx), &json, NULL) != REFQ_OK) {
        rqi_buf_adds(&json, "null");
    }
    refq_err rc = refq_ctx_return_json(ctx, rqi_buf_str(&json));
    rqi_buf_done(&json);
    return rc;
}

static refq_err slow(refq_ctx *ctx, void *arg)
{
    (void)arg;
    while (!atomic_load(&gate)) {
        struct pollfd told = {.fd = refq_ctx_cancel_fd(ctx), .events = POLLIN};
        if (refq_ctx_is_cancelled(ctx)) {
            return refq_ctx_fail(ctx, REFQ_ERR_CLOSED, "told to stop");
        }
        (void)poll(&told, 1, 5);
    }
    return refq_ctx_return_json(ctx, "{\"text\": \"done\"}");
}

static refq_err give_up(refq_ctx *ctx, void *arg)
{
    (void)arg;
    return refq_ctx_fail(ctx, REFQ_ERR_INVALID, "it gives up");
}

#define INPUT                                                                        \
    "{\"type\":\"object\",\"properties\":{\"pages\":{\"type\":\"array\",\"items\":{" \
    "\"type\":\"integer\"}},\"name\":{\"enum\":[\"a\",\"b\"]}},\"additionalProperties\":false}"

static refq_handlers *handlers(void)
{
    static const char *const cat[] = {"cat", NULL};
    static const char *const say[] = {"printf", "%s|%s", "{x}", "{n}", NULL};
    refq_error err = {0};
    refq_handlers *set = rqt_handlers();
    rqt_handlers_add(set, (refq_task_def){.name = "echo"}, REFQ_RUN_THREAD, echo, NULL);
    rqt_handlers_add(set, (refq_task_def){.name = "at_once"}, REFQ_RUN_INLINE, echo, NULL);
    rqt_handlers_add(set, (refq_task_def){.name = "apart", .child = true}, REFQ_RUN_THREAD, echo,
                     NULL);
    rqt_handlers_add(set, (refq_task_def){.name = "measure"}, REFQ_RUN_THREAD, measure, NULL);
    rqt_handlers_add(set, (refq_task_def){.name = "unpack"}, REFQ_RUN_THREAD, unpack, NULL);
    rqt_handlers_add(set, (refq_task_def){.name = "slow"}, REFQ_RUN_THREAD, slow, NULL);
    rqt_handlers_add(set, (refq_task_def){.name = "fail"}, REFQ_RUN_THREAD, give_up, NULL);
    rqt_handlers_add(set, (refq_task_def){.name = "strict", .input_schema = INPUT}, REFQ_RUN_THREAD,
                     echo, NULL);
    const refq_task_def cat_def = {.struct_size = sizeof cat_def, .name = "cat"};
    const refq_task_def say_def = {.struct_size = sizeof say_def, .name = "say"};
    const refq_exec_def cat_exec = {.struct_size = sizeof cat_exec, .argv = cat};
    const refq_exec_def say_exec = {
        .struct_size = sizeof say_exec, .argv = say, .output = REFQ_OUTPUT_TEXT};
    ck_assert_int_eq(refq_handlers_add_exec(set, &cat_def, &cat_exec, &err), REFQ_OK);
    ck_assert_int_eq(refq_handlers_add_exec(set, &say_def, &say_exec, &err), REFQ_OK);
    return set;
}

/* --- Scaffolding ------------------------------------------------------------------------------ */

static bool is_offered(const char *queue)
{
    refq_texts texts = {0};
    bool there = refq_client_catalog(rqt_client(), queue, "echo", &texts, NULL) == REFQ_OK;
    if (there) {
        refq_texts_free(&texts);
    }
    return there;
}

static void begin_with(const refq_access *access)
{
    refq_error err = {0};
    atomic_store(&gate, false);
    atomic_store(&runs, 0);
    rqt_redis_do("FLUSHALL");
    rqt_inworker_make((refq_worker_options){.concurrency = 4, .access = access});
    rqt_inworker_serve(RQT_QUEUE, handlers());
    rqt_inworker_serve(OTHER, handlers());
    rqt_inworker_start();
    refq_store_options so = {.struct_size = sizeof so, .url = rqt_redis_url()};
    ck_assert_msg(refq_store_open(&so, &store, &err) == REFQ_OK, "%s", err.text);
    refq_cache_options co = {.struct_size = sizeof co, .name = "calls", .client = rqt_client()};
    ck_assert_msg(refq_cache_open(store, &co, &cache, &err) == REFQ_OK, "%s", err.text);
    refq_calls_options o = {.struct_size = sizeof o, .client = rqt_client(), .cache = cache};
    ck_assert_msg(refq_calls_new(&o, &calls, &err) == REFQ_OK, "%s", err.text);
    ck_assert(RQT_UNTIL(is_offered(RQT_QUEUE) && is_offered(OTHER), 10000));
}

static void begin(void)
{
    begin_with(NULL);
}

static void finish(void)
{
    refq_calls_free(calls);
    refq_cache_close(cache);
    refq_store_close(store);
    rqt_inworker_stop(REFQ_OK);
    rqt_client_end();
}

static void end(void)
{
    atomic_store(&gate, true);
    rqt_expect_idle(BUDGET);
    rqt_audit(RQT_QUEUE);
    rqt_audit(OTHER);
    finish();
}

static const refq_actor alice = {.type = REFQ_ACTOR_USER, .id = "alice"};

static void keep_as(const char *json, const char *namespace_name, const refq_policy *policy,
                    char ret[REF_TEXT])
{
    refq_error err = {0};
    refq_cache_value v = {.struct_size = sizeof v,
                          .json = json,
                          .len = strlen(json),
                          .namespace_name = namespace_name,
                          .policy = policy};
    ck_assert_msg(refq_cache_set(cache, &v, &alice, ret, &err) == REFQ_OK, "%s", err.text);
}

static void keep(const char *json, char ret[REF_TEXT])
{
    keep_as(json, NULL, NULL, ret);
}

/* Puts a value under a reference that is known beforehand, such as one it refers to itself. */
static void plant(const char *ref_id, const char *json)
{
    rqt_redis_do("SET mcp-refcache:entry:%s %s", ref_id,
                 "{\"value\": null, \"namespace\": \"public\", \"policy\": {}, \"created_at\": 1, "
                 "\"expires_at\": null}");
    char *text = NULL;
    ck_assert_int_ge(asprintf(&text,
                              "{\"value\": %s, \"namespace\": \"public\", \"policy\": {}, "
                              "\"created_at\": 1.5, \"expires_at\": null}",
                              json),
                     0);
    rqt_redis_do("SET mcp-refcache:entry:%s %b", ref_id, text, strlen(text));
    free(text);
}

static const refq_scope agent = {.struct_size = sizeof agent, .actor = "agent:*"};

/* As a server does that has authorised the references itself. */
static refq_ref submit(const char *task, const refq_scope *scope, const char *fmt, ...)
    REFQ_PRINTF(3, 4);
static refq_ref submit(const char *task, const refq_scope *scope, const char *fmt, ...)
{
    char *args = NULL;
    va_list ap;
    va_start(ap, fmt);
    ck_assert_int_ge(vasprintf(&args, fmt, ap), 0);
    va_end(ap);
    refq_ref ref = rqt_submit((refq_spec){.task = task, .args = args, .scope = scope});
    free(args);
    return ref;
}

static void expect_value(const refq_ref *ref, const char *want)
{
    char *head = NULL;
    if (!RQT_UNTIL(rqt_is(ref, "complete"), BUDGET)) {
        ck_abort_msg("it is not complete; %s",
                     rqt_redis_str("LINDEX refq:{" RQT_QUEUE "}:history:%s 0", ref->hex));
    }
    ck_assert_int_ge(asprintf(&head, "{\"value\": %s, \"namespace\"", want), 0);
    const char *entry = rqt_entry(ref);
    ck_assert_msg(strncmp(entry, head, strlen(head)) == 0, "%.400s, not %.400s", entry, want);
    free(head);
}

/* What the history says about the failure. */
static const char *failure(const refq_ref *ref)
{
    rqt_expect(ref, "failed", BUDGET);
    ck_assert_str_eq(rqt_field(ref, "reason"), "permanent");
    return rqt_redis_str("LINDEX refq:{" RQT_QUEUE "}:history:%s 0", ref->hex);
}

static void expect_failure(const refq_ref *ref, const char *fmt, ...) REFQ_PRINTF(2, 3);
static void expect_failure(const refq_ref *ref, const char *fmt, ...)
{
    char want[600];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(want, sizeof want, fmt, ap);
    va_end(ap);
    const char *said = failure(ref);
    ck_assert_msg(strstr(said, want) != NULL, "%s, not %s", said, want);
    ck_assert_int_eq(atomic_load(&runs), 0);
}

/* --- Values in their places ------------------------------------------------------------------- */

START_TEST(values_take_the_place_of_references)
{
    char doc[REF_TEXT];
    char num[REF_TEXT];
    begin();
    keep("{\"text\": \"h\\u00e9llo\", \"n\": [1, 2.50]}", doc);
    keep("42", num);
    refq_ref ref = submit("echo", &agent,
                          "{\"a\":{\"b\":[\"%s\",7,\"%s\"],\"c\":\"%s\"},\"d\":\"%s\",\"plain\":"
                          "\"%s is no reference\"}",
                          doc, num, doc, num, doc);
    char want[700];
    (void)snprintf(want, sizeof want,
                   "{\"a\":{\"b\":[{\"text\":\"h\\u00e9llo\",\"n\":[1,2.50]},7,42],\"c\":{\"text\":"
                   "\"h\\u00e9llo\",\"n\":[1,2.50]}},\"d\":42,\"plain\":\"%s is no reference\"}",
                   doc);
    expect_value(&ref, want);
    (void)snprintf(want, sizeof want, "%s", rqt_field(&ref, "args_preview"));
    ck_assert_msg(strstr(want, "llo\"") == NULL, "%s", want);
    end();
}
END_TEST

START_TEST(references_in_values_lead_on)
{
    char leaf[REF_TEXT];
    char mid[REF_TEXT];
    char json[3 * REF_TEXT];
    begin();
    keep("[true, null]", leaf);
    (void)snprintf(json, sizeof json, "{\"leaf\": \"%s\", \"twice\": [\"%s\"]}", leaf, leaf);
    keep(json, mid);
    refq_ref ref = submit("echo", &agent, "{\"x\":\"%s\",\"y\":\"%s\"}", mid, leaf);
    expect_value(&ref, "{\"x\":{\"leaf\":[true,null],\"twice\":[[true,null]]},\"y\":[true,null]}");
    end();
}
END_TEST

START_TEST(what_python_writes_is_made_strict)
{
    begin();
    plant("calls:00000000000000aa",
          "[NaN, -Infinity, 123456789012345678901234567890, \"\\ud800\", 1e5]");
    refq_ref ref = submit("echo", &agent, "{\"x\":\"calls:00000000000000aa\"}");
    expect_value(&ref, "{\"x\":[null,null,\"123456789012345678901234567890\",\"\\ufffd\",1e5]}");
    end();
}
END_TEST

START_TEST(what_only_looks_like_a_reference_stays)
{
    begin();
    refq_ref ref =
        submit("echo", &agent, "{\"image\":\"sha256:0123456789abcdef\",\"up\":\"docs:ABCDEF01\"}");
    expect_value(&ref, "{\"image\":\"sha256:0123456789abcdef\",\"up\":\"docs:ABCDEF01\"}");
    plant("calls:00000000000000aa", "[\"md5:0123456789abcdef0123456789abcdef\"]");
    ref = submit("echo", &agent, "{\"x\":\"calls:00000000000000aa\"}");
    expect_value(&ref, "{\"x\":[\"md5:0123456789abcdef0123456789abcdef\"]}");
    end();
}
END_TEST

START_TEST(without_an_actor_nothing_is_replaced)
{
    char doc[REF_TEXT];
    char want[2 * REF_TEXT];
    begin();
    keep("1", doc);
    refq_ref ref = submit("echo", NULL, "{\"x\":\"%s\"}", doc);
    (void)snprintf(want, sizeof want, "{\"x\":\"%s\"}", doc);
    expect_value(&ref, want);
    end();
}
END_TEST

START_TEST(every_kind_of_handler_gets_them)
{
    static const char *const tasks[] = {"echo", "at_once", "apart"};
    char doc[REF_TEXT];
    begin();
    keep("[1, \"two\", -3.5, {\"k\": false}]", doc);
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        refq_ref ref = submit(tasks[i], &agent, "{\"x\":\"%s\"}", doc);
        expect_value(&ref, "{\"x\":[1,\"two\",-3.5,{\"k\":false}]}");
    }
    refq_ref ref = submit("unpack", &agent, "{\"x\":\"%s\"}", doc);
    expect_value(&ref, "{\"x\":[1,\"two\",-3.5,{\"k\":false}]}");
    plant("calls:00000000000000aa",
          "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
    ref = submit("unpack", &agent, "{\"x\":\"calls:00000000000000aa\"}");
    expect_value(&ref, "null");
    ref = submit("cat", &agent, "{\"x\":\"%s\"}", doc);
    expect_value(&ref, "{\"x\":[1,\"two\",-3.5,{\"k\":false}]}");
    ref = submit("say", &agent, "{\"n\":5,\"x\":\"%s\",\"z\":1}", doc);
    expect_value(&ref, "\"[1,\\\"two\\\",-3.5,{\\\"k\\\":false}]|5\"");
    end();
}
END_TEST

/* --- Who may ---------------------------------------------------------------------------------- */

START_TEST(what_may_only_be_executed_is_used_and_never_shown)
{
    char doc[REF_TEXT];
    const refq_policy hidden = refq_policy_preset(REFQ_POLICY_EXECUTE_ONLY);
    begin();
    keep_as("{\"secret\": \"" SECRET "\"}", NULL, &hidden, doc);
    refq_ref ref = submit("measure", &agent, "{\"x\":\"%s\"}", doc);
    expect_value(&ref, "38");
    redisReply *keys = rqt_redis("KEYS refq:*");
    for (size_t i = 0; i < keys->elements; i++) {
        ck_assert_int_eq(rqt_redis_int("EVAL %s 1 %s " SECRET,
                                       "local d = redis.pcall('DUMP', KEYS[1])"
                                       "return d and string.find(d, ARGV[1], 1, true) or 0",
                                       keys->element[i]->str),
                         0);
    }
    freeReplyObject(keys);
    ck_assert_int_eq(rqt_inworker_said(SECRET), 0);
    end();
}
END_TEST

START_TEST(what_may_not_be_used_is_as_if_it_were_not_there)
{
    char doc[REF_TEXT];
    const refq_scope bob = {
        .struct_size = sizeof bob, .actor = "user:bob", .inputs = "other calls"};
    const refq_scope her = {.struct_size = sizeof her, .actor = "user:alice"};
    begin();
    keep_as("1", "user:alice", NULL, doc);
    refq_ref ref = submit("echo", &bob, "{\"x\":[\"%s\"]}", doc);
    expect_failure(&ref, "Invalid or inaccessible reference: %s", doc);
    ref = submit("echo", &bob, "{\"x\":\"calls:00000000000000bb\"}");
    expect_failure(&ref, "Invalid or inaccessible reference: calls:00000000000000bb");
    ref = submit("echo", &her, "{\"x\":\"docs:00000000000000bb\"}");
    expect_failure(&ref, "Invalid or inaccessible reference: docs:00000000000000bb");
    ref = submit("echo", &her, "{\"x\":\"" OTHER ":00000000000000bb\"}");
    expect_failure(&ref, "Invalid or inaccessible reference: " OTHER ":00000000000000bb");
    ref = submit("echo", &her, "{\"x\":\"%s\"}", doc);
    expect_value(&ref, "{\"x\":1}");
    end();
}
END_TEST

/* Nobody into the vault, everybody into all else. */
static bool all_but_the_vault(void *arg, const char *namespace_name, const refq_actor *actor)
{
    (void)arg;
    (void)actor;
    return strcmp(namespace_name, "vault") != 0;
}

START_TEST(rules_of_ones_own_decide_in_the_worker_too)
{
    char hers[REF_TEXT];
    char kept[REF_TEXT];
    char json[REF_TEXT + 2];
    char outer[REF_TEXT];
    refq_access access = {.struct_size = sizeof access, .may_enter = all_but_the_vault};
    begin_with(&access);
    keep_as("1", "user:alice", NULL, hers);
    refq_ref ref = submit("echo", &agent, "{\"x\":\"%s\"}", hers);
    expect_value(&ref, "{\"x\":1}");
    atomic_store(&runs, 0);
    keep_as("2", "vault", NULL, kept);
    (void)snprintf(json, sizeof json, "\"%s\"", kept);
    keep(json, outer);
    ref = submit("echo", &agent, "{\"x\":\"%s\"}", outer);
    expect_failure(&ref, "Invalid or inaccessible reference");
    end();
}
END_TEST

START_TEST(an_error_names_the_reference_that_was_given)
{
    char doc[REF_TEXT];
    char outer[REF_TEXT];
    char json[3 * REF_TEXT];
    const refq_scope bob = {.struct_size = sizeof bob, .actor = "user:bob"};
    begin();
    keep_as("1", "user:alice", NULL, doc);
    (void)snprintf(json, sizeof json, "[\"%s\"]", doc);
    keep(json, outer);
    refq_ref ref = submit("echo", &bob, "{\"x\":\"%s\"}", outer);
    expect_failure(&ref, "Invalid or inaccessible reference: %s", outer);
    end();
}
END_TEST

START_TEST(an_entry_that_is_none_or_has_expired_is_not_there)
{
    begin();
    rqt_redis_do("SET mcp-refcache:entry:calls:00000000000000aa %s", "{\"value\": 1}");
    rqt_redis_do("SET mcp-refcache:entry:calls:00000000000000bb %s",
                 "{\"value\": 1, \"namespace\": \"public\", \"policy\": {}, \"created_at\": 1, "
                 "\"expires_at\": 2}");
    refq_ref ref = submit("echo", &agent, "{\"x\":\"calls:00000000000000aa\"}");
    expect_failure(&ref, "Invalid or inaccessible reference: calls:00000000000000aa");
    ref = submit("echo", &agent, "{\"x\":\"calls:00000000000000bb\"}");
    expect_failure(&ref, "Invalid or inaccessible reference: calls:00000000000000bb");
    rqt_redis_do("LPUSH mcp-refcache:entry:docs:00000000000000cc x");
    ref = submit("echo", &agent, "{\"x\":\"docs:00000000000000cc\"}");
    expect_failure(&ref, "Invalid or inaccessible reference: docs:00000000000000cc");
    rqt_redis_do("DEL mcp-refcache:entry:docs:00000000000000cc");
    end();
}
END_TEST

/* --- Circles and limits ----------------------------------------------------------------------- */

#define A "calls:aaaaaaaaaaaaaaaa"
#define B "calls:bbbbbbbbbbbbbbbb"
#define C "calls:cccccccccccccccc"

START_TEST(circles_are_named)
{
    begin();
    plant(A, "[\"" A "\"]");
    refq_ref ref = submit("echo", &agent, "{\"x\":\"" A "\"}");
    expect_failure(&ref, "Circular reference detected: " A " -> " A);
    plant(A, "{\"b\": \"" B "\"}");
    plant(B, "[0, \"" A "\"]");
    ref = submit("echo", &agent, "{\"x\":\"" A "\"}");
    expect_failure(&ref, "Circular reference detected: " A " -> " B " -> " A);
    plant(B, "\"" C "\"");
    plant(C, "\"" A "\"");
    ref = submit("echo", &agent, "{\"x\":\"" A "\"}");
    expect_failure(&ref, "Circular reference detected: " A " -> " B " -> " C " -> " A);
    end();
}
END_TEST

START_TEST(a_task_cannot_wait_for_itself)
{
    refq_error err = {0};
    refq_submitted done;
    char args[200];
    char ref_id[REFQ_REF_MAX + 1];
    begin();
    refq_spec spec = {.struct_size = sizeof spec, .task = "echo", .args = args, .scope = &agent};
    ck_assert_int_eq(refq_ref_make(RQT_QUEUE, &spec.ref, &err), REFQ_OK);
    (void)snprintf(args, sizeof args, "{\"x\":\"%s\"}", refq_ref_format(&spec.ref, ref_id));
    ck_assert_int_eq(refq_client_submit(rqt_client(), &spec, &done, &err), REFQ_OK);
    expect_failure(&spec.ref, "Circular reference detected: %s -> %s", ref_id, ref_id);
    end();
}
END_TEST

static void plant_chain(int n)
{
    char ref_id[40];
    char json[48];
    for (int i = 1; i <= n; i++) {
        (void)snprintf(ref_id, sizeof ref_id, "calls:%016x", (unsigned)i);
        (void)snprintf(json, sizeof json, "\"calls:%016x\"", (unsigned)i + 1);
        plant(ref_id, i < n ? json : "\"end\"");
    }
}

START_TEST(chains_end_somewhere)
{
    begin();
    plant_chain(16);
    refq_ref ref = submit("echo", &agent, "{\"x\":\"calls:%016x\"}", 1U);
    expect_value(&ref, "{\"x\":\"end\"}");
    atomic_store(&runs, 0);
    plant_chain(17);
    ref = submit("echo", &agent, "{\"x\":\"calls:%016x\"}", 1U);
    expect_failure(&ref, "references lead to references more than 16 deep");
    /* The same chain, entered half-way before it is entered at its beginning. */
    ref = submit("echo", &agent, "{\"a\":\"calls:%016x\",\"x\":\"calls:%016x\"}", 9U, 1U);
    expect_failure(&ref, "references lead to references more than 16 deep");
    end();
}
END_TEST

/* Values that each hold the next one ten times: small to fetch, large to write. */
START_TEST(what_grows_without_end_is_refused)
{
    char ref_id[40];
    begin();
    for (unsigned i = 1; i <= 12; i++) {
        rqi_buf json = {0};
        for (int k = 0; k < 10; k++) {
            rqi_buf_addf(&json, "%s\"calls:%016x\"", k > 0 ? "," : "[", i + 1);
        }
        rqi_buf_adds(&json, "]");
        (void)snprintf(ref_id, sizeof ref_id, "calls:%016x", i);
        plant(ref_id, i < 12 ? rqi_buf_str(&json) : "\"a leaf\"");
        rqi_buf_done(&json);
    }
    refq_ref ref = submit("measure", &agent, "{\"x\":\"calls:%016x\"}", 1U);
    expect_failure(&ref, "have more than 64 MiB");
    end();
}
END_TEST

START_TEST(values_have_a_number_and_a_size)
{
    char *args = NULL;
    size_t len = 0;
    begin();
    FILE *text = open_memstream(&args, &len);
    (void)fprintf(text, "{\"x\":[");
    for (unsigned i = 1; i <= 257; i++) {
        char ref_id[40];
        (void)snprintf(ref_id, sizeof ref_id, "calls:%016x", i);
        plant(ref_id, "1");
        (void)fprintf(text, "%s\"%s\"", i > 1 ? "," : "", ref_id);
    }
    (void)fprintf(text, "]}");
    (void)fclose(text);
    refq_ref ref = submit("measure", &agent, "%s", args);
    expect_failure(&ref, "one task takes at most 256 values");
    free(args);
    rqt_redis_do("SETRANGE mcp-refcache:entry:" A " %d x", 40 << 20);
    rqt_redis_do("SETRANGE mcp-refcache:entry:" B " %d x", 40 << 20);
    ref = submit("measure", &agent, "{\"x\":\"" A "\",\"y\":\"" B "\"}");
    expect_failure(&ref, "have at most 64 MiB in all");
    end();
}
END_TEST

START_TEST(ten_megabytes_arrive_whole)
{
    const size_t len = (size_t)10 << 20;
    char *json = malloc(len + 1);
    char ref_id[REF_TEXT];
    char want[32];
    begin();
    ck_assert_ptr_nonnull(json);
    memset(json, 'x', len);
    json[0] = json[len - 1] = '"';
    json[len] = '\0';
    keep(json, ref_id);
    free(json);
    refq_ref ref = submit("measure", &agent, "{\"x\":\"%s\",\"y\":\"%s\"}", ref_id, ref_id);
    (void)snprintf(want, sizeof want, "%zu", 2 * len + strlen("{\"x\":,\"y\":}"));
    expect_value(&ref, want);
    ref = submit("say", &agent, "{\"x\":\"%s\",\"n\":1}", ref_id);
    ck_assert_ptr_nonnull(strstr(failure(&ref), "too large for {x} in the command"));
    end();
}
END_TEST

/* --- The input schema ------------------------------------------------------------------------- */

START_TEST(values_must_fit_the_schema_and_are_not_quoted)
{
    char pages[REF_TEXT];
    char name[REF_TEXT];
    const refq_policy hidden = refq_policy_preset(REFQ_POLICY_EXECUTE_ONLY);
    begin();
    keep_as("[1, 2, {\"" SECRET "\": 1}]", NULL, &hidden, pages);
    keep_as("\"" SECRET "\"", NULL, &hidden, name);
    refq_ref ref = submit("strict", &agent, "{\"pages\":\"%s\"}", pages);
    expect_failure(&ref,
                   "arguments of strict: /pages (in the value of %s): expected what the input "
                   "schema says at /properties/pages/items/type, got object",
                   pages);
    ck_assert_ptr_null(strstr(failure(&ref), SECRET));
    ref = submit("strict", &agent, "{\"name\":\"%s\"}", name);
    expect_failure(&ref,
                   "arguments of strict: /name (in the value of %s): expected what the input "
                   "schema says at /properties/name/enum, got string",
                   name);
    ck_assert_ptr_null(strstr(failure(&ref), SECRET));
    ref = submit("strict", &agent, "{\"name\":\"c\"}");
    expect_failure(&ref, "arguments of strict: /name: expected what");
    ck_assert_int_eq(rqt_inworker_said(SECRET), 0);
    end();
}
END_TEST

START_TEST(values_that_fit_are_let_in)
{
    char pages[REF_TEXT];
    begin();
    keep("[1, 2]", pages);
    refq_ref ref = submit("strict", &agent, "{\"pages\":\"%s\",\"name\":\"a\"}", pages);
    expect_value(&ref, "{\"pages\":[1,2],\"name\":\"a\"}");
    end();
}
END_TEST

/* --- Tasks as inputs -------------------------------------------------------------------------- */

static const char *ref_text(const refq_ref *ref)
{
    static char text[REFQ_REF_MAX + 1];
    return refq_ref_format(ref, text);
}

START_TEST(a_task_waits_for_its_input)
{
    begin();
    refq_ref input = submit("slow", NULL, "{}");
    rqt_expect(&input, "processing", BUDGET);
    /* Nobody said that it waits: its worker finds out. */
    refq_ref ref = submit("echo", &agent, "{\"x\":\"%s\"}", ref_text(&input));
    ck_assert(RQT_UNTIL(strcmp(rqt_field(&ref, "after"), ref_text(&input)) == 0, BUDGET));
    ck_assert_str_eq(rqt_field(&ref, "status"), "pending");
    ck_assert_str_eq(rqt_field(&ref, "attempt"), "0");
    ck_assert_str_eq(rqt_field(&ref, "releases"), "");
    ck_assert(RQT_UNTIL(rqt_inworker_said("outcome=parked") > 0, BUDGET));
    atomic_store(&gate, true);
    expect_value(&ref, "{\"x\":{\"text\":\"done\"}}");
    ck_assert_str_eq(rqt_field(&ref, "attempt"), "1");
    ck_assert_int_eq(atomic_load(&runs), 1);
    end();
}
END_TEST

START_TEST(inputs_may_be_tasks_of_another_queue)
{
    refq_error err = {0};
    refq_submitted done;
    begin();
    refq_spec spec = {.struct_size = sizeof spec, .task = "slow", .args = "{}"};
    ck_assert_int_eq(refq_ref_make(OTHER, &spec.ref, &err), REFQ_OK);
    ck_assert_int_eq(refq_client_submit(rqt_client(), &spec, &done, &err), REFQ_OK);
    refq_ref ref = submit("echo", &agent, "{\"x\":[\"%s\"]}", ref_text(&spec.ref));
    ck_assert(RQT_UNTIL(rqt_field(&ref, "after")[0] != '\0', BUDGET));
    atomic_store(&gate, true);
    expect_value(&ref, "{\"x\":[{\"text\":\"done\"}]}");
    end();
}
END_TEST

START_TEST(an_input_without_a_value_fails_the_task)
{
    begin();
    refq_ref input = submit("fail", NULL, "{}");
    rqt_expect(&input, "failed", BUDGET);
    refq_ref ref = submit("echo", &agent, "{\"x\":\"%s\"}", ref_text(&input));
    expect_failure(&ref, "%s has no value to use as an input: its task has failed",
                   ref_text(&input));
    input = submit("slow", NULL, "{}");
    rqt_expect(&input, "processing", BUDGET);
    ref = submit("echo", &agent, "{\"x\":\"%s\"}", ref_text(&input));
    ck_assert(RQT_UNTIL(rqt_field(&ref, "after")[0] != '\0', BUDGET));
    refq_task *task = NULL;
    ck_assert_int_eq(refq_client_cancel(rqt_client(), &input, &task, NULL), REFQ_OK);
    refq_task_free(task);
    expect_failure(&ref, "%s has no value to use as an input: its task was cancelled",
                   ref_text(&input));
    end();
}
END_TEST

START_TEST(a_task_that_may_not_be_used_is_not_there)
{
    const refq_scope hers = {.struct_size = sizeof hers, .namespace_name = "user:alice"};
    begin();
    refq_ref input = submit("slow", &hers, "{}");
    rqt_expect(&input, "processing", BUDGET);
    refq_ref ref = submit("echo", &agent, "{\"x\":\"%s\"}", ref_text(&input));
    expect_failure(&ref, "Invalid or inaccessible reference: %s", ref_text(&input));
    atomic_store(&gate, true);
    rqt_expect(&input, "complete", BUDGET);
    ref = submit("echo", &agent, "{\"x\":\"%s\"}", ref_text(&input));
    expect_failure(&ref, "Invalid or inaccessible reference: %s", ref_text(&input));
    end();
}
END_TEST

START_TEST(a_value_that_is_gone_by_then_fails_the_task)
{
    begin();
    refq_ref input = submit("echo", NULL, "{}");
    rqt_expect(&input, "complete", BUDGET);
    atomic_store(&runs, 0);
    rqt_redis_do("DEL mcp-refcache:entry:%s", ref_text(&input));
    refq_ref ref = submit("echo", &agent, "{\"x\":\"%s\"}", ref_text(&input));
    expect_failure(&ref, "Invalid or inaccessible reference: %s", ref_text(&input));
    finish(); /* the audit would miss the value, too */
}
END_TEST

/* --- Through a call --------------------------------------------------------------------------- */

static void call(refq_call_spec s, char ret_ref[REFQ_REF_MAX + 1])
{
    refq_error err = {0};
    refq_response response;
    s.struct_size = sizeof s;
    s.queue = RQT_QUEUE;
    s.has_async_timeout = 1;
    ck_assert_msg(refq_call(calls, &s, &response, &err) == REFQ_OK, "%s", err.text);
    const char *at = strstr(response.json, "\"ref_id\":");
    ck_assert_ptr_nonnull(at);
    at += strcspn(at + 9, "\"") + 10;
    (void)snprintf(ret_ref, REFQ_REF_MAX + 1, "%.*s", (int)strcspn(at, "\""), at);
    refq_response_free(&response);
}

START_TEST(a_call_hands_its_inputs_to_the_worker)
{
    char doc[REF_TEXT];
    char slow_id[REFQ_REF_MAX + 1];
    char ref_id[REFQ_REF_MAX + 1];
    char args[600];
    refq_ref ref;
    begin();
    keep("[1, 2]", doc);
    call((refq_call_spec){.task = "slow"}, slow_id);
    (void)snprintf(args, sizeof args, "{\"x\":\"%s\",\"y\":[\"%s\",\"%s\"]}", slow_id, doc,
                   slow_id);
    call((refq_call_spec){.task = "echo", .args = args}, ref_id);
    ck_assert_int_eq(refq_ref_parse(ref_id, &ref, NULL), REFQ_OK);
    ck_assert_str_eq(rqt_field(&ref, "actor"), "agent:*");
    ck_assert_str_eq(rqt_field(&ref, "inputs"), "docs calls");
    atomic_store(&gate, true);
    expect_value(&ref, "{\"x\":{\"text\":\"done\"},\"y\":[[1,2],{\"text\":\"done\"}]}");
    end();
}
END_TEST

START_TEST(a_value_that_goes_while_a_call_waits_fails_it)
{
    char doc[REF_TEXT];
    char slow_id[REFQ_REF_MAX + 1];
    char ref_id[REFQ_REF_MAX + 1];
    char args[600];
    refq_ref ref;
    begin();
    keep("[1, 2]", doc);
    call((refq_call_spec){.task = "slow"}, slow_id);
    (void)snprintf(args, sizeof args, "{\"x\":\"%s\",\"y\":\"%s\"}", slow_id, doc);
    call((refq_call_spec){.task = "echo", .args = args}, ref_id);
    ck_assert_int_eq(refq_ref_parse(ref_id, &ref, NULL), REFQ_OK);
    rqt_redis_do("DEL mcp-refcache:entry:%s", doc);
    atomic_store(&gate, true);
    expect_failure(&ref, "Invalid or inaccessible reference: %s", doc);
    end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("it_inputs");
    TCase *c = tcase_create("inputs");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, values_take_the_place_of_references);
    tcase_add_test(c, references_in_values_lead_on);
    tcase_add_test(c, what_python_writes_is_made_strict);
    tcase_add_test(c, what_only_looks_like_a_reference_stays);
    tcase_add_test(c, without_an_actor_nothing_is_replaced);
    tcase_add_test(c, what_may_only_be_executed_is_used_and_never_shown);
    tcase_add_test(c, what_may_not_be_used_is_as_if_it_were_not_there);
    tcase_add_test(c, rules_of_ones_own_decide_in_the_worker_too);
    tcase_add_test(c, an_error_names_the_reference_that_was_given);
    tcase_add_test(c, an_entry_that_is_none_or_has_expired_is_not_there);
    tcase_add_test(c, circles_are_named);
    tcase_add_test(c, a_task_cannot_wait_for_itself);
    tcase_add_test(c, chains_end_somewhere);
    tcase_add_test(c, what_grows_without_end_is_refused);
    tcase_add_test(c, values_have_a_number_and_a_size);
    tcase_add_test(c, ten_megabytes_arrive_whole);
    tcase_add_test(c, values_must_fit_the_schema_and_are_not_quoted);
    tcase_add_test(c, values_that_fit_are_let_in);
    tcase_add_test(c, a_task_waits_for_its_input);
    tcase_add_test(c, inputs_may_be_tasks_of_another_queue);
    tcase_add_test(c, an_input_without_a_value_fails_the_task);
    tcase_add_test(c, a_task_that_may_not_be_used_is_not_there);
    tcase_add_test(c, a_value_that_is_gone_by_then_fails_the_task);
    tcase_add_test(c, a_call_hands_its_inputs_to_the_worker);
    tcase_add_test(c, a_value_that_goes_while_a_call_waits_fails_it);
    suite_add_tcase(s, c);
    TCase *apart = tcase_create("children");
    tcase_set_timeout(apart, 60);
    tcase_set_tags(apart, "apart");
    tcase_add_test(apart, every_kind_of_handler_gets_them);
    suite_add_tcase(s, apart);
    return rqt_main_redis(s, NULL);
}
