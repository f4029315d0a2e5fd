/* SPDX-License-Identifier: MIT */
/* A minder's life: start the program, pass on signals, clear up after it, say how it ended. */
#include "run/minder.h"

#include "run/program.h"
#include "run/strays.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* All signals are blocked from the keeper on; these are waited for. */
#define SIGNAL_ORPHANED SIGCONT  /* the keeper died: a minder that was stopped goes on to see it */
#define SIGNAL_KILL     SIGUSR2  /* pass on SIGKILL: a plain signal, so it cannot be lost */
#define SIGNAL_PASS     SIGRTMIN /* pass on the signal that came as its value */

#define PAUSE_MS 10
#define PAUSES   1000 /* 10 s altogether */

struct minder {
    int socket;
    uint64_t id;
    pid_t keeper;
    pid_t program;
    bool orphaned; /* the keeper died: the program is killed */
};

/* What is sent is zero between the fields, too: bytes of a stack are nobody's business. */
static rqi_report without_padding(const rqi_report *report)
{
    rqi_report wire;
    memset(&wire, 0, sizeof wire);
    wire.id = report->id;
    wire.event.kind = report->event.kind;
    wire.event.pid = report->event.pid;
    wire.event.status = report->event.status;
    wire.event.error = report->event.error;
    memcpy(wire.event.stage, report->event.stage, sizeof wire.event.stage);
    wire.event.has_result = report->event.has_result;
    wire.event.result = report->event.result;
    return wire;
}

/* The result's descriptor, when there is one, goes along. */
static int send_once(int socket, const rqi_report *report)
{
    rqi_report wire = without_padding(report);
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec io = {.iov_base = &wire, .iov_len = sizeof wire};
    struct msghdr msg = {.msg_iov = &io, .msg_iovlen = 1};
    if (report->event.has_result && report->event.result.fd >= 0) {
        msg.msg_control = control.space;
        msg.msg_controllen = sizeof control.space;
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &report->event.result.fd, sizeof(int));
    }
    return sendmsg(socket, &msg, MSG_NOSIGNAL) < 0 ? errno : 0;
}

/* The worker waits for the report: without what the system lacks it goes when that does not come
 * back soon. */
void rqi_report_send(int socket, const rqi_report *report)
{
    static const struct timespec moment = {.tv_nsec = PAUSE_MS * 1000000};
    rqi_report without = *report;
    without.event.result = (rqi_result_file){.fd = -1, .error = ETOOMANYREFS};
    int error = EINTR;
    for (int i = 0; i < PAUSES && error == EINTR; i++) {
        error = send_once(socket, report);
        if (error == ETOOMANYREFS || error == ENOMEM || error == ENOBUFS) {
            (void)nanosleep(&moment, NULL);
            error = EINTR;
        }
    }
    if (error == EINTR) {
        (void)send_once(socket, &without);
    }
}

static void report(const struct minder *m, rqi_child_event event)
{
    rqi_report message = {.id = m->id, .event = event};
    rqi_report_send(m->socket, &message);
}

static void report_refused(const struct minder *m, const rqi_program_failure *why)
{
    rqi_child_event event = {.kind = RQI_CHILD_REFUSED, .error = why->error};
    (void)snprintf(event.stage, sizeof event.stage, "%s", why->stage);
    report(m, event);
}

/* --- While it runs ---------------------------------------------------------------------------- */

/* A leader that moved to another group would miss what the group gets. */
static void pass_on(const struct minder *m, int signal)
{
    (void)kill(-m->program, signal);
    if (getpgid(m->program) != m->program) {
        (void)kill(m->program, signal);
    }
}

/* Reaps orphans; the program itself stays a zombie, so that its id and its group's stay taken. */
static bool program_ended(const struct minder *m)
{
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0) {
            return false;
        }
        if (info.si_pid == m->program) {
            return true;
        }
        (void)waitpid(info.si_pid, NULL, 0);
    }
}

static void obey(struct minder *m, const siginfo_t *order)
{
    if (order->si_signo == SIGNAL_KILL) {
        pass_on(m, SIGKILL);
    } else if (order->si_signo == SIGNAL_PASS && order->si_code == SI_QUEUE) {
        pass_on(m, order->si_value.sival_int);
    } else if (order->si_signo == SIGNAL_ORPHANED && getppid() != m->keeper) {
        m->orphaned = true;
        pass_on(m, SIGKILL);
    }
}

static void watch(struct minder *m)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigaddset(&set, SIGNAL_ORPHANED);
    (void)sigaddset(&set, SIGNAL_KILL);
    (void)sigaddset(&set, SIGNAL_PASS);
    while (!program_ended(m)) {
        siginfo_t info;
        if (sigwaitinfo(&set, &info) > 0) {
            obey(m, &info);
        }
    }
}

/* --- From start to end ------------------------------------------------------------------------ */

/* Dies with the keeper, but not before the program: hence a signal that can be waited for. */
static void take_post(const struct minder *m)
{
    (void)syscall(SYS_prctl, PR_SET_NAME, "refq-minder", 0, 0, 0); /* as the keeper */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)prctl(PR_SET_PDEATHSIG, SIGNAL_ORPHANED);
    if (getppid() != m->keeper) {
        _exit(0);
    }
}

static void start(struct minder *m, const rqi_job *job)
{
    rqi_program_failure why = {0};
    bool made = job->folder == NULL || rqi_folder_make(job->folder) == 0;
    if (made) {
        m->program = rqi_program_start(job, &why);
    } else {
        why = (rqi_program_failure){.error = errno, .stage = "mkdir"};
    }
    /* The program's ends of the pipes must not stay open here, or their readers see no end. */
    rqi_close_from(m->socket + 1);
    if (made && m->program > 0) {
        return;
    }
    if (made && job->folder != NULL) {
        rqi_folder_remove(job->folder);
    }
    report_refused(m, &why);
    _exit(0);
}

/* The result stays readable through its descriptor when its folder is gone. */
static void clear_up(const struct minder *m, const rqi_job *job, rqi_child_event *ended)
{
    (void)kill(-m->program, SIGKILL);
    (void)waitpid(m->program, &ended->status, 0);
    rqi_strays_end(NULL, NULL);
    if (job->folder != NULL) {
        ended->has_result = true;
        ended->result = rqi_folder_result(job->folder);
        rqi_folder_remove(job->folder);
    }
}

static _Noreturn void run_minder(struct minder *m, const rqi_job *job)
{
    take_post(m);
    start(m, job);
    report(m, (rqi_child_event){.kind = RQI_CHILD_STARTED, .pid = m->program});
    watch(m);
    rqi_child_event ended = {.pid = m->program};
    clear_up(m, job, &ended);
    ended.kind = m->orphaned ? RQI_CHILD_LOST : RQI_CHILD_ENDED;
    report(m, ended);
    _exit(0);
}

pid_t rqi_minder_fork(int socket, const rqi_job *job)
{
    struct minder m = {.socket = socket, .id = job->id, .keeper = getpid()};
    pid_t pid = fork();
    if (pid == 0) {
        run_minder(&m, job);
    }
    return pid;
}

void rqi_minder_signal(pid_t minder, int signal)
{
    if (signal == SIGKILL) {
        (void)kill(minder, SIGNAL_KILL);
    } else {
        /* May fail when the user's limit of queued signals is reached; KILL follows where it
         * matters. */
        (void)sigqueue(minder, SIGNAL_PASS, (union sigval){.sival_int = signal});
    }
    (void)kill(minder, SIGCONT); /* its program may have stopped it */
}
