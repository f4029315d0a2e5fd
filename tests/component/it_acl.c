/* SPDX-License-Identifier: MIT */
/*
 * deploy/redis: each user can do all that its programs need, and no more.
 *
 * DESIGN. The fixture's server keeps its default user for the test's own orders; the users of the
 * file are set up beside it, line by line. What a program needs is found by running the program: a
 * refusal inside of a function may be swallowed there, so Redis' own log of refusals is looked at.
 */
#include "support/fake_redis.h"
#include "support/fleet.h"
#include "support/main.h"
#include "support/pace.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/wait.h"
#include "task/library_name.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define N_OF(a)   (sizeof(a) / sizeof((a)[0]))
#define WORDS_MAX 160
#define DEPLOY    RQT_SOURCE_DIR "/../deploy/redis"
#define DO(f)     "refq:{docs}:" f
#define FN(name)  RQI_LIBRARY_NAME "_" name

static const char *const users[] = {"refq-client", "refq-worker", "refq-operator", "refq-loader"};

/* The file with a password ("pw") for everybody. */
static const char *users_file(void)
{
    static char text[16384];
    size_t len = 0;
    const char *from = rqt_read(DEPLOY "/users.acl");
    while (*from != '\0') {
        size_t plain = strcspn(from, "#");
        len += (size_t)snprintf(text + len, sizeof text - len, "%.*s%s", (int)plain, from,
                                from[plain] == '#' ? ">pw" : "");
        from += plain;
        from += *from == '#' ? strcspn(from, " \n") : 0;
    }
    return text;
}

static redisContext *connect_as(const char *user)
{
    redisContext *c = redisConnectUnix(rqt_redis_url() + strlen("unix://"));
    ck_assert(c != NULL && c->err == 0);
    if (user != NULL) {
        redisReply *r = redisCommand(c, "AUTH %s pw", user);
        ck_assert_msg(r != NULL && r->type == REDIS_REPLY_STATUS, "%s: %s", user,
                      r != NULL ? r->str : c->errstr);
        freeReplyObject(r);
    }
    return c;
}

/* Cuts text at each `separator`, in place. */
static int split(char *text, char separator, const char **pieces, int most)
{
    int n = 0;
    while (text != NULL && n < most) {
        char *end = strchr(text, separator);
        if (end != NULL) {
            *end++ = '\0';
        }
        if (*text != '\0') {
            pieces[n++] = text;
        }
        text = end;
    }
    return n;
}

/* Runs `user NAME RULES...` as ACL SETUSER NAME RULES... */
static void set_user(const char *line)
{
    static char copy[4096];
    const char *words[WORDS_MAX + 1] = {"ACL"};
    (void)snprintf(copy, sizeof copy, "%s", line);
    int n = split(copy, ' ', words + 1, WORDS_MAX) + 1;
    words[1] = "SETUSER";
    redisContext *c = connect_as(NULL);
    redisReply *r = redisCommandArgv(c, n, words, NULL);
    ck_assert_msg(r != NULL && r->type == REDIS_REPLY_STATUS, "%s: %s", words[2],
                  r != NULL ? r->str : c->errstr);
    freeReplyObject(r);
    redisFree(c);
}

static void setup(void)
{
    static char text[16384];
    const char *lines[16];
    (void)signal(SIGPIPE, SIG_IGN);
    rqt_redis_clean();
    rqt_redis_do("FUNCTION FLUSH");
    (void)snprintf(text, sizeof text, "%s", users_file());
    int n = split(text, '\n', lines, (int)N_OF(lines));
    for (int i = 0; i < n; i++) {
        if (strncmp(lines[i], "user default ", 13) != 0) {
            set_user(lines[i]);
        }
    }
    rqt_redis_do("ACL LOG RESET");
    ck_assert_int_eq(setenv("REFQ_REDIS_PASSWORD", "pw", 1), 0);
}

static void be(const char *user)
{
    ck_assert_int_eq(setenv("REFQ_REDIS_USER", user, 1), 0);
}

static void expect_no_refusals(void)
{
    redisReply *r = rqt_redis("ACL LOG");
    char text[1024] = "";
    size_t len = 0;
    for (size_t i = 0; i < r->elements && len < sizeof text; i++) {
        const redisReply *e = r->element[i];
        for (size_t k = 0; k + 1 < e->elements && len < sizeof text; k += 2) {
            if (e->element[k + 1]->str != NULL) {
                len += (size_t)snprintf(text + len, sizeof text - len, "%s=%s ", e->element[k]->str,
                                        e->element[k + 1]->str);
            }
        }
    }
    ck_assert_msg(r->elements == 0, "%zu refusals: %s", r->elements, text);
    freeReplyObject(r);
}

/* --- The files as they are -------------------------------------------------------------------- */

static pid_t start_deployed(const char *acl, int port)
{
    static char socket_path[160];
    static char number[16];
    static char log[160];
    (void)snprintf(socket_path, sizeof socket_path, "%s/deployed.sock", rqt_redis_dir());
    (void)snprintf(log, sizeof log, "%s/deployed.log", rqt_redis_dir());
    (void)snprintf(number, sizeof number, "%d", port);
    const char *argv[] = {"redis-server",
                          DEPLOY "/redis.conf",
                          "--port",
                          number,
                          "--dir",
                          rqt_redis_dir(),
                          "--unixsocket",
                          socket_path,
                          "--aclfile",
                          acl,
                          "--maxclients",
                          "100",
                          NULL};
    rqt_spawn_options o = {.argv = argv, .out_path = log, .err_path = log};
    return rqt_spawn(&o);
}

/* The error of a PING, "PONG", or "" when nobody answers. */
static const char *ping(int port, const char *user)
{
    static char text[256];
    text[0] = '\0';
    redisContext *c = redisConnect("127.0.0.1", port);
    redisReply *r = NULL;
    if (c != NULL && c->err == 0 && user != NULL) {
        r = redisCommand(c, "AUTH %s pw", user);
        freeReplyObject(r);
    }
    r = c != NULL && c->err == 0 ? redisCommand(c, "PING") : NULL;
    if (r != NULL) {
        (void)snprintf(text, sizeof text, "%s", r->str);
        freeReplyObject(r);
    }
    if (c != NULL) {
        redisFree(c);
    }
    return text;
}

START_TEST(a_server_starts_with_both_files)
{
    int port = rqt_free_port();
    pid_t pid = start_deployed(rqt_file("users.acl", users_file(), 0), port);
    ck_assert(RQT_UNTIL(ping(port, NULL)[0] != '\0', 10000));
    ck_assert_ptr_nonnull(strstr(ping(port, NULL), "NOAUTH"));
    for (size_t i = 0; i < N_OF(users); i++) {
        ck_assert_str_eq(ping(port, users[i]), "PONG");
    }
    (void)kill(pid, SIGTERM);
    ck_assert_int_eq(rqt_reap(pid, 10000), 0);
}
END_TEST

/* Nobody runs with a password that stands in a file everybody has. */
START_TEST(without_passwords_it_does_not_start)
{
    pid_t pid = start_deployed(DEPLOY "/users.acl", rqt_free_port());
    ck_assert_int_eq(rqt_reap(pid, 10000), 1);
}
END_TEST

/* --- What programs need ----------------------------------------------------------------------- */

static const char tasks[] = "queue: docs\n"
                            "tasks:\n"
                            "  - name: echo\n"
                            "    exec: [cat]\n"
                            "  - name: refuse\n"
                            "    exec: [sh, -c, 'exit 65']\n"
                            "  - name: flaky\n"
                            "    exec: [sh, -c, 'exit 75']\n"
                            "    max_retries: 1\n"
                            "    backoff: {base: 10ms}\n"
                            "  - name: big\n"
                            "    exec: [sh, -c, 'head -c 200000 /dev/zero | tr \"\\\\0\" x']\n"
                            "    output: text\n"
                            "  - name: long\n"
                            "    exec: [sleep, '60']\n";

static const char *expect(const rqt_result *r, int status)
{
    ck_assert_msg(r->status == status, "status %d: %s%s", r->status, r->out, r->err);
    return r->out;
}

static void submit(char out[64], const char *task)
{
    const char *args = strcmp(task, "echo") == 0 ? "{\"text\":\"0123456789012345678901234567890123"
                                                   "4567890123456789012345678901234567890\"}"
                                                 : "{}";
    const rqt_result *r = RQT_REFQ("submit", task, "-q", "docs", "--args", args, "--force");
    (void)expect(r, 0);
    (void)snprintf(out, 64, "%.*s", (int)strcspn(r->out, "\n"), r->out);
}

static bool has_status(const char *ref, const char *status)
{
    char key[128];
    (void)snprintf(key, sizeof key, DO("task:%s"), strchr(ref, ':') + 1);
    return strcmp(rqt_redis_str("HGET %s status", key), status) == 0;
}

START_TEST(each_user_can_do_its_work)
{
    static const char *const names[] = {"echo", "refuse", "flaky", "big"};
    static const char *const ends[] = {"complete", "failed", "failed", "complete"};
    char refs[N_OF(names)][64];
    char slow[64];
    const char *options[] = {"--lease", RQT_LEASE, "--concurrency", "2", NULL};
    be("refq-worker");
    const char *config = rqt_file("acl.yaml", tasks, 0);
    (void)rqt_fleet_add(config, options);
    pid_t second = rqt_fleet_add(config, options);
    be("refq-client");
    for (size_t i = 0; i < N_OF(names); i++) {
        submit(refs[i], names[i]);
    }
    for (size_t i = 0; i < N_OF(names); i++) {
        ck_assert_msg(RQT_UNTIL(has_status(refs[i], ends[i]), 20000), "%s", names[i]);
    }
    (void)expect(RQT_REFQ("get", refs[0]), 0);
    (void)expect(RQT_REFQ("status", refs[0]), 0);
    (void)expect(RQT_REFQ("show", refs[1]), 0);
    (void)expect(RQT_REFQ("logs", refs[1]), 0);
    (void)expect(RQT_REFQ("list", "-q", "docs"), 0);
    (void)expect(RQT_REFQ("workers", "-q", "docs"), 0);
    (void)expect(RQT_REFQ("retry", refs[1]), 0);
    submit(slow, "long");
    ck_assert(RQT_UNTIL(has_status(slow, "processing"), 10000));
    (void)expect(RQT_REFQ("cancel", slow), 0);
    (void)expect(RQT_REFQ("submit", "echo", "-q", "docs", "--wait=20s"), 0);
    rqt_fleet_kill(second); /* the other one reaps it */
    ck_assert(RQT_UNTIL(rqt_redis_int("ZCARD " DO("workers")) == 1, 20000));
    rqt_fleet_end();
    expect_no_refusals();
    rqt_audit("docs");
}
END_TEST

/* All that a store does: single entries, many, large ones, pages of them, counting. */
START_TEST(a_client_can_use_the_cache)
{
    char ref[64];
    be("refq-worker");
    pid_t worker = rqt_fleet_add(rqt_file("acl.yaml", tasks, 0), NULL);
    be("refq-client");
    (void)expect(RQT_REFQ("call", "echo", "-q", "docs", "--async-timeout", "20s"), 0);
    (void)expect(RQT_REFQ("call", "big", "-q", "docs", "--async-timeout", "20s"), 0);
    const char *const set[] = {"cache", "set", "--queue", "docs", "--value", "[1,2]", NULL};
    (void)snprintf(ref, sizeof ref, "%.21s", expect(rqt_refq(set), 0));
    (void)expect(RQT_REFQ("get", ref), 0);
    (void)expect(RQT_REFQ("get", ref, "--page", "1", "-o", "json"), 0);
    const char *listed = expect(RQT_REFQ("cache", "ls", "--queue", "docs"), 0);
    ck_assert_msg(strstr(listed, ref) != NULL, "%s", listed);
    (void)expect(RQT_REFQ("cache", "stat"), 0);
    (void)expect(RQT_REFQ("cache", "rm", ref, "--as", "user:bob"), 0);
    const char *cleared =
        expect(RQT_REFQ("cache", "clear", "--queue", "docs", "--as", "user:bob", "--yes"), 0);
    ck_assert_str_eq(cleared, "removed 2 entries\n");
    rqt_fleet_stop(worker);
    expect_no_refusals();
}
END_TEST

START_TEST(an_operator_can_operate)
{
    char ref[64];
    be("refq-worker");
    pid_t worker = rqt_fleet_add(rqt_file("acl.yaml", tasks, 0), NULL);
    be("refq-client");
    submit(ref, "refuse");
    ck_assert(RQT_UNTIL(has_status(ref, "failed"), 10000));
    be("refq-operator");
    (void)expect(RQT_REFQ("pause", "-q", "docs"), 0);
    (void)expect(RQT_REFQ("resume", "-q", "docs"), 0);
    (void)expect(RQT_REFQ("limit", "-q", "docs", "--max-pending", "100"), 0);
    (void)expect(RQT_REFQ("queues"), 0);
    (void)expect(RQT_REFQ("stats", "-q", "docs"), 0);
    (void)expect(RQT_REFQ("workers", "-q", "docs"), 0);
    (void)expect(RQT_REFQ("dead", "list", "-q", "docs"), 0);
    (void)expect(RQT_REFQ("events", "-q", "docs"), 0);
    const char *found = expect(RQT_REFQ("doctor", "--audit"), 0);
    ck_assert_msg(strstr(found, "may do all that clients need") != NULL, "%s", found);
    ck_assert_ptr_null(strstr(found, "let this user"));
    (void)expect(RQT_REFQ("dead", "replay", ref), 0);
    (void)expect(RQT_REFQ("dead", "purge", "--all", "-q", "docs", "--yes"), 0);
    (void)expect(RQT_REFQ("cleanup", "-q", "docs", "--older-than", "0", "--yes"), 0);
    (void)expect(RQT_REFQ("workers", "quiet", "-q", "docs", "--all"), 0);
    rqt_fleet_stop(worker);
    expect_no_refusals();
}
END_TEST

START_TEST(a_loader_loads_for_those_who_may_not)
{
    be("refq-client");
    const rqt_result *r = RQT_REFQ("list", "-q", "docs");
    ck_assert_int_ne(r->status, 0);
    ck_assert_msg(strstr(r->err, "function|load") != NULL, "%s", r->err);
    be("refq-loader");
    (void)expect(RQT_REFQ("list", "-q", "docs"), 0);
    be("refq-client");
    (void)expect(RQT_REFQ("list", "-q", "docs"), 0);
}
END_TEST

/* --- And no more ------------------------------------------------------------------------------ */

static const struct refusal {
    const char *users; /* numbers into `users` */
    const char *command;
} refusals[] = {
    {"0123", "CONFIG SET maxmemory 1"},
    {"012", "CONFIG REWRITE"},
    {"013", "CONFIG GET maxmemory"},
    {"0123", "FLUSHALL"},
    {"0123", "FLUSHDB"},
    {"0123", "KEYS *"},
    {"13", "SCAN 0"},
    {"0123", "RANDOMKEY"},
    {"0123", "SHUTDOWN NOSAVE"},
    {"0123", "DEBUG SLEEP 0"},
    {"0123", "REPLICAOF NO ONE"},
    {"0123", "MONITOR"},
    {"0123", "CLIENT KILL TYPE normal"},
    {"0123", "ACL SETUSER me on nopass +@all"},
    {"0123", "ACL LIST"},
    {"0123", "SCRIPT FLUSH"},
    {"0123", "FUNCTION FLUSH"},
    {"0123", "EVAL return(1) 0"},
    {"0123", "SWAPDB 0 1"},
    {"0123", "SAVE"},
    {"0123", "MIGRATE 127.0.0.1 1 refq:x 0 1"},
    {"0123", "GET other"},
    {"0123", "SET other 1"},
    {"0123", "DEL other"},
    {"012", "COPY refq:x other"},
    {"0123", "SSUBSCRIBE other"},
    {"012", "SPUBLISH other x"},
    {"0123", "PSUBSCRIBE *"},
    {"0123", "SUBSCRIBE refq:x"},
    {"3", "SET refq:x 1"},
    {"3", "DEL refq:x"},
    {"3", "GET mcp-refcache:entry:docs:x"},
    {"3", "SSUBSCRIBE refq:x"},
    {"023", "XREADGROUP GROUP workers me STREAMS " DO("lane:normal") " >"},
    {"023", "XCLAIM " DO("lane:normal") " workers me 0 1-1"},
    {"023", "XAUTOCLAIM " DO("lane:normal") " workers me 0 0"},
    {"0123", "XGROUP DESTROY " DO("lane:normal") " workers"},
    {"0123", "XDEL " DO("lane:normal") " 1-1"},
    {"023", "BLPOP " DO("bell") " 1"},
    {"03", "RENAME refq:x refq:y"},
    {"0", "FUNCTION LOAD x"},
    {"013", "FUNCTION DELETE x"},
    {"03", "INFO"},
};

/* What the server says to a command: its error, or "fine". */
static const char *run(redisContext *c, const char *command)
{
    static char text[256];
    char copy[256];
    const char *words[WORDS_MAX];
    (void)snprintf(copy, sizeof copy, "%s", command);
    int n = split(copy, ' ', words, WORDS_MAX);
    redisReply *r = redisCommandArgv(c, n, words, NULL);
    ck_assert_msg(r != NULL, "%s: %s", command, c->errstr);
    (void)snprintf(text, sizeof text, "%s", r->type == REDIS_REPLY_ERROR ? r->str : "fine");
    freeReplyObject(r);
    return text;
}

START_TEST(what_a_user_does_not_need_is_refused)
{
    const struct refusal *c = &refusals[_i];
    for (const char *u = c->users; *u != '\0'; u++) {
        const char *user = users[*u - '0'];
        redisContext *redis = connect_as(user);
        const char *said = run(redis, c->command);
        ck_assert_msg(strncmp(said, "NOPERM", 6) == 0, "%s, %s: %s", user, c->command, said);
        redisFree(redis);
    }
}
END_TEST

/* Functions run with their caller's rights: what the worker gets, the client does not. */
START_TEST(a_client_cannot_claim_by_a_function_either)
{
    static const char claim[] = "FCALL " FN("pull") " 1 " DO("meta") " thief 5 0 0 %s";
    char ref[64];
    char call[200];
    (void)snprintf(call, sizeof call, claim, "echo=9");
    be("refq-loader");
    (void)expect(RQT_REFQ("list", "-q", "docs"), 0);
    be("refq-client");
    submit(ref, "echo");
    rqt_redis_do("ZADD " DO("workers") " 99999999999999 thief");
    redisContext *c = connect_as("refq-client");
    (void)run(c, call);
    ck_assert(has_status(ref, "pending"));
    redisFree(c);
    submit(ref, "echo"); /* a claim that was refused may take the lane for empty until then */
    c = connect_as("refq-worker");
    const char *said = run(c, call);
    ck_assert_msg(has_status(ref, "processing"), "%s", said);
    redisFree(c);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("it_acl");
    TCase *c = tcase_create("acl");
    tcase_add_checked_fixture(c, setup, NULL);
    tcase_set_timeout(c, 90);
    tcase_add_test(c, a_server_starts_with_both_files);
    tcase_add_test(c, without_passwords_it_does_not_start);
    tcase_add_test(c, each_user_can_do_its_work);
    tcase_add_test(c, a_client_can_use_the_cache);
    tcase_add_test(c, an_operator_can_operate);
    tcase_add_test(c, a_loader_loads_for_those_who_may_not);
    tcase_add_loop_test(c, what_a_user_does_not_need_is_refused, 0, (int)N_OF(refusals));
    tcase_add_test(c, a_client_cannot_claim_by_a_function_either);
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    return rqt_main_redis(suite(), NULL);
}
