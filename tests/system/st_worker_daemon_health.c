/* SPDX-License-Identifier: MIT */
/* The health pages and the watchdog of a real refq-worker. */
#include "support/cli.h"
#include "support/main.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <arpa/inet.h>
#include <check.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

static char path[256];
static char gate[256];
static char socket_path[100];
static pid_t worker;

static void setup(void)
{
    char yaml[1024];
    rqt_redis_clean();
    (void)snprintf(gate, sizeof gate, "%s/gate", rqt_redis_dir());
    (void)unlink(gate);
    (void)snprintf(socket_path, sizeof socket_path, "%s/health.sock", rqt_redis_dir());
    (void)snprintf(yaml, sizeof yaml,
                   "queue: docs\n"
                   "tasks:\n  - {name: say, input: none, output: text, exec: [echo, hi]}\n"
                   "plugins:\n  - {path: %s, config: '%s'}\n",
                   RQT_DAEMON_PLUGIN, gate);
    (void)snprintf(path, sizeof path, "%s", rqt_file("health.yaml", yaml, 0));
}

static void teardown(void)
{
    rqt_client_end();
}

static bool said(const char *text)
{
    return strstr(rqt_worker_log(worker), text) != NULL;
}

static void expect_said(const char *text)
{
    ck_assert_msg(RQT_UNTIL(said(text), 10000), "no \"%s\" in %s", text, rqt_worker_log(worker));
}

static void start_at(const char *address)
{
    worker = rqt_worker(path, (const char *const[]){"--health", address, "--lease", "1s", NULL});
    expect_said("event=started");
}

static void start(void)
{
    static char address[128];
    (void)snprintf(address, sizeof address, "unix:%s", socket_path);
    start_at(address);
}

static void stop(void)
{
    ck_assert_int_eq(rqt_worker_stop(worker), 0);
}

/* --- HTTP ------------------------------------------------------------------------------------- */

static int dial(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s", socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    size_t len = strlen(text);
    ck_assert_int_eq(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* All until the other side closes; closes too. */
static const char *hear(int fd)
{
    static char answer[65536];
    size_t len = 0;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (len + 1 < sizeof answer && poll(&ready, 1, 10000) == 1) {
        ssize_t n = recv(fd, answer + len, sizeof answer - 1 - len, 0);
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
    }
    answer[len] = '\0';
    (void)close(fd);
    return answer;
}

static const char *ask(const char *request)
{
    int fd = dial();
    say(fd, request);
    return hear(fd);
}

static bool answers(const char *request, const char *text)
{
    return strstr(ask(request), text) != NULL;
}

#define GET(page) "GET " page " HTTP/1.1\r\nHost: x\r\n\r\n"

static json_t *status(void)
{
    const char *body = strstr(ask(GET("/status")), "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    json_t *json = json_loads(body, 0, NULL);
    ck_assert_ptr_nonnull(json);
    return json;
}

static long long number(const char *name)
{
    json_t *json = status();
    json_t *counters = json_object_get(json, "counters");
    json_t *value = json_object_get(json, name);
    long long n = json_integer_value(value != NULL ? value : json_object_get(counters, name));
    json_decref(json);
    return n;
}

static const struct {
    const char *request;
    const char *answer; /* its beginning */
    const char *holds;
} requests[] = {
    {GET("/livez"), "HTTP/1.1 200 OK\r\n", "\r\n\r\nok\n"},
    {GET("/readyz"), "HTTP/1.1 200 OK\r\n", "\r\n\r\nok\n"},
    {GET("/livez?verbose"), "HTTP/1.1 200 OK\r\n", "Content-Length: 3\r\n"},
    {GET("/status"), "HTTP/1.1 200 OK\r\n", "Content-Type: application/json\r\n"},
    {"GET /livez HTTP/1.0\n\n", "HTTP/1.0 200 OK\r\n", "Connection: close\r\n"},
    {GET("/"), "HTTP/1.1 404 Not Found\r\n", "Not Found\n"},
    {"POST /livez HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 405 Method Not Allowed\r\n",
     "Allow: GET, HEAD\r\n"},
    {"DELETE /status HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\n", "Allow:"},
    {"POST /livez HTTP/1.1\r\nContent-Length: 8193\r\n\r\nabc",
     "HTTP/1.1 413 Request Entity Too Large\r\n", ""},
    /* Only the deadline ends this one. */
    {"CONNECT x:80 HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\n", "Allow:"},
    {"BREW /pot HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\n", "Allow:"},
    {"hello\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", "Bad Request"},
    {"GET /livez\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", ""},
    {"GET livez HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found\r\n", ""},
    {"GET  /livez HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found\r\n", ""},
    {"GET /livez HTTP/1.1 x\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", ""},
    {"\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", ""},
};

START_TEST(requests_are_answered)
{
    start();
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        const char *answer = ask(requests[i].request);
        ck_assert_msg(strncmp(answer, requests[i].answer, strlen(requests[i].answer)) == 0,
                      "%s -> %s", requests[i].request, answer);
        ck_assert_msg(strstr(answer, requests[i].holds) != NULL, "%s -> %s", requests[i].request,
                      answer);
    }
    stop();
    ck_assert_int_eq(access(socket_path, F_OK), -1);
}
END_TEST

START_TEST(head_has_no_body)
{
    start();
    const char *answer = ask("HEAD /livez HTTP/1.1\r\n\r\n");
    ck_assert_ptr_nonnull(strstr(answer, "200 OK"));
    ck_assert_ptr_nonnull(strstr(answer, "Content-Length: 3\r\n"));
    ck_assert_str_eq(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    stop();
}
END_TEST

START_TEST(long_requests_are_refused)
{
    start();
    int fd = dial();
    say(fd, "GET /livez HTTP/1.1\r\n");
    for (int i = 0; i < 200; i++) {
        say(fd, "X-Padding: 0123456789012345678901234567890123456789\r\n");
    }
    ck_assert_ptr_nonnull(strstr(hear(fd), "400 Bad Request"));
    stop();
}
END_TEST

START_TEST(a_request_in_pieces_is_one)
{
    start();
    int fd = dial();
    for (const char *at = GET("/livez"); *at != '\0'; at++) {
        say(fd, (const char[]){*at, '\0'});
    }
    ck_assert_ptr_nonnull(strstr(hear(fd), "200 OK"));
    stop();
}
END_TEST

START_TEST(connections_are_bounded_and_end)
{
    int fds[100];
    start();
    for (int i = 0; i < 60; i++) {
        fds[i] = dial(); /* nothing is said */
    }
    /* They are closed for their silence, and then the next ones are served. */
    ck_assert_msg(answers(GET("/livez"), "200 OK") || answers(GET("/livez"), "200 OK"),
                  "no answer");
    for (int i = 0; i < 60; i++) {
        (void)close(fds[i]);
    }
    ck_assert(answers(GET("/readyz"), "200 OK"));
    stop();
}
END_TEST

/* The bound is on all of a connection, not on each silence in it. */
START_TEST(a_request_that_goes_on_and_on_ends)
{
    start();
    int fd = dial();
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    say(fd, "GET /livez HTTP/1.1\r\nX-Slow: ");
    int pieces = 0;
    while (pieces < 150 && poll(&ready, 1, 100) == 0) {
        pieces += send(fd, "x", 1, MSG_NOSIGNAL) == 1;
    }
    ck_assert_int_lt(pieces, 150);
    ck_assert_str_eq(hear(fd), "");
    stop();
}
END_TEST

START_TEST(without_descriptors_clients_wait)
{
    struct rlimit usual;
    start();
    ck_assert_int_eq(prlimit(worker, RLIMIT_NOFILE, NULL, &usual), 0);
    struct rlimit none = {.rlim_cur = 3, .rlim_max = usual.rlim_max};
    ck_assert_int_eq(prlimit(worker, RLIMIT_NOFILE, &none, NULL), 0);
    int fd = dial();
    say(fd, GET("/livez"));
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    int answered = poll(&ready, 1, 300);
    ck_assert_int_eq(prlimit(worker, RLIMIT_NOFILE, &usual, NULL), 0);
    ck_assert_int_eq(answered, 0);
    ck_assert_ptr_nonnull(strstr(hear(fd), "200 OK"));
    stop();
}
END_TEST

START_TEST(ports_are_of_loopback)
{
    char url[128];
    start_at("0");
    expect_said("event=health_served address=127.0.0.1:");
    const char *at = strstr(rqt_worker_log(worker), "address=") + strlen("address=");
    (void)snprintf(url, sizeof url, "http://%.*s/readyz", (int)strcspn(at, " \n"), at);
    const rqt_result *r = rqt_run((const char *const[]){"curl", "-sS", url, NULL});
    ck_assert_msg(strcmp(r->out, "ok\n") == 0, "%s%s", r->out, r->err);
    char address[64];
    (void)snprintf(address, sizeof address, "%.*s", (int)strcspn(at, " \n"), at);
    rqt_expect_err(rqt_run((const char *const[]){RQT_WORKER_PATH, "--config", path, "--health",
                                                 address, NULL}),
                   EX_UNAVAILABLE, "another program listens there already");
    stop();
}
END_TEST

START_TEST(a_bad_address_is_told)
{
    rqt_expect_err(rqt_run((const char *const[]){RQT_WORKER_PATH, "--config", path, "--health",
                                                 "localhost:9090", NULL}),
                   EX_USAGE, "--health localhost:9090: write PORT");
}
END_TEST

/* --- What the pages tell ---------------------------------------------------------------------- */

START_TEST(numbers_follow_the_work)
{
    start();
    ck_assert_int_eq(number("claimed"), 0);
    refq_ref ref = rqt_submit((refq_spec){.task = "say"});
    rqt_expect(&ref, "complete", 10000);
    ck_assert(RQT_UNTIL(number("done") == 1, 10000));
    ck_assert_int_eq(number("claimed"), 1);
    json_t *json = status();
    ck_assert_int_eq(json_integer_value(json_object_get(json, "pid")), worker);
    ck_assert_str_eq(json_string_value(json_object_get(json, "state")), "running");
    json_decref(json);
    stop();
}
END_TEST

START_TEST(a_worker_without_redis_is_alive_but_not_ready)
{
    start();
    ck_assert_int_eq(kill(rqt_redis_pid(), SIGSTOP), 0);
    bool unready = RQT_UNTIL(answers(GET("/readyz"), "503"), 15000);
    bool live = answers(GET("/livez"), "200 OK");
    ck_assert_int_eq(kill(rqt_redis_pid(), SIGCONT), 0);
    ck_assert(unready && live);
    ck_assert(RQT_UNTIL(answers(GET("/readyz"), "200 OK"), 15000));
    stop();
}
END_TEST

START_TEST(a_worker_that_drains_is_not_ready)
{
    start();
    refq_ref ref = rqt_submit((refq_spec){.task = "deaf"});
    rqt_expect(&ref, "processing", 10000);
    ck_assert_int_eq(kill(worker, SIGTERM), 0);
    ck_assert(RQT_UNTIL(answers(GET("/readyz"), "the worker is draining"), 10000));
    ck_assert(answers(GET("/livez"), "200 OK"));
    (void)rqt_file("gate", "", 0);
    ck_assert_int_eq(rqt_reap(worker, 20000), 0);
}
END_TEST

START_TEST(a_handler_that_does_not_stop_shows)
{
    refq_error err;
    refq_task *task = NULL;
    start();
    refq_ref ref = rqt_submit((refq_spec){.task = "deaf"});
    rqt_expect(&ref, "processing", 10000);
    ck_assert_int_eq(refq_client_cancel(rqt_client(), &ref, &task, &err), REFQ_OK);
    refq_task_free(task);
    ck_assert(RQT_UNTIL(number("stuck") == 1, 20000));
    (void)rqt_file("gate", "", 0);
    ck_assert(RQT_UNTIL(number("stuck") == 0, 10000));
    stop();
}
END_TEST

START_TEST(a_loop_that_hangs_is_not_alive)
{
    start();
    ck_assert(answers(GET("/livez"), "200 OK"));
    refq_ref ref = rqt_submit((refq_spec){.task = "hang"});
    rqt_expect(&ref, "processing", 10000);
    ck_assert(RQT_UNTIL(answers(GET("/livez"), "the worker's loop has not answered"), 30000));
    (void)rqt_file("gate", "", 0);
    ck_assert(RQT_UNTIL(answers(GET("/livez"), "200 OK"), 10000));
    rqt_expect(&ref, "complete", 10000);
    stop();
}
END_TEST

/* --- The watchdog ----------------------------------------------------------------------------- */

static int manager = -1;

static int feedings(void)
{
    static int n;
    char one[4096];
    ssize_t len;
    while ((len = recv(manager, one, sizeof one - 1, 0)) > 0) {
        one[len] = '\0';
        n += strstr(one, "WATCHDOG=1") != NULL;
    }
    return n;
}

static void watch(const char *us, const char *pid)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s/watch", rqt_redis_dir());
    (void)unlink(at.sun_path);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(manager, (const struct sockaddr *)&at, sizeof at), 0);
    (void)setenv("NOTIFY_SOCKET", at.sun_path, 1);
    (void)setenv("WATCHDOG_USEC", us, 1);
    if (pid != NULL) {
        (void)setenv("WATCHDOG_PID", pid, 1);
    }
    worker = rqt_worker(path, NULL);
    expect_said("event=started");
}

START_TEST(the_watchdog_is_fed_while_the_loop_turns)
{
    watch("400000", NULL);
    ck_assert(RQT_UNTIL(feedings() >= 3, 10000));
    refq_ref ref = rqt_submit((refq_spec){.task = "hang"});
    rqt_expect(&ref, "processing", 10000);
    expect_said("event=hangs loop_silent_ms=");
    int n = feedings();
    ck_assert(RQT_STAYS(feedings() == n, 1500)); /* five feedings would have been due */
    (void)rqt_file("gate", "", 0);
    ck_assert(RQT_UNTIL(feedings() > n + 1, 10000));
    rqt_expect(&ref, "complete", 10000);
    stop();
}
END_TEST

static const struct {
    const char *us;
    const char *pid;
} not_ours[] = {{"100000", "1"}, {"0", NULL}, {"soon", NULL}, {"100000", "x"}};

START_TEST(a_watchdog_of_others_is_not_fed)
{
    watch(not_ours[_i].us, not_ours[_i].pid);
    refq_ref ref = rqt_submit((refq_spec){.task = "say"});
    rqt_expect(&ref, "complete", 10000);
    stop();
    ck_assert_int_eq(feedings(), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("st_worker_daemon_health");
    TCase *c = tcase_create("health");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, requests_are_answered);
    tcase_add_test(c, head_has_no_body);
    tcase_add_test(c, long_requests_are_refused);
    tcase_add_test(c, a_request_in_pieces_is_one);
    tcase_add_test(c, connections_are_bounded_and_end);
    tcase_add_test(c, a_request_that_goes_on_and_on_ends);
    tcase_add_test(c, without_descriptors_clients_wait);
    tcase_add_test(c, ports_are_of_loopback);
    tcase_add_test(c, a_bad_address_is_told);
    tcase_add_test(c, numbers_follow_the_work);
    tcase_add_test(c, a_worker_without_redis_is_alive_but_not_ready);
    tcase_add_test(c, a_worker_that_drains_is_not_ready);
    tcase_add_test(c, a_handler_that_does_not_stop_shows);
    tcase_add_test(c, a_loop_that_hangs_is_not_alive);
    tcase_add_test(c, the_watchdog_is_fed_while_the_loop_turns);
    tcase_add_loop_test(c, a_watchdog_of_others_is_not_fed, 0,
                        sizeof not_ours / sizeof not_ours[0]);
    suite_add_tcase(s, c);
    return rqt_main_redis(s, NULL);
}
