/* SPDX-License-Identifier: MIT */
/*
 * The connection to Redis, against a real server and against one that plays a script.
 *
 * DESIGN. The loop runs in the test's own thread: `RUN_UNTIL` turns it until a
 * condition holds. Every request has an `answer` that counts its callbacks, so
 * "exactly once" is checked for all of them by looking at one number.
 */
#include "redis/conn.h"
#include "support/fake_redis.h"
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

struct answer {
    int calls;
    refq_err code;
    char error[256];
    int type;
    size_t elements;
    char text[256];
    void (*then)(void); /* called from inside the callback */
};

static struct event_base *base;
static rqi_conn *conn;
static int tcp_port;
static int ups, downs;

#define RUN_UNTIL(cond, budget_ms) \
    RQT_UNTIL((event_base_loop(base, EVLOOP_NONBLOCK), (cond)), budget_ms)

static void on_reply(void *arg, const refq_error *err, const redisReply *reply)
{
    struct answer *a = arg;
    a->calls++;
    if (err != NULL) {
        a->code = err->code;
        (void)snprintf(a->error, sizeof a->error, "%s", err->text);
    } else {
        a->type = reply->type;
        a->elements = reply->elements;
        (void)snprintf(a->text, sizeof a->text, "%s", reply->str != NULL ? reply->str : "");
    }
    if (a->then != NULL) {
        a->then();
    }
}

static void on_up(void *arg)
{
    (void)arg;
    ups++;
}

static void on_down(void *arg, const refq_error *why)
{
    (void)arg;
    (void)why;
    downs++;
}

static void open_with(const char *text, int64_t timeout_ms, bool patient)
{
    rqi_url url;
    refq_error err;
    ck_assert_msg(rqi_url_parse(text, &url, &err) == REFQ_OK, "%s: %s", text, err.text);
    rqi_conn_options o = {.base = base,
                          .url = &url,
                          .name = "it-conn",
                          .timeout_ms = timeout_ms,
                          .patient = patient,
                          .on_up = on_up,
                          .on_down = on_down};
    ck_assert_int_eq(rqi_conn_new(&o, &conn, &err), REFQ_OK);
}

static void open_conn(const char *text)
{
    open_with(text, 5000, false);
}

static void close_conn(void)
{
    rqi_conn_free(conn);
    conn = NULL;
}

/* Sends a command given word by word, NULL at the end. */
static void ask(struct answer *a, int64_t timeout_ms, ...)
{
    rqi_cmd cmd = {0};
    va_list ap;
    va_start(ap, timeout_ms);
    for (const char *word = va_arg(ap, const char *); word != NULL;
         word = va_arg(ap, const char *)) {
        rqi_cmd_adds(&cmd, word);
    }
    va_end(ap);
    rqi_conn_send(conn, &cmd, timeout_ms, on_reply, a);
    rqi_cmd_done(&cmd);
}

static void expect_error(struct answer *a, refq_err code, const char *phrase)
{
    ck_assert_msg(RUN_UNTIL(a->calls > 0, 10000), "no answer; wanted an error with: %s", phrase);
    ck_assert_msg(a->code == code, "wanted %s, got %s: %s%s", refq_strerror(code),
                  refq_strerror(a->code), a->error, a->text);
    ck_assert_msg(strstr(a->error, phrase) != NULL, "wanted \"%s\" in: %s", phrase, a->error);
}

static void expect_text(struct answer *a, const char *text)
{
    ck_assert_msg(RUN_UNTIL(a->calls > 0, 10000), "no answer; wanted: %s", text);
    ck_assert_msg(a->code == REFQ_OK, "%s", a->error);
    ck_assert_str_eq(a->text, text);
    ck_assert_int_eq(a->calls, 1);
}

static void ping(void)
{
    struct answer a = {0};
    ask(&a, 0, "PING", NULL);
    expect_text(&a, "PONG");
}

/* Turns the loop for a while, for what must not happen. */
static void run_for(int ms)
{
    (void)RUN_UNTIL(false, ms);
}

static void setup(void)
{
    (void)unsetenv("REFQ_REDIS");
    (void)unsetenv("REFQ_REDIS_PASSWORD");
    base = event_base_new();
    ck_assert_ptr_nonnull(base);
}

static void teardown(void)
{
    close_conn();
    event_base_free(base);
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
    open_conn(rqt_redis_url());
    ping();
    close_conn();
    for (size_t i = 0; i < N_OF(hosts); i++) {
        open_conn(tcp_url("", hosts[i], ""));
        ping();
        ck_assert(rqi_conn_is_up(conn));
        close_conn();
    }
}
END_TEST

START_TEST(an_unknown_host_is_named)
{
    struct answer a = {0};
    open_conn("redis://no-such-host.invalid");
    ask(&a, 0, "PING", NULL);
    expect_error(&a, REFQ_ERR_IO, "no-such-host.invalid");
}
END_TEST

START_TEST(the_database_of_the_url_is_used)
{
    struct answer a = {0};
    open_conn(tcp_url("", "127.0.0.1", "/3"));
    ask(&a, 0, "CLIENT", "INFO", NULL);
    ck_assert(RUN_UNTIL(a.calls == 1, 5000));
    ck_assert_int_eq(a.code, REFQ_OK);
    ck_assert_ptr_nonnull(strstr(a.text, "name=it-conn"));
    struct answer set = {0};
    ask(&set, 0, "SET", "it-conn-db", "1", NULL);
    expect_text(&set, "OK");
    ck_assert_int_eq(rqt_redis_int("EXISTS it-conn-db"), 0);
    rqt_redis_do("SELECT 3");
    ck_assert_int_eq(rqt_redis_int("EXISTS it-conn-db"), 1);
    rqt_redis_do("SELECT 0");
}
END_TEST

START_TEST(a_database_that_is_not_there_is_an_error)
{
    struct answer a = {0};
    open_conn(tcp_url("", "127.0.0.1", "/9999"));
    ask(&a, 0, "PING", NULL);
    expect_error(&a, REFQ_ERR_PROTO, "DB index is out of range");
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
    open_conn(tcp_url(":open%20sesame@", "127.0.0.1", ""));
    ping();
    close_conn();
    ck_assert_int_eq(setenv("REFQ_REDIS_PASSWORD", "open sesame", 1), 0);
    open_conn(tcp_url("", "127.0.0.1", "/1"));
    ping();
    close_conn();
    open_conn(rqt_redis_url());
    ping();
    require_password("");
}
END_TEST

START_TEST(a_user_and_password_open_the_door)
{
    rqt_redis_do("ACL SETUSER bob reset on >b:b ~* &* +@all");
    open_conn(tcp_url("bob:b:b@", "127.0.0.1", "/2"));
    struct answer a = {0};
    ask(&a, 0, "ACL", "WHOAMI", NULL);
    expect_text(&a, "bob");
    rqt_redis_do("ACL DELUSER bob");
}
END_TEST

START_TEST(a_password_file_is_read_at_each_connection)
{
    char option[256];
    struct answer a = {0};
    require_password("first");
    (void)snprintf(option, sizeof option, "/1?password_file=%s", rqt_file("pw", "first\n", 0));
    open_conn(tcp_url("", "127.0.0.1", option));
    ping();
    require_password("second");
    (void)rqt_file("pw", "second\n", 0);
    rqt_redis_do("CLIENT KILL TYPE normal SKIPME yes");
    ck_assert(RUN_UNTIL(downs == 1, 5000));
    ping();
    (void)unlink(rqt_file("pw", "", 0));
    rqt_redis_do("CLIENT KILL TYPE normal SKIPME yes");
    ck_assert(RUN_UNTIL(downs == 2, 5000));
    ask(&a, 0, "PING", NULL);
    expect_error(&a, REFQ_ERR_AUTH, "cannot open the password file");
    require_password("");
}
END_TEST

/* Without AUTH it would go on as the default user, whom nobody named. */
START_TEST(a_user_without_a_password_logs_in_nevertheless)
{
    struct answer a = {0};
    rqt_redis_do("ACL SETUSER bob reset on nopass ~* &* +@all");
    open_conn(tcp_url("bob@", "127.0.0.1", ""));
    ask(&a, 0, "ACL", "WHOAMI", NULL);
    expect_text(&a, "bob");
    close_conn();
    struct answer b = {0};
    rqt_redis_do("ACL SETUSER bob resetpass >pw");
    open_conn(tcp_url("bob@", "127.0.0.1", ""));
    ask(&b, 0, "PING", NULL);
    expect_error(&b, REFQ_ERR_AUTH, "refuses the user or password");
    rqt_redis_do("ACL DELUSER bob");
}
END_TEST

START_TEST(a_wrong_password_is_told_at_once_and_to_all)
{
    struct answer a[3] = {{0}};
    require_password("right");
    int64_t start = rqt_now_ms();
    open_conn(tcp_url(":wrong@", "127.0.0.1", ""));
    for (size_t i = 0; i < N_OF(a); i++) {
        ask(&a[i], 0, "PING", NULL);
    }
    for (size_t i = 0; i < N_OF(a); i++) {
        expect_error(&a[i], REFQ_ERR_AUTH, "refuses the user or password");
        ck_assert_ptr_nonnull(strstr(a[i].error, "127.0.0.1"));
        ck_assert_ptr_null(strstr(a[i].error, "wrong@"));
    }
    ck_assert_int_lt(rqt_now_ms() - start, 4500);
    require_password("");
    run_for(300); /* it tries again by itself */
    ck_assert_int_eq(a[0].calls + a[1].calls + a[2].calls, 3);
}
END_TEST

START_TEST(a_patient_connection_does_not_wait_for_a_wrong_password)
{
    struct answer a = {0};
    require_password("right");
    open_with(tcp_url(":wrong@", "127.0.0.1", ""), 5000, true);
    ask(&a, 0, "PING", NULL);
    int64_t start = rqt_now_ms();
    expect_error(&a, REFQ_ERR_AUTH, "refuses the user or password");
    ck_assert_int_lt(rqt_now_ms() - start, 4500);
    require_password("");
}
END_TEST

START_TEST(a_missing_password_is_asked_for)
{
    struct answer a = {0};
    require_password("right");
    open_conn(tcp_url("", "127.0.0.1", ""));
    ask(&a, 0, "PING", NULL);
    expect_error(&a, REFQ_ERR_AUTH, "REFQ_REDIS_PASSWORD");
    require_password("");
}
END_TEST

START_TEST(a_needless_password_is_told)
{
    struct answer a = {0};
    open_conn(tcp_url(":needless@", "127.0.0.1", ""));
    ask(&a, 0, "PING", NULL);
    expect_error(&a, REFQ_ERR_AUTH, "this Redis has none set");
}
END_TEST

START_TEST(a_lack_of_permission_is_told)
{
    struct answer a = {0};
    rqt_redis_do("ACL SETUSER reader reset on >pw ~* +@read +@connection +ping");
    open_conn(tcp_url("reader:pw@", "127.0.0.1", ""));
    ask(&a, 0, "SET", "k", "v", NULL);
    expect_error(&a, REFQ_ERR_AUTH, "lacks a permission");
    ping();
    rqt_redis_do("ACL DELUSER reader");
}
END_TEST

START_TEST(many_requests_keep_their_order)
{
    enum { N = 2000 };
    static struct answer a[N];
    char word[32];
    open_conn(tcp_url("", "127.0.0.1", ""));
    for (int i = 0; i < N; i++) {
        (void)snprintf(word, sizeof word, "word-%d", i);
        ask(&a[i], 0, "ECHO", word, NULL);
    }
    for (int i = 0; i < N; i++) {
        (void)snprintf(word, sizeof word, "word-%d", i);
        expect_text(&a[i], word);
    }
}
END_TEST

START_TEST(a_killed_connection_comes_back)
{
    struct answer blocked = {0};
    open_conn(rqt_redis_url());
    ping();
    ask(&blocked, -1, "BLPOP", "it-conn-none", "0", NULL);
    ck_assert(RUN_UNTIL(rqt_redis_int("CLIENT KILL TYPE normal SKIPME yes") > 0, 5000));
    expect_error(&blocked, REFQ_ERR_CLOSED, "lost the connection");
    struct answer next = {0};
    ask(&next, 0, "PING", NULL);
    expect_text(&next, "PONG");
    ck_assert_int_eq(blocked.calls, 1);
    ck_assert_int_eq(ups, 2);
    ck_assert_int_eq(downs, 1);
}
END_TEST

/* --- A server that is not there --------------------------------------------------------------- */

/* A server that was killed leaves its socket behind. */
START_TEST(a_stale_socket_is_a_refused_connection)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct answer a = {0};
    char url[160];
    (void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s/stale.sock", rqt_redis_dir());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    (void)close(fd);
    (void)snprintf(url, sizeof url, "unix://%s", addr.sun_path);
    open_conn(url);
    ask(&a, 0, "PING", NULL);
    expect_error(&a, REFQ_ERR_IO, "Connection refused");
    close_conn();
}
END_TEST

START_TEST(a_refused_connection_fails_at_once)
{
    char tcp[64];
    (void)snprintf(tcp, sizeof tcp, "redis://127.0.0.1:%d", rqt_free_port());
    const char *urls[] = {tcp, "unix:///tmp/refq-no-such.sock"};
    for (size_t i = 0; i < N_OF(urls); i++) {
        struct answer a = {0};
        int64_t start = rqt_now_ms();
        open_conn(urls[i]);
        ask(&a, 0, "PING", NULL);
        expect_error(&a, REFQ_ERR_IO, "cannot connect to Redis at");
        ck_assert_ptr_nonnull(strstr(a.error, strstr(urls[i], "://") + 3));
        ck_assert_int_lt(rqt_now_ms() - start, 4500);
        close_conn();
        ck_assert_int_eq(a.calls, 1);
    }
}
END_TEST

START_TEST(a_patient_connection_waits_for_its_deadline)
{
    struct answer a = {0};
    int64_t start = rqt_now_ms();
    open_with("unix:///tmp/refq-no-such.sock", 5000, true);
    ask(&a, 300, "PING", NULL);
    expect_error(&a, REFQ_ERR_TIMEOUT, "/tmp/refq-no-such.sock");
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
    struct answer a = {0};
    struct answer b = {0};
    int64_t start = rqt_now_ms();
    open_with(rqt_fake_url(), 200, false);
    ask(&a, 0, "PING", NULL);
    ask(&b, 100, "PING", NULL);
    expect_error(&b, REFQ_ERR_TIMEOUT, rqt_fake_shown());
    ck_assert_int_eq(a.calls, 0);
    expect_error(&a, REFQ_ERR_TIMEOUT, rqt_fake_shown());
    ck_assert_ptr_null(strstr(a.error, "()"));
    ck_assert_int_ge(rqt_now_ms() - start, 200 - EARLY_MS);
    ck_assert_int_lt(rqt_now_ms() - start, 4500);
    ck_assert(RUN_UNTIL(rqt_fake_connections() >= 2, 5000)); /* and it is tried again */
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
    struct answer one = {0};
    struct answer two = {0};
    rqt_fake_start(RQT_FAKE_TCP, script, RQT_STEPS(script));
    open_conn(rqt_fake_url());
    ask(&one, 0, "ONE", NULL);
    ask(&two, 0, "TWO", NULL);
    expect_text(&one, "hello\r\n you");
    ck_assert(RUN_UNTIL(two.calls > 0, 5000));
    ck_assert_int_eq(two.type, REDIS_REPLY_ARRAY);
    ck_assert_uint_eq(two.elements, 3);
}
END_TEST

START_TEST(replies_may_come_all_at_once)
{
    static const rqt_step script[] = {
        HELLO, {RQT_EXPECT, "THREE"}, {RQT_SEND, "+1\r\n$1\r\n2\r\n+3\r\n"}, {RQT_DRAIN, NULL}};
    struct answer a[3] = {{0}};
    FAKE(script);
    open_conn(rqt_fake_url());
    ask(&a[0], 0, "ONE", NULL);
    ask(&a[1], 0, "TWO", NULL);
    ask(&a[2], 0, "THREE", NULL);
    expect_text(&a[0], "1");
    expect_text(&a[1], "2");
    expect_text(&a[2], "3");
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
    struct answer a = {0};
    FAKE(script);
    open_conn(rqt_fake_url());
    ask(&a, 0, "ASK", NULL);
    expect_error(&a, c->code, c->says);
    ping();
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
    struct answer a = {0};
    int64_t start = rqt_now_ms();
    FAKE(script);
    open_conn(rqt_fake_url());
    ask(&a, 0, "PING", NULL);
    expect_error(&a, REFQ_ERR_PROTO, "does not speak Redis");
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
    struct answer a[2] = {{0}};
    FAKE(script);
    open_conn(rqt_fake_url());
    ask(&a[0], 0, "ONE", NULL);
    ask(&a[1], 0, "ASK", NULL);
    for (size_t i = 0; i < N_OF(a); i++) {
        expect_error(&a[i], REFQ_ERR_CLOSED, "does not speak Redis");
    }
    ping();
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
    struct answer a = {0};
    FAKE(script);
    open_with(rqt_fake_url(), 150, false);
    ask(&a, 0, "ASK", NULL);
    expect_error(&a, REFQ_ERR_TIMEOUT, rqt_fake_shown());
    ck_assert(RUN_UNTIL(rqt_fake_connections() == 2, 5000));
    struct answer next = {0};
    ask(&next, 5000, "PING", NULL);
    expect_text(&next, "PONG");
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
    struct answer a = {0};
    FAKE(script);
    open_with(rqt_fake_url(), 20000, false);
    ask(&a, 0, "ASK", NULL);
    ck_assert(RUN_UNTIL(a.calls > 0, 20000));
    expect_error(&a, REFQ_ERR_CLOSED, "more than this program can take");
    ping();
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
    struct answer a[3] = {{0}};
    FAKE(script);
    open_conn(rqt_fake_url());
    ask(&a[0], 0, "ONE", NULL);
    ask(&a[1], 0, "TWO", NULL);
    ask(&a[2], 0, "ASK", NULL);
    expect_text(&a[0], "1");
    expect_error(&a[1], REFQ_ERR_CLOSED, "the server closed the connection");
    expect_error(&a[2], REFQ_ERR_CLOSED, "the server closed the connection");
    ping();
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
    struct answer a = {0};
    FAKE(script);
    open_conn(rqt_fake_url());
    ask(&a, 0, "ASK", NULL);
    expect_text(&a, "1");
    ck_assert(RUN_UNTIL(downs == 1, 5000));
    ping();
}
END_TEST

static struct answer follower;

static void ask_follower(void)
{
    ask(&follower, 0, "LATER", NULL);
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
    struct answer a = {.then = ask_follower};
    FAKE(script);
    open_conn(rqt_fake_url());
    ask(&a, 0, "ASK", NULL);
    expect_error(&a, REFQ_ERR_CLOSED, "lost the connection");
    expect_text(&follower, "served");
    ck_assert_int_eq(a.calls, 1);
    ck_assert_int_eq(rqt_fake_connections(), 3);
    ck_assert_int_eq(ups, 2);
    ck_assert_int_eq(downs, 1);
}
END_TEST

START_TEST(a_late_request_harms_no_neighbour)
{
    static const rqt_step script[] = {HELLO,
                                      {RQT_EXPECT, "LAST"},
                                      {RQT_SEND, "+late\r\n+second\r\n+last\r\n"},
                                      {RQT_DRAIN, NULL}};
    struct answer a[3] = {{0}};
    FAKE(script);
    open_conn(rqt_fake_url());
    ask(&a[0], 80, "FIRST", NULL);
    ask(&a[1], 5000, "SECOND", NULL);
    expect_error(&a[0], REFQ_ERR_TIMEOUT, "no answer");
    ck_assert_int_eq(a[1].calls, 0);
    ask(&a[2], 5000, "LAST", NULL);
    expect_text(&a[1], "second");
    expect_text(&a[2], "last");
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
    struct answer a = {0};
    struct answer forever = {0};
    FAKE(script);
    open_with(rqt_fake_url(), 150, false);
    ask(&forever, -1, "BLOCK", NULL);
    ask(&a, 0, "ASK", NULL);
    int64_t start = rqt_now_ms();
    expect_error(&a, REFQ_ERR_TIMEOUT, "no answer");
    expect_error(&forever, REFQ_ERR_CLOSED, "does not answer");
    ck_assert_int_ge(rqt_now_ms() - start, 250 - EARLY_MS);
    ck_assert_int_lt(rqt_now_ms() - start, 4500);
    struct answer next = {0};
    ask(&next, 5000, "PING", NULL);
    expect_text(&next, "PONG");
    ck_assert_int_eq(a.calls + forever.calls, 2);
}
END_TEST

START_TEST(free_answers_what_is_outstanding)
{
    static const rqt_step script[] = {HELLO, {RQT_DRAIN, NULL}};
    struct answer sent[3] = {{0}};
    struct answer waiting[3] = {{0}};
    FAKE(script);
    open_conn(rqt_fake_url());
    for (size_t i = 0; i < N_OF(waiting); i++) {
        ask(&waiting[i], 0, "PING", NULL);
    }
    close_conn();
    open_conn(rqt_fake_url());
    ck_assert(RUN_UNTIL(rqi_conn_is_up(conn), 5000));
    for (size_t i = 0; i < N_OF(sent); i++) {
        ask(&sent[i], i == 1 ? -1 : 0, "PING", NULL);
    }
    run_for(20);
    close_conn();
    for (size_t i = 0; i < N_OF(sent); i++) {
        expect_error(&sent[i], REFQ_ERR_CLOSED, "closed by this program");
        expect_error(&waiting[i], REFQ_ERR_CLOSED, "closed by this program");
    }
    run_for(20);
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
    rqi_conn *gone = conn;
    ask(&follower, 0, "TOO LATE", NULL);
    conn = NULL;
    rqi_conn_free(gone);
}

START_TEST(free_is_allowed_inside_a_callback)
{
    const rqt_step script[] = {
        HELLO, {RQT_EXPECT, "THREE"}, free_cases[_i].step, {RQT_DRAIN, NULL}};
    struct answer a[3] = {{.then = ask_and_close}, {0}, {0}};
    follower = (struct answer){0};
    FAKE(script);
    open_conn(rqt_fake_url());
    ask(&a[0], free_cases[_i].timeout_ms, "ONE", NULL);
    ask(&a[1], 0, "TWO", NULL);
    ask(&a[2], 0, "THREE", NULL);
    ck_assert(RUN_UNTIL(conn == NULL, 5000));
    run_for(30);
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
    struct answer a[2] = {{.then = ask_and_close}, {0}};
    follower = (struct answer){0};
    open_conn("unix:///tmp/refq-no-such.sock");
    ask(&a[0], 0, "ONE", NULL);
    ask(&a[1], 0, "TWO", NULL);
    ck_assert(RUN_UNTIL(conn == NULL, 5000));
    run_for(30);
    ck_assert_int_eq(a[0].calls + a[1].calls, 2);
    ck_assert_int_eq(follower.calls, 1);
}
END_TEST

START_TEST(the_queue_towards_the_server_is_bounded)
{
    size_t len = RQI_OUT_MAX / 2 - 100;
    char *much = calloc(1, len);
    struct answer a[3] = {{0}};
    struct answer small = {0};
    ck_assert_ptr_nonnull(much);
    open_with("unix:///tmp/refq-no-such.sock", 60000, true);
    for (size_t i = 0; i < N_OF(a); i++) {
        rqi_conn_send_bytes(conn, much, len, 0, on_reply, &a[i]);
    }
    ask(&small, 0, "PING", NULL);
    ck_assert_int_eq(a[2].calls, 0); /* from the loop, never from inside the call */
    expect_error(&a[2], REFQ_ERR_FULL, "too much is queued");
    ck_assert_int_eq(a[0].calls + a[1].calls + small.calls, 0);
    close_conn();
    run_for(20);
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
    SRunner *r = srunner_create(s);
    tcp_port = rqt_free_port();
    (void)snprintf(port, sizeof port, "%d", tcp_port);
    rqt_redis_start((const char *const[]){"--port", port, "--bind", "127.0.0.1", NULL});
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    rqt_redis_stop();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
