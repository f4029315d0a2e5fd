/* SPDX-License-Identifier: MIT */
/* What refq-worker tells a service manager, over a real socket. */
#include "support/cli.h"
#include "support/main.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#define GOOD                                                                         \
    "queue: docs\ntasks:\n  - {name: env, input: none, output: text, exec: [env]}\n" \
    "  - {name: slow, input: none, exec: [sleep, '60']}\n"

static int manager = -1;
static char heard[65536]; /* all datagrams so far, each ended by "|" */
static char path[256];
static pid_t worker;

/* name: "/path" or "@name". */
static void listen_at(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    ck_assert_uint_lt(len, sizeof at.sun_path);
    memcpy(at.sun_path, name, len);
    at.sun_path[0] = name[0] == '@' ? '\0' : name[0];
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(manager, (const struct sockaddr *)&at,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
    (void)setenv("NOTIFY_SOCKET", name, 1);
    heard[0] = '\0';
}

static void hear(void)
{
    char one[4096];
    ssize_t n;
    while ((n = recv(manager, one, sizeof one, 0)) > 0) {
        size_t len = strlen(heard);
        (void)snprintf(heard + len, sizeof heard - len, "%.*s|", (int)n, one);
    }
}

static bool has_heard(const char *text)
{
    hear();
    return strstr(heard, text) != NULL;
}

static void expect_heard(const char *text)
{
    ck_assert_msg(RQT_UNTIL(has_heard(text), 10000), "no \"%s\" in \"%s\"\n%s", text, heard,
                  rqt_worker_log(worker));
}

static void forget(void)
{
    hear();
    heard[0] = '\0';
}

static void setup(void)
{
    char name[200];
    rqt_redis_clean();
    (void)snprintf(name, sizeof name, "%s/notify", rqt_redis_dir());
    (void)unlink(name);
    listen_at(name);
    (void)snprintf(path, sizeof path, "%s", rqt_file("notify.yaml", GOOD, 0));
}

static void start(void)
{
    worker = rqt_worker(path, NULL);
    expect_heard("READY=1");
}

static void stop(void)
{
    ck_assert_int_eq(rqt_worker_stop(worker), 0);
    rqt_client_end();
}

START_TEST(it_tells_of_its_life)
{
    start();
    ck_assert_int_eq(rqt_redis_int("ZCARD refq:{docs}:workers"), 1); /* registered by then */
    ck_assert(has_heard("STATUS=running"));
    ck_assert(!has_heard("STOPPING=1"));
    ck_assert(!has_heard("WATCHDOG=1"));
    ck_assert_int_eq(kill(worker, SIGUSR1), 0);
    expect_heard("STATUS=quiet");
    stop();
    expect_heard("STOPPING=1");
    const char *said = strstr(rqt_worker_log(worker), "event=stopped");
    ck_assert_ptr_nonnull(said);
    ck_assert_ptr_null(strstr(said + 1, "event=stopped"));
}
END_TEST

START_TEST(it_tells_of_a_reload)
{
    start();
    forget();
    ck_assert_int_eq(kill(worker, SIGHUP), 0);
    expect_heard("|READY=1\nSTATUS=reloaded|");
    ck_assert_int_eq(strncmp(heard, "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
    long long us = strtoll(heard + 27, NULL, 10);
    ck_assert_int_gt(us, 0);
    ck_assert_int_le(us / 1000, rqt_now_ms());
    (void)rqt_file("notify.yaml", "tasks: 1\n", 0);
    forget();
    ck_assert_int_eq(kill(worker, SIGHUP), 0);
    expect_heard("READY=1\nSTATUS=reload failed");
    stop();
}
END_TEST

START_TEST(a_worker_that_stops_does_not_reload)
{
    start();
    refq_ref ref = rqt_submit((refq_spec){.task = "slow"});
    rqt_expect(&ref, "processing", 10000);
    ck_assert_int_eq(kill(worker, SIGTERM), 0);
    expect_heard("STOPPING=1");
    ck_assert_int_eq(kill(worker, SIGHUP), 0);
    ck_assert(RQT_UNTIL(strstr(rqt_worker_log(worker), "event=reload_skipped") != NULL, 10000));
    ck_assert(!has_heard("RELOADING=1"));
    ck_assert_int_eq(kill(worker, SIGTERM), 0);
    ck_assert_int_eq(rqt_reap(worker, 20000), 0);
    rqt_client_end();
}
END_TEST

START_TEST(abstract_sockets_are_known)
{
    char name[64];
    (void)close(manager);
    (void)snprintf(name, sizeof name, "@refq-test-%d", (int)getpid());
    listen_at(name);
    start();
    stop();
}
END_TEST

START_TEST(programs_cannot_speak_for_it)
{
    start();
    refq_ref ref = rqt_submit((refq_spec){.task = "env"});
    rqt_expect(&ref, "complete", 10000);
    ck_assert_ptr_nonnull(strstr(rqt_entry(&ref), "REFQ_REF_ID="));
    ck_assert_ptr_null(strstr(rqt_entry(&ref), "NOTIFY_SOCKET"));
    stop();
}
END_TEST

START_TEST(nobody_listens)
{
    (void)unsetenv("NOTIFY_SOCKET");
    worker = rqt_worker(path, NULL);
    rqt_wait_workers("docs", 1);
    stop();
    ck_assert(!has_heard("READY=1"));
}
END_TEST

static const struct {
    const char *name;
    const char *says;
    int status;
} bad[] = {
    {"relative", "NOTIFY_SOCKET is 'relative': only /path and @name", EX_USAGE},
    {"@", "NOTIFY_SOCKET is '@': only /path and @name", EX_USAGE},
    {"vsock:2:1", "NOTIFY_SOCKET is 'vsock:2:1'", EX_USAGE},
    {"/nonexistent/notify", "cannot reach the service manager at '/nonexistent/notify'",
     EX_UNAVAILABLE},
};

START_TEST(bad_names_are_told)
{
    (void)setenv("NOTIFY_SOCKET", bad[_i].name, 1);
    rqt_expect_err(rqt_run((const char *const[]){RQT_WORKER_PATH, "--config", path, NULL}),
                   bad[_i].status, bad[_i].says);
}
END_TEST

START_TEST(too_long_a_name_is_told)
{
    char name[200];
    memset(name, 'x', sizeof name - 1);
    name[0] = '/';
    name[sizeof name - 1] = '\0';
    (void)setenv("NOTIFY_SOCKET", name, 1);
    rqt_expect_err(rqt_run((const char *const[]){RQT_WORKER_PATH, "--config", path, NULL}),
                   EX_USAGE, "of up to 107 bytes");
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("notify");
    tcase_set_timeout(c, 90);
    tcase_add_checked_fixture(c, setup, NULL);
    tcase_add_test(c, it_tells_of_its_life);
    tcase_add_test(c, it_tells_of_a_reload);
    tcase_add_test(c, a_worker_that_stops_does_not_reload);
    tcase_add_test(c, abstract_sockets_are_known);
    tcase_add_test(c, programs_cannot_speak_for_it);
    tcase_add_test(c, nobody_listens);
    tcase_add_loop_test(c, bad_names_are_told, 0, sizeof bad / sizeof bad[0]);
    tcase_add_test(c, too_long_a_name_is_told);
    Suite *s = suite_create("st_worker_daemon_notify");
    suite_add_tcase(s, c);
    return rqt_main_redis(s, NULL);
}
