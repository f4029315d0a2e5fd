/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A process per connection: each plays its part with blocking calls, so
 * a script reads from top to bottom and cannot be disturbed by its neighbours.
 * The listening socket exists before the first fork, so a test never has to wait
 * for the server, and the children die with the process that made them.
 */
#include "support/fake_redis.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX 65536

static struct {
    pid_t pid;
    atomic_int *accepted; /* shared with the children */
    char path[64];
    char url[96];
} fake;

struct player {
    int fd;
    size_t len;
    char request[REQUEST_MAX];
};

/* --- Playing ---------------------------------------------------------------------------------- */

/* 1 once the text was found; it and what came before it are taken away. */
static int take(struct player *p, const char *text)
{
    size_t len = strlen(text);
    const char *at = memmem(p->request, p->len, text, len);
    if (at == NULL) {
        return 0;
    }
    size_t gone = (size_t)(at - p->request) + len;
    memmove(p->request, p->request + gone, p->len - gone);
    p->len -= gone;
    return 1;
}

/* Keeps the end of what came, in which the text may have begun. */
static void make_room(struct player *p)
{
    if (p->len == sizeof p->request) {
        p->len = sizeof p->request / 2;
        memmove(p->request, p->request + p->len, p->len);
    }
}

static void expect(struct player *p, const char *text)
{
    while (!take(p, text)) {
        make_room(p);
        ssize_t n = read(p->fd, p->request + p->len, sizeof p->request - p->len);
        if (n <= 0) {
            _exit(0);
        }
        p->len += (size_t)n;
    }
}

static void put(const struct player *p, const char *text, size_t len)
{
    if (send(p->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len) {
        _exit(0);
    }
}

static void send_text(struct player *p, const char *text)
{
    put(p, text, strlen(text));
}

static void stall(struct player *p, const char *text)
{
    struct timespec gap = {.tv_nsec = 300000}; /* so that the other side sees each byte alone */
    for (; *text != '\0'; text++) {
        put(p, text, 1);
        (void)nanosleep(&gap, NULL);
    }
}

static void flood(struct player *p, const char *text)
{
    for (;;) {
        send_text(p, text);
    }
}

static void drain(struct player *p, const char *text)
{
    (void)text;
    while (read(p->fd, p->request, sizeof p->request) > 0) {
    }
    _exit(0);
}

static void hang(struct player *p, const char *text)
{
    (void)p;
    (void)text;
    for (;;) {
        (void)pause();
    }
}

static void end(struct player *p, const char *text)
{
    (void)p;
    (void)text;
    _exit(0);
}

static void (*const play[])(struct player *p, const char *text) = {
    [RQT_EXPECT] = expect, [RQT_SEND] = send_text, [RQT_STALL] = stall, [RQT_FLOOD] = flood,
    [RQT_CLOSE] = end,     [RQT_HANG] = hang,      [RQT_DRAIN] = drain, [RQT_ACCEPT] = end,
};

/* Where the script of connection number `at` begins: the last part when there are fewer. */
static size_t part_of(const rqt_step *script, size_t n, int at)
{
    size_t start = 0;
    for (size_t i = 0; i < n && at > 0; i++) {
        if (script[i].kind == RQT_ACCEPT) {
            start = i + 1;
            at--;
        }
    }
    return start;
}

static void serve_one(int fd, const rqt_step *script, size_t n, int at)
{
    static struct player p;
    int yes = 1;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes); /* refused on unix: fine */
    p.fd = fd;
    for (size_t i = part_of(script, n, at); i < n; i++) {
        play[script[i].kind](&p, script[i].text);
    }
    _exit(0);
}

static void serve(int listener, const rqt_step *script, size_t n)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        int at = fd >= 0 ? atomic_fetch_add(fake.accepted, 1) : 0;
        if (fd >= 0 && fork() == 0) {
            (void)close(listener);
            serve_one(fd, script, n, at);
        }
        (void)close(fd);
    }
}

/* --- Starting --------------------------------------------------------------------------------- */

/* Not an assertion of Check's: ports are also wanted before its first test. */
static void must(int good, const char *what)
{
    if (!good) {
        perror(what);
        abort();
    }
}

static int listen_unix(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    static int serial;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(fake.path, sizeof fake.path, "/tmp/refq-fake-%d-%d.sock", (int)getpid(),
                   serial++);
    (void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", fake.path);
    (void)snprintf(fake.url, sizeof fake.url, "unix://%s", fake.path);
    must(fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0, "bind");
    return fd;
}

static int bind_tcp(int *ret_port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0, "bind");
    must(getsockname(fd, (struct sockaddr *)&addr, &len) == 0, "getsockname");
    *ret_port = ntohs(addr.sin_port);
    return fd;
}

static int listen_tcp(void)
{
    int port = 0;
    int fd = bind_tcp(&port);
    (void)snprintf(fake.url, sizeof fake.url, "redis://127.0.0.1:%d", port);
    return fd;
}

void rqt_fake_start(rqt_fake_kind kind, const rqt_step *script, size_t n)
{
    must(fake.pid == 0, "a second fake server");
    fake.path[0] = '\0';
    fake.accepted = mmap(NULL, sizeof *fake.accepted, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(fake.accepted != MAP_FAILED, "mmap");
    int fd = kind == RQT_FAKE_UNIX ? listen_unix() : listen_tcp();
    must(listen(fd, 64) == 0, "listen");
    fake.pid = fork();
    must(fake.pid >= 0, "fork");
    if (fake.pid == 0) {
        serve(fd, script, n);
    }
    (void)close(fd);
}

void rqt_fake_stop(void)
{
    if (fake.pid <= 0) {
        return;
    }
    (void)kill(fake.pid, SIGKILL);
    (void)waitpid(fake.pid, NULL, 0);
    (void)munmap(fake.accepted, sizeof *fake.accepted);
    if (fake.path[0] != '\0') {
        (void)unlink(fake.path);
    }
    fake.pid = 0;
}

const char *rqt_fake_url(void)
{
    return fake.url;
}

const char *rqt_fake_shown(void)
{
    return strstr(fake.url, "://") + 3;
}

int rqt_fake_connections(void)
{
    return atomic_load(fake.accepted);
}

int rqt_free_port(void)
{
    int port = 0;
    (void)close(bind_tcp(&port));
    return port;
}
