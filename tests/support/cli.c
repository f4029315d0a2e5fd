/* SPDX-License-Identifier: MIT */
#include "support/cli.h"

#include "support/redis_fixture.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail_with(const rqt_result *r, int status, const char *text)
{
    ck_abort_msg("wanted status %d and \"%s\"; got %d\nout: %s\nerr: %s", status, text, r->status,
                 r->out, r->err);
}

void rqt_expect_out(const rqt_result *r, const char *text)
{
    if (r->status != 0 || strstr(r->out, text) == NULL) {
        fail_with(r, 0, text);
    }
}

void rqt_expect_err(const rqt_result *r, int status, const char *text)
{
    if (r->status != status || strstr(r->err, text) == NULL) {
        fail_with(r, status, text);
    }
}

void rqt_calls(const rqt_call *calls, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const rqt_result *r = rqt_refq(calls[i].args);
        if (calls[i].says != NULL) {
            rqt_expect_err(r, calls[i].status, calls[i].says);
        } else if (r->status != calls[i].status || r->err[0] != '\0') {
            fail_with(r, calls[i].status, "");
        }
    }
}

json_t *rqt_json(const rqt_result *r)
{
    json_error_t why;
    json_t *json = json_loads(r->out, JSON_DECODE_ANY, &why);
    ck_assert_msg(json != NULL, "not JSON (%s): %s\nerr: %s", why.text, r->out, r->err);
    return json;
}

const char *rqt_word(const rqt_result *r)
{
    static char words[8][128];
    static int next;
    char *word = words[next++ % 8];
    (void)snprintf(word, sizeof words[0], "%.*s", (int)strcspn(r->out, " \n"), r->out);
    return word;
}

/* --- A terminal ------------------------------------------------------------------------------- */

static void exec_refq(const char *const *args)
{
    const char *argv[64] = {RQT_REFQ_PATH};
    for (size_t i = 0; args[i] != NULL && i < 62; i++) {
        argv[i + 1] = args[i];
    }
    (void)setenv("REFQ_REDIS", rqt_redis_url(), 1);
    (void)setenv("TERM", "xterm", 1);
    (void)execv(argv[0], (char *const *)argv);
    _exit(127);
}

/* Reading a terminal whose other side has ended gives EIO. */
static void read_all(int fd, rqt_result *r)
{
    size_t len = 0;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (len + 1 < sizeof r->out && poll(&ready, 1, 20000) == 1) {
        ssize_t n = read(fd, r->out + len, sizeof r->out - 1 - len);
        if (n <= 0 && errno != EINTR) {
            break;
        }
        len += n > 0 ? (size_t)n : 0;
    }
    r->out[len] = '\0';
}

const rqt_result *rqt_refq_on_terminal(const char *const *args, const char *input)
{
    static rqt_result result;
    int fd = -1;
    pid_t pid = forkpty(&fd, NULL, NULL, NULL);
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        exec_refq(args);
    }
    result.err[0] = '\0';
    ck_assert_int_eq(write(fd, input, strlen(input)), (ssize_t)strlen(input));
    read_all(fd, &result);
    (void)close(fd);
    result.status = rqt_reap(pid, 20000);
    if (result.status == -1) {
        (void)kill(pid, SIGKILL);
        (void)rqt_reap(pid, 1000);
    }
    return &result;
}
