/* SPDX-License-Identifier: MIT */
#include "support/redis_fixture.h"

#include "support/proc.h"
#include "support/wait.h"

#include <check.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 40

static struct {
    char dir[64];
    char socket[112];
    char url[128];
    const char *argv[ARGS_MAX];
    pid_t pid;
    redisContext *context;
    pid_t context_owner; /* Check forks: a connection must not be shared */
    char text[65536];
} server;

static void spawn_server(void)
{
    char log[96];
    (void)snprintf(log, sizeof log, "%s/redis.log", server.dir);
    rqt_spawn_options options = {.argv = server.argv, .out_path = log, .err_path = log};
    server.pid = rqt_spawn(&options);
}

static void close_context(void)
{
    if (server.context != NULL) {
        redisFree(server.context);
        server.context = NULL;
    }
}

static redisContext *context(void)
{
    if (server.context_owner != getpid()) {
        if (server.context != NULL) {
            redisFree(server.context); /* the parent's: this only closes our copy of the socket */
            server.context = NULL;
        }
        if (server.context_owner != 0) {
            (void)atexit(close_context);
        }
        server.context_owner = getpid();
    }
    if (server.context != NULL && server.context->err != 0) {
        redisFree(server.context);
        server.context = NULL;
    }
    if (server.context == NULL) {
        server.context = redisConnectUnix(server.socket);
    }
    return server.context;
}

static void disconnect(void)
{
    if (server.context != NULL && server.context_owner == getpid()) {
        redisFree(server.context);
    }
    server.context = NULL;
}

static int answers(void)
{
    redisContext *c = context();
    if (c == NULL || c->err != 0) {
        return 0;
    }
    redisReply *r = redisCommand(c, "PING");
    int good = r != NULL && r->type == REDIS_REPLY_STATUS;
    if (r != NULL) {
        freeReplyObject(r);
    }
    return good;
}

static void wait_until_up(void)
{
    if (!RQT_UNTIL(answers(), 10000)) {
        (void)fprintf(stderr, "redis-server did not start; see %s/redis.log\n", server.dir);
        abort();
    }
}

void rqt_redis_start(const char *const *extra)
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(server.dir, sizeof server.dir, "%s/refq-test-XXXXXX",
                   tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(server.dir) == NULL) {
        abort();
    }
    (void)snprintf(server.socket, sizeof server.socket, "%s/redis.sock", server.dir);
    (void)snprintf(server.url, sizeof server.url, "unix://%s", server.socket);
    const char *base[] = {"redis-server", "--port", "0",        "--unixsocket",
                          server.socket,  "--save", "",         "--appendonly",
                          "no",           "--dir",  server.dir, "--enable-debug-command",
                          "yes"};
    size_t n = 0;
    for (; n < sizeof base / sizeof base[0]; n++) {
        server.argv[n] = base[n];
    }
    for (; extra != NULL && *extra != NULL && n < ARGS_MAX - 1; extra++) {
        server.argv[n++] = *extra;
    }
    server.argv[n] = NULL;
    disconnect(); /* from another server of this process */
    spawn_server();
    wait_until_up();
}

static void end_server(int signal)
{
    (void)kill(server.pid, signal);
    (void)waitpid(server.pid, NULL, 0);
    server.pid = 0;
    disconnect(); /* a command on the old connection would end in SIGPIPE */
}

void rqt_redis_kill(void)
{
    end_server(SIGKILL);
}

void rqt_redis_revive(void)
{
    spawn_server();
    wait_until_up();
}

void rqt_redis_adopt(pid_t pid, const char *socket, const char *url)
{
    server.pid = pid;
    (void)snprintf(server.socket, sizeof server.socket, "%s", socket);
    (void)snprintf(server.url, sizeof server.url, "%s", url);
    wait_until_up();
}

void rqt_redis_restart(int signal)
{
    end_server(signal);
    rqt_redis_revive();
}

void rqt_redis_stop(void)
{
    if (server.pid > 0) {
        (void)kill(server.pid, SIGKILL);
        (void)waitpid(server.pid, NULL, 0);
        server.pid = 0;
    }
    disconnect();
    rqt_remove_tree(server.dir);
}

const char *rqt_redis_url(void)
{
    return server.url;
}

const char *rqt_redis_dir(void)
{
    return server.dir;
}

pid_t rqt_redis_pid(void)
{
    return server.pid;
}

redisReply *rqt_vredis_any(const char *format, va_list ap)
{
    redisContext *c = context();
    return c != NULL ? redisvCommand(c, format, ap) : NULL;
}

static redisReply *command(const char *format, va_list ap)
{
    redisContext *c = context();
    redisReply *r = c != NULL ? redisvCommand(c, format, ap) : NULL;
    if (r == NULL || r->type == REDIS_REPLY_ERROR) {
        /* On stderr too: benchmarks use the fixture without a test around it. */
        const char *why = r != NULL ? r->str : c != NULL ? c->errstr : "no memory";
        (void)fprintf(stderr, "%s: %s\n", format, why);
        ck_abort_msg("%s: %s", format, why);
    }
    return r;
}

redisReply *rqt_vredis(const char *format, va_list ap)
{
    return command(format, ap);
}

redisReply *rqt_redis(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    redisReply *r = command(format, ap);
    va_end(ap);
    return r;
}

void rqt_redis_do(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    freeReplyObject(command(format, ap));
    va_end(ap);
}

long long rqt_redis_int(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    redisReply *r = command(format, ap);
    va_end(ap);
    long long n = r->type == REDIS_REPLY_INTEGER  ? r->integer
                  : r->type == REDIS_REPLY_STRING ? strtoll(r->str, NULL, 10)
                                                  : 0;
    freeReplyObject(r);
    return n;
}

const char *rqt_redis_str(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    redisReply *r = command(format, ap);
    va_end(ap);
    int text = r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS;
    (void)snprintf(server.text, sizeof server.text, "%s", text ? r->str : "");
    freeReplyObject(r);
    return server.text;
}

void rqt_redis_clean(void)
{
    rqt_redis_do("FLUSHALL");
    rqt_redis_do("CONFIG RESETSTAT");
}

long long rqt_redis_calls(const char *command)
{
    char name[64];
    int n = snprintf(name, sizeof name, "cmdstat_%s:calls=", command);
    redisReply *info = rqt_redis("INFO commandstats");
    const char *at = strstr(info->str, name);
    long long calls = at != NULL ? strtoll(at + n, NULL, 10) : 0;
    freeReplyObject(info);
    return calls;
}

/* --- Audit ------------------------------------------------------------------------------------ */

static char *read_script(void)
{
    static char text[32768];
    FILE *f = fopen(RQT_SOURCE_DIR "/support/audit.lua", "re");
    ck_assert_msg(f != NULL, "no audit.lua");
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    (void)fclose(f);
    return text;
}

static int violations(const char *queue, char *out, size_t size)
{
    redisReply *r =
        rqt_redis("EVAL %s 0 refq:{%s}: mcp-refcache:entry:%s:", read_script(), queue, queue);
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < r->elements && at + 2 < size; i++) {
        at += (size_t)snprintf(out + at, size - at, "  %s\n", r->element[i]->str);
        at = at < size ? at : size - 1;
    }
    int n = (int)r->elements;
    freeReplyObject(r);
    return n;
}

void rqt_audit(const char *queue)
{
    char found[8192];
    bool clean = RQT_UNTIL(violations(queue, found, sizeof found) == 0, 2000);
    ck_assert_msg(clean, "the audit of queue %s found:\n%s", queue, found);
}
