/* SPDX-License-Identifier: MIT */
/* Submitting: what is taken, what is refused, and what a repeat means. */
#include "contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY   300
#define YEARS  ((int64_t)400 * 24 * 3600 * 1000)
#define LONG_S 3600000

static void one_runs(rqi_ct *ct)
{
    refq_submitted done;
    refq_spec spec = {.ref = rqi_ct_ref(ct)};
    CT_OK(ct, rqi_ct_try(ct, spec, &done));
    CT_CHECK(ct, !done.existed, "a new task is said to have existed");
    CT_CHECK(ct, strcmp(done.ref.hex, spec.ref.hex) == 0, "it has another reference");
    (void)rqi_ct_end_as(ct, &done.ref, REFQ_COMPLETE);
}

static void many_run(rqi_ct *ct)
{
    refq_spec *specs = calloc(MANY, sizeof *specs);
    refq_submitted *done = calloc(MANY, sizeof *done);
    (void)rqi_ct_own_text(ct, (char *)specs);
    (void)rqi_ct_own_text(ct, (char *)done);
    CT_CHECK(ct, specs != NULL && done != NULL, "out of memory");
    for (int i = 0; i < MANY; i++) {
        specs[i] =
            (refq_spec){.struct_size = sizeof specs[i], .ref = rqi_ct_ref(ct), .task = "inline"};
    }
    CT_OK(ct, refq_client_submit_many(ct->client, specs, MANY, done, &ct->err));
    for (int i = 0; i < MANY; i++) {
        CT_CHECK(ct, strcmp(done[i].ref.hex, specs[i].ref.hex) == 0 && !done[i].existed,
                 "answer %d is for another task", i);
        (void)rqi_ct_end_as(ct, &done[i].ref, REFQ_COMPLETE);
    }
}

static void same_reference_is_harmless(rqi_ct *ct)
{
    for (int i = 0; i < RQI_CT_STATES; i++) {
        refq_submitted done;
        refq_ref ref = rqi_ct_make(ct, (rqi_ct_state)i, NULL);
        CT_OK(ct, rqi_ct_try(ct, (refq_spec){.ref = ref, .args = "{\"other\":1}"}, &done));
        CT_CHECK(ct, done.existed, "%s: not recognised", rqi_ct_state_name((rqi_ct_state)i));
        CT_CHECK(ct, done.status == rqi_ct_status_of((rqi_ct_state)i), "%s: said to be %s",
                 rqi_ct_state_name((rqi_ct_state)i), refq_status_name(done.status));
        CT_CHECK(ct, refq_task_number(rqi_ct_status(ct, &ref), "attempt", 0) <= 1,
                 "%s: it runs again", rqi_ct_state_name((rqi_ct_state)i));
    }
}

static void same_reference_twice_in_one_call(rqi_ct *ct)
{
    refq_ref ref = rqi_ct_ref(ct);
    refq_submitted done[2];
    refq_spec specs[2] = {
        {.struct_size = sizeof specs[0], .ref = ref, .task = "play"},
        {.struct_size = sizeof specs[1], .ref = ref, .task = "play"},
    };
    CT_OK(ct, refq_client_submit_many(ct->client, specs, 2, done, &ct->err));
    CT_CHECK(ct, !done[0].existed && done[1].existed, "the second one is new too");
    CT_CHECK(ct, refq_task_number(rqi_ct_end_as(ct, &ref, REFQ_COMPLETE), "attempt", 0) == 1,
             "it ran twice");
}

static void key_finds_the_task_in_each_state(rqi_ct *ct)
{
    for (int i = 0; i < RQI_CT_STATES; i++) {
        char key[32];
        refq_submitted done;
        rqi_ct_state state = (rqi_ct_state)i;
        (void)snprintf(key, sizeof key, "key %d: any bytes", i);
        refq_ref ref = rqi_ct_make(ct, state, key);
        refq_spec again = {.ref = rqi_ct_ref(ct), .key = key};
        CT_OK(ct, rqi_ct_try(ct, again, &done));
        CT_CHECK(ct, done.existed && strcmp(done.ref.hex, ref.hex) == 0,
                 "%s: the key does not find it", rqi_ct_state_name(state));
        CT_CHECK(ct, done.status == rqi_ct_status_of(state), "%s: said to be %s",
                 rqi_ct_state_name(state), refq_status_name(done.status));
        CT_CHECK(ct, rqi_ct_gone(ct, &again.ref), "%s: a second task was queued",
                 rqi_ct_state_name(state));
    }
}

static bool key_is_free(rqi_ct *ct, const char *key)
{
    refq_submitted done;
    CT_OK(ct, rqi_ct_try(ct, (refq_spec){.key = key, .key_ttl_ms = LONG_S}, &done));
    return !done.existed;
}

static void key_is_forgotten_in_time(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .key = "brief", .key_ttl_ms = 30);
    CT_UNTIL(ct, key_is_free(ct, "brief"));
    CT_CHECK(ct, !key_is_free(ct, "brief"), "the next one's time is not its own");
    (void)rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
}

static void keys_of_others_do_not_matter(rqi_ct *ct)
{
    refq_submitted done;
    (void)CT_SUBMIT(ct, .key = "one");
    CT_OK(ct, rqi_ct_try(ct, (refq_spec){.key = "two"}, &done));
    CT_CHECK(ct, !done.existed, "another key matched");
    CT_OK(ct, rqi_ct_try(ct, (refq_spec){.task = "play"}, &done));
    CT_CHECK(ct, !done.existed, "no key matched");
}

static void delay_holds_it_back(rqi_ct *ct)
{
    refq_ref later = CT_SUBMIT(ct, .delay_ms = LONG_S);
    refq_ref soon = CT_SUBMIT(ct, .delay_ms = 40);
    refq_task *task = rqi_ct_end_as(ct, &soon, REFQ_COMPLETE);
    int64_t waited =
        refq_task_number(task, "started_at", 0) - refq_task_number(task, "created_at", 0);
    CT_CHECK(ct, waited >= 40, "it began after %lld ms", (long long)waited);
    task = rqi_ct_status(ct, &later);
    CT_CHECK(ct, refq_task_status(task) == REFQ_PENDING, "it did not wait");
    CT_CHECK(
        ct, refq_task_number(task, "due_at", 0) >= refq_task_number(task, "created_at", 0) + LONG_S,
        "due_at is %s", rqi_ct_field(task, "due_at"));
}

static void record_says_what_was_submitted(rqi_ct *ct)
{
    const char *trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    refq_ref ref = CT_SUBMIT(ct, .task = "slow", .args = "{\"a\":1}", .lane = REFQ_LANE_LOW,
                             .delay_ms = LONG_S, .timeout_ms = 77000, .max_retries = 9,
                             .key = "its key", .traceparent = trace);
    refq_task *task = rqi_ct_status(ct, &ref);
    const struct {
        const char *name;
        const char *value;
    } fields[] = {{"status", "pending"},
                  {"task", "slow"},
                  {"lane", "low"},
                  {"attempt", "0"},
                  {"v", "1"},
                  {"timeout_ms", "77000"},
                  {"max_retries", "9"},
                  {"key", "its key"},
                  {"traceparent", trace},
                  {"args_preview", "{\"a\":1}"}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        CT_CHECK(ct, strcmp(rqi_ct_field(task, fields[i].name), fields[i].value) == 0,
                 "%s is '%s', not '%s'", fields[i].name, rqi_ct_field(task, fields[i].name),
                 fields[i].value);
    }
    CT_CHECK(ct, refq_task_seen_at_ms(task) >= refq_task_number(task, "created_at", INT64_MAX),
             "seen before it was created");
}

static void what_is_not_begun_in_time_expires(rqi_ct *ct)
{
    refq_ref busy = rqi_ct_make(ct, RQI_CT_RUNNING, NULL); /* the only slot */
    refq_ref late = CT_SUBMIT(ct, .start_within_ms = 30);
    refq_ref patient = CT_SUBMIT(ct, .start_within_ms = LONG_S);
    CT_UNTIL(ct, refq_task_seen_at_ms(rqi_ct_status(ct, &late)) >
                     refq_task_number(rqi_ct_status(ct, &late), "created_at", 0) + 60);
    rqi_ct_open(ct->stage, 1);
    (void)rqi_ct_end_as(ct, &busy, REFQ_COMPLETE);
    refq_task *task = rqi_ct_end_as(ct, &late, REFQ_FAILED);
    CT_CHECK(ct, strcmp(rqi_ct_field(task, "reason"), "expired") == 0, "the reason is '%s'",
             rqi_ct_field(task, "reason"));
    CT_CHECK(ct, refq_task_number(task, "attempt", 0) == 0, "it ran");
    (void)rqi_ct_end_as(ct, &patient, REFQ_COMPLETE);
}

static void start_within_counts_from_the_delay(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .delay_ms = 100, .start_within_ms = 15000);
    (void)rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
}

/* Started in time is started: what comes after is not its matter. */
static void start_within_is_about_the_first_start(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"fail\":1,\"after\":300}", .start_within_ms = 250);
    refq_task *task = rqi_ct_end(ct, &ref);
    if (strcmp(rqi_ct_field(task, "reason"), "expired") == 0) {
        CT_CHECK(ct, refq_task_number(task, "attempt", 0) == 0, "a task that had begun expired");
        return; /* a machine too slow to begin within 250 ms shows nothing */
    }
    CT_CHECK(ct, refq_task_status(task) == REFQ_COMPLETE, "it became %s",
             refq_status_name(refq_task_status(task)));
}

/* --- What is refused -------------------------------------------------------------------------- */

static char *repeat(rqi_ct *ct, char c, size_t n)
{
    char *text = rqi_ct_own_text(ct, calloc(n + 1, 1));
    CT_CHECK(ct, text != NULL, "out of memory");
    memset(text, c, n);
    return text;
}

static char *deep_object(rqi_ct *ct, size_t depth)
{
    char *text = rqi_ct_own_text(ct, calloc(depth * 6 + 2, 1));
    CT_CHECK(ct, text != NULL, "out of memory");
    for (size_t i = 0; i < depth; i++) {
        memcpy(text + i * 5, "{\"a\":", 5);
    }
    text[depth * 5] = '1';
    memset(text + depth * 5 + 1, '}', depth);
    return text;
}

static char *large_object(rqi_ct *ct, size_t size)
{
    char *text = repeat(ct, 'x', size + 8);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + size + 6, "\"}", 2);
    return text;
}

static void expect_refused(rqi_ct *ct, const char *what, refq_spec spec)
{
    refq_submitted done;
    refq_task *task = NULL;
    if (spec.ref.hex[0] == '\0') {
        spec.ref = rqi_ct_ref(ct);
    }
    spec.struct_size = sizeof spec;
    refq_err rc = refq_client_submit(ct->client, &spec, &done, &ct->err);
    CT_CHECK(ct, rc == REFQ_ERR_INVALID || rc == REFQ_ERR_LIMIT, "%s: %s", what, refq_strerror(rc));
    CT_CHECK(ct, ct->err.code == rc && ct->err.text[0] != '\0', "%s: no text of why", what);
    rc = refq_client_status(ct->client, &spec.ref, &task, NULL);
    refq_task_free(task);
    CT_CHECK(ct, rc != REFQ_OK, "%s: it was stored all the same", what);
}

static void bad_input_is_refused(rqi_ct *ct)
{
    char *long_name = repeat(ct, 'n', REFQ_NAME_MAX + 1);
    const struct {
        const char *what;
        refq_spec spec;
    } bad[] = {
        {"no task", {.args = "{}"}},
        {"an empty task name", {.task = ""}},
        {"a task name with a blank", {.task = "a b"}},
        {"a long task name", {.task = long_name}},
        {"arguments that are no JSON", {.task = "play", .args = "{"}},
        {"arguments that are no object", {.task = "play", .args = "[1]"}},
        {"empty arguments", {.task = "play", .args = ""}},
        {"arguments with a doubled key", {.task = "play", .args = "{\"a\":1,\"a\":2}"}},
        {"arguments that are no UTF-8", {.task = "play", .args = "{\"a\":\"\xff\"}"}},
        {"deep arguments", {.task = "play", .args = deep_object(ct, 100)}},
        {"large arguments", {.task = "play", .args = large_object(ct, (size_t)2 << 20)}},
        {"a lane that is none", {.task = "play", .lane = (refq_lane)7}},
        {"a negative delay", {.task = "play", .delay_ms = -1}},
        {"a delay of years", {.task = "play", .delay_ms = YEARS}},
        {"a negative timeout", {.task = "play", .timeout_ms = -1}},
        {"a timeout of years", {.task = "play", .timeout_ms = YEARS}},
        {"a negative start_within", {.task = "play", .start_within_ms = -1}},
        {"a start_within of years", {.task = "play", .start_within_ms = YEARS}},
        {"retries below none", {.task = "play", .max_retries = -2}},
        {"a million retries", {.task = "play", .max_retries = 1000000}},
        {"an empty key", {.task = "play", .key = ""}},
        {"a long key", {.task = "play", .key = repeat(ct, 'k', 200)}},
        {"a negative key_ttl", {.task = "play", .key = "k", .key_ttl_ms = -1}},
        {"a key_ttl of years", {.task = "play", .key = "k", .key_ttl_ms = YEARS}},
        {"a long traceparent", {.task = "play", .traceparent = repeat(ct, '0', 100)}},
        {"a queue that is none", {.task = "play", .ref = {.queue = "a b", .hex = "0"}}},
        {"a reference cut short", {.task = "play", .ref = {.queue = "contract", .hex = "0123"}}},
        {"a reference in capitals",
         {.task = "play", .ref = {.queue = "contract", .hex = "0123456789ABCDEF0123456789ABCDEF"}}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        expect_refused(ct, bad[i].what, bad[i].spec);
    }
}

static void nothing_is_refused(rqi_ct *ct)
{
    refq_spec spec = {.struct_size = sizeof spec};
    refq_submitted done;
    CT_REFUSED(ct, refq_client_submit_many(ct->client, &spec, 0, &done, &ct->err),
               REFQ_ERR_INVALID);
}

static void one_bad_task_refuses_the_call(rqi_ct *ct)
{
    refq_submitted done[2];
    refq_spec specs[2] = {
        {.struct_size = sizeof specs[0], .ref = rqi_ct_ref(ct), .task = "play"},
        {.struct_size = sizeof specs[1], .ref = rqi_ct_ref(ct), .task = "a b"},
    };
    CT_REFUSED(ct, refq_client_submit_many(ct->client, specs, 2, done, &ct->err), REFQ_ERR_INVALID);
    CT_CHECK(ct, rqi_ct_gone(ct, &specs[0].ref), "the good one was stored");
}

static void two_queues_in_one_call_are_refused(rqi_ct *ct)
{
    refq_submitted done[2];
    refq_spec specs[2] = {
        {.struct_size = sizeof specs[0], .ref = rqi_ct_ref(ct), .task = "play"},
        {.struct_size = sizeof specs[1], .ref = rqi_ct_ref(ct), .task = "play"},
    };
    memcpy(specs[1].ref.queue, "elsewhere", sizeof "elsewhere");
    CT_REFUSED(ct, refq_client_submit_many(ct->client, specs, 2, done, &ct->err), REFQ_ERR_INVALID);
}

static bool is_known_lost(rqi_ct *ct, const refq_ref *ref)
{
    refq_task *task = rqi_ct_status(ct, ref);
    CT_CHECK(ct,
             refq_task_number(task, "attempt", 0) == 0 || refq_task_number(task, "releases", 0) > 0,
             "somebody ran it");
    return refq_task_status(task) == REFQ_PENDING ||
           (refq_task_status(task) == REFQ_FAILED &&
            strcmp(rqi_ct_field(task, "reason"), "unknown_handler") == 0);
}

/* Whoever may come to know it may have time for that: it waits, or fails by that name. */
static void a_task_that_nobody_knows_is_not_lost(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .task = "nobody_knows_it");
    rqi_ct_settle(ct);
    CT_UNTIL(ct, is_known_lost(ct, &ref));
    (void)rqi_ct_cancel_task(ct, &ref);
    CT_CHECK(ct, refq_status_is_terminal(refq_task_status(rqi_ct_status(ct, &ref))),
             "it cannot be cancelled");
}

static void set_max_pending(rqi_ct *ct, int64_t value)
{
    refq_control c = {.struct_size = sizeof c,
                      .queue = ct->setup.queue,
                      .action = REFQ_MAX_PENDING,
                      .value = value};
    CT_OK(ct, refq_client_control(ct->client, &c, NULL, &ct->err));
}

static void a_full_queue_refuses(rqi_ct *ct)
{
    refq_submitted done;
    refq_ref first = rqi_ct_make(ct, RQI_CT_DELAYED, NULL);
    set_max_pending(ct, 2);
    refq_ref second = rqi_ct_make(ct, RQI_CT_DELAYED, "second");
    refq_spec third = {.ref = rqi_ct_ref(ct)};
    CT_REFUSED(ct, rqi_ct_try(ct, third, &done), REFQ_ERR_FULL);
    CT_CHECK(ct, rqi_ct_gone(ct, &third.ref), "it was stored all the same");
    CT_OK(ct, rqi_ct_try(ct, (refq_spec){.ref = first}, &done));
    CT_OK(ct, rqi_ct_try(ct, (refq_spec){.key = "second"}, &done));
    CT_CHECK(ct, done.existed && strcmp(done.ref.hex, second.hex) == 0, "the key is not found");
    (void)rqi_ct_cancel_task(ct, &first);
    CT_OK(ct, rqi_ct_try(ct, third, &done));
    set_max_pending(ct, 0);
    for (int i = 0; i < 5; i++) {
        (void)rqi_ct_make(ct, RQI_CT_DELAYED, NULL);
    }
}

const rqi_ct_case rqi_ct_cases_submit[] = {
    {"submit.one_runs", one_runs, 0, 0},
    {"submit.many_run", many_run, 0, 0},
    {"submit.same_reference_is_harmless", same_reference_is_harmless, 0, 0},
    {"submit.same_reference_twice_in_one_call", same_reference_twice_in_one_call, 0, 0},
    {"submit.key_finds_the_task_in_each_state", key_finds_the_task_in_each_state, 0, 0},
    {"submit.key_is_forgotten_in_time", key_is_forgotten_in_time, 0, 0},
    {"submit.keys_of_others_do_not_matter", keys_of_others_do_not_matter, 0, 0},
    {"submit.delay_holds_it_back", delay_holds_it_back, 0, 0},
    {"submit.record_says_what_was_submitted", record_says_what_was_submitted, 0, 0},
    {"submit.what_is_not_begun_in_time_expires", what_is_not_begun_in_time_expires, 0, 1},
    {"submit.start_within_counts_from_the_delay", start_within_counts_from_the_delay, 0, 0},
    {"submit.start_within_is_about_the_first_start", start_within_is_about_the_first_start, 0, 0},
    {"submit.bad_input_is_refused", bad_input_is_refused, 0, 0},
    {"submit.nothing_is_refused", nothing_is_refused, 0, 0},
    {"submit.one_bad_task_refuses_the_call", one_bad_task_refuses_the_call, 0, 0},
    {"submit.two_queues_in_one_call_are_refused", two_queues_in_one_call_are_refused, 0, 0},
    {"submit.a_task_that_nobody_knows_is_not_lost", a_task_that_nobody_knows_is_not_lost, 0, 0},
    {"submit.a_full_queue_refuses", a_full_queue_refuses, REFQ_CAP_OPERATE, 0},
    {0},
};
