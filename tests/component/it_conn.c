/* SPDX-License-Identifier: MIT */
/*
 * The connection to Redis, against a real server and against one that plays a script.
 *
 * DESIGN. The loop runs in the test's own thread: `RQT_RUN_UNTIL` turns it until a
 * condition holds. Every request has an `answer` that counts its callbacks, so
 * "exactly once" is checked for all of them by looking at one number.
 */
#include "redis/conn.h"
#include "support/conn_loop.h"
#include "support/fake_redis.h"
#include "support/main.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/wait.h"

#include <check.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

#define EARLY_MS 10 /* libevent's clock is coarse */

#define HELLO                \
    {RQT_EXPECT, "SETNAME"}, \
    {                        \
        RQT_SEND, "+OK\r\n"  \
    }

static int tcp_port;

static void setup(void)
{
    (void)unsetenv("REFQ_REDIS");
    (void)unsetenv("REFQ_REDIS_PASSWORD");
    rqt_loop_begin();
}

static void teardown(void)
{
    rqt_loop_end();
    rqt_fake_stop();
}

/* --- A real server ---------------------------------------------------------------------------- */

static const char *tcp_url(const char *user, const char *host, const char *db)
{
    static char text[256];
    (void)snprintf(text, sizeof text, "redis://%s%s:%d%s", user, host, tcp_port, db);
    return text;
}

START_TEST(unix_tcp_and_names_lead_to_the_server)
{
    const char *hosts[] = {"127.0.0.1", "localhost"};
    rqt_open(rqt_redis_url());
    rqt_ping();
    rqt_close();
    for (size_t i = 0; i < N_OF(hosts); i++) {
        rqt_open(tcp_url("", hosts[i], ""));
        rqt_ping();
        ck_assert(rqi_conn_is_up(rqt_conn));
        rqt_close();
    }
}
END_TEST

START_TEST(an_unknown_host_is_named)
{
    rqt_answer a = {0};
    rqt_open("redis://no-such-host.invalid");
    rqt_ask(&a, 0, "PING", NULL);
    rqt_expect_error(&a, REFQ_ERR_IO, "no-such-host.invalid");
}
END_TEST

START_TEST(the_database_of_the_url_is_used)
{
    rqt_answer a = {0};
    rqt_open(tcp_url("", "127.0.0.1", "/3"));
    rqt_ask(&a, 0, "CLIENT", "INFO", NULL);
    ck_assert(RQT_RUN_UNTIL(a.calls == 1, 5000));
    ck_assert_int_eq(a.code, REFQ_OK);
    ck_assert_ptr_nonnull(strstr(a.text, "name=it-conn"));
    rqt_answer set = {0};
    rqt_ask(&set, 0, "SET", "it-conn-db", "1", NULL);
    rqt_expect_text(&set, "OK");
    ck_assert_int_eq(rqt_redis_int("EXISTS it-conn-db"), 0);
    rqt_redis_do("SELECT 3");
    ck_assert_int_eq(rqt_redis_int("EXISTS it-conn-db"), 1);
    rqt_redis_do("SELECT 0");
}
END_TEST

START_TEST(a_database_that_is_not_there_is_an_error)
{
    rqt_answer a = {0};
    rqt_open(tcp_url("", "127.0.0.1", "/9999"));
    rqt_ask(&a, 0, "PING", NULL);
    rqt_expect_error(&a, REFQ_ERR_PROTO, "DB index is out of range");
    ck_assert_ptr_nonnull(strstr(a.error, "127.0.0.1"));
}
END_TEST

/* The fixture's own connection stays logged in, so it can take the password away again. */
static void require_password(const char *password)
{
    rqt_redis_do("PING");
    rqt_redis_do("CONFIG SET requirepass %s", password);
}

START_TEST(a_password_opens_the_door)
{
    require_password("open sesame");
    rqt_open(tcp_url(":open%20sesame@", "127.0.0.1", ""));
    rqt_ping();
    rqt_close();
    ck_assert_int_eq(setenv("REFQ_REDIS_PASSWORD", "open sesame", 1), 0);
    rqt_open(tcp_url("", "127.0.0.1", "/1"));
    rqt_ping();
    rqt_close();
    rqt_open(rqt_redis_url());
    rqt_ping();
    require_password("");
}
END_TEST

START_TEST(a_user_and_password_open_the_door)
{
    rqt_redis_do("ACL SETUSER bob reset on >b:b ~* &* +@all");
    rqt_open(tcp_url("bob:b:b@", "127.0.0.1", "/2"));
    rqt_answer a = {0};
    rqt_ask(&a, 0, "ACL", "WHOAMI", NULL);
    rqt_expect_text(&a, "bob");
    rqt_redis_do("ACL DELUSER bob");
}
END_TEST

START_TEST(a_password_file_is_read_at_each_connection)
{
    char option[256];
    rqt_answer a = {0};
    require_password("first");
    (void)snprintf(option, sizeof option, "/1?password_file=%s", rqt_file("pw", "first\n", 0));
    rqt_open(tcp_url("", "127.0.0.1", option));
    rqt_ping();
    require_password("second");
    (void)rqt_file("pw", "second\n", 0);
    rqt_redis_do("CLIENT KILL TYPE normal SKIPME yes");
    ck_assert(RQT_RUN_UNTIL(rqt_downs == 1, 5000));
    rqt_ping();
    (void)unlink(rqt_file("pw", "", 0));
    rqt_redis_do("CLIENT KILL TYPE normal SKIPME yes");
    ck_assert(RQT_RUN_UNTIL(rqt_downs == 2, 5000));
    rqt_ask(&a, 0, "PING", NULL);
    rqt_expect_error(&a, REFQ_ERR_AUTH, "cannot open the password file");
    require_password("");
}
END_TEST

/* Without AUTH it would go on as the default user, whom nobody named. */
START_TEST(a_user_without_a_password_logs_in_nevertheless)
{
    rqt_answer a = {0};
    rqt_redis_do("ACL SETUSER bob reset on nopass ~* &* +@all");
    rqt_open(tcp_url("bob@", "127.0.0.1", ""));
    rqt_ask(&a, 0, "ACL", "WHOAMI", NULL);
    rqt_expect_text(&a, "bob");
    rqt_close();
    rqt_answer b = {0};
    rqt_redis_do("ACL SETUSER bob resetpass >pw");
    rqt_open(tcp_url("bob@", "127.0.0.1", ""));
    rqt_ask(&b, 0, "PING", NULL);
    rqt_expect_error(&b, REFQ_ERR_AUTH, "refuses the user or password");
    rqt_redis_do("ACL DELUSER bob");
}
END_TEST

START_TEST(a_wrong_password_is_told_at_once_and_to_all)
{
    rqt_answer a[3] = {{0}};
    require_password("right");
    int64_t start = rqt_now_ms();
    rqt_open(tcp_url(":wrong@", "127.0.0.1", ""));
    for (size_t i = 0; i < N_OF(a); i++) {
        rqt_ask(&a[i], 0, "PING", NULL);
    }
    for (size_t i = 0; i < N_OF(a); i++) {
        rqt_expect_error(&a[i], REFQ_ERR_AUTH, "refuses the user or password");
        ck_assert_ptr_nonnull(strstr(a[i].error, "127.0.0.1"));
        ck_assert_ptr_null(strstr(a[i].error, "wrong@"));
    }
    ck_assert_int_lt(rqt_now_ms() - start, 4500);
    require_password("");
    rqt_run_for(300); /* it tries again by itself */
    ck_assert_int_eq(a[0].calls + a[1].calls + a[2].calls, 3);
}
END_TEST

START_TEST(a_patient_connection_does_not_wait_for_a_wrong_password)
{
    rqt_answer a = {0};
    require_password("right");
    rqt_open_with(tcp_url(":wrong@", "127.0.0.1", ""), 5000, true);
    rqt_ask(&a, 0, "PING", NULL);
    int64_t start = rqt_now_ms();
    rqt_expect_error(&a, REFQ_ERR_AUTH, "refuses the user or password");
    ck_assert_int_lt(rqt_now_ms() - start, 4500);
    require_password("");
}
END_TEST

START_TEST(a_missing_password_is_asked_for)
{
    rqt_answer a = {0};
    require_password("right");
    rqt_open(tcp_url("", "127.0.0.1", ""));
    rqt_ask(&a, 0, "PING", NULL);
    rqt_expect_error(&a, REFQ_ERR_AUTH, "REFQ_REDIS_PASSWORD");
    require_password("");
}
END_TEST

START_TEST(a_needless_password_is_told)
{
    rqt_answer a = {0};
    rqt_open(tcp_url(":needless@", "127.0.0.1", ""));
    rqt_ask(&a, 0, "PING", NULL);
    rqt_expect_error(&a, REFQ_ERR_AUTH, "this Redis has none set");
}
END_TEST

START_TEST(a_lack_of_permission_is_told)
{
    rqt_answer a = {0};
    rqt_redis_do("ACL SETUSER reader reset on >pw ~* +@read +@connection +ping");
    rqt_open(tcp_url("reader:pw@", "127.0.0.1", ""));
    rqt_ask(&a, 0, "SET", "k", "v", NULL);
    rqt_expect_error(&a, REFQ_ERR_AUTH, "lacks a permission");
    rqt_ping();
    rqt_redis_do("ACL DELUSER reader");
}
END_TEST

START_TEST(many_requests_keep_their_order)
{
    enum { N = 2000 };
    static rqt_answer a[N];
    char word[32];
    rqt_open(tcp_url("", "127.0.0.1", ""));
    for (int i = 0; i < N; i++) {
        (void)snprintf(word, sizeof word, "word-%d", i);
        rqt_ask(&a[i], 0, "ECHO", word, NULL);
    }
    for (int i = 0; i < N; i++) {
        (void)snprintf(word, sizeof word, "word-%d", i);
        rqt_expect_text(&a[i], word);
    }
}
END_TEST

START_TEST(a_killed_connection_comes_back)
{
    rqt_answer blocked = {0};
    rqt_open(rqt_redis_url());
    rqt_ping();
    rqt_ask(&blocked, -1, "BLPOP", "it-conn-none", "0", NULL);
    ck_assert(RQT_RUN_UNTIL(rqt_redis_int("CLIENT KILL TYPE normal SKIPME yes") > 0, 5000));
    rqt_expect_error(&blocked, REFQ_ERR_CLOSED, "lost the connection");
    rqt_answer next = {0};
    rqt_ask(&next, 0, "PING", NULL);
    rqt_expect_text(&next, "PONG");
    ck_assert_int_eq(blocked.calls, 1);
    ck_assert_int_eq(rqt_ups, 2);
    ck_assert_int_eq(rqt_downs, 1);
}
END_TEST

/* --- A server that is not there --------------------------------------------------------------- */

/* A server that was killed leaves its socket behind. */
START_TEST(a_stale_socket_is_a_refused_connection)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    rqt_answer a = {0};
    char url[160];
    (void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s/stale.sock", rqt_redis_dir());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    (void)close(fd);
    (void)snprintf(url, sizeof url, "unix://%s", addr.sun_path);
    rqt_open(url);
    rqt_ask(&a, 0, "PING", NULL);
    rqt_expect_error(&a, REFQ_ERR_IO, "Connection refused");
    rqt_close();
}
END_TEST

START_TEST(a_refused_connection_fails_at_once)
{
    char tcp[64];
    (void)snprintf(tcp, sizeof tcp, "redis://127.0.0.1:%d", rqt_free_port());
    const char *urls[] = {tcp, "unix:///tmp/refq-no-such.sock"};
    for (size_t i = 0; i < N_OF(urls); i++) {
        rqt_answer a = {0};
        int64_t start = rqt_now_ms();
        rqt_open(urls[i]);
        rqt_ask(&a, 0, "PING", NULL);
        rqt_expect_error(&a, REFQ_ERR_IO, "cannot connect to Redis at");
        ck_assert_ptr_nonnull(strstr(a.error, strstr(urls[i], "://") + 3));
        ck_assert_int_lt(rqt_now_ms() - start, 4500);
        rqt_close();
        ck_assert_int_eq(a.calls, 1);
    }
}
END_TEST

START_TEST(a_patient_connection_waits_for_its_deadline)
{
    rqt_answer a = {0};
    int64_t start = rqt_now_ms();
    rqt_open_with("unix:///tmp/refq-no-such.sock", 5000, true);
    rqt_ask(&a, 300, "PING", NULL);
    rqt_expect_error(&a, REFQ_ERR_TIMEOUT, "/tmp/refq-no-such.sock");
    ck_assert_ptr_nonnull(strstr(a.error, "No such file"));
    ck_assert_int_ge(rqt_now_ms() - start, 300 - EARLY_MS);
    ck_assert_int_lt(rqt_now_ms() - start, 4500);
}
END_TEST

/* --- A server with a script ------------------------------------------------------------------- */

#define FAKE(script) rqt_fake_start(RQT_FAKE_UNIX, script, RQT_STEPS(script))

START_TEST(a_server_that_accepts_and_hangs_costs_one_deadline)
{
    static const rqt_step script[] = {{RQT_HANG, NULL}};
    rqt_fake_start(_i == 0 ? RQT_FAKE_UNIX : RQT_FAKE_TCP, script, RQT_STEPS(script));
    rqt_answer a = {0};
    rqt_answer b = {0};
    int64_t start = rqt_now_ms();
    rqt_open_with(rqt_fake_url(), 200, false);
    rqt_ask(&a, 0, "PING", NULL);
    rqt_ask(&b, 100, "PING", NULL);
    rqt_expect_error(&b, REFQ_ERR_TIMEOUT, rqt_fake_shown());
    ck_assert_int_eq(a.calls, 0);
    rqt_expect_error(&a, REFQ_ERR_TIMEOUT, rqt_fake_shown());
    ck_assert_ptr_null(strstr(a.error, "()"));
    ck_assert_int_ge(rqt_now_ms() - start, 200 - EARLY_MS);
    ck_assert_int_lt(rqt_now_ms() - start, 4500);
    ck_assert(RQT_RUN_UNTIL(rqt_fake_connections() >= 2, 5000)); /* and it is tried again */
    ck_assert_int_eq(a.calls + b.calls, 2);
}
END_TEST

START_TEST(a_reply_may_come_byte_by_byte)
{
    static const rqt_step script[] = {
        {RQT_EXPECT, "SETNAME"}, {RQT_STALL, "+OK\r\n"},
        {RQT_EXPECT, "ONE"},     {RQT_STALL, "$11\r\nhello\r\n you\r\n"},
        {RQT_EXPECT, "TWO"},     {RQT_STALL, "*3\r\n:17\r\n$-1\r\n*2\r\n+a\r\n-ERR b\r\n"},
        {RQT_DRAIN, NULL},
    };
    rqt_answer one = {0};
    rqt_answer two = {0};
    rqt_fake_start(RQT_FAKE_TCP, script, RQT_STEPS(script));
    rqt_open(rqt_fake_url());
    rqt_ask(&one, 0, "ONE", NULL);
    rqt_ask(&two, 0, "TWO", NULL);
    rqt_expect_text(&one, "hello\r\n you");
    ck_assert(RQT_RUN_UNTIL(two.calls > 0, 5000));
    ck_assert_int_eq(two.type, REDIS_REPLY_ARRAY);
    ck_assert_uint_eq(two.elements, 3);
}
END_TEST

START_TEST(replies_may_come_all_at_once)
{
    static const rqt_step script[] = {
        HELLO, {RQT_EXPECT, "THREE"}, {RQT_SEND, "+1\r\n$1\r\n2\r\n+3\r\n"}, {RQT_DRAIN, NULL}};
    rqt_answer a[3] = {{0}};
    FAKE(script);
    rqt_open(rqt_fake_url());
    rqt_ask(&a[0], 0, "ONE", NULL);
    rqt_ask(&a[1], 0, "TWO", NULL);
    rqt_ask(&a[2], 0, "THREE", NULL);
    rqt_expect_text(&a[0], "1");
    rqt_expect_text(&a[1], "2");
    rqt_expect_text(&a[2], "3");
}
END_TEST

static const struct error_case {
    const char *reply;
    refq_err code;
    const char *says;
    bool reconnects;
} error_cases[] = {
    {"-OOM command not allowed when used memory > 'maxmemory'.\r\n", REFQ_ERR_FULL, "maxmemory",
     false},
    {"-MISCONF Redis is configured to save RDB snapshots\r\n", REFQ_ERR_FULL, "to disk", false},
    {"-NOAUTH Authentication required.\r\n", REFQ_ERR_AUTH, "wants a password", false},
    {"-WRONGPASS invalid username-password pair\r\n", REFQ_ERR_AUTH, "refuses the user", false},
    {"-ERR invalid password\r\n", REFQ_ERR_AUTH, "refuses the password", false},
    {"-ERR Client sent AUTH, but no password is set\r\n", REFQ_ERR_AUTH, "has none set", false},
    {"-NOPERM this user has no permissions to run the 'fcall' command\r\n", REFQ_ERR_AUTH,
     "permission", false},
    {"-ERR unknown command 'FCALL', with args beginning with: \r\n", REFQ_ERR_VERSION,
     "needs Redis 7.0", false},
    {"-ERR unknown command `FCALL`, with args beginning with: \r\n", REFQ_ERR_VERSION,
     "needs Redis 7.0", false},
    {"-MOVED 3999 127.0.0.1:6381\r\n", REFQ_ERR_UNSUPPORTED, "Redis Cluster", false},
    {"-BUSY Redis is busy running a script.\r\n", REFQ_ERR_TIMEOUT, "busy", false},
    {"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", REFQ_ERR_PROTO,
     "another program", false},
    {"-ERR something new\r\n", REFQ_ERR_PROTO, "something new", false},
    {"-\r\n", REFQ_ERR_PROTO, "Redis answered", false},
    {"-LOADING Redis is loading the dataset in memory\r\n", REFQ_ERR_CLOSED, "is loading", true},
    {"-READONLY You can't write against a read only replica.\r\n", REFQ_ERR_CLOSED,
     "read-only replica", true},
    {"-MASTERDOWN Link with MASTER is down\r\n", REFQ_ERR_CLOSED, "without its primary", true},
    {"-UNBLOCKED force unblock\r\n", REFQ_ERR_CLOSED, "changed its role", true},
    {"-CLUSTERDOWN The cluster is down\r\n", REFQ_ERR_CLOSED, "cluster is down", true},
    {"-TRYAGAIN Multiple keys request during rehashing\r\n", REFQ_ERR_CLOSED, "moving keys", true},
};

START_TEST(error_replies_become_codes)
{
    const struct error_case *c = &error_cases[_i];
    const rqt_step script[] = {
        HELLO,
        {RQT_EXPECT, "ASK"},
        {RQT_SEND, c->reply},
        {RQT_EXPECT, "PING"},
        {RQT_SEND, "+PONG\r\n"},
        {RQT_DRAIN, NULL},
        {RQT_ACCEPT, NULL},
        HELLO,
        {RQT_EXPECT, "PING"},
        {RQT_SEND, "+PONG\r\n"},
        {RQT_DRAIN, NULL},
    };
    rqt_answer a = {0};
    FAKE(script);
    rqt_open(rqt_fake_url());
    rqt_ask(&a, 0, "ASK", NULL);
    rqt_expect_error(&a, c->code, c->says);
    rqt_ping();
    ck_assert_int_eq(rqt_fake_connections(), c->reconnects ? 2 : 1);
    ck_assert_int_eq(a.calls, 1);
}
END_TEST

#define DEEP "*1\r\n*1\r\n*1\r\n*1\r\n"

/* What is not RESP, instead of the first reply and instead of a later one. */
static const char *const not_resp[] = {
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n",
    "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "*1000000000\r\n",
    "*5000000\r\n",
    "*-7\r\n",
    "$-7\r\n",
    "$abc\r\n",
    ":12x\r\n",
    "$99999999999999999999\r\n",
    DEEP DEEP DEEP DEEP ":1\r\n",
};

START_TEST(what_is_no_redis_is_told_at_once)
{
    const rqt_step script[] = {
        {RQT_EXPECT, "SETNAME"}, {RQT_SEND, not_resp[_i]}, {RQT_DRAIN, NULL}};
    rqt_answer a = {0};
    int64_t start = rqt_now_ms();
    FAKE(script);
    rqt_open(rqt_fake_url());
    rqt_ask(&a, 0, "PING", NULL);
    rqt_expect_error(&a, REFQ_ERR_PROTO, "does not speak Redis");
    ck_assert_ptr_nonnull(strstr(a.error, rqt_fake_shown()));
    ck_assert_int_lt(rqt_now_ms() - start, 4500);
}
END_TEST

START_TEST(garbage_later_drops_the_connection)
{
    const rqt_step script[] = {
        HELLO,
        {RQT_EXPECT, "ASK"},
        {RQT_SEND, not_resp[_i]},
        {RQT_DRAIN, NULL},
        {RQT_ACCEPT, NULL},
        HELLO,
        {RQT_EXPECT, "PING"},
        {RQT_SEND, "+PONG\r\n"},
        {RQT_DRAIN, NULL},
    };
    rqt_answer a[2] = {{0}};
    FAKE(script);
    rqt_open(rqt_fake_url());
    rqt_ask(&a[0], 0, "ONE", NULL);
    rqt_ask(&a[1], 0, "ASK", NULL);
    for (size_t i = 0; i < N_OF(a); i++) {
        rqt_expect_error(&a[i], REFQ_ERR_CLOSED, "does not speak Redis");
    }
    rqt_ping();
    ck_assert_int_eq(a[0].calls + a[1].calls, 2);
}
END_TEST

START_TEST(an_absurd_string_costs_a_deadline_and_no_memory)
{
    static const rqt_step script[] = {
        HELLO,
        {RQT_EXPECT, "ASK"},
        {RQT_SEND, "$100000000000\r\nabc"},
        {RQT_DRAIN, NULL},
        {RQT_ACCEPT, NULL},
        HELLO,
        {RQT_EXPECT, "PING"},
        {RQT_SEND, "+PONG\r\n"},
        {RQT_DRAIN, NULL},
    };
    rqt_answer a = {0};
    FAKE(script);
    rqt_open_with(rqt_fake_url(), 150, false);
    rqt_ask(&a, 0, "ASK", NULL);
    rqt_expect_error(&a, REFQ_ERR_TIMEOUT, rqt_fake_shown());
    ck_assert(RQT_RUN_UNTIL(rqt_fake_connections() == 2, 5000));
    rqt_answer next = {0};
    rqt_ask(&next, 5000, "PING", NULL);
    rqt_expect_text(&next, "PONG");
}
END_TEST

START_TEST(an_endless_reply_is_cut_off)
{
    static char element[16384];
    int head = snprintf(element, sizeof element, "$16000\r\n");
    memset(element + head, 'x', 16000);
    memcpy(element + head + 16000, "\r\n", 3);
    const rqt_step script[] = {
        HELLO,
        {RQT_EXPECT, "ASK"},
        {RQT_SEND, "*4000000\r\n"},
        {RQT_FLOOD, element},
        {RQT_ACCEPT, NULL},
        HELLO,
        {RQT_EXPECT, "PING"},
        {RQT_SEND, "+PONG\r\n"},
        {RQT_DRAIN, NULL},
    };
    rqt_answer a = {0};
    FAKE(script);
    rqt_open_with(rqt_fake_url(), 20000, false);
    rqt_ask(&a, 0, "ASK", NULL);
    ck_assert(RQT_RUN_UNTIL(a.calls > 0, 20000));
    rqt_expect_error(&a, REFQ_ERR_CLOSED, "more than this program can take");
    rqt_ping();
}
END_TEST

START_TEST(a_reply_that_breaks_off_is_a_lost_connection)
{
    static const rqt_step script[] = {
        HELLO,
        {RQT_EXPECT, "ASK"},
        {RQT_SEND, "+1\r\n$10\r\nabc"},
        {RQT_CLOSE, NULL},
        {RQT_ACCEPT, NULL},
        HELLO,
        {RQT_EXPECT, "PING"},
        {RQT_SEND, "+PONG\r\n"},
        {RQT_DRAIN, NULL},
    };
    rqt_answer a[3] = {{0}};
    FAKE(script);
    rqt_open(rqt_fake_url());
    rqt_ask(&a[0], 0, "ONE", NULL);
    rqt_ask(&a[1], 0, "TWO", NULL);
    rqt_ask(&a[2], 0, "ASK", NULL);
    rqt_expect_text(&a[0], "1");
    rqt_expect_error(&a[1], REFQ_ERR_CLOSED, "the server closed the connection");
    rqt_expect_error(&a[2], REFQ_ERR_CLOSED, "the server closed the connection");
    rqt_ping();
    ck_assert_int_eq(a[0].calls + a[1].calls + a[2].calls, 3);
}
END_TEST

START_TEST(an_answer_nobody_asked_for_drops_the_connection)
{
    static const rqt_step script[] = {
        HELLO,
        {RQT_EXPECT, "ASK"},
        {RQT_SEND, "+1\r\n+2\r\n"},
        {RQT_DRAIN, NULL},
        {RQT_ACCEPT, NULL},
        HELLO,
        {RQT_EXPECT, "PING"},
        {RQT_SEND, "+PONG\r\n"},
        {RQT_DRAIN, NULL},
    };
    rqt_answer a = {0};
    FAKE(script);
    rqt_open(rqt_fake_url());
    rqt_ask(&a, 0, "ASK", NULL);
    rqt_expect_text(&a, "1");
    ck_assert(RQT_RUN_UNTIL(rqt_downs == 1, 5000));
    rqt_ping();
}
END_TEST

static rqt_answer follower;

static void ask_follower(void)
{
    rqt_ask(&follower, 0, "LATER", NULL);
}

START_TEST(what_was_not_sent_waits_for_the_next_connection)
{
    static const rqt_step script[] = {
        HELLO,
        {RQT_EXPECT, "ASK"},
        {RQT_CLOSE, NULL},
        {RQT_ACCEPT, NULL},
        {RQT_CLOSE, NULL},
        {RQT_ACCEPT, NULL}, /* refused in the handshake, too */
        HELLO,
        {RQT_EXPECT, "LATER"},
        {RQT_SEND, "+served\r\n"},
        {RQT_DRAIN, NULL},
    };
    rqt_answer a = {.then = ask_follower};
    FAKE(script);
    rqt_open(rqt_fake_url());
    rqt_ask(&a, 0, "ASK", NULL);
    rqt_expect_error(&a, REFQ_ERR_CLOSED, "lost the connection");
    rqt_expect_text(&follower, "served");
    ck_assert_int_eq(a.calls, 1);
    ck_assert_int_eq(rqt_fake_connections(), 3);
    ck_assert_int_eq(rqt_ups, 2);
    ck_assert_int_eq(rqt_downs, 1);
}
END_TEST

START_TEST(a_late_request_harms_no_neighbour)
{
    static const rqt_step script[] = {HELLO,
                                      {RQT_EXPECT, "LAST"},
                                      {RQT_SEND, "+late\r\n+second\r\n+last\r\n"},
                                      {RQT_DRAIN, NULL}};
    rqt_answer a[3] = {{0}};
    FAKE(script);
    rqt_open(rqt_fake_url());
    rqt_ask(&a[0], 80, "FIRST", NULL);
    rqt_ask(&a[1], 5000, "SECOND", NULL);
    rqt_expect_error(&a[0], REFQ_ERR_TIMEOUT, "no answer");
    ck_assert_int_eq(a[1].calls, 0);
    rqt_ask(&a[2], 5000, "LAST", NULL);
    rqt_expect_text(&a[1], "second");
    rqt_expect_text(&a[2], "last");
    ck_assert_int_eq(a[0].calls, 1);
    ck_assert_int_eq(rqt_fake_connections(), 1);
}
END_TEST

START_TEST(a_hung_server_is_found_out)
{
    static const rqt_step script[] = {
        HELLO, {RQT_EXPECT, "ASK"},  {RQT_HANG, NULL},        {RQT_ACCEPT, NULL},
        HELLO, {RQT_EXPECT, "PING"}, {RQT_SEND, "+PONG\r\n"}, {RQT_DRAIN, NULL},
    };
    rqt_answer a = {0};
    rqt_answer forever = {0};
    FAKE(script);
    rqt_open_with(rqt_fake_url(), 150, false);
    rqt_ask(&forever, -1, "BLOCK", NULL);
    rqt_ask(&a, 0, "ASK", NULL);
    int64_t start = rqt_now_ms();
    rqt_expect_error(&a, REFQ_ERR_TIMEOUT, "no answer");
    rqt_expect_error(&forever, REFQ_ERR_CLOSED, "does not answer");
    ck_assert_int_ge(rqt_now_ms() - start, 250 - EARLY_MS);
    ck_assert_int_lt(rqt_now_ms() - start, 4500);
    rqt_answer next = {0};
    rqt_ask(&next, 5000, "PING", NULL);
    rqt_expect_text(&next, "PONG");
    ck_assert_int_eq(a.calls + forever.calls, 2);
}
END_TEST

START_TEST(free_answers_what_is_outstanding)
{
    static const rqt_step script[] = {HELLO, {RQT_DRAIN, NULL}};
    rqt_answer sent[3] = {{0}};
    rqt_answer waiting[3] = {{0}};
    FAKE(script);
    rqt_open(rqt_fake_url());
    for (size_t i = 0; i < N_OF(waiting); i++) {
        rqt_ask(&waiting[i], 0, "PING", NULL);
    }
    rqt_close();
    rqt_open(rqt_fake_url());
    ck_assert(RQT_RUN_UNTIL(rqi_conn_is_up(rqt_conn), 5000));
    for (size_t i = 0; i < N_OF(sent); i++) {
        rqt_ask(&sent[i], i == 1 ? -1 : 0, "PING", NULL);
    }
    rqt_run_for(20);
    rqt_close();
    for (size_t i = 0; i < N_OF(sent); i++) {
        rqt_expect_error(&sent[i], REFQ_ERR_CLOSED, "closed by this program");
        rqt_expect_error(&waiting[i], REFQ_ERR_CLOSED, "closed by this program");
    }
    rqt_run_for(20);
    ck_assert_int_eq(sent[0].calls + sent[1].calls + sent[2].calls, 3);
    ck_assert_int_eq(waiting[0].calls + waiting[1].calls + waiting[2].calls, 3);
}
END_TEST

/* Freed from inside the callback of: a reply, an error reply, a deadline, a lost connection, a
 * refused one, an answer to a request made by that very free. */
static const struct free_case {
    rqt_step step;
    int64_t timeout_ms;
} free_cases[] = {
    {{RQT_SEND, "+1\r\n+2\r\n+3\r\n"}, 0},
    {{RQT_SEND, "-READONLY no\r\n+2\r\n"}, 0},
    {{RQT_DRAIN, NULL}, 50},
    {{RQT_CLOSE, NULL}, 0},
    {{RQT_SEND, "garbage\r\n"}, 0},
};

static void ask_and_close(void)
{
    rqi_conn *gone = rqt_conn;
    rqt_ask(&follower, 0, "TOO LATE", NULL);
    rqt_conn = NULL;
    rqi_conn_free(gone);
}

START_TEST(free_is_allowed_inside_a_callback)
{
    const rqt_step script[] = {
        HELLO, {RQT_EXPECT, "THREE"}, free_cases[_i].step, {RQT_DRAIN, NULL}};
    rqt_answer a[3] = {{.then = ask_and_close}, {0}, {0}};
    follower = (rqt_answer){0};
    FAKE(script);
    rqt_open(rqt_fake_url());
    rqt_ask(&a[0], free_cases[_i].timeout_ms, "ONE", NULL);
    rqt_ask(&a[1], 0, "TWO", NULL);
    rqt_ask(&a[2], 0, "THREE", NULL);
    ck_assert(RQT_RUN_UNTIL(rqt_conn == NULL, 5000));
    rqt_run_for(30);
    for (size_t i = 0; i < N_OF(a); i++) {
        ck_assert_int_eq(a[i].calls, 1);
    }
    ck_assert_int_eq(a[1].code, REFQ_ERR_CLOSED);
    ck_assert_int_eq(follower.calls, 1);
    ck_assert_int_eq(follower.code, REFQ_ERR_CLOSED);
}
END_TEST

START_TEST(free_is_allowed_when_connecting_fails)
{
    rqt_answer a[2] = {{.then = ask_and_close}, {0}};
    follower = (rqt_answer){0};
    rqt_open("unix:///tmp/refq-no-such.sock");
    rqt_ask(&a[0], 0, "ONE", NULL);
    rqt_ask(&a[1], 0, "TWO", NULL);
    ck_assert(RQT_RUN_UNTIL(rqt_conn == NULL, 5000));
    rqt_run_for(30);
    ck_assert_int_eq(a[0].calls + a[1].calls, 2);
    ck_assert_int_eq(follower.calls, 1);
}
END_TEST

START_TEST(the_queue_towards_the_server_is_bounded)
{
    size_t len = RQI_OUT_MAX / 2 - 100;
    char *much = calloc(1, len);
    rqt_answer a[3] = {{0}};
    rqt_answer small = {0};
    ck_assert_ptr_nonnull(much);
    rqt_open_with("unix:///tmp/refq-no-such.sock", 60000, true);
    for (size_t i = 0; i < N_OF(a); i++) {
        rqi_conn_send_bytes(rqt_conn, much, len, 0, rqt_on_reply, &a[i]);
    }
    rqt_ask(&small, 0, "PING", NULL);
    ck_assert_int_eq(a[2].calls, 0); /* from the loop, never from inside the call */
    rqt_expect_error(&a[2], REFQ_ERR_FULL, "too much is queued");
    ck_assert_int_eq(a[0].calls + a[1].calls + small.calls, 0);
    rqt_close();
    rqt_run_for(20);
    ck_assert_int_eq(a[0].calls + a[1].calls + a[2].calls + small.calls, 4);
    ck_assert_int_eq(small.code, REFQ_ERR_CLOSED);
    free(much);
}
END_TEST

/* --- Suite ------------------------------------------------------------------------------------ */

static void add_real(Suite *s)
{
    TCase *c = tcase_create("real");
    tcase_set_timeout(c, 30);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, unix_tcp_and_names_lead_to_the_server);
    tcase_add_test(c, an_unknown_host_is_named);
    tcase_add_test(c, the_database_of_the_url_is_used);
    tcase_add_test(c, a_database_that_is_not_there_is_an_error);
    tcase_add_test(c, a_password_opens_the_door);
    tcase_add_test(c, a_user_and_password_open_the_door);
    tcase_add_test(c, a_password_file_is_read_at_each_connection);
    tcase_add_test(c, a_user_without_a_password_logs_in_nevertheless);
    tcase_add_test(c, a_wrong_password_is_told_at_once_and_to_all);
    tcase_add_test(c, a_patient_connection_does_not_wait_for_a_wrong_password);
    tcase_add_test(c, a_missing_password_is_asked_for);
    tcase_add_test(c, a_needless_password_is_told);
    tcase_add_test(c, a_lack_of_permission_is_told);
    tcase_add_test(c, many_requests_keep_their_order);
    tcase_add_test(c, a_killed_connection_comes_back);
    tcase_add_test(c, a_refused_connection_fails_at_once);
    tcase_add_test(c, a_stale_socket_is_a_refused_connection);
    tcase_add_test(c, a_patient_connection_waits_for_its_deadline);
    suite_add_tcase(s, c);
}

static void add_scripted(Suite *s)
{
    TCase *c = tcase_create("scripted");
    tcase_set_timeout(c, 30);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, a_server_that_accepts_and_hangs_costs_one_deadline, 0, 2);
    tcase_add_test(c, a_reply_may_come_byte_by_byte);
    tcase_add_test(c, replies_may_come_all_at_once);
    tcase_add_loop_test(c, error_replies_become_codes, 0, (int)N_OF(error_cases));
    tcase_add_loop_test(c, what_is_no_redis_is_told_at_once, 0, (int)N_OF(not_resp));
    tcase_add_loop_test(c, garbage_later_drops_the_connection, 0, (int)N_OF(not_resp));
    tcase_add_test(c, an_absurd_string_costs_a_deadline_and_no_memory);
    tcase_add_test(c, an_endless_reply_is_cut_off);
    tcase_add_test(c, a_reply_that_breaks_off_is_a_lost_connection);
    tcase_add_test(c, an_answer_nobody_asked_for_drops_the_connection);
    tcase_add_test(c, what_was_not_sent_waits_for_the_next_connection);
    tcase_add_test(c, a_late_request_harms_no_neighbour);
    tcase_add_test(c, a_hung_server_is_found_out);
    tcase_add_test(c, free_answers_what_is_outstanding);
    tcase_add_loop_test(c, free_is_allowed_inside_a_callback, 0, (int)N_OF(free_cases));
    tcase_add_test(c, free_is_allowed_when_connecting_fails);
    tcase_add_test(c, the_queue_towards_the_server_is_bounded);
    suite_add_tcase(s, c);
}

int main(void)
{
    char port[16];
    Suite *s = suite_create("it_conn");
    add_real(s);
    add_scripted(s);
    tcp_port = rqt_free_port();
    (void)snprintf(port, sizeof port, "%d", tcp_port);
    return rqt_main_redis(s, (const char *const[]){"--port", port, "--bind", "127.0.0.1", NULL});
}
