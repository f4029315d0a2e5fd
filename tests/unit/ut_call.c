/* SPDX-License-Identifier: MIT */
/* The pure parts of a call: what makes two the same, and what a task without a value answers. */
#include "reply/async.h"
#include "call/content.h"
#include "call/definition.h"
#include "call/digest.h"
#include "support/main.h"
#include "task/record.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* --- Same or not ------------------------------------------------------------------------------ */

static const char *digest(rqi_identical call, const char *args)
{
    static char out[2][RQI_DIGEST_LEN + 1];
    static unsigned turn;
    refq_error err = {0};
    char *at = out[turn++ % 2];
    call.args = (refq_bytes){.ptr = args, .len = strlen(args)};
    ck_assert_msg(rqi_call_digest(&call, at, &err) == REFQ_OK, "%s", err.text);
    return at;
}

static const rqi_identical plain = {.task = "ocr"};

START_TEST(the_same_values_are_the_same_call)
{
    const char *want = digest(plain, "{\"a\":1,\"b\":[true,null,\"x\"]}");
    ck_assert_uint_eq(strlen(want), RQI_DIGEST_LEN);
    ck_assert_str_eq(want, digest(plain, " {\"b\" : [true, null,\"\\u0078\"], \"a\" : 1 }"));
}
END_TEST

START_TEST(another_value_is_another_call)
{
    static const char *const others[] = {"{}",          "{\"a\":1.0}", "{\"a\":\"1\"}",
                                         "{\"a\":[1]}", "{\"b\":1}",   "{\"a\":1,\"b\":null}"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        ck_assert_str_ne(digest(plain, "{\"a\":1}"), digest(plain, others[i]));
    }
}
END_TEST

START_TEST(another_reader_is_another_call)
{
    const rqi_identical others[] = {
        {.task = "ocr2"},
        {.task = "ocr", .namespace_name = "user:alice"},
        {.task = "ocr", .owner = "user:alice"},
        {.task = "ocr", .session = "user:alice"},
        {.task = "ocr", .policy = "user:alice"},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        ck_assert_str_ne(digest(plain, "{}"), digest(others[i], "{}"));
        for (size_t k = 0; k < i; k++) {
            ck_assert_str_ne(digest(others[k], "{}"), digest(others[i], "{}"));
        }
    }
}
END_TEST

START_TEST(arguments_that_are_none_are_refused)
{
    char out[RQI_DIGEST_LEN + 1];
    refq_error err = {0};
    rqi_identical call = {.task = "ocr", .args = {.ptr = "[1", .len = 2}};
    ck_assert_int_eq(rqi_call_digest(&call, out, &err), REFQ_ERR_INVALID);
    ck_assert(err.text[0] != '\0');
    ck_assert_int_ne(rqi_call_digest(&call, out, NULL), REFQ_OK);
}
END_TEST

/* --- References ------------------------------------------------------------------------------- */

/* The digest of arguments in which "docs:vis" stands for `seen`, and "docs:hid" for itself. */
static const char *digest_with(const char *args, const char *seen)
{
    rqi_content content = {0};
    rqi_identical call = plain;
    refq_error err = {0};
    char *text = NULL;
    char *references = NULL;
    json_t *root = json_loads(args, JSON_ALLOW_NUL, NULL);
    ck_assert_ptr_nonnull(root);
    refq_bytes value = {.ptr = seen, .len = strlen(seen)};
    ck_assert_int_eq(rqi_content_add(&content, "docs:vis", value, &err), REFQ_OK);
    ck_assert_int_eq(rqi_content_add(&content, "docs:hid", (refq_bytes){0}, &err), REFQ_OK);
    ck_assert_msg(rqi_content_write(&content, root, &text, &references, &err) == REFQ_OK, "%s",
                  err.text);
    call.references = references;
    const char *out = digest(call, text);
    json_decref(root);
    free(text);
    free(references);
    rqi_content_done(&content);
    return out;
}

/* `value` is what docs:vis stands for. */
static const struct {
    const char *one;
    const char *other;
    const char *value;
    bool same;
} written[] = {
    {"{\"a\":\"docs:vis\"}", "{\"a\":{\"k\":[1.50]}}", "{ \"k\" : [1.5] }", true},
    {"{\"a\":[\"docs:vis\",\"docs:vis\"]}", "{\"a\":[\"docs:vis\",7]}", "7", true},
    {"{\"a\":[\"docs:vis\",\"docs:hid\"]}", "{\"a\":[{\"b\":1},\"docs:hid\"]}", "{\"b\":1}", true},
    {"{\"a\":\"docs:hid\",\"b\":\"docs:vis\"}", "{\"b\":7,\"a\":\"docs:hid\"}", "7", true},
    {"{\"a\":\"docs:vis\"}", "{\"a\":7.0}", "7", false},
    {"{\"a\":\"docs:vis\\u0000x\"}", "{\"a\":7}", "7", false}, /* no reference */
    /* what stands inside of a value has not been checked */
    {"{\"a\":\"docs:vis\"}", "{\"a\":\"docs:hid\"}", "\"docs:hid\"", false},
    {"{\"a\":\"docs:vis\",\"b\":\"docs:hid\"}", "{\"a\":{\"x\":\"docs:hid\"},\"b\":\"docs:hid\"}",
     "{\"x\":\"docs:hid\"}", false},
    /* what JSON's strict form cannot hold counts by its reference */
    {"{\"a\":\"docs:vis\"}", "{\"a\":null}", "NaN", false},
    {"{\"a\":\"docs:vis\"}", "{\"a\":\"docs:vis\"}", "NaN", true},
};

START_TEST(a_reference_counts_by_its_value)
{
    const char *one = digest_with(written[_i].one, written[_i].value);
    const char *other = digest_with(written[_i].other, written[_i].value);
    ck_assert_int_eq(strcmp(one, other) == 0, written[_i].same);
}
END_TEST

/* Alone it counts by its value, twice it is too large. */
START_TEST(large_values_count_by_their_references)
{
    size_t len = RQI_CONTENT_BYTES * 2 / 3;
    char *value = malloc(len + 1);
    char *args = malloc(len + 100);
    memset(value, 'x', len);
    value[0] = value[len - 1] = '"';
    value[len] = '\0';
    (void)snprintf(args, len + 100, "{\"a\":%s}", value);
    ck_assert_str_eq(digest_with("{\"a\":\"docs:vis\"}", value), digest_with(args, value));
    (void)snprintf(args, len + 100, "{\"a\":%s,\"b\":\"docs:vis\"}", value);
    ck_assert_str_ne(digest_with("{\"a\":\"docs:vis\",\"b\":\"docs:vis\"}", value),
                     digest_with(args, value));
    free(value);
    free(args);
}
END_TEST

/* --- Definitions ------------------------------------------------------------------------------ */

START_TEST(a_definition_tells_how_calls_behave)
{
    rqi_definition d;
    refq_error err = {0};
    const char *text = "{\"name\":\"a\",\"async_timeout_ms\":7,\"reuse\":\"result\","
                       "\"response_format\":\"full\",\"max_size\":9,"
                       "\"namespace\":\"user:{user_id}\",\"owner\":\"user:{user_id}\","
                       "\"session_scoped\":true,\"policy\":{\"agent_permissions\":16}}";
    ck_assert_msg(rqi_definition_read(text, &d, &err) == REFQ_OK, "%s", err.text);
    ck_assert_int_eq(d.async_timeout_ms, 7);
    ck_assert_int_eq(d.reuse, REFQ_REUSE_RESULT);
    ck_assert_int_eq(d.format, REFQ_FORMAT_FULL);
    ck_assert_int_eq(d.max_size, 9);
    ck_assert_str_eq(d.rule.namespace_template, "user:{user_id}");
    ck_assert_str_eq(d.rule.owner_template, "user:{user_id}");
    ck_assert(d.rule.session_scoped);
    ck_assert_uint_eq(d.rule.policy->agent_permissions, REFQ_EXECUTE);
    ck_assert_uint_eq(d.rule.policy->user_permissions, REFQ_PERM_FULL);
    rqi_definition_done(&d);
}
END_TEST

START_TEST(a_definition_that_says_nothing_has_the_defaults)
{
    rqi_definition d;
    refq_error err = {0};
    ck_assert_msg(rqi_definition_read("{\"name\":\"a\"}", &d, &err) == REFQ_OK, "%s", err.text);
    ck_assert_int_eq(d.async_timeout_ms, 5000);
    ck_assert_int_eq(d.reuse, REFQ_REUSE_IN_FLIGHT);
    ck_assert_int_eq(d.format, REFQ_FORMAT_STANDARD);
    ck_assert_int_eq(d.max_size, 0);
    ck_assert_ptr_null(d.rule.namespace_template);
    ck_assert_ptr_null(d.rule.owner_template);
    ck_assert_ptr_null(d.rule.policy);
    ck_assert(!d.rule.session_scoped);
    rqi_definition_done(&d);
}
END_TEST

/* Of a newer worker, perhaps. To guess could open what its author has closed. */
static const struct {
    const char *text;
    const char *says;
} strange_definitions[] = {
    {"{\"reuse\":\"always\"}", "the task's reuse cannot be used"},
    {"{\"reuse\":1}", "the task's reuse cannot be used"},
    {"{\"response_format\":\"xml\"}", "the task's response_format cannot be used"},
    {"{\"max_size\":-1}", "the task's max_size cannot be used"},
    {"{\"namespace\":1}", "the task's namespace cannot be used"},
    {"{\"namespace\":\"a\\u0000b\"}", "the task's namespace cannot be used"},
    {"{\"owner\":[]}", "the task's owner cannot be used"},
    {"{\"namespace\":\"a\",\"session_scoped\":1}", "the task's session_scoped cannot be used"},
    {"{\"owner\":\"a\",\"policy\":\"mine\"}",
     "the task's policy cannot be used: there is no policy"},
    {"{\"policy\":null}", "the task's policy cannot be used"},
    {"{\"input_schema\":{\"type\":7}}", "the task's input_schema cannot be used"},
};

START_TEST(a_definition_that_is_not_understood_is_refused)
{
    rqi_definition d;
    refq_error err = {0};
    ck_assert_int_eq(rqi_definition_read(strange_definitions[_i].text, &d, &err),
                     REFQ_ERR_UNSUPPORTED);
    ck_assert_msg(
        strncmp(err.text, strange_definitions[_i].says, strlen(strange_definitions[_i].says)) == 0,
        "%s", err.text);
}
END_TEST

/* --- The async response ----------------------------------------------------------------------- */

#define NOW 1795328729479

/* Pairs of names and values, NULL at the end. */
static refq_task *task(const char *const *fields)
{
    refq_ref ref;
    refq_error err;
    ck_assert_int_eq(refq_ref_parse("docs:0123456789abcdef0123456789abcdef", &ref, &err), REFQ_OK);
    refq_task *t = rqi_record_new(&ref, NOW);
    for (; fields[0] != NULL; fields += 2) {
        ck_assert_int_eq(rqi_record_set(t, fields[0], fields[1]), REFQ_OK);
    }
    return t;
}

static json_t *reply(const char *const *fields, refq_format format, const char *error)
{
    rqi_buf out = {0};
    json_error_t at;
    refq_task *t = task(fields);
    rqi_async_reply r = {.task = t, .format = format, .error = error};
    rqi_async_reply_add(&r, &out);
    json_t *root = json_loads(rqi_buf_str(&out), JSON_REJECT_DUPLICATES, &at);
    ck_assert_msg(root != NULL, "%s: %s", at.text, rqi_buf_str(&out));
    rqi_buf_done(&out);
    refq_task_free(t);
    return root;
}

static const char *const running[] = {"status",     "processing",    "created_at", "1795328720000",
                                      "started_at", "1795328725479", "progress",   "15/50",
                                      "message",    "Indexing",      "attempt",    "2",
                                      NULL};

static void expect_members(json_t *root, const char *names)
{
    const char *name = NULL;
    json_t *value = NULL;
    rqi_buf got = {0};
    json_object_foreach(root, name, value)
    {
        rqi_buf_addf(&got, "%s%s", got.len > 0 ? " " : "", name);
    }
    ck_assert_str_eq(rqi_buf_str(&got), names);
    rqi_buf_done(&got);
}

#define MINIMAL  "ref_id status is_complete is_async"
#define STANDARD MINIMAL " started_at progress message"
#define FULL     STANDARD " eta_seconds error retry_count can_retry expected_schema"

START_TEST(each_format_has_its_members)
{
    static const char *const members[] = {
        [REFQ_FORMAT_MINIMAL] = MINIMAL,
        [REFQ_FORMAT_STANDARD] = STANDARD,
        [REFQ_FORMAT_FULL] = FULL,
    };
    json_t *root = reply(running, (refq_format)_i, NULL);
    expect_members(root, members[_i]);
    ck_assert_str_eq(json_string_value(json_object_get(root, "ref_id")),
                     "docs:0123456789abcdef0123456789abcdef");
    ck_assert(json_is_true(json_object_get(root, "is_async")));
    ck_assert(json_is_false(json_object_get(root, "is_complete")));
    json_decref(root);
}
END_TEST

START_TEST(progress_and_estimate_are_told)
{
    json_t *root = reply(running, REFQ_FORMAT_FULL, NULL);
    const json_t *p = json_object_get(root, "progress");
    ck_assert_int_eq(json_integer_value(json_object_get(p, "current")), 15);
    ck_assert_int_eq(json_integer_value(json_object_get(p, "total")), 50);
    ck_assert_str_eq(json_string_value(json_object_get(p, "message")), "Indexing");
    ck_assert_double_eq_tol(json_real_value(json_object_get(p, "percentage")), 30, 1e-9);
    /* 15 in 4 s, 35 are left */
    ck_assert_double_eq_tol(json_number_value(json_object_get(root, "eta_seconds")), 9.333, 1e-6);
    ck_assert_str_eq(json_string_value(json_object_get(root, "started_at")),
                     "2026-11-22T06:25:25.479000+00:00");
    ck_assert_str_eq(json_string_value(json_object_get(root, "message")), "Indexing");
    ck_assert_int_eq(json_integer_value(json_object_get(root, "retry_count")), 1);
    json_decref(root);
}
END_TEST

/* What a handler says is shown without trusting it: progress, percentage (-1 = null), estimate. */
static const struct {
    const char *progress;
    double percentage;
    double eta;
} strange[] = {{"0/50", 0, -1}, {"60/50", 100, 0}, {"5/0", -1, -1}, {"0/0", -1, -1}};

static double number_or_null(const json_t *value)
{
    return json_is_null(value) ? -1 : json_number_value(value);
}

START_TEST(strange_progress_is_bounded)
{
    const char *const fields[] = {"status",   "processing",         "started_at", "1795328725479",
                                  "progress", strange[_i].progress, NULL};
    json_t *root = reply(fields, REFQ_FORMAT_FULL, NULL);
    const json_t *p = json_object_get(root, "progress");
    ck_assert_double_eq(number_or_null(json_object_get(p, "percentage")), strange[_i].percentage);
    ck_assert_double_eq(number_or_null(json_object_get(root, "eta_seconds")), strange[_i].eta);
    json_decref(root);
}
END_TEST

static const struct {
    const char *fields[12];
    const char *error;
    const char *message;
} sayings[] = {
    {{"status", "pending"}, NULL, "Task is queued and will start shortly"},
    {{"status", "pending", "attempt", "1", "error", "short", "due_at", "1795328731000"},
     "no route to host",
     "Attempt 1 failed: no route to host; the next one starts in 2 s"},
    {{"status", "pending", "after", "docs:00", "attempt", "0"},
     NULL,
     "Task waits until the tasks are over whose results it uses"},
    {{"status", "processing"},
     NULL,
     "Task is processing (ref_id=docs:0123456789abcdef0123456789abcdef)"},
    {{"status", "processing", "waiting", "input"},
     NULL,
     "Task waits for an answer to its question"},
    {{"status", "failed", "error", "boom \"x\""}, NULL, "Task failed: boom \"x\""},
    {{"status", "failed"}, NULL, "Task failed: no reason was recorded"},
    {{"status", "cancelled"}, NULL, "Task was cancelled"},
    {{"status", "complete"}, NULL, "Task completed successfully"},
};

START_TEST(the_message_says_how_it_stands)
{
    json_t *root = reply(sayings[_i].fields, REFQ_FORMAT_STANDARD, sayings[_i].error);
    ck_assert_str_eq(json_string_value(json_object_get(root, "message")), sayings[_i].message);
    json_decref(root);
}
END_TEST

START_TEST(a_whole_second_has_no_fraction)
{
    static const char *const fields[] = {"status", "pending", "created_at", "1795328729000", NULL};
    json_t *root = reply(fields, REFQ_FORMAT_STANDARD, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(root, "started_at")),
                     "2026-11-22T06:25:29+00:00");
    ck_assert(json_is_null(json_object_get(root, "progress")));
    json_decref(root);
}
END_TEST

/* --- The schema to expect --------------------------------------------------------------------- */

static const struct {
    const char *schema;
    const char *expected;
} schemas[] = {
    {NULL, "null"},
    {"nonsense", "null"},
    {"true", "null"},
    {"{}",
     "{\"return_type\": \"any\", \"fields\": null, \"example\": null, \"description\": null}"},
    {"{\"type\":\"object\",\"description\":\"Text of a page\",\"examples\":[{\"text\":\"a\"}],"
     "\"properties\":{\"text\":{\"type\":\"string\"},\"n\":{\"type\":[\"integer\",\"null\"]}}}",
     "{\"return_type\": \"object\", \"fields\": {\"text\": \"string\", \"n\": \"integer | null\"}, "
     "\"example\": {\"text\": \"a\"}, \"description\": \"Text of a page\"}"},
    {"{\"type\":\"string\",\"description\":7,\"examples\":\"x\"}",
     "{\"return_type\": \"string\", \"fields\": null, \"example\": null, \"description\": null}"},
};

START_TEST(the_expected_schema_is_the_output_schema)
{
    rqi_buf out = {0};
    rqi_expected_schema_add(schemas[_i].schema, &out);
    ck_assert_str_eq(rqi_buf_str(&out), schemas[_i].expected);
    rqi_buf_done(&out);
}
END_TEST

START_TEST(formats_have_names)
{
    refq_error err = {0};
    refq_format format = REFQ_FORMAT_FULL;
    for (int i = REFQ_FORMAT_STANDARD; i <= REFQ_FORMAT_FULL; i++) {
        ck_assert_int_eq(refq_format_parse(refq_format_name((refq_format)i), &format, &err), 0);
        ck_assert_int_eq(format, i);
    }
    ck_assert_int_eq(refq_format_parse("verbose", &format, &err), REFQ_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "minimal, standard and full"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ut_call");
    TCase *same = tcase_create("same");
    tcase_add_test(same, the_same_values_are_the_same_call);
    tcase_add_test(same, another_value_is_another_call);
    tcase_add_test(same, another_reader_is_another_call);
    tcase_add_test(same, arguments_that_are_none_are_refused);
    suite_add_tcase(s, same);
    TCase *content = tcase_create("content");
    tcase_add_loop_test(content, a_reference_counts_by_its_value, 0,
                        sizeof written / sizeof written[0]);
    tcase_add_test(content, large_values_count_by_their_references);
    suite_add_tcase(s, content);
    TCase *definition = tcase_create("definition");
    tcase_add_test(definition, a_definition_tells_how_calls_behave);
    tcase_add_test(definition, a_definition_that_says_nothing_has_the_defaults);
    tcase_add_loop_test(definition, a_definition_that_is_not_understood_is_refused, 0,
                        sizeof strange_definitions / sizeof strange_definitions[0]);
    suite_add_tcase(s, definition);
    TCase *async = tcase_create("async");
    tcase_add_loop_test(async, each_format_has_its_members, 0, 3);
    tcase_add_test(async, progress_and_estimate_are_told);
    tcase_add_loop_test(async, strange_progress_is_bounded, 0, sizeof strange / sizeof strange[0]);
    tcase_add_loop_test(async, the_message_says_how_it_stands, 0,
                        sizeof sayings / sizeof sayings[0]);
    tcase_add_test(async, a_whole_second_has_no_fraction);
    tcase_add_loop_test(async, the_expected_schema_is_the_output_schema, 0,
                        sizeof schemas / sizeof schemas[0]);
    tcase_add_test(async, formats_have_names);
    suite_add_tcase(s, async);
    return rqt_main(s);
}
