/* SPDX-License-Identifier: MIT */
/*
 * Finding the master by Sentinel, and going on after a failover.
 *
 * DESIGN. The tests of finding use one server and one Sentinel for all; the tests of failing over
 * start a group of their own (support/sentinels.h), which ends with the test. What is
 * promised after a failover is what the replica had: the tests wait for it to have a task before
 * they count on it.
 */
#include "support/certs.h"
#include "support/conn_loop.h"
#include "support/fake_redis.h"
#include "support/fleet.h"
#include "support/main.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/sentinels.h"
#include "support/tasks.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Servers ---------------------------------------------------------------------------------- */

static bool says(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static const char *number(int n)
{
    static char texts[8][16];
    static int next;
    char *text = texts[next++ % 8];
    (void)snprintf(text, sizeof texts[0], "%d", n);
    return text;
}

static const char *sentinel_url(const char *hosts, const char *rest)
{
    static char text[1024];
    (void)snprintf(text, sizeof text, "redis+sentinel://%s/%s", hosts, rest);
    return text;
}

/* --- Finding ---------------------------------------------------------------------------------- */

static int master_port, finder_port, tls_master_port, tls_finder_port;

static const char *host(int port)
{
    static char texts[8][32];
    static int next;
    char *text = texts[next++ % 8];
    (void)snprintf(text, sizeof texts[0], "127.0.0.1:%d", port);
    return text;
}

static void start_finders(void)
{
    char tls[1024];
    finder_port = rqt_free_port();
    (void)rqt_sentinel_start(finder_port, master_port, 1, 60000, "");
    tls_finder_port = rqt_free_port();
    int unused = rqt_free_port();
    (void)snprintf(tls, sizeof tls,
                   "tls-port %d\ntls-cert-file %s\ntls-key-file %s\ntls-ca-cert-file %s\n"
                   "tls-auth-clients no\ntls-replication yes\n",
                   tls_finder_port, rqt_cert_path("server.pem"), rqt_cert_path("server.key"),
                   rqt_cert_path("ca.pem"));
    (void)rqt_sentinel_start(unused, tls_master_port, 1, 60000, tls);
    ck_assert(RQT_UNTIL(says(rqt_sentinel_ask(finder_port, "PING"), "PONG"), 20000));
    ck_assert(RQT_UNTIL(says(rqt_sentinel_ask(unused, "PING"), "PONG"), 20000));
}

/* One server and its Sentinels, for all tests of finding. */
static void finders_up(void)
{
    rqt_certs_begin();
    rqt_cert("server", "ca", "IP:127.0.0.1", 30);
    master_port = rqt_free_port();
    tls_master_port = rqt_free_port();
    rqt_redis_start((const char *const[]){
        "--port", number(master_port), "--bind", "127.0.0.1", "--tls-port", number(tls_master_port),
        "--tls-cert-file", rqt_cert_path("server.pem"), "--tls-key-file",
        rqt_cert_path("server.key"), "--tls-ca-cert-file", rqt_cert_path("ca.pem"),
        "--tls-auth-clients", "no", NULL});
    start_finders();
}

static void finders_down(void)
{
    rqt_redis_stop();
    rqt_certs_end();
}

static void setup(void)
{
    (void)unsetenv("REFQ_SENTINEL_USER");
    (void)unsetenv("REFQ_SENTINEL_PASSWORD");
    (void)signal(SIGPIPE, SIG_IGN);
    rqt_loop_begin();
}

static void teardown(void)
{
    rqt_loop_end();
    rqt_fake_stop();
}

static void expect_refusal(const char *url, refq_err code, const char *phrase)
{
    rqt_answer a = {0};
    rqt_open(url);
    rqt_ask(&a, 0, "PING", NULL);
    rqt_expect_error(&a, code, phrase);
    rqt_close();
}

START_TEST(sentinel_tells_the_master)
{
    rqt_answer a = {0};
    rqt_open(sentinel_url(host(finder_port), "mymaster/3"));
    rqt_ask(&a, 0, "SET", "here", "yes", NULL);
    rqt_expect_text(&a, "OK");
    rqt_answer info = {0};
    rqt_ask(&info, 0, "CLIENT", "INFO", NULL);
    ck_assert(RQT_RUN_UNTIL(info.calls == 1, 5000));
    ck_assert_msg(strstr(info.text, " db=3 ") != NULL, "%s", info.text);
}
END_TEST

START_TEST(a_dead_sentinel_is_passed_over)
{
    char hosts[200];
    (void)snprintf(hosts, sizeof hosts, "%s,%s,%s", host(rqt_free_port()), host(rqt_free_port()),
                   host(finder_port));
    rqt_open(sentinel_url(hosts, "mymaster"));
    rqt_ping();
}
END_TEST

START_TEST(a_silent_sentinel_is_passed_over)
{
    static const rqt_step script[] = {{RQT_HANG, NULL}};
    char hosts[200];
    rqt_fake_start(RQT_FAKE_TCP, script, RQT_STEPS(script));
    (void)snprintf(hosts, sizeof hosts, "%s,%s", rqt_fake_shown(), host(finder_port));
    rqt_open(sentinel_url(hosts, "mymaster"));
    rqt_ping();
}
END_TEST

START_TEST(no_sentinel_at_all_is_told)
{
    char hosts[200];
    (void)snprintf(hosts, sizeof hosts, "%s,%s", host(rqt_free_port()), host(rqt_free_port()));
    expect_refusal(sentinel_url(hosts, "mymaster"), REFQ_ERR_IO, "Sentinel: cannot connect");
}
END_TEST

START_TEST(an_unknown_master_is_told)
{
    expect_refusal(sentinel_url(host(finder_port), "yourmaster"), REFQ_ERR_IO,
                   "knows no master 'yourmaster'");
}
END_TEST

START_TEST(a_server_that_is_no_sentinel_is_told)
{
    expect_refusal(sentinel_url(host(master_port), "mymaster"), REFQ_ERR_PROTO,
                   "unknown command 'SENTINEL'");
}
END_TEST

static const char *const odd_answers[] = {"*0\r\n",
                                          "*1\r\n$1\r\na\r\n",
                                          "*2\r\n$1\r\na\r\n$1\r\nx\r\n",
                                          "*2\r\n$0\r\n\r\n$4\r\n6379\r\n",
                                          "*2\r\n$1\r\na\r\n$5\r\n65536\r\n",
                                          "*2\r\n$10\r\na level=up\r\n$4\r\n6379\r\n",
                                          "*2\r\n$5\r\na\x1b[2J\r\n$4\r\n6379\r\n",
                                          ":7\r\n"};

START_TEST(an_odd_answer_is_not_followed)
{
    rqt_step script[] = {{RQT_EXPECT, "SETNAME"},
                         {RQT_SEND, "+OK\r\n"},
                         {RQT_EXPECT, "mymaster"},
                         {RQT_SEND, odd_answers[_i]},
                         {RQT_DRAIN, NULL}};
    rqt_fake_start(RQT_FAKE_TCP, script, RQT_STEPS(script));
    expect_refusal(sentinel_url(rqt_fake_shown(), "mymaster"), REFQ_ERR_PROTO, "unexpected answer");
}
END_TEST

START_TEST(a_sentinel_may_want_a_password)
{
    int port = rqt_free_port();
    (void)rqt_sentinel_start(port, master_port, 1, 60000, "requirepass \"sesame\"\n");
    ck_assert(RQT_UNTIL(says(rqt_sentinel_ask(port, "PING"), "NOAUTH"), 10000));
    expect_refusal(sentinel_url(host(port), "mymaster"), REFQ_ERR_AUTH, "REFQ_SENTINEL_PASSWORD");
    ck_assert_int_eq(setenv("REFQ_SENTINEL_PASSWORD", "wrong", 1), 0);
    expect_refusal(sentinel_url(host(port), "mymaster"), REFQ_ERR_AUTH, "REFQ_SENTINEL_PASSWORD");
    ck_assert_int_eq(setenv("REFQ_SENTINEL_PASSWORD", "sesame", 1), 0);
    rqt_open(sentinel_url(host(port), "mymaster"));
    rqt_ping();
}
END_TEST

START_TEST(sentinel_and_server_speak_tls)
{
    char url[512];
    (void)snprintf(url, sizeof url, "rediss+sentinel://127.0.0.1:%d/mymaster?ca=%s",
                   tls_finder_port, rqt_cert_path("ca.pem"));
    rqt_open(url);
    rqt_ping();
    rqt_close();
    (void)snprintf(url, sizeof url, "rediss+sentinel://127.0.0.1:%d/mymaster?ca=%s",
                   tls_finder_port, rqt_cert_path("other-ca.pem"));
    expect_refusal(url, REFQ_ERR_AUTH, "comes from a CA that is not known here");
}
END_TEST

/* The one that Sentinel names becomes a replica without anybody being told. */
START_TEST(a_demoted_server_is_left_and_asked_for_again)
{
    rqt_answer readonly = {0};
    rqt_answer patient = {0};
    rqt_open(sentinel_url(host(finder_port), "mymaster"));
    rqt_ping();
    rqt_redis_do("REPLICAOF 127.0.0.1 1");
    rqt_ask(&readonly, 0, "SET", "a", "b", NULL);
    rqt_expect_error(&readonly, REFQ_ERR_CLOSED, "read-only replica");
    rqt_ask(&patient, 1000, "SET", "a", "b", NULL);
    rqt_expect_error(&patient, REFQ_ERR_TIMEOUT, "is not the master (now)");
    rqt_redis_do("REPLICAOF NO ONE");
    ck_assert(RQT_RUN_UNTIL(rqt_ups == 2, 10000));
    rqt_answer good = {0};
    rqt_ask(&good, 0, "SET", "a", "b", NULL);
    rqt_expect_text(&good, "OK");
}
END_TEST

/* --- Failing over ----------------------------------------------------------------------------- */

static void group_up(void)
{
    setup();
    rqt_redis_start(NULL);
    rqt_sentinels_start();
}

static void group_down(void)
{
    rqt_fleet_end();
    rqt_client_end();
    rqt_sentinels_stop();
    rqt_loop_end();
    rqt_redis_stop();
}

static refq_ref submit(const char *task)
{
    refq_spec spec = {.struct_size = sizeof spec, .task = task, .args = "{\"n\":1}"};
    refq_submitted done;
    refq_error err = {0};
    ck_assert_int_eq(refq_ref_make(RQT_QUEUE, &spec.ref, &err), REFQ_OK);
    /* The reference makes the repeat harmless. */
    bool good = RQT_UNTIL(refq_client_submit(rqt_client(), &spec, &done, &err) == REFQ_OK, 40000);
    ck_assert_msg(good, "%s", err.text);
    return spec.ref;
}

static void expect_complete(const refq_ref *ref)
{
    refq_task *task = NULL;
    refq_error err = {0};
    bool good = RQT_UNTIL(
        refq_client_wait(rqt_client(), ref, 30000, NULL, NULL, &task, &err) == REFQ_OK, 40000);
    ck_assert_msg(good, "%s", err.text);
    ck_assert_int_eq(refq_task_status(task), REFQ_COMPLETE);
    refq_task_free(task);
}

/* Until the replica has all that the primary has now. */
static void expect_replicated(void)
{
    rqt_redis_do("SET mark 1"); /* WAIT is about what its own connection has written */
    ck_assert_int_eq(rqt_redis_int("WAIT 1 20000"), 1);
}

START_TEST(worker_and_client_go_on_with_the_new_master)
{
    enum { RUNNING = 2 };
    refq_ref running[RUNNING];
    const char *options[] = {"--lease", "2s", "--concurrency", "4", NULL};
    pid_t worker = rqt_fleet_add(
        rqt_file(
            "fail.yaml",
            "queue: docs\ntasks:\n  - name: echo\n    exec: [cat]\n"
            "  - name: until\n    exec: [sh, -c, 'until [ -e go ]; do sleep 0.05; done; cat']\n",
            0),
        options);
    refq_ref before = submit("echo");
    expect_complete(&before);
    for (int i = 0; i < RUNNING; i++) {
        running[i] = submit("until");
        rqt_expect(&running[i], "processing", 10000);
    }
    expect_replicated();

    rqt_sentinels_kill();
    ck_assert(RQT_UNTIL(rqt_sentinels_promoted(), 60000));
    refq_ref after = submit("echo");
    expect_complete(&after);
    expect_complete(&before);
    (void)rqt_file("go", "", 0);
    for (int i = 0; i < RUNNING; i++) {
        expect_complete(&running[i]);
    }

    /* The functions came with the replica; without them they are loaded again. */
    rqt_redis_do("FUNCTION FLUSH");
    refq_ref last = submit("echo");
    expect_complete(&last);
    rqt_fleet_stop(worker);
    rqt_redis_do("DEL mark");
    rqt_audit(RQT_QUEUE);
}
END_TEST

/* The server's end of the connection: " laddr=IP:PORT ...". */
static const char *local_address(rqt_answer *info)
{
    rqt_ask(info, 0, "CLIENT", "INFO", NULL);
    ck_assert(RQT_RUN_UNTIL(info->calls == 1, 5000));
    const char *laddr = strstr(info->text, " laddr=");
    ck_assert_msg(laddr != NULL, "%s", info->text);
    ((char *)laddr)[1 + strcspn(laddr + 1, " ")] = '\0';
    return laddr;
}

START_TEST(an_ordered_failover_moves_connections)
{
    rqt_answer old = {0};
    rqt_answer new = {0};
    rqt_answer written = {0};
    rqt_open_with(rqt_redis_url(), 5000, true);
    rqt_ping();
    const char *before = local_address(&old);
    rqt_sentinels_order();
    ck_assert(RQT_RUN_UNTIL(rqt_ups == 2, 40000));
    ck_assert_str_ne(local_address(&new), before);
    rqt_ask(&written, 0, "SET", "a", "b", NULL);
    rqt_expect_text(&written, "OK");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("it_sentinel");
    TCase *c = tcase_create("finding");
    tcase_add_unchecked_fixture(c, finders_up, finders_down);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, sentinel_tells_the_master);
    tcase_add_test(c, a_dead_sentinel_is_passed_over);
    tcase_add_test(c, a_silent_sentinel_is_passed_over);
    tcase_add_test(c, no_sentinel_at_all_is_told);
    tcase_add_test(c, an_unknown_master_is_told);
    tcase_add_test(c, a_server_that_is_no_sentinel_is_told);
    tcase_add_loop_test(c, an_odd_answer_is_not_followed, 0,
                        (int)(sizeof odd_answers / sizeof odd_answers[0]));
    tcase_add_test(c, a_sentinel_may_want_a_password);
    tcase_add_test(c, sentinel_and_server_speak_tls);
    tcase_add_test(c, a_demoted_server_is_left_and_asked_for_again);
    suite_add_tcase(s, c);
    c = tcase_create("failing over");
    tcase_add_checked_fixture(c, group_up, group_down);
    tcase_set_timeout(c, 240);
    tcase_add_test(c, worker_and_client_go_on_with_the_new_master);
    tcase_add_test(c, an_ordered_failover_moves_connections);
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    return rqt_main(suite());
}
