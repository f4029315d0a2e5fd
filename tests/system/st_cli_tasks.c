/* SPDX-License-Identifier: MIT */
/*
 * The commands that look at tasks and move them: list, show, logs, retry, dead, cleanup; through
 * the real program, against a real server and worker.
 */
#include "support/cli.h"
#include "support/fleet.h"
#include "support/main.h"
#include "support/pace.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))
#define HEX     "0123456789abcdef0123456789abcdef"
#define NO      1

static const char tasks_yaml[] =
    "queue: docs\n"
    "tasks:\n"
    "  - {name: echo, exec: [cat]}\n"
    "  - {name: bad, input: none, exec: [sh, -c, 'echo first >&2;\n"
    "      echo a long story about why this went wrong that the record cannot hold >&2; exit "
    "65']}\n"
    "  - {name: flaky, input: none, exec: [sh, -c, 'echo oops >&2; exit 75'], max_retries: 1,\n"
    "     backoff: {base: 10ms, cap: 10ms}}\n";

#define FULL_ERROR "a long story about why this went wrong that the record cannot hold"

static const char *const quick[] = {"--lease", RQT_LEASE, "--beat", RQT_BEAT,
                                    "--grace", "2s",      NULL};

static void setup(void)
{
    (void)setenv("REFQ_QUEUE", "docs", 1);
    rqt_redis_clean();
    (void)rqt_fleet_add(rqt_file("tasks.yaml", tasks_yaml, 0), quick);
}

static void teardown(void)
{
    rqt_fleet_end();
    rqt_client_end();
    rqt_audit("docs");
}

/* Runs a task to its end and returns its reference. */
static const char *done(const char *task)
{
    const char *ref = rqt_word(RQT_REFQ("submit", task, "--args", "{\"n\":17}"));
    const rqt_result *r = RQT_REFQ("watch", ref, "-t", "20s");
    ck_assert_msg(r->status <= 1, "%s: %s%s", task, r->out, r->err);
    return ref;
}

static const char *member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

/* --- Errors in full --------------------------------------------------------------------------- */

START_TEST(a_failure_is_told_in_full_everywhere)
{
    const char *ref = done("bad");
    rqt_expect_out(RQT_REFQ("status", ref), FULL_ERROR);
    rqt_expect_err(RQT_REFQ("get", ref), NO, FULL_ERROR);
    rqt_expect_err(RQT_REFQ("submit", "bad", "--wait=20s"), NO, FULL_ERROR);
    rqt_expect_err(RQT_REFQ("submit", "bad", "-w=20s"), NO, FULL_ERROR);
    json_t *json = rqt_json(RQT_REFQ("status", ref, "-o", "json"));
    ck_assert_ptr_nonnull(strstr(member(json, "error"), FULL_ERROR));
    json_decref(json);
}
END_TEST

START_TEST(watch_ends_with_the_whole_error)
{
    const char *ref = rqt_word(RQT_REFQ("submit", "bad"));
    const rqt_result *r = RQT_REFQ("watch", ref, "-t", "20s");
    ck_assert_int_eq(r->status, NO);
    const char *told = strstr(r->out, "failed ");
    ck_assert_msg(told != NULL && strstr(told, FULL_ERROR) != NULL, "%s", r->out);
    ck_assert_ptr_null(strstr(told + 1, "failed "));
    const rqt_result *seen = rqt_refq_on_terminal((const char *const[]){"watch", ref, NULL}, "");
    ck_assert_msg(strstr(seen->out, FULL_ERROR) != NULL, "%s", seen->out);
    json_t *json = rqt_json(RQT_REFQ("watch", ref, "-o", "json"));
    ck_assert_ptr_nonnull(strstr(member(json, "error"), FULL_ERROR));
    json_decref(json);
}
END_TEST

static const char hold_yaml[] =
    "queue: docs\n"
    "tasks:\n"
    "  - {name: hold, exec: [sh, -c, 'until [ -e go ]; do sleep 0.05; done; cat']}\n";

/* The record has `failures 0` then, which only says that there is a history. */
START_TEST(a_death_is_not_shown_as_a_failure)
{
    char text[REFQ_REF_MAX + 1];
    const char *config = rqt_file("hold.yaml", hold_yaml, 0);
    rqt_fleet_end(); /* who does not offer the task may hold it for a moment, too */
    pid_t worker = rqt_fleet_add(config, quick);
    refq_ref ref = rqt_submit((refq_spec){.task = "hold"});
    rqt_expect(&ref, "processing", 10000);
    rqt_fleet_kill(worker);
    (void)rqt_fleet_add(config, quick);
    ck_assert(RQT_UNTIL(rqt_number(&ref, "deaths") == 1, 20000));
    ck_assert_str_eq(rqt_field(&ref, "failures"), "0");
    (void)refq_ref_format(&ref, text);
    const rqt_result *r = RQT_REFQ("status", text);
    rqt_expect_out(r, "\ndeaths ");
    rqt_expect_out(r, " 1 (the worker vanished)\n");
    ck_assert_ptr_null(strstr(r->out, "\nfailures"));
    (void)rqt_file("go", "", 0);
    rqt_expect(&ref, "complete", 20000);
}
END_TEST

START_TEST(logs_show_each_attempt)
{
    const char *ref = done("flaky");
    const rqt_result *r = RQT_REFQ("logs", ref);
    rqt_expect_out(r, "attempt 1  retryable");
    rqt_expect_out(r, "attempt 2  retryable");
    rqt_expect_out(r, "  stderr:\n    oops\n");
    ck_assert_ptr_null(strstr(RQT_REFQ("logs", ref, "--attempt", "2")->out, "attempt 1"));
    json_t *json = rqt_json(RQT_REFQ("logs", ref, "-o", "json"));
    ck_assert_uint_eq(json_array_size(json), 2);
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(json, 0), "attempt")), 2);
    json_decref(json);
    rqt_expect_err(RQT_REFQ("logs", ref, "--attempt", "9"), EX_NOINPUT, "no record of attempt 9");
    rqt_expect_err(RQT_REFQ("logs", done("echo")), 0, "no attempt of");
}
END_TEST

START_TEST(show_tells_everything)
{
    const char *ref = done("bad");
    const rqt_result *r = RQT_REFQ("show", ref);
    rqt_expect_out(r, "trying again is no use");
    rqt_expect_out(r, "\"n\": 17");
    rqt_expect_out(r, FULL_ERROR);
    json_t *json = rqt_json(RQT_REFQ("show", ref, "-o", "json"));
    ck_assert_str_eq(member(json_object_get(json, "record"), "status"), "failed");
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(json, "args"), "n")), 17);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "history")), 1);
    json_decref(json);
    rqt_expect_out(RQT_REFQ("show", done("echo")), "its value is there: refq get docs:");
}
END_TEST

START_TEST(show_says_that_large_arguments_go_with_the_end)
{
    const rqt_result *r =
        RQT_REFQ("submit", "echo", "-o", "json", "-a",
                 "{\"text\":\"sixty-four bytes are kept in the record, more in a key that goes\"}");
    json_t *json = rqt_json(r);
    char ref[128];
    (void)snprintf(ref, sizeof ref, "%s", member(json, "ref_id"));
    json_decref(json);
    ck_assert_int_eq(RQT_REFQ("watch", ref)->status, 0);
    rqt_expect_out(RQT_REFQ("show", ref), "gone: a complete task's are not kept");
}
END_TEST

START_TEST(show_says_what_a_waiting_task_waits_for)
{
    const char *ref = rqt_word(RQT_REFQ("submit", "echo", "--delay", "1h"));
    rqt_expect_out(RQT_REFQ("show", ref), "more, then for a worker");
    ref = rqt_word(RQT_REFQ("submit", "unheard_of", "--force", "--delay", "1h"));
    rqt_expect_out(RQT_REFQ("show", ref), "no live worker of queue docs offers unheard_of");
    static const refq_scope scope = {.struct_size = sizeof scope, .owner = "user:a"};
    refq_ref first = rqt_submit((refq_spec){.task = "echo", .delay_ms = 3600000});
    refq_ref next =
        rqt_submit((refq_spec){.task = "echo", .after = &first, .n_after = 1, .scope = &scope});
    char text[2][REFQ_REF_MAX + 1];
    const rqt_result *r = RQT_REFQ("show", refq_ref_format(&next, text[0]));
    rqt_expect_out(r, "waits until other tasks are over");
    rqt_expect_out(r, refq_ref_format(&first, text[1]));
    rqt_expect_out(r, "user:a");
}
END_TEST

/* --- Running again ---------------------------------------------------------------------------- */

START_TEST(retry_makes_a_new_task_once)
{
    const char *ref = done("bad");
    const rqt_result *r = RQT_REFQ("retry", ref);
    rqt_expect_out(r, " -> docs:");
    ck_assert_int_eq(strncmp(r->out, ref, strlen(ref)), 0);
    json_t *json = rqt_json(RQT_REFQ("retry", ref, "-o", "json"));
    const json_t *first = json_array_get(json, 0);
    ck_assert(json_is_true(json_object_get(first, "existed")));
    ck_assert_str_eq(member(first, "ref_id"), ref);
    rqt_expect_out(RQT_REFQ("status", ref), member(first, "new_ref_id"));
    json_decref(json);
}
END_TEST

START_TEST(retry_of_a_list_takes_what_was_not_run_again)
{
    (void)done("bad");
    (void)done("flaky");
    json_t *json = rqt_json(
        RQT_REFQ("retry", "-q", "docs", "-s", "failed", "-t", "bad", "--yes", "-o", "json"));
    ck_assert_uint_eq(json_array_size(json), 1);
    json_decref(json);
    rqt_expect_idle(20000);
    /* The first `bad` was run again; its successor and `flaky` were not. */
    json = rqt_json(RQT_REFQ("retry", "--status", "failed", "--yes", "-o", "json"));
    ck_assert_uint_eq(json_array_size(json), 2);
    json_decref(json);
}
END_TEST

START_TEST(what_cannot_run_again_is_told)
{
    const char *ref = done("echo");
    rqt_expect_err(RQT_REFQ("retry", ref), NO, "complete");
    rqt_expect_err(RQT_REFQ("retry", "docs:" HEX), EX_NOINPUT, "task docs:");
    const char *bad = done("bad");
    const rqt_result *r = RQT_REFQ("retry", ref, bad);
    rqt_expect_err(r, NO, "complete");
    ck_assert_ptr_nonnull(strstr(r->out, bad));
    rqt_expect_err(RQT_REFQ("retry", "-s", "cancelled", "--yes"), 0, "nothing to run again");
}
END_TEST

/* --- Dead letters ----------------------------------------------------------------------------- */

START_TEST(dead_letters_are_listed_replayed_and_purged)
{
    const char *bad = done("bad");
    const char *flaky = done("flaky");
    const rqt_result *r = RQT_REFQ("dead", "list");
    rqt_expect_out(r, "permanent");
    rqt_expect_out(r, "exhausted");
    ck_assert_ptr_null(strstr(RQT_REFQ("dead", "list", "-t", "bad")->out, "flaky"));
    json_t *json = rqt_json(RQT_REFQ("dead", "list", "--all", "-o", "json"));
    ck_assert_uint_eq(json_array_size(json), 2);
    json_decref(json);
    rqt_expect_out(RQT_REFQ("dead", "replay", bad), " -> docs:");
    rqt_expect_out(RQT_REFQ("dead", "replay", "--all", "-t", "flaky", "--rate", "100/s", "--yes"),
                   flaky);
    rqt_expect_idle(20000);
    const char *again = done("bad");
    rqt_expect_out(RQT_REFQ("dead", "purge", again, "--yes"), "removed 1 dead letter\n");
    rqt_expect_err(RQT_REFQ("dead", "purge", again, "--yes"), EX_NOINPUT, "is not a dead letter");
    rqt_expect_out(RQT_REFQ("dead", "purge", "--all", "-n"), "would remove 2 dead letters");
    rqt_expect_out(RQT_REFQ("dead", "purge", "--all", "-y", "-o", "json"), "\"removed\":2");
    rqt_expect_err(RQT_REFQ("dead", "list"), 0, "no dead letters in queue docs");
}
END_TEST

START_TEST(an_old_limit_spares_young_dead_letters)
{
    (void)done("bad");
    rqt_expect_out(RQT_REFQ("dead", "purge", "--all", "--older-than", "1h", "-y"), "removed 0");
    rqt_expect_out(RQT_REFQ("dead", "list"), "permanent");
}
END_TEST

/* --- Cleanup ---------------------------------------------------------------------------------- */

START_TEST(cleanup_removes_what_is_meant_and_no_more)
{
    (void)done("echo");
    (void)done("bad");
    (void)done("flaky");
    rqt_expect_out(RQT_REFQ("cleanup", "--older-than", "0", "--dry-run"), "would remove 3");
    rqt_expect_out(RQT_REFQ("cleanup", "--older-than", "1h", "--yes"), "removed 0");
    rqt_expect_out(RQT_REFQ("cleanup", "--older-than", "0", "-t", "bad", "-y"), "removed 1");
    rqt_expect_out(RQT_REFQ("cleanup", "--older-than", "0", "-s", "complete", "-y", "-o", "json"),
                   "\"removed\":1");
    json_t *json = rqt_json(RQT_REFQ("list", "-o", "json"));
    ck_assert_uint_eq(json_array_size(json), 1);
    ck_assert_str_eq(member(json_array_get(json, 0), "task"), "flaky");
    json_decref(json);
}
END_TEST

START_TEST(a_person_is_asked_first)
{
    static const char *const cleanup[] = {"cleanup", "--older-than", "0", NULL};
    (void)done("echo");
    rqt_expect_err(RQT_REFQ("cleanup", "--older-than", "0"), EX_USAGE, "--yes is needed");
    const rqt_result *r = rqt_refq_on_terminal(cleanup, "n\n");
    ck_assert_int_eq(r->status, NO);
    ck_assert_ptr_nonnull(strstr(r->out, "remove 1 finished tasks of queue docs"));
    r = rqt_refq_on_terminal(cleanup, "y\n");
    ck_assert_msg(r->status == 0 && strstr(r->out, "removed 1") != NULL, "%s", r->out);
}
END_TEST

/* --- Listing ---------------------------------------------------------------------------------- */

START_TEST(a_list_is_filtered_and_paged)
{
    for (int i = 0; i < 5; i++) {
        (void)RQT_REFQ("submit", "echo", "--delay", "1h");
    }
    (void)done("bad");
    const rqt_result *r = RQT_REFQ("list", "-n", "2");
    rqt_expect_out(r, "echo");
    rqt_expect_err(r, 0, "--cursor '");
    json_t *page = rqt_json(RQT_REFQ("list", "-n", "4", "--cursor", "start", "-o", "json"));
    ck_assert_uint_eq(json_array_size(json_object_get(page, "tasks")), 4);
    char next[256];
    (void)snprintf(next, sizeof next, "%s", member(page, "next"));
    json_decref(page);
    page = rqt_json(RQT_REFQ("list", "--cursor", next, "-o", "json"));
    ck_assert_uint_eq(json_array_size(json_object_get(page, "tasks")), 2);
    ck_assert_str_eq(member(page, "next"), "");
    json_decref(page);
    page = rqt_json(RQT_REFQ("list", "--all", "-o", "json"));
    ck_assert_uint_eq(json_array_size(page), 6);
    json_decref(page);
    page = rqt_json(RQT_REFQ("list", "-t", "bad", "-o", "json"));
    ck_assert_uint_eq(json_array_size(page), 1);
    json_decref(page);
    rqt_expect_out(RQT_REFQ("list", "--dead"), "bad");
    ck_assert_ptr_null(strstr(RQT_REFQ("list", "--dead")->out, "echo"));
}
END_TEST

/* --- Keys ------------------------------------------------------------------------------------- */

START_TEST(a_key_used_for_other_work_is_told)
{
    (void)RQT_REFQ("submit", "echo", "--key", "k", "-a", "{\"n\":1}", "--delay", "1h");
    rqt_expect_err(RQT_REFQ("submit", "echo", "--key", "k", "-a", "{\"n\":1}"), 0,
                   "belongs to a task that is pending\n");
    rqt_expect_err(RQT_REFQ("submit", "echo", "--key", "k", "-a", "{\"n\":2}"), 0,
                   "has other arguments");
    rqt_expect_err(RQT_REFQ("submit", "bad", "--key", "k"), 0, "another task, 'echo'");
}
END_TEST

/* --- Wrong calls ------------------------------------------------------------------------------ */

static const rqt_call wrong[] = {
    {{"retry"}, EX_USAGE, "give references, or --status"},
    {{"retry", "docs:" HEX, "-s", "failed"}, EX_USAGE, "not both"},
    {{"retry", "-s", "complete"}, EX_USAGE, "cannot run again"},
    {{"retry", "-s", "pending"}, EX_USAGE, "not the status of a task that is over"},
    {{"retry", "nonsense"}, EX_USAGE, "nonsense"},
    {{"retry", "-s", "failed"}, EX_USAGE, "--yes is needed"},
    {{"dead"}, EX_USAGE, "needs one of: list, replay, purge"},
    {{"dead", "lost"}, EX_USAGE, "needs one of: list, replay, purge"},
    {{"dead", "replay"}, EX_USAGE, "give references, or --all"},
    {{"dead", "replay", "--all", "docs:" HEX}, EX_USAGE, "give references, or --all"},
    {{"dead", "replay", "docs:" HEX, "-t", "x"}, EX_USAGE, "go with --all"},
    {{"dead", "replay", "--all", "--rate", "5"}, EX_USAGE, "is not a rate"},
    {{"dead", "replay", "--all", "--rate", "0/s"}, EX_USAGE, "is not a rate"},
    {{"dead", "replay", "--all"}, EX_USAGE, "--yes is needed"},
    {{"dead", "purge"}, EX_USAGE, "give references, or --all"},
    {{"dead", "purge", "docs:" HEX, "-n"}, EX_USAGE, "go with --all"},
    {{"dead", "purge", "docs:" HEX}, EX_USAGE, "--yes is needed"},
    {{"dead", "list", "-q", "dosc"}, EX_NOINPUT, "did you mean 'docs'"},
    {{"dead", "list", "-n", "0"}, EX_USAGE, "--limit"},
    {{"cleanup"}, EX_USAGE, "--older-than is missing"},
    {{"cleanup", "--older-than", "7"}, EX_USAGE, "needs a unit"},
    {{"cleanup", "--older-than", "0", "-s", "pending"}, EX_USAGE, "task that is over"},
    {{"cleanup", "--older-than", "0", "-q", "dosc"}, EX_NOINPUT, "did you mean 'docs'"},
    {{"cleanup", "--older-than", "0", "-t", "no name"}, EX_USAGE, "--task"},
    {{"list", "--all", "-n", "3"}, EX_USAGE, "--all goes with neither"},
    {{"list", "--dead", "-s", "failed"}, EX_USAGE, "--dead goes without --status"},
    {{"list", "--cursor", "rubbish"}, EX_USAGE, "cursor"},
    {{"list", "-q", "dosc"}, EX_OK, "did you mean 'docs'"},
    {{"logs"}, EX_USAGE, "REF is missing"},
    {{"logs", "docs:" HEX}, EX_NOINPUT, "task docs:"},
    {{"logs", "docs:" HEX, "--attempt", "0"}, EX_USAGE, "--attempt"},
    {{"show", "docs:" HEX}, EX_NOINPUT, "task docs:"},
    {{"show", "docs:xyz"}, EX_USAGE, "hex"},
    {{"submit", "echo", "-q", "dosc"}, EX_UNAVAILABLE, "did you mean 'docs'"},
    {{"submit"}, EX_USAGE, "TASK is missing"},
};

START_TEST(wrong_calls_are_refused)
{
    rqt_calls(wrong, N_OF(wrong));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("st_cli_tasks");
    TCase *c = tcase_create("tasks");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_failure_is_told_in_full_everywhere);
    tcase_add_test(c, watch_ends_with_the_whole_error);
    tcase_add_test(c, a_death_is_not_shown_as_a_failure);
    tcase_add_test(c, logs_show_each_attempt);
    tcase_add_test(c, show_tells_everything);
    tcase_add_test(c, show_says_that_large_arguments_go_with_the_end);
    tcase_add_test(c, show_says_what_a_waiting_task_waits_for);
    tcase_add_test(c, retry_makes_a_new_task_once);
    tcase_add_test(c, retry_of_a_list_takes_what_was_not_run_again);
    tcase_add_test(c, what_cannot_run_again_is_told);
    tcase_add_test(c, dead_letters_are_listed_replayed_and_purged);
    tcase_add_test(c, an_old_limit_spares_young_dead_letters);
    tcase_add_test(c, cleanup_removes_what_is_meant_and_no_more);
    tcase_add_test(c, a_person_is_asked_first);
    tcase_add_test(c, a_list_is_filtered_and_paged);
    tcase_add_test(c, a_key_used_for_other_work_is_told);
    tcase_add_test(c, wrong_calls_are_refused);
    suite_add_tcase(s, c);
    return rqt_main_redis(s, NULL);
}
