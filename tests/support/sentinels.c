/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The servers have no configuration file, so that a killed primary comes back as a primary:
 * the worst that an operator's files can make of it. They persist, so that it comes back with what
 * was lost. Sentinel's own periods are shortened by SENTINEL DEBUG (Redis 7), because a test cannot
 * wait eight seconds for each old primary; and tilt, its answer to a clock that jumps, is kept
 * away, because a busy machine looks like one. For the same reason the Sentinels are impatient only
 * while the primary is dead: a failover that nobody ordered would lose what no fault explains.
 */
#include "support/sentinels.h"

#include "support/fake_redis.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/wait.h"

#include <check.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { SENTINELS = 3, START_MS = 30000, END_MS = 5000, PATIENT_MS = 60000, IMPATIENT_MS = 1000 };

typedef struct node {
    int port;
    pid_t pid;
    char dir[96];
    char socket[112];
} node;

static struct {
    bool on;
    node nodes[2];
    int primary; /* which of the nodes */
    int ports[SENTINELS];
    pid_t pids[SENTINELS];
    char url[128];
} group;

/* --- Asking ----------------------------------------------------------------------------------- */

static void flatten(const redisReply *r, char *out, size_t size)
{
    size_t len = strlen(out);
    if (r->str != NULL) {
        (void)snprintf(out + len, size - len, "%s ", r->str);
    }
    for (size_t i = 0; i < r->elements; i++) {
        flatten(r->element[i], out, size);
    }
}

const char *rqt_sentinel_ask(int port, const char *format, ...)
{
    static char text[16384];
    text[0] = '\0';
    redisContext *c = redisConnect("127.0.0.1", port);
    va_list ap;
    va_start(ap, format);
    redisReply *r = c != NULL && c->err == 0 ? redisvCommand(c, format, ap) : NULL;
    va_end(ap);
    if (r != NULL) {
        flatten(r, text, sizeof text);
        freeReplyObject(r);
    }
    if (c != NULL) {
        redisFree(c);
    }
    return text;
}

static bool says(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* --- Starting --------------------------------------------------------------------------------- */

static pid_t spawn(const char *const *argv, const char *name)
{
    char log[128];
    (void)snprintf(log, sizeof log, "%s/%s.log", rqt_redis_dir(), name);
    rqt_spawn_options o = {.argv = argv, .out_path = log, .err_path = log};
    return rqt_spawn(&o);
}

static void start_node(node *n)
{
    char port[16];
    char name[32];
    (void)snprintf(port, sizeof port, "%d", n->port);
    (void)snprintf(name, sizeof name, "node-%d", (int)(n - group.nodes));
    const char *argv[] = {"redis-server",
                          "--port",
                          port,
                          "--bind",
                          "127.0.0.1",
                          "--unixsocket",
                          n->socket,
                          "--dir",
                          n->dir,
                          "--save",
                          "",
                          "--appendonly",
                          "yes",
                          "--repl-diskless-sync-delay",
                          "0",
                          NULL};
    n->pid = spawn(argv, name);
}

static void start_nodes(void)
{
    for (int i = 0; i < 2; i++) {
        node *n = &group.nodes[i];
        n->port = rqt_free_port();
        (void)snprintf(n->dir, sizeof n->dir, "%s/node-%d", rqt_redis_dir(), i);
        (void)snprintf(n->socket, sizeof n->socket, "%s/node-%d.sock", rqt_redis_dir(), i);
        ck_assert_int_eq(mkdir(n->dir, 0700), 0);
        start_node(n);
        ck_assert(RQT_UNTIL(says(rqt_sentinel_ask(n->port, "PING"), "PONG"), START_MS));
    }
    (void)rqt_sentinel_ask(group.nodes[1].port, "REPLICAOF 127.0.0.1 %d", group.nodes[0].port);
}

pid_t rqt_sentinel_start(int port, int master_port, int quorum, int down_ms, const char *extra)
{
    char name[32];
    char text[2048];
    (void)snprintf(name, sizeof name, "sentinel-%d", port);
    int n = snprintf(text, sizeof text,
                     "port %d\nbind 127.0.0.1\ndir %s\n"
                     "sentinel monitor mymaster 127.0.0.1 %d %d\n"
                     "sentinel down-after-milliseconds mymaster %d\n"
                     "sentinel failover-timeout mymaster 3000\n%s",
                     port, rqt_redis_dir(), master_port, quorum, down_ms, extra);
    ck_assert_int_lt(n, (int)sizeof text);
    const char *argv[] = {"redis-server", rqt_file(name, text, 0), "--sentinel", NULL};
    return spawn(argv, name);
}

static void start_member(int i)
{
    group.ports[i] = rqt_free_port();
    group.pids[i] = rqt_sentinel_start(group.ports[i], group.nodes[0].port, 2, PATIENT_MS, "");
    ck_assert(RQT_UNTIL(says(rqt_sentinel_ask(group.ports[i], "PING"), "PONG"), START_MS));
    ck_assert(
        says(rqt_sentinel_ask(group.ports[i], "SENTINEL DEBUG info-period 500 publish-period 250 "
                                              "tilt-trigger 30000 tilt-period 1000"),
             "OK"));
}

void rqt_sentinels_start(void)
{
    memset(&group, 0, sizeof group);
    start_nodes();
    for (int i = 0; i < SENTINELS; i++) {
        start_member(i);
    }
    (void)snprintf(group.url, sizeof group.url,
                   "redis+sentinel://127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d/mymaster",
                   group.ports[0], group.ports[1], group.ports[2]);
    group.on = true;
    rqt_redis_kill();
    rqt_redis_adopt(group.nodes[0].pid, group.nodes[0].socket, group.url);
    ck_assert(RQT_UNTIL(rqt_sentinels_ready(), START_MS));
}

/* --- Failing over ----------------------------------------------------------------------------- */

static const node *replica(void)
{
    return &group.nodes[1 - group.primary];
}

static bool is_linked(void)
{
    char of[40];
    (void)snprintf(of, sizeof of, "master_port:%d\r", group.nodes[group.primary].port);
    const char *text = rqt_sentinel_ask(replica()->port, "INFO replication");
    return says(text, of) && says(text, "master_link_status:up");
}

/* Asked in two steps, because what is said of the replica looks like what is said of the primary.
 */
static bool knows_both(int sentinel)
{
    const char *text = rqt_sentinel_ask(sentinel, "SENTINEL MASTER mymaster");
    return says(text, " flags master ") && says(text, "num-slaves 1 ") &&
           says(text, "num-other-sentinels 2 ") &&
           says(rqt_sentinel_ask(sentinel, "SENTINEL REPLICAS mymaster"), " flags slave ");
}

bool rqt_sentinels_ready(void)
{
    bool ready = group.on && is_linked();
    for (int i = 0; ready && i < SENTINELS; i++) {
        ready = knows_both(group.ports[i]);
    }
    return ready;
}

/* The primary alone refuses, so that nothing of it outlives the primary. */
void rqt_sentinels_cut_off(void)
{
    rqt_redis_do("ACL SETUSER default -psync -sync");
    rqt_redis_do("CLIENT KILL TYPE replica");
}

static void set_patience(int ms)
{
    for (int i = 0; i < SENTINELS; i++) {
        const char *answer = rqt_sentinel_ask(
            group.ports[i], "SENTINEL SET mymaster down-after-milliseconds %d", ms);
        ck_assert_msg(says(answer, "OK"), "%s", answer);
    }
}

void rqt_sentinels_order(void)
{
    const char *answer = rqt_sentinel_ask(group.ports[0], "SENTINEL FAILOVER mymaster");
    ck_assert_msg(says(answer, "OK"), "%s", answer);
}

void rqt_sentinels_kill(void)
{
    rqt_redis_kill();
    set_patience(IMPATIENT_MS);
}

static bool is_named(int sentinel, const node *n)
{
    char address[40];
    (void)snprintf(address, sizeof address, "127.0.0.1 %d ", n->port);
    return strcmp(rqt_sentinel_ask(sentinel, "SENTINEL GET-MASTER-ADDR-BY-NAME mymaster"),
                  address) == 0;
}

bool rqt_sentinels_promoted(void)
{
    bool agreed = true;
    for (int i = 0; agreed && i < SENTINELS; i++) {
        agreed = is_named(group.ports[i], replica());
    }
    if (!agreed || !says(rqt_sentinel_ask(replica()->port, "ROLE"), "master ")) {
        return false;
    }
    set_patience(PATIENT_MS);
    node *killed = &group.nodes[group.primary];
    group.primary = 1 - group.primary;
    const node *now = &group.nodes[group.primary];
    rqt_redis_adopt(now->pid, now->socket, group.url);
    start_node(killed);
    return true;
}

static void end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)rqt_reap(pid, END_MS);
}

void rqt_sentinels_stop(void)
{
    for (int i = 0; i < SENTINELS; i++) {
        end(group.pids[i]);
    }
    end(replica()->pid);
    group.on = false;
}
