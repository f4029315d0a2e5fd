/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Both directions are cut into whole RESP values, so that a fault falls exactly between two
 * of them. Values are small and both sides read promptly, so writes may block. A request that may
 * be hit is marked in a line of outstanding requests; its reply decides when the fault is a lost
 * reply.
 */
#include "support/proxy.h"

#include "support/redis_fixture.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINKS_MAX       64
#define OUTSTANDING_MAX 256 /* outstanding requests of one connection */
#define READ_SIZE       65536

/* Where `finish` has what we look at: words of its request, elements of its reply. */
enum { WORD_KEY = 1, WORD_FUNCTION = 1, WORD_WANT = 5, WORD_REPORTS = 12, ELEMENT_CLAIMED = 5 };

struct side {
    int fd;
    char *data;
    size_t len;
    size_t cap;
};

struct link {
    bool open;
    bool held;
    struct side client;
    struct side server;
    bool marked[OUTSTANDING_MAX]; /* ring of outstanding requests */
    unsigned asked;
    unsigned answered;
};

static struct {
    char path[96];
    char url[112];
    int listener;
    int wake;
    pthread_t thread;
    struct link links[LINKS_MAX];

    pthread_mutex_t lock; /* guards what follows */
    bool stopping;
    bool letting_go;
    rqt_aim aim;
    rqt_fault fault;
    int every;
    int times;
    int seen;
    int hits;
} proxy = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* --- RESP ------------------------------------------------------------------------------------- */

/* Length of the first value, 0 when it is not complete. */
static size_t value_len(const char *p, size_t len)
{
    const char *end = len > 0 ? memmem(p, len, "\r\n", 2) : NULL;
    if (end == NULL) {
        return 0;
    }
    size_t at = (size_t)(end - p) + 2;
    long n = strtol(p + 1, NULL, 10);
    if (p[0] == '$' && n >= 0) {
        at += (size_t)n + 2;
    }
    for (long i = 0; p[0] == '*' && i < n; i++) {
        size_t one = at < len ? value_len(p + at, len - at) : 0;
        if (one == 0) {
            return 0;
        }
        at += one;
    }
    return at <= len ? at : 0;
}

/* Element i of an array, NULL when there is none. `len` is the array's, which is complete. */
static const char *element(const char *p, size_t len, int i)
{
    if (p[0] != '*' || strtol(p + 1, NULL, 10) <= i) {
        return NULL;
    }
    size_t at = (size_t)((const char *)memmem(p, len, "\r\n", 2) - p) + 2;
    while (i-- > 0) {
        at += value_len(p + at, len - at);
    }
    return p + at;
}

/* The text of a bulk string: ends with \r. */
static const char *text_of(const char *value)
{
    return value != NULL && value[0] == '$' ? strchr(value, '\n') + 1 : "\r";
}

static long number_of(const char *value)
{
    return value == NULL ? 0 : strtol(value[0] == '$' ? text_of(value) : value + 1, NULL, 10);
}

/* --- Aiming ----------------------------------------------------------------------------------- */

static bool calls(const char *request, size_t len, const char *function)
{
    const char *name = text_of(element(request, len, WORD_FUNCTION));
    size_t n = strcspn(name, "\r");
    return memmem(name, n, function, strlen(function)) != NULL;
}

static bool is_about_entry(const char *request, size_t len)
{
    static const char prefix[] = "mcp-refcache:entry:";
    return strncmp(text_of(element(request, len, WORD_KEY)), prefix, strlen(prefix)) == 0;
}

static bool is_aimed_at(const char *request, size_t len)
{
    if (proxy.aim == RQT_INPUTS) {
        return is_about_entry(request, len);
    }
    if (proxy.aim == RQT_SUBMITS) {
        return calls(request, len, "submit");
    }
    if (!calls(request, len, "finish")) {
        return false;
    }
    bool reports = number_of(element(request, len, WORD_REPORTS)) > 0;
    bool wants = number_of(element(request, len, WORD_WANT)) > 0;
    return proxy.aim == RQT_REPORTS ? reports : wants && !reports;
}

/* Under the lock. */
static bool turn_has_come(void)
{
    if (proxy.hits >= proxy.times || ++proxy.seen % proxy.every != 0) {
        return false;
    }
    proxy.hits++;
    return true;
}

enum verdict { PASS, MARK, CUT, HOLD };

static enum verdict judge_request(const char *request, size_t len)
{
    static const enum verdict verdicts[] = {
        [RQT_LOSE_REQUEST] = CUT, [RQT_LOSE_REPLY] = MARK, [RQT_HOLD_REQUEST] = HOLD};
    pthread_mutex_lock(&proxy.lock);
    enum verdict v =
        proxy.hits < proxy.times && is_aimed_at(request, len) ? verdicts[proxy.fault] : PASS;
    if ((v == CUT || v == HOLD) && !turn_has_come()) {
        v = PASS;
    }
    pthread_mutex_unlock(&proxy.lock);
    return v;
}

/* A marked request was answered: whether the answer gets lost. */
static bool loses(const char *reply, size_t len)
{
    pthread_mutex_lock(&proxy.lock);
    bool matters = proxy.aim != RQT_CLAIMS || number_of(element(reply, len, ELEMENT_CLAIMED)) > 0;
    bool lost = matters && turn_has_come();
    pthread_mutex_unlock(&proxy.lock);
    return lost;
}

/* --- Links ------------------------------------------------------------------------------------ */

static void link_close(struct link *l)
{
    (void)close(l->client.fd);
    (void)close(l->server.fd);
    free(l->client.data);
    free(l->server.data);
    *l = (struct link){0};
}

static bool pass_on(int fd, const char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static void consume(struct side *s, size_t len)
{
    memmove(s->data, s->data + len, s->len - len);
    s->len -= len;
}

/* False when the link is to be closed. */
static bool take_requests(struct link *l)
{
    size_t len = 0;
    while (!l->held && (len = value_len(l->client.data, l->client.len)) > 0) {
        enum verdict v = judge_request(l->client.data, len);
        if (v == CUT) {
            return false;
        }
        if (v == HOLD) {
            l->held = true;
            return true;
        }
        l->marked[l->asked++ % OUTSTANDING_MAX] = v == MARK;
        if (!pass_on(l->server.fd, l->client.data, len)) {
            return false;
        }
        consume(&l->client, len);
    }
    return true;
}

static bool take_replies(struct link *l)
{
    size_t len = 0;
    while ((len = value_len(l->server.data, l->server.len)) > 0) {
        bool *mark = &l->marked[l->answered++ % OUTSTANDING_MAX];
        bool lost = *mark && loses(l->server.data, len);
        *mark = false;
        if (lost || !pass_on(l->client.fd, l->server.data, len)) {
            return false;
        }
        consume(&l->server, len);
    }
    return true;
}

static bool fill(struct side *s)
{
    if (s->cap - s->len < READ_SIZE) {
        size_t cap = s->cap * 2 + READ_SIZE;
        char *data = realloc(s->data, cap + 1);
        if (data == NULL) {
            return false;
        }
        s->data = data;
        s->cap = cap;
    }
    ssize_t n = recv(s->fd, s->data + s->len, s->cap - s->len, 0);
    if (n <= 0) {
        return false;
    }
    s->len += (size_t)n;
    s->data[s->len] = '\0'; /* so that strtol and strchr stop */
    return true;
}

static int connect_server(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(to.sun_path, sizeof to.sun_path, "%s", rqt_redis_url() + strlen("unix://"));
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void accept_link(void)
{
    int client = accept4(proxy.listener, NULL, NULL, SOCK_CLOEXEC);
    int server = connect_server();
    for (int i = 0; client >= 0 && server >= 0 && i < LINKS_MAX; i++) {
        if (!proxy.links[i].open) {
            proxy.links[i] =
                (struct link){.open = true, .client = {.fd = client}, .server = {.fd = server}};
            return;
        }
    }
    (void)close(client);
    (void)close(server);
}

/* --- The thread ------------------------------------------------------------------------------- */

static bool check_wake(void)
{
    uint64_t count = 0;
    ssize_t n = read(proxy.wake, &count, sizeof count);
    (void)n;
    pthread_mutex_lock(&proxy.lock);
    bool stopping = proxy.stopping;
    bool letting_go = proxy.letting_go;
    proxy.letting_go = false;
    pthread_mutex_unlock(&proxy.lock);
    for (int i = 0; letting_go && i < LINKS_MAX; i++) {
        struct link *l = &proxy.links[i];
        if (l->open && l->held) {
            l->held = false;
            if (!take_requests(l)) {
                link_close(l);
            }
        }
    }
    return stopping;
}

static void serve_link(struct link *l, short from_client, short from_server)
{
    bool good = true;
    if (from_client != 0) {
        good = fill(&l->client) && take_requests(l);
    }
    if (good && from_server != 0) {
        good = fill(&l->server) && take_replies(l);
    }
    if (!good) {
        link_close(l);
    }
}

static void *run(void *arg)
{
    struct pollfd fds[2 + 2 * LINKS_MAX];
    (void)arg;
    for (;;) {
        fds[0] = (struct pollfd){.fd = proxy.wake, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = proxy.listener, .events = POLLIN};
        for (int i = 0; i < LINKS_MAX; i++) {
            const struct link *l = &proxy.links[i];
            bool listen = l->open && !l->held;
            fds[2 + 2 * i] = (struct pollfd){listen ? l->client.fd : -1, POLLIN, 0};
            fds[3 + 2 * i] = (struct pollfd){l->open ? l->server.fd : -1, POLLIN, 0};
        }
        (void)poll(fds, 2 + 2 * LINKS_MAX, -1);
        for (int i = 0; i < LINKS_MAX; i++) {
            if (fds[2 + 2 * i].revents != 0 || fds[3 + 2 * i].revents != 0) {
                serve_link(&proxy.links[i], fds[2 + 2 * i].revents, fds[3 + 2 * i].revents);
            }
        }
        if (fds[1].revents != 0) {
            accept_link();
        }
        if (fds[0].revents != 0 && check_wake()) {
            return NULL;
        }
    }
}

/* --- Public ----------------------------------------------------------------------------------- */

void rqt_proxy_start(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)snprintf(proxy.path, sizeof proxy.path, "%s/proxy.sock", rqt_redis_dir());
    (void)snprintf(proxy.url, sizeof proxy.url, "unix://%s", proxy.path);
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s", proxy.path);
    proxy.stopping = false;
    proxy.times = 0;
    proxy.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    proxy.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(proxy.listener, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(proxy.listener, LINKS_MAX), 0);
    ck_assert_int_eq(pthread_create(&proxy.thread, NULL, run, NULL), 0);
}

static void wake(void)
{
    uint64_t one = 1;
    ssize_t n = write(proxy.wake, &one, sizeof one);
    (void)n;
}

void rqt_proxy_stop(void)
{
    pthread_mutex_lock(&proxy.lock);
    proxy.stopping = true;
    pthread_mutex_unlock(&proxy.lock);
    wake();
    (void)pthread_join(proxy.thread, NULL);
    for (int i = 0; i < LINKS_MAX; i++) {
        if (proxy.links[i].open) {
            link_close(&proxy.links[i]);
        }
    }
    (void)close(proxy.listener);
    (void)close(proxy.wake);
    (void)unlink(proxy.path);
}

const char *rqt_proxy_url(void)
{
    return proxy.url;
}

void rqt_proxy_aim(rqt_aim aim, rqt_fault fault, int every, int times)
{
    pthread_mutex_lock(&proxy.lock);
    proxy.aim = aim;
    proxy.fault = fault;
    proxy.every = every;
    proxy.times = times;
    proxy.seen = 0;
    proxy.hits = 0;
    pthread_mutex_unlock(&proxy.lock);
}

int rqt_proxy_hits(void)
{
    pthread_mutex_lock(&proxy.lock);
    int hits = proxy.hits;
    pthread_mutex_unlock(&proxy.lock);
    return hits;
}

void rqt_proxy_let_go(void)
{
    pthread_mutex_lock(&proxy.lock);
    proxy.letting_go = true;
    pthread_mutex_unlock(&proxy.lock);
    wake();
}
