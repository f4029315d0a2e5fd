/* SPDX-License-Identifier: MIT */
/* The task model: references, words, transitions, keys, what submit refuses, records. */
#include "redis/reader.h"
#include "task/keys.h"
#include "task/record.h"
#include "task/submit.h"
#include "support/main.h"

#include "base/parse.h"
#include "codec/args.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

#define HEX "0123456789abcdef0123456789abcdef"
#define X16 "xxxxxxxxxxxxxxxx"
#define X64 X16 X16 X16 X16

/* --- References ------------------------------------------------------------------------------- */

static const struct bad_ref {
    const char *text;
    const char *says;
} bad_refs[] = {
    {"", "one looks like"},
    {HEX, "one looks like"},
    {":" HEX, "not a queue name"},
    {"1docs:" HEX, "not a queue name"},
    {"do cs:" HEX, "not a queue name"},
    {"../docs:" HEX, "not a queue name"},
    {"{docs}:" HEX, "not a queue name"},
    {X64 "x:" HEX, "not a queue name"},
    {"docs:", "exactly 32"},
    {"docs:0123456789abcdef", "(16 digits name a cache entry that is no task)"},
    {"docs:0123456789ABCDEF0123456789ABCDEF", "lower-case"},
    {"docs:" HEX "0", "exactly 32"},
    {"docs:" HEX "\n", "exactly 32"},
    {"docs:0123456789abcdef0123456789abcde", "exactly 32"},
    {"docs:0123456789abcdef0123456789abcdeg", "exactly 32"},
    {"docs:../../../../../../../etc/passwd", "exactly 32"},
    {"docs:task:" HEX, "exactly 32"},
    {"docs:" HEX ":" HEX, "exactly 32"},
    {"docs: " HEX, "exactly 32"},
};

START_TEST(bad_references_are_refused)
{
    refq_ref ref = {.queue = "untouched"};
    refq_error err = {0};
    ck_assert_int_eq(refq_ref_parse(bad_refs[_i].text, &ref, &err), REFQ_ERR_INVALID);
    ck_assert_msg(strstr(err.text, bad_refs[_i].says) != NULL, "%s: %s", bad_refs[_i].text,
                  err.text);
    ck_assert_str_eq(ref.queue, "untouched");
    ck_assert_int_eq(refq_ref_parse(bad_refs[_i].text, &ref, NULL), REFQ_ERR_INVALID);
}
END_TEST

START_TEST(a_reference_survives_the_round_trip)
{
    static const char *const queues[] = {"d", "docs", "Docs_2-b", X64};
    char text[REFQ_REF_MAX + 1];
    for (size_t i = 0; i < N_OF(queues); i++) {
        refq_ref made;
        refq_ref back;
        refq_error err;
        ck_assert_int_eq(refq_ref_make(queues[i], &made, &err), REFQ_OK);
        ck_assert_int_eq(refq_ref_parse(refq_ref_format(&made, text), &back, &err), REFQ_OK);
        ck_assert_str_eq(back.queue, queues[i]);
        ck_assert_str_eq(back.hex, made.hex);
        ck_assert_uint_eq(strlen(text), strlen(queues[i]) + 1 + REFQ_HEX_LEN);
    }
}
END_TEST

static int by_hex(const void *a, const void *b)
{
    return strcmp(((const refq_ref *)a)->hex, ((const refq_ref *)b)->hex);
}

START_TEST(references_do_not_repeat)
{
    enum { N = 20000 };
    static refq_ref refs[N];
    for (size_t i = 0; i < N; i++) {
        ck_assert_int_eq(refq_ref_make("docs", &refs[i], NULL), REFQ_OK);
    }
    qsort(refs, N, sizeof refs[0], by_hex);
    for (size_t i = 1; i < N; i++) {
        ck_assert_str_ne(refs[i - 1].hex, refs[i].hex);
    }
}
END_TEST

static const struct name_case {
    const char *text;
    int queue, task; /* 1 = fine as such */
} name_cases[] = {
    {"a", 1, 1},   {"A-b_9", 1, 1},     {X64, 1, 1},   {X64 "x", 0, 0}, {"", 0, 0},
    {"9a", 0, 1},  {"-a", 0, 1},        {"_a", 0, 1},  {"a b", 0, 0},   {"a:b", 0, 0},
    {"a.b", 0, 0}, {"a\xc3\xa9", 0, 0}, {"a\n", 0, 0}, {"a}b", 0, 0},   {"*", 0, 0},
};

START_TEST(names_are_checked)
{
    const struct name_case *c = &name_cases[_i];
    refq_error err = {0};
    refq_ref ref;
    ck_assert_int_eq(refq_queue_check(c->text, &err) == REFQ_OK, c->queue);
    ck_assert_int_eq(c->queue == 0, strstr(err.text, "is not a queue name") != NULL);
    ck_assert_int_eq(refq_ref_make(c->text, &ref, NULL) == REFQ_OK, c->queue);
    err.text[0] = '\0';
    ck_assert_int_eq(refq_name_check(c->text, &err) == REFQ_OK, c->task);
    ck_assert_int_eq(c->task == 0, strstr(err.text, "is not a task name") != NULL);
}
END_TEST

/* --- Words and transitions -------------------------------------------------------------------- */

START_TEST(words_are_read_back)
{
    static const char *const words[] = {"pending", "processing", "complete", "failed", "cancelled"};
    static const char *const lanes[] = {"normal", "high", "low"};
    static const char *const none[] = {"", "Pending", "pending ", "banana", "unknown"};
    refq_status status = REFQ_FAILED;
    refq_lane lane = REFQ_LANE_LOW;
    for (size_t i = 0; i < N_OF(words); i++) {
        ck_assert_int_eq(refq_status_parse(words[i], &status), REFQ_OK);
        ck_assert_int_eq((int)status, (int)i);
        ck_assert_str_eq(refq_status_name(status), words[i]);
        ck_assert_int_eq(refq_status_is_terminal(status), i >= 2);
    }
    for (size_t i = 0; i < N_OF(lanes); i++) {
        ck_assert_int_eq(refq_lane_parse(lanes[i], &lane), REFQ_OK);
        ck_assert_int_eq((int)lane, (int)i);
        ck_assert_str_eq(refq_lane_name(lane), lanes[i]);
    }
    for (size_t i = 0; i < N_OF(none); i++) {
        ck_assert_int_eq(refq_status_parse(none[i], &status), REFQ_ERR_INVALID);
        ck_assert_int_eq(refq_lane_parse(none[i], &lane), REFQ_ERR_INVALID);
    }
    ck_assert_int_eq(status, REFQ_CANCELLED);
    ck_assert_int_eq(lane, REFQ_LANE_LOW);
    ck_assert_str_eq(refq_status_name((refq_status)99), "unknown");
    ck_assert_str_eq(refq_lane_name((refq_lane)99), "unknown");
    ck_assert(!refq_status_is_terminal((refq_status)99));
}
END_TEST

START_TEST(the_transition_table_is_this_one)
{
    static const char *const allowed[] = {
        /* to:  p P c f x  (pending, processing, complete, failed, cancelled) */
        ".1.11", /* pending */
        "1.111", /* processing */
        ".....", /* complete */
        ".....", /* failed */
        ".....", /* cancelled */
    };
    for (unsigned from = 0; from < 5; from++) {
        for (unsigned to = 0; to < 5; to++) {
            ck_assert_msg(refq_status_can_become(from, to) == (allowed[from][to] == '1'),
                          "%s -> %s", refq_status_name(from), refq_status_name(to));
        }
    }
    ck_assert(!refq_status_can_become((refq_status)99, REFQ_PENDING));
    ck_assert(!refq_status_can_become(REFQ_PENDING, (refq_status)99));
}
END_TEST

/* --- Keys ------------------------------------------------------------------------------------- */

START_TEST(keys_are_spelt_as_documented)
{
    rqi_keys keys;
    rqi_key out;
    refq_error err;
    ck_assert_int_eq(rqi_keys_make(NULL, "docs", &keys, &err), REFQ_OK);
    ck_assert_str_eq(keys.meta, "refq:{docs}:meta");
    ck_assert_str_eq(rqi_key_of(&keys, out, "task:", HEX), "refq:{docs}:task:" HEX);
    ck_assert_str_eq(rqi_key_of(&keys, out, "due", ""), "refq:{docs}:due");
    ck_assert_str_eq(rqi_key_entry(&keys, out, HEX), "mcp-refcache:entry:docs:" HEX);
    ck_assert_str_eq(rqi_key_staged(&keys, out, HEX, "1-2"), "refq:{docs}:staged:" HEX ":1-2");
    ck_assert_str_eq(rqi_key_queues("refq", out), "refq:queues");
    ck_assert_int_eq(rqi_keys_make("my.app-1_x", "docs", &keys, &err), REFQ_OK);
    ck_assert_str_eq(keys.meta, "my.app-1_x:{docs}:meta");
}
END_TEST

START_TEST(the_longest_names_fit_their_keys)
{
    rqi_keys keys;
    rqi_key out;
    char want[RQI_KEY_MAX];
    ck_assert_int_eq(rqi_keys_make(X16 X16, X64, &keys, NULL), REFQ_OK);
    ck_assert_str_eq(keys.base, X16 X16 ":{" X64 "}:");
    ck_assert_str_eq(keys.meta, X16 X16 ":{" X64 "}:meta");
    ck_assert_str_eq(keys.entry_prefix, "mcp-refcache:entry:" X64 ":");
    (void)snprintf(want, sizeof want, "%sstaged:%s:%s", keys.base, HEX,
                   "18446744073709551615-18446744073709551615");
    ck_assert_str_eq(rqi_key_staged(&keys, out, HEX, "18446744073709551615-18446744073709551615"),
                     want);
}
END_TEST

START_TEST(what_cannot_be_part_of_a_key_is_refused)
{
    static const char *const prefixes[] = {"", "a:b", "a{b", "a b", "a*", "\xc3\xa9", X16 X16 "x"};
    rqi_keys keys;
    refq_error err = {0};
    for (size_t i = 0; i < N_OF(prefixes); i++) {
        ck_assert_int_eq(rqi_keys_make(prefixes[i], "docs", &keys, &err), REFQ_ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(err.text, "key prefix"));
    }
    ck_assert_int_eq(rqi_keys_make(NULL, "a}:b", &keys, &err), REFQ_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "queue name"));
}
END_TEST

/* --- What submit refuses ---------------------------------------------------------------------- */

static refq_spec good_spec(void)
{
    return (refq_spec){
        .struct_size = sizeof(refq_spec), .ref = {.queue = "docs", .hex = HEX}, .task = "echo"};
}

static void expect_refused(const refq_spec *spec, refq_err code, const char *says)
{
    rqi_args args = {.preview = "untouched"};
    refq_error err = {0};
    refq_err got = rqi_submit_check(spec, &args, &err);
    ck_assert_msg(got == code, "wanted %s (%s), got %s: %s", refq_strerror(code), says,
                  refq_strerror(got), err.text);
    ck_assert_msg(strstr(err.text, says) != NULL, "wanted \"%s\" in: %s", says, err.text);
    ck_assert_str_eq(args.preview, "untouched");
}

#define REFUSED(code, says, ...)           \
    do {                                   \
        refq_spec spec = good_spec();      \
        __VA_ARGS__;                       \
        expect_refused(&spec, code, says); \
    } while (0)

START_TEST(bad_specs_are_refused)
{
    static char key[200];
    memset(key, 'k', 129);
    REFUSED(REFQ_ERR_INVALID, "queue name", spec.ref.queue[0] = '\0');
    REFUSED(REFQ_ERR_INVALID, "refq_ref_make", spec.ref.hex[0] = '\0');
    REFUSED(REFQ_ERR_INVALID, "task name", spec.task = NULL);
    REFUSED(REFQ_ERR_INVALID, "task name", spec.task = "a b");
    REFUSED(REFQ_ERR_LIMIT, "delay must be 0 to 366 days", spec.delay_ms = -1);
    REFUSED(REFQ_ERR_LIMIT, "delay", spec.delay_ms = RQI_DURATION_MAX_MS + 1);
    REFUSED(REFQ_ERR_LIMIT, "timeout", spec.timeout_ms = -5);
    REFUSED(REFQ_ERR_LIMIT, "timeout", spec.timeout_ms = INT64_MAX);
    REFUSED(REFQ_ERR_LIMIT, "key_ttl", spec.key_ttl_ms = INT64_MIN);
    REFUSED(REFQ_ERR_LIMIT, "max_retries must be 0 to 1000", spec.max_retries = -2);
    REFUSED(REFQ_ERR_LIMIT, "max_retries", spec.max_retries = 1001);
    REFUSED(REFQ_ERR_INVALID, "lane", spec.lane = (refq_lane)7);
    REFUSED(REFQ_ERR_INVALID, "lane", spec.lane = (refq_lane)-1);
    REFUSED(REFQ_ERR_LIMIT, "idempotency key", spec.key = "");
    REFUSED(REFQ_ERR_LIMIT, "idempotency key", spec.key = key);
    REFUSED(REFQ_ERR_LIMIT, "traceparent", spec.traceparent = key);
    REFUSED(REFQ_ERR_INVALID, "arguments", spec.args = "");
    REFUSED(REFQ_ERR_INVALID, "arguments", spec.args = "[]");
    REFUSED(REFQ_ERR_INVALID, "arguments", spec.args = "{} {}");
    REFUSED(REFQ_ERR_INVALID, "not UTF-8", spec.args = "{\"a\":\"\xff\"}");
    REFUSED(REFQ_ERR_INVALID, "arguments", spec.args = "{\"a\":1,\"a\":2}");
}
END_TEST

START_TEST(large_and_deep_arguments_are_bounded)
{
    size_t most = RQI_ARGS_MAX;
    char *json = malloc(most + 64);
    rqi_args args;
    refq_error err;
    refq_spec spec = good_spec();
    ck_assert_ptr_nonnull(json);
    memset(json, 'x', most + 64);
    memcpy(json, "{\"a\":\"", 6);
    memcpy(json + most - 2, "\"}", 3);
    spec.args = json;
    ck_assert_msg(rqi_submit_check(&spec, &args, &err) == REFQ_OK, "%s", err.text);
    ck_assert_uint_gt(args.stored.len, RQI_ARGS_IN_HASH);
    rqi_args_done(&args);
    memcpy(json + most - 2, "xx\"}", 5);
    expect_refused(&spec, REFQ_ERR_LIMIT, "bytes are allowed");
    memcpy(json, "{\"a\":", 5);
    memset(json + 5, '[', 40);
    memset(json + 45, ']', 40);
    memcpy(json + 85, "}", 2);
    expect_refused(&spec, REFQ_ERR_LIMIT, "nested deeper");
    free(json);
}
END_TEST

START_TEST(the_edges_of_a_spec_are_taken)
{
    rqi_args args;
    refq_error err;
    refq_spec spec = good_spec();
    char key[129] = {0};
    memset(key, 'k', 128);
    spec.delay_ms = RQI_DURATION_MAX_MS;
    spec.timeout_ms = 1;
    spec.max_retries = REFQ_NO_RETRIES;
    spec.lane = REFQ_LANE_LOW;
    spec.key = key;
    ck_assert_msg(rqi_submit_check(&spec, &args, &err) == REFQ_OK, "%s", err.text);
    ck_assert_str_eq(args.preview, "{}");
    ck_assert_uint_eq(args.stored.len, 2);
    ck_assert_mem_eq(args.stored.ptr, "m\x80", 2);
    rqi_args_done(&args);
}
END_TEST

START_TEST(the_submit_call_says_what_is_set_and_no_more)
{
    rqi_cmd cmd = {0};
    rqi_args args;
    refq_spec spec = good_spec();
    spec.max_retries = REFQ_NO_RETRIES;
    spec.delay_ms = 1500;
    ck_assert_int_eq(rqi_submit_check(&spec, &args, NULL), REFQ_OK);
    rqi_submit_add(&cmd, &spec, &args);
    char *bytes = NULL;
    size_t len = 0;
    ck_assert_int_eq(rqi_cmd_encode(&cmd, &bytes, &len), REFQ_OK);
    ck_assert_ptr_nonnull(
        strstr(bytes, "$32\r\n" HEX "\r\n$4\r\necho\r\n$6\r\nnormal\r\n$4\r\n1500\r\n"));
    ck_assert_ptr_nonnull(strstr(bytes, "$11\r\nmax_retries\r\n$1\r\n0\r\n"));
    ck_assert_ptr_null(strstr(bytes, "timeout_ms"));
    ck_assert_ptr_null(strstr(bytes, "traceparent"));
    rqi_cmd_bytes_free(bytes);
    rqi_cmd_done(&cmd);
    rqi_args_done(&args);
}
END_TEST

/* --- Replies ---------------------------------------------------------------------------------- */

/* Words, separated by blanks, as one flat array reply; `_` is an empty string. */
static redisReply *reply_of(const char *words)
{
    rqi_buf wire = {0};
    rqi_buf body = {0};
    int n = 0;
    for (size_t len; (len = strcspn(words, " ")) > 0; n++) {
        int shown = len == 1 && *words == '_' ? 0 : (int)len;
        rqi_buf_addf(&body, "$%d\r\n%.*s\r\n", shown, shown, words);
        words += len;
        words += strspn(words, " ");
    }
    rqi_buf_addf(&wire, "*%d\r\n%s", n, rqi_buf_str(&body));
    redisReader *reader = rqi_reader_new();
    void *reply = NULL;
    ck_assert_ptr_nonnull(reader);
    ck_assert_int_eq(redisReaderFeed(reader, wire.ptr, wire.len), REDIS_OK);
    ck_assert_int_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
    ck_assert_ptr_nonnull(reply);
    redisReaderFree(reader);
    rqi_buf_done(&wire);
    rqi_buf_done(&body);
    return reply;
}

static refq_err read_record(const char *words, refq_task **ret, refq_error *err)
{
    static const refq_ref ref = {.queue = "docs", .hex = HEX};
    redisReply *reply = reply_of(words);
    rqi_cursor cur = rqi_cursor_of(reply);
    refq_err rc = rqi_record_read(&cur, &ref, 1234, ret, err);
    freeReplyObject(reply);
    return rc;
}

START_TEST(a_record_is_read)
{
    refq_task *task = NULL;
    refq_error err;
    const char *name = NULL;
    const char *value = NULL;
    int64_t current = 0;
    int64_t total = 0;
    ck_assert_int_eq(
        read_record("5 status processing task echo attempt 2 progress 3/12 of_the_future _", &task,
                    &err),
        REFQ_OK);
    ck_assert_int_eq(refq_task_status(task), REFQ_PROCESSING);
    ck_assert_str_eq(refq_task_field(task, "task"), "echo");
    ck_assert_str_eq(refq_task_field(task, "of_the_future"), "");
    ck_assert_ptr_null(refq_task_field(task, "error"));
    ck_assert_int_eq(refq_task_number(task, "attempt", -1), 2);
    ck_assert_int_eq(refq_task_number(task, "task", -1), -1);
    ck_assert_int_eq(refq_task_number(task, "of_the_future", -1), -1);
    ck_assert_int_eq(refq_task_number(task, "absent", -7), -7);
    ck_assert_int_eq(refq_task_progress(task, &current, &total), 1);
    ck_assert_int_eq(current * 100 + total, 312);
    ck_assert_int_eq(refq_task_field_at(task, 1, &name, &value), 1);
    ck_assert_str_eq(name, "task");
    ck_assert_int_eq(refq_task_field_at(task, 5, &name, &value), 0);
    ck_assert_int_eq(refq_task_seen_at_ms(task), 1234);
    ck_assert_str_eq(refq_task_ref(task)->queue, "docs");
    refq_task_free(task);
    refq_task_free(NULL);
}
END_TEST

START_TEST(a_copy_is_independent)
{
    refq_task *task = NULL;
    ck_assert_int_eq(read_record("2 status pending task echo", &task, NULL), REFQ_OK);
    refq_task *copy = rqi_record_copy(task);
    ck_assert_ptr_nonnull(copy);
    ck_assert_int_eq(rqi_record_set(task, "status", "failed"), REFQ_OK);
    ck_assert_int_eq(rqi_record_set(task, "error", "why"), REFQ_OK);
    ck_assert_int_eq(rqi_record_set(task, "status", "banana"), REFQ_ERR_PROTO);
    ck_assert_int_eq(refq_task_status(copy), REFQ_PENDING);
    ck_assert_ptr_null(refq_task_field(copy, "error"));
    ck_assert_str_eq(refq_task_field(task, "error"), "why");
    refq_task_free(task);
    refq_task_free(copy);
}
END_TEST

static const struct bad_record {
    const char *words;
    refq_err code;
    const char *says;
} bad_records[] = {
    {"0", REFQ_ERR_NOTFOUND, "there is no task docs:" HEX},
    {"-1 status pending", REFQ_ERR_PROTO, "unexpected answer"},
    {"many", REFQ_ERR_PROTO, "unexpected answer"},
    {"1 task echo", REFQ_ERR_PROTO, "not one this version understands"},
    {"1 status banana", REFQ_ERR_PROTO, "not one this version understands"},
    {"1 status", REFQ_ERR_PROTO, "not one this version understands"},
    {"3 status pending", REFQ_ERR_PROTO, "not one this version understands"},
    {"999999999 status pending", REFQ_ERR_PROTO, "not one this version understands"},
};

START_TEST(bad_records_are_refused)
{
    refq_task *task = NULL;
    refq_error err = {0};
    ck_assert_int_eq(read_record(bad_records[_i].words, &task, &err), bad_records[_i].code);
    ck_assert_msg(strstr(err.text, bad_records[_i].says) != NULL, "%s", err.text);
    ck_assert_ptr_null(task);
}
END_TEST

START_TEST(a_bad_record_leaves_the_cursor_behind_it)
{
    static const refq_ref ref = {.queue = "docs", .hex = HEX};
    redisReply *reply = reply_of("1 status banana 2 status failed task echo");
    rqi_cursor cur = rqi_cursor_of(reply);
    refq_task *task = NULL;
    ck_assert_int_eq(rqi_record_read(&cur, &ref, 1, &task, NULL), REFQ_ERR_PROTO);
    ck_assert_int_eq(rqi_record_read(&cur, &ref, 1, &task, NULL), REFQ_OK);
    ck_assert_int_eq(refq_task_status(task), REFQ_FAILED);
    refq_task_free(task);
    freeReplyObject(reply);
}
END_TEST

START_TEST(progress_is_two_numbers_or_none)
{
    static const char *const bad[] = {"3", "/", "3/", "x/12", "_"};
    int64_t current = 7;
    int64_t total = 7;
    char words[100];
    for (size_t i = 0; i < N_OF(bad); i++) {
        refq_task *task = NULL;
        (void)snprintf(words, sizeof words, "2 status processing progress %s", bad[i]);
        ck_assert_int_eq(read_record(words, &task, NULL), REFQ_OK);
        ck_assert_msg(refq_task_progress(task, &current, &total) == 0, "%s", bad[i]);
        refq_task_free(task);
    }
    ck_assert_int_eq(current + total, 14);
}
END_TEST

static const struct submitted_case {
    const char *words;
    refq_err code;
    bool existed;
} submitted_cases[] = {
    {HEX " new pending", REFQ_OK, false},
    {HEX " same complete", REFQ_OK, true},
    {"ffffffffffffffffffffffffffffffff key failed", REFQ_OK, true},
    {HEX " full pending", REFQ_ERR_FULL, false},
    {"0123 new pending", REFQ_ERR_PROTO, false},
    {HEX " new banana", REFQ_ERR_PROTO, false},
    {HEX " new", REFQ_ERR_PROTO, false},
};

START_TEST(the_answer_to_submit_is_read)
{
    const struct submitted_case *c = &submitted_cases[_i];
    refq_spec spec = good_spec();
    refq_submitted done;
    refq_error err;
    redisReply *reply = reply_of(c->words);
    rqi_cursor cur = rqi_cursor_of(reply);
    ck_assert_int_eq(rqi_submit_read(&cur, &spec, &done, &err), c->code);
    if (c->code == REFQ_OK) {
        ck_assert_int_eq(done.existed, c->existed);
        ck_assert_mem_eq(done.ref.hex, c->words, REFQ_HEX_LEN);
        ck_assert_str_eq(done.ref.queue, "docs");
    }
    freeReplyObject(reply);
}
END_TEST

/* --- Suite ------------------------------------------------------------------------------------ */

int main(void)
{
    Suite *s = suite_create("ut_task");
    TCase *c = tcase_create("task");
    suite_add_tcase(s, c);
    tcase_add_loop_test(c, bad_references_are_refused, 0, (int)N_OF(bad_refs));
    tcase_add_test(c, a_reference_survives_the_round_trip);
    tcase_add_test(c, references_do_not_repeat);
    tcase_add_loop_test(c, names_are_checked, 0, (int)N_OF(name_cases));
    tcase_add_test(c, words_are_read_back);
    tcase_add_test(c, the_transition_table_is_this_one);
    tcase_add_test(c, keys_are_spelt_as_documented);
    tcase_add_test(c, the_longest_names_fit_their_keys);
    tcase_add_test(c, what_cannot_be_part_of_a_key_is_refused);
    tcase_add_test(c, bad_specs_are_refused);
    tcase_add_test(c, large_and_deep_arguments_are_bounded);
    tcase_add_test(c, the_edges_of_a_spec_are_taken);
    tcase_add_test(c, the_submit_call_says_what_is_set_and_no_more);
    tcase_add_test(c, a_record_is_read);
    tcase_add_test(c, a_copy_is_independent);
    tcase_add_loop_test(c, bad_records_are_refused, 0, (int)N_OF(bad_records));
    tcase_add_test(c, a_bad_record_leaves_the_cursor_behind_it);
    tcase_add_test(c, progress_is_two_numbers_or_none);
    tcase_add_loop_test(c, the_answer_to_submit_is_read, 0, (int)N_OF(submitted_cases));
    return rqt_main(s);
}
