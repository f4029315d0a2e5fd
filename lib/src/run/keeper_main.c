/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The keeper takes orders and reaps minders; all else is the minders'
 * work, so nothing a program does can hold it up. It never blocks on the worker
 * for long, because the worker never blocks on it: what does not fit into the
 * socket waits in the worker.
 *
 * The worker is gone when the socket closes, or when the parent's id changes: a
 * process that the worker forked without exec may keep its end of the socket
 * open for ever.
 */
#include "run/keeper_main.h"

#include "run/minder.h"
#include "run/program.h"
#include "run/strays.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKET_FD     3       /* 0, 1 and 2 stay the worker's */
#define SIGNAL_PARENT SIGCONT /* a keeper that was stopped goes on */

struct slot {
    uint64_t id;
    pid_t pid; /* the minder's; 0 = free */
    int next;  /* in its chain of `by_pid`; -1 = end */
};

struct keeper {
    int signals;
    pid_t worker;
    struct slot slots[RQI_KEEPER_MAX];
    int by_pid[RQI_KEEPER_MAX]; /* pid % RQI_KEEPER_MAX -> slot; -1 = none */
    char *strings[RQI_KEEPER_STRINGS + 2];
    struct {
        rqi_order order;
        char text[RQI_KEEPER_TEXT_MAX];
    } message;
};

/* --- The table of minders --------------------------------------------------------------------- */

static int *chain_of(struct keeper *k, pid_t pid)
{
    return &k->by_pid[(unsigned)pid % RQI_KEEPER_MAX];
}

static void table_add(struct keeper *k, uint64_t id, pid_t pid)
{
    int slot = (int)(id % RQI_KEEPER_MAX);
    int *chain = chain_of(k, pid);
    k->slots[slot] = (struct slot){.id = id, .pid = pid, .next = *chain};
    *chain = slot;
}

/* The link that points to the minder's slot; *link is -1 when it is not one of ours. */
static int *table_find(struct keeper *k, pid_t pid)
{
    int *link = chain_of(k, pid);
    while (*link >= 0 && k->slots[*link].pid != pid) {
        link = &k->slots[*link].next;
    }
    return link;
}

/* Returns the id the minder had, 0 when it is not one of ours. */
static uint64_t table_remove(struct keeper *k, pid_t pid)
{
    int *link = table_find(k, pid);
    if (*link < 0) {
        return 0;
    }
    struct slot *slot = &k->slots[*link];
    *link = slot->next;
    slot->pid = 0;
    return slot->id;
}

static bool is_minder(void *arg, pid_t pid)
{
    return *table_find(arg, pid) >= 0;
}

/* --- Orders ----------------------------------------------------------------------------------- */

static void refuse(uint64_t id, const char *stage, int error)
{
    rqi_report report = {.id = id, .event = {.kind = RQI_CHILD_REFUSED, .error = error}};
    (void)snprintf(report.event.stage, sizeof report.event.stage, "%s", stage);
    rqi_report_send(SOCKET_FD, &report);
}

/* Takes n strings into a NULL-terminated vector at `to`; returns where the next vector goes. */
static char **take_strings(char **text, uint32_t n, char **to)
{
    for (uint32_t i = 0; i < n; i++) {
        *to++ = *text;
        *text += strlen(*text) + 1;
    }
    *to++ = NULL;
    return to;
}

/* The worker hands a slot out again once its program's end was reported: its minder is exiting. */
static void free_slot(struct keeper *k, uint64_t id)
{
    pid_t old = k->slots[id % RQI_KEEPER_MAX].pid;
    if (old != 0) {
        (void)waitpid(old, NULL, 0);
        (void)table_remove(k, old);
    }
}

static void on_spawn(struct keeper *k, const int fds[4])
{
    const rqi_order *order = &k->message.order;
    rqi_job job = {
        .id = order->id, .limits = order->limits, .calls = order->kind == RQI_ORDER_CALL};
    char *text = k->message.text;
    if (order->has_directory) {
        job.directory = text;
        text += strlen(text) + 1;
    }
    if (order->has_folder) {
        job.folder = text;
        text += strlen(text) + 1;
    }
    job.argv = k->strings;
    job.envp = take_strings(&text, order->n_args, job.argv);
    (void)take_strings(&text, order->n_env, job.envp);
    memcpy(job.fds, fds, sizeof job.fds);

    free_slot(k, job.id);
    pid_t pid = rqi_minder_fork(SOCKET_FD, &job);
    if (pid < 0) {
        refuse(job.id, "fork", errno);
        return;
    }
    table_add(k, job.id, pid);
}

static void on_kill(const struct keeper *k)
{
    const rqi_order *order = &k->message.order;
    const struct slot *slot = &k->slots[order->id % RQI_KEEPER_MAX];
    if (slot->pid != 0 && slot->id == order->id) {
        rqi_minder_signal(slot->pid, order->signal);
    }
}

/* The descriptors that came with a message, -1 where there is none. */
static int take_fds(struct msghdr *msg, int fds[4])
{
    const struct cmsghdr *c = CMSG_FIRSTHDR(msg);
    size_t n =
        c != NULL && c->cmsg_type == SCM_RIGHTS ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
    for (size_t i = 0; i < 4; i++) {
        fds[i] = -1;
    }
    if (n > 0) {
        memcpy(fds, CMSG_DATA(c), (n < 4 ? n : 4) * sizeof(int));
    }
    return n == 4;
}

static void obey(struct keeper *k, struct msghdr *msg)
{
    int fds[4];
    int complete = take_fds(msg, fds);
    if (k->message.order.kind == RQI_ORDER_KILL) {
        on_kill(k);
    } else if (complete) {
        on_spawn(k, fds);
    } else {
        refuse(k->message.order.id, "receive", EMFILE);
    }
    for (int i = 0; i < 4; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
}

/* Takes one order; false when the worker is gone. */
static bool take_order(struct keeper *k)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec io = {.iov_base = &k->message, .iov_len = sizeof k->message};
    struct msghdr msg = {.msg_iov = &io,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof control.space};
    ssize_t n = recvmsg(SOCKET_FD, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR || errno == ENOMEM;
    }
    if (n >= (ssize_t)sizeof(rqi_order)) {
        obey(k, &msg);
    }
    return n > 0;
}

/* --- The loop --------------------------------------------------------------------------------- */

/* A minder that was killed has left its program's processes to the keeper. */
static void on_killed_minder(struct keeper *k, uint64_t id)
{
    rqi_strays_end(is_minder, k);
    rqi_report report = {.id = id, .event = {.kind = RQI_CHILD_LOST}};
    rqi_report_send(SOCKET_FD, &report);
}

static void reap(struct keeper *k)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        uint64_t id = table_remove(k, pid);
        if (id != 0 && WIFSIGNALED(status)) {
            on_killed_minder(k, id);
        }
    }
}

static void on_signals(struct keeper *k)
{
    struct signalfd_siginfo infos[16];
    while (read(k->signals, infos, sizeof infos) > 0) {
    }
    reap(k);
}

static void serve(struct keeper *k)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = SOCKET_FD, .events = POLLIN},
                               {.fd = k->signals, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR) {
            return;
        }
        if (fds[1].revents != 0) {
            on_signals(k);
        }
        if (getppid() != k->worker || (fds[0].revents != 0 && !take_order(k))) {
            return;
        }
    }
}

/* Each minder ends its own program, all at the same time; returns how many there are. */
static unsigned signal_all(const struct keeper *k)
{
    unsigned n = 0;
    for (int i = 0; i < RQI_KEEPER_MAX; i++) {
        if (k->slots[i].pid != 0) {
            rqi_minder_signal(k->slots[i].pid, SIGKILL);
            n++;
        }
    }
    return n;
}

static void end_all(struct keeper *k)
{
    /* Nobody reads reports anymore; a minder must not wait for somebody who does. */
    (void)shutdown(SOCKET_FD, SHUT_RDWR);
    unsigned left = signal_all(k);
    while (left > 0) {
        pid_t pid = waitpid(-1, NULL, 0);
        if (pid < 0 && errno != EINTR) {
            break;
        }
        left -= table_remove(k, pid) != 0;
    }
    rqi_strays_end(NULL, NULL);
}

/* --- Becoming the keeper ---------------------------------------------------------------------- */

/* Programs inherit the dispositions; the mask keeps every signal meant for the worker away. */
static int reset_signals(void)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    for (int i = 1; i < NSIG; i++) {
        (void)signal(i, SIG_DFL);
    }
    sigset_t wanted;
    (void)sigemptyset(&wanted);
    (void)sigaddset(&wanted, SIGCHLD);
    (void)sigaddset(&wanted, SIGNAL_PARENT);
    return signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* What the worker has not written yet it will write itself; nobody below does it again. */
static void drop_stdio(void)
{
    __fpurge(stdin);
    __fpurge(stdout);
    __fpurge(stderr);
}

/* Its own session, so that a Ctrl-C at the worker's terminal reaches the worker only. */
static void take_post(int socket)
{
    (void)setsid();
    /* Not prctl(): that of AddressSanitizer takes a lock, which a thread may have held at the fork.
     */
    (void)syscall(SYS_prctl, PR_SET_NAME, "refq-keeper", 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 0); /* programs must not read its environment, nor its minders' */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)prctl(PR_SET_PDEATHSIG, SIGNAL_PARENT);
    if (socket != SOCKET_FD) {
        (void)dup3(socket, SOCKET_FD, O_CLOEXEC);
    }
    rqi_close_from(SOCKET_FD + 1);
}

/* Not allocated: the process it is forked from may have threads, and who knows which locks of an
 * allocator they hold. */
static struct keeper the_keeper;

_Noreturn void rqi_keeper_main(int socket, pid_t worker)
{
    drop_stdio();
    take_post(socket);
    struct keeper *k = &the_keeper;
    int signals = reset_signals();
    if (signals < 0) {
        _exit(1);
    }
    k->signals = signals;
    k->worker = worker;
    for (int i = 0; i < RQI_KEEPER_MAX; i++) {
        k->by_pid[i] = -1;
    }
    serve(k);
    end_all(k);
    _exit(0);
}
