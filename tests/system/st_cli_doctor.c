/* SPDX-License-Identifier: MIT */
/* refq doctor: what it says about a well server, and about each thing that is wrong. */
#include "support/cli.h"
#include "support/fleet.h"
#include "support/main.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))
#define NO      1

static const char tasks_yaml[] = "queue: docs\n"
                                 "tasks:\n"
                                 "  - {name: echo, exec: [cat]}\n";

/* A lease that a busy machine does not let run out. */
static const char *const patient[] = {"--grace", "2s", NULL};

static void setup(void)
{
    (void)unsetenv("REFQ_QUEUE");
    rqt_redis_clean();
}

static void teardown(void)
{
    rqt_fleet_end();
    rqt_client_end();
}

static void start_worker(void)
{
    (void)rqt_fleet_add(rqt_file("tasks.yaml", tasks_yaml, 0), patient);
}

/* The first finding of a check, as "verdict: what". */
static const char *finding(const char *check)
{
    static char text[1024];
    json_t *json = rqt_json(RQT_REFQ("doctor", "-o", "json"));
    size_t i = 0;
    json_t *f = NULL;
    text[0] = '\0';
    json_array_foreach(json_object_get(json, "findings"), i, f)
    {
        if (text[0] == '\0' && strcmp(json_string_value(json_object_get(f, "check")), check) == 0) {
            (void)snprintf(text, sizeof text, "%s: %s",
                           json_string_value(json_object_get(f, "verdict")),
                           json_string_value(json_object_get(f, "what")));
        }
    }
    json_decref(json);
    return text;
}

static void expect_finding(const char *check, const char *text)
{
    const char *is = finding(check);
    ck_assert_msg(strstr(is, text) != NULL, "%s: wanted \"%s\", got \"%s\"", check, text, is);
}

START_TEST(a_well_server_is_well)
{
    start_worker();
    rqt_expect_out(RQT_REFQ("submit", "echo", "-q", "docs", "--wait=20s"), "{}");
    const rqt_result *r = RQT_REFQ("doctor", "--audit");
    rqt_expect_out(r, "connection: answers in");
    rqt_expect_out(r, "ok    server: ");
    rqt_expect_out(r, "ok    eviction: off");
    rqt_expect_out(r, "ok    rights: user default may do all");
    rqt_expect_out(r, "ok    clock: within");
    rqt_expect_out(r, "is loaded");
    rqt_expect_out(r, "ok    queue docs: 0 waiting, 0 running, 1 worker");
    rqt_expect_out(r, "ok    audit docs: ");
    rqt_expect_out(r, ", 0 failed\n");
    json_t *json = rqt_json(RQT_REFQ("doctor", "-o", "json"));
    ck_assert(json_is_true(json_object_get(json, "ok")));
    json_decref(json);
}
END_TEST

START_TEST(a_new_server_has_no_queues)
{
    rqt_expect_out(RQT_REFQ("doctor"), "ok    queues: there is none yet");
}
END_TEST

START_TEST(a_server_that_is_away_is_told)
{
    const rqt_result *r = RQT_REFQ("doctor", "--redis", "unix:///nonexistent/redis.sock");
    ck_assert_int_eq(r->status, NO);
    ck_assert_ptr_nonnull(strstr(r->out, "FAIL  connection: "));
    ck_assert_ptr_nonnull(strstr(r->out, "      fix: check --redis"));
}
END_TEST

START_TEST(settings_that_lose_tasks_are_told)
{
    rqt_redis_do("CONFIG SET maxmemory 100mb");
    rqt_redis_do("CONFIG SET maxmemory-policy allkeys-lru");
    expect_finding("eviction", "fail: the policy is allkeys-lru");
    ck_assert_int_eq(RQT_REFQ("doctor")->status, NO);
    rqt_redis_do("CONFIG SET maxmemory-policy volatile-ttl");
    expect_finding("eviction", "warn: the policy is volatile-ttl");
    rqt_redis_do("CONFIG SET maxmemory-policy noeviction");
    rqt_redis_do("CONFIG SET maxmemory 1kb");
    expect_finding("memory", "fail: ");
    rqt_redis_do("CONFIG SET maxmemory 0");
    expect_finding("memory", "warn: ");
    expect_finding("persistence", "warn: nothing is known to be saved");
    rqt_redis_do("CONFIG SET save %s", "3600 1");
    expect_finding("persistence", "warn: snapshots only");
    rqt_redis_do("CONFIG SET save %s", "");
}
END_TEST

START_TEST(an_append_only_file_is_fine)
{
    rqt_redis_do("CONFIG SET appendonly yes");
    expect_finding("persistence", "ok: append-only file");
    rqt_redis_do("CONFIG SET appendonly no");
}
END_TEST

START_TEST(a_replica_is_told)
{
    rqt_redis_do("REPLICAOF 127.0.0.1 1");
    expect_finding("replication", "fail: this is a replica");
    rqt_redis_do("REPLICAOF NO ONE");
    expect_finding("replication", "ok: master with 0 replicas");
}
END_TEST

START_TEST(rights_that_lack_are_told)
{
    char url[256];
    rqt_redis_do("ACL SETUSER poor on >secret +@all -fcall ~refq:* ~mcp-refcache:* &*");
    (void)snprintf(url, sizeof url, "unix://poor:secret@%s", rqt_redis_url() + strlen("unix://"));
    const rqt_result *r = RQT_REFQ("doctor", "--redis", url);
    ck_assert_int_eq(r->status, NO);
    ck_assert_msg(strstr(r->out, "FAIL  rights: user poor lacks 1 of the rights") != NULL, "%s",
                  r->out);
    rqt_redis_do("ACL SETUSER poor +fcall -acl|dryrun");
    r = RQT_REFQ("doctor", "--redis", url);
    ck_assert_msg(strstr(r->out, "warn  rights: what user poor may do cannot be asked") != NULL,
                  "%s", r->out);
    rqt_redis_do("ACL DELUSER poor");
}
END_TEST

START_TEST(what_is_wrong_with_a_queue_is_told)
{
    (void)RQT_REFQ("submit", "ehco", "-q", "docs");
    expect_finding("queue docs", "fail: 1 task waits and no worker is alive");
    start_worker();
    expect_finding("queue docs", "fail: 1 waiting tasks are of a kind no live worker offers: ehco");
    rqt_expect_out(RQT_REFQ("pause", "-q", "docs"), "paused");
    expect_finding("queue docs", "warn: the queue is paused");
    ck_assert_ptr_nonnull(strstr(RQT_REFQ("doctor")->out, "fix: refq resume --queue docs\n"));
    rqt_expect_out(RQT_REFQ("resume", "-q", "docs"), "open");
    rqt_expect_out(RQT_REFQ("limit", "-q", "docs", "--max-pending", "1"), "1");
    expect_finding("queue docs", "warn: 1 of at most 1 tasks wait");
    rqt_redis_do("DEL refq:{docs}:meta");
}
END_TEST

START_TEST(the_audit_finds_what_does_not_fit)
{
    start_worker();
    rqt_expect_out(RQT_REFQ("submit", "echo", "-q", "docs", "--wait=20s"), "{}");
    rqt_redis_do("ZADD refq:{docs}:due 1 0123456789abcdef0123456789abcdef");
    rqt_redis_do("HSET refq:{docs}:task:fedcba9876543210fedcba9876543210 status pending");
    const rqt_result *r = RQT_REFQ("doctor", "-q", "docs", "--audit");
    ck_assert_int_eq(r->status, NO);
    ck_assert_msg(strstr(r->out, "due holds 0123456789abcdef0123456789abcdef") != NULL, "%s",
                  r->out);
    ck_assert_msg(strstr(r->out, "task fedcba9876543210fedcba9876543210") != NULL, "%s", r->out);
    rqt_fleet_end();
    rqt_redis_clean();
}
END_TEST

static const rqt_call wrong[] = {
    {{"doctor", "docs"}, EX_USAGE, "one operand too many"},
    {{"doctor", "-q", "no queue"}, EX_USAGE, "no queue"},
    {{"doctor", "--redis", "http://x"}, EX_USAGE, "is not a Redis URL"},
};

START_TEST(wrong_calls_are_refused)
{
    rqt_calls(wrong, N_OF(wrong));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("st_cli_doctor");
    TCase *c = tcase_create("doctor");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_well_server_is_well);
    tcase_add_test(c, a_new_server_has_no_queues);
    tcase_add_test(c, a_server_that_is_away_is_told);
    tcase_add_test(c, settings_that_lose_tasks_are_told);
    tcase_add_test(c, an_append_only_file_is_fine);
    tcase_add_test(c, a_replica_is_told);
    tcase_add_test(c, rights_that_lack_are_told);
    tcase_add_test(c, what_is_wrong_with_a_queue_is_told);
    tcase_add_test(c, the_audit_finds_what_does_not_fit);
    tcase_add_test(c, wrong_calls_are_refused);
    suite_add_tcase(s, c);
    return rqt_main_redis(s, NULL);
}
