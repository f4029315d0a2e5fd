/* SPDX-License-Identifier: MIT */
/*
 * The worker's side of the keeper.
 *
 * DESIGN. The worker never blocks on the socket: orders that do not fit wait in
 * a queue, with copies of their descriptors. A program is known by a slot and a
 * generation in one number, so both sides find it without searching and a late
 * order for an ended program hits nobody.
 */
#include "run/keeper.h"

#include "base/buf.h"
#include "base/error.h"
#include "run/handlers.h"
#include "run/keeper_main.h"
#include "run/keeper_wire.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdbool.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_FDS          4
#define SOCKET_BUFFER  (256 * 1024) /* room for the largest order */
#define REPORTS_A_TURN 256          /* then other events of the loop get their turn */
#define LATER_MS       10           /* when the system lacked what a message needs */

struct child {
    uint64_t id; /* 0 = free */
    rqi_child_cb cb;
    void *arg;
};

struct waiting {
    struct waiting *next;
    rqi_buf message;
    int fds[N_FDS]; /* owned copies */
    size_t n_fds;
};

struct rqi_keeper {
    void (*gone_cb)(void *arg); /* NULL = nobody wants to know */
    void *gone_arg;
    unsigned long serial;
    int socket;
    pid_t pid;
    bool gone;
    struct event_base *base;
    struct event *readable;
    struct event *writable;
    struct event *later;   /* nothing tells when the system has room again */
    struct waiting *first; /* orders that did not fit, oldest first */
    struct waiting **last;
    uint64_t generation;
    unsigned n_used; /* slots[0..n_used) have been in use */
    unsigned n_free; /* of them, these are free again: */
    unsigned free_slots[RQI_KEEPER_MAX];
    struct child slots[RQI_KEEPER_MAX];
};

/* --- Slots ------------------------------------------------------------------------------------ */

static struct child *slot_of(rqi_keeper *k, uint64_t id)
{
    struct child *child = &k->slots[id % RQI_KEEPER_MAX];
    return id != 0 && child->id == id ? child : NULL;
}

static struct child *slot_take(rqi_keeper *k, const rqi_spawn *spawn)
{
    if (k->n_free == 0 && k->n_used == RQI_KEEPER_MAX) {
        return NULL;
    }
    unsigned slot = k->n_free > 0 ? k->free_slots[--k->n_free] : k->n_used++;
    struct child *child = &k->slots[slot];
    *child = (struct child){
        .id = ++k->generation * RQI_KEEPER_MAX + slot, .cb = spawn->cb, .arg = spawn->arg};
    return child;
}

static void slot_free(rqi_keeper *k, struct child *child)
{
    k->free_slots[k->n_free++] = (unsigned)(child - k->slots);
    *child = (struct child){0};
}

/* --- Sending ---------------------------------------------------------------------------------- */

static int send_now(const rqi_keeper *k, const rqi_buf *message, const int *fds, size_t n_fds)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(N_FDS * sizeof(int))];
    } control = {0};
    struct iovec io = {.iov_base = message->ptr, .iov_len = message->len};
    struct msghdr msg = {.msg_iov = &io, .msg_iovlen = 1};
    if (n_fds > 0) {
        msg.msg_control = control.space;
        msg.msg_controllen = sizeof control.space;
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
    }
    ssize_t n;
    do {
        n = sendmsg(k->socket, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? errno : 0;
}

static void waiting_free(struct waiting *w)
{
    for (size_t i = 0; i < w->n_fds; i++) {
        (void)close(w->fds[i]);
    }
    rqi_buf_done(&w->message);
    free(w);
}

/* Passes by itself. ETOOMANYREFS: all processes of the user together have more descriptors under
 * way in sockets than this one may have open. */
static bool is_shortage(int error)
{
    return error == ENOBUFS || error == ENOMEM || error == ETOOMANYREFS;
}

static void await_room(const rqi_keeper *k, int error)
{
    static const struct timeval later = {.tv_usec = LATER_MS * 1000};
    (void)event_add(error == EAGAIN ? k->writable : k->later, error == EAGAIN ? NULL : &later);
}

/* Takes the message; copies the descriptors, because the caller closes its own. */
static refq_err put_off(rqi_keeper *k, rqi_buf *message, const int *fds, size_t n_fds,
                        refq_error *err)
{
    struct waiting *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory for an order to the keeper");
    }
    for (; w->n_fds < n_fds; w->n_fds++) {
        w->fds[w->n_fds] = fcntl(fds[w->n_fds], F_DUPFD_CLOEXEC, 0);
        if (w->fds[w->n_fds] < 0) {
            int error = errno;
            waiting_free(w);
            return rqi_fail(err, REFQ_ERR_IO, "cannot copy a descriptor for the keeper: %s",
                            strerror(error));
        }
    }
    w->message = *message;
    *message = (rqi_buf){0};
    *k->last = w;
    k->last = &w->next;
    return REFQ_OK;
}

/* Takes the message's memory in any case. */
static refq_err send_order(rqi_keeper *k, rqi_buf *message, const int *fds, size_t n_fds,
                           refq_error *err)
{
    refq_err code = REFQ_OK;
    bool behind = k->first != NULL;
    int error = behind ? 0 : send_now(k, message, fds, n_fds);
    if (behind || error == EAGAIN || is_shortage(error)) {
        code = put_off(k, message, fds, n_fds, err);
        if (!behind) {
            await_room(k, error);
        }
    } else if (error != 0) {
        code = rqi_fail(err, error == EPIPE ? REFQ_ERR_CLOSED : REFQ_ERR_IO,
                        "cannot reach the process that starts programs (refq-keeper): %s",
                        strerror(error));
    }
    rqi_buf_done(message);
    return code;
}

static void on_room(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    rqi_keeper *k = arg;
    while (k->first != NULL) {
        struct waiting *w = k->first;
        int error = send_now(k, &w->message, w->fds, w->n_fds);
        if (error == EAGAIN || is_shortage(error)) {
            await_room(k, error);
            return;
        }
        /* Any other failure means that the keeper is gone, which the reading side finds out. */
        k->first = w->next;
        waiting_free(w);
    }
    k->last = &k->first;
}

static void drop_waiting(rqi_keeper *k)
{
    while (k->first != NULL) {
        struct waiting *w = k->first;
        k->first = w->next;
        waiting_free(w);
    }
    k->last = &k->first;
}

/* --- Receiving -------------------------------------------------------------------------------- */

static void deliver(rqi_keeper *k, uint64_t id, const rqi_child_event *event)
{
    struct child *child = slot_of(k, id);
    if (child == NULL) {
        return;
    }
    struct child copy = *child;
    if (event->kind != RQI_CHILD_STARTED) {
        slot_free(k, child);
    }
    copy.cb(copy.arg, event);
}

static void on_gone(rqi_keeper *k)
{
    static const rqi_child_event lost = {.kind = RQI_CHILD_LOST};
    k->gone = true;
    (void)event_del(k->readable);
    (void)event_del(k->writable);
    (void)event_del(k->later);
    drop_waiting(k);
    for (unsigned i = 0; i < k->n_used; i++) {
        deliver(k, k->slots[i].id, &lost);
    }
    if (k->gone_cb != NULL) {
        k->gone_cb(k->gone_arg);
    }
}

static void close_result(const rqi_child_event *event)
{
    if (event->has_result && event->result.fd >= 0) {
        (void)close(event->result.fd);
    }
}

/* Takes one report; <= 0 as recv() has it. A result that could not be received, for want of
 * descriptors, becomes one that could not be opened. */
static ssize_t take_report(int fd, rqi_report *report)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec io = {.iov_base = report, .iov_len = sizeof *report};
    struct msghdr msg = {.msg_iov = &io,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof control.space};
    ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
    if (n != (ssize_t)sizeof *report || !report->event.has_result) {
        return n;
    }
    if (report->event.result.fd >= 0) {
        report->event.result = (rqi_result_file){.fd = -1, .error = EMFILE};
    }
    if (c != NULL && c->cmsg_type == SCM_RIGHTS) {
        memcpy(&report->event.result.fd, CMSG_DATA(c), sizeof(int));
    }
    return n;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    rqi_keeper *k = arg;
    for (int i = 0; i < REPORTS_A_TURN; i++) {
        rqi_report report;
        ssize_t n = take_report(fd, &report);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (n <= 0) {
            on_gone(k);
            return;
        }
        if (n == (ssize_t)sizeof report) {
            deliver(k, report.id, &report.event);
            close_result(&report.event);
        }
    }
}

/* --- Orders ----------------------------------------------------------------------------------- */

static uint32_t add_strings(rqi_buf *text, char *const *strings)
{
    uint32_t n = 0;
    for (; strings[n] != NULL; n++) {
        rqi_buf_add(text, strings[n], strlen(strings[n]) + 1);
    }
    return n;
}

static refq_err compose(const rqi_spawn *spawn, uint64_t id, rqi_buf *message, refq_error *err)
{
    rqi_order order = {
        .kind = spawn->calls ? RQI_ORDER_CALL : RQI_ORDER_SPAWN, .id = id, .limits = spawn->limits};
    *message = rqi_buf_make(sizeof order + RQI_KEEPER_TEXT_MAX);
    rqi_buf_add(message, &order, sizeof order);
    if (spawn->directory != NULL) {
        order.has_directory = 1;
        rqi_buf_add(message, spawn->directory, strlen(spawn->directory) + 1);
    }
    if (spawn->folder != NULL) {
        order.has_folder = 1;
        rqi_buf_add(message, spawn->folder, strlen(spawn->folder) + 1);
    }
    order.n_args = add_strings(message, spawn->argv);
    order.n_env = add_strings(message, spawn->envp);
    if (message->err == REFQ_ERR_NOMEM) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory for a command line");
    }
    if (message->err != REFQ_OK || order.n_args + order.n_env > RQI_KEEPER_STRINGS) {
        return rqi_fail(err, REFQ_ERR_LIMIT,
                        "the command line and environment of '%.60s' exceed %zu KiB or %d strings; "
                        "pass large values on stdin instead",
                        spawn->argv[0] != NULL ? spawn->argv[0] : "", RQI_KEEPER_TEXT_MAX / 1024,
                        RQI_KEEPER_STRINGS);
    }
    if (order.n_args == 0) {
        return rqi_fail(err, REFQ_ERR_INVALID, "the command line is empty");
    }
    memcpy(message->ptr, &order, sizeof order);
    return REFQ_OK;
}

refq_err rqi_keeper_spawn(rqi_keeper *keeper, const rqi_spawn *spawn, uint64_t *ret_id,
                          refq_error *err)
{
    if (keeper->base == NULL) {
        return rqi_fail(err, REFQ_ERR_INTERNAL, "the keeper is not attached to an event loop");
    }
    if (keeper->gone) {
        return rqi_fail(err, REFQ_ERR_CLOSED,
                        "the process that starts programs (refq-keeper) has died");
    }
    struct child *child = slot_take(keeper, spawn);
    if (child == NULL) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "%d programs run already; no more fit",
                        RQI_KEEPER_MAX);
    }
    uint64_t id = child->id;
    rqi_buf message;
    refq_err code = compose(spawn, id, &message, err);
    if (code == REFQ_OK) {
        code = send_order(keeper, &message, spawn->fds, N_FDS, err);
    } else {
        rqi_buf_done(&message);
    }
    if (code != REFQ_OK) {
        slot_free(keeper, child);
        return code;
    }
    *ret_id = id;
    return REFQ_OK;
}

void rqi_keeper_on_gone(rqi_keeper *keeper, void (*cb)(void *arg), void *arg)
{
    keeper->gone_cb = cb;
    keeper->gone_arg = arg;
}

int rqi_keeper_is_gone(const rqi_keeper *keeper)
{
    return keeper->gone;
}

void rqi_keeper_kill(rqi_keeper *keeper, uint64_t id, int signal)
{
    if (keeper->gone || slot_of(keeper, id) == NULL) {
        return;
    }
    rqi_order order = {.kind = RQI_ORDER_KILL, .id = id, .signal = signal};
    rqi_buf message = {0};
    rqi_buf_add(&message, &order, sizeof order);
    if (message.err == REFQ_OK) {
        (void)send_order(keeper, &message, NULL, 0, NULL);
        (void)kill(keeper->pid, SIGCONT); /* a program may have stopped it */
    }
}

/* --- Starting and stopping -------------------------------------------------------------------- */

static refq_err fork_keeper(rqi_keeper *k, refq_error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return rqi_fail(err, REFQ_ERR_IO, "cannot make a socket pair for the keeper: %s",
                        strerror(errno));
    }
    int size = SOCKET_BUFFER;
    (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    k->serial = rqi_handlers_serial();
    pid_t worker = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(pair[0]);
        rqi_keeper_main(pair[1], worker);
    }
    (void)close(pair[1]);
    if (pid < 0) {
        (void)close(pair[0]);
        return rqi_fail(err, REFQ_ERR_IO, "cannot fork the keeper: %s", strerror(errno));
    }
    k->socket = pair[0];
    k->pid = pid;
    return REFQ_OK;
}

refq_err rqi_keeper_start(rqi_keeper **ret, refq_error *err)
{
    rqi_keeper *k = calloc(1, sizeof *k);
    if (k == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory for the keeper");
    }
    k->last = &k->first;
    refq_err code = fork_keeper(k, err);
    if (code != REFQ_OK) {
        free(k);
        return code;
    }
    *ret = k;
    return REFQ_OK;
}

refq_err rqi_keeper_attach(rqi_keeper *keeper, struct event_base *base, refq_error *err)
{
    keeper->readable = event_new(base, keeper->socket, EV_READ | EV_PERSIST, on_readable, keeper);
    keeper->writable = event_new(base, keeper->socket, EV_WRITE, on_room, keeper);
    keeper->later = evtimer_new(base, on_room, keeper);
    if (keeper->readable == NULL || keeper->writable == NULL || keeper->later == NULL ||
        event_add(keeper->readable, NULL) != 0) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "cannot watch the keeper's socket");
    }
    keeper->base = base;
    return REFQ_OK;
}

unsigned long rqi_keeper_serial(const rqi_keeper *keeper)
{
    return keeper->serial;
}

struct event_base *rqi_keeper_base(const rqi_keeper *keeper)
{
    return keeper->base;
}

static void free_event(struct event *event)
{
    if (event != NULL) {
        event_free(event);
    }
}

void rqi_keeper_stop(rqi_keeper *keeper)
{
    if (keeper == NULL) {
        return;
    }
    free_event(keeper->readable);
    free_event(keeper->writable);
    free_event(keeper->later);
    drop_waiting(keeper);
    (void)close(keeper->socket);
    (void)kill(keeper->pid, SIGCONT);
    while (waitpid(keeper->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    free(keeper);
}
