/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A failure between fork and exec is told through a pipe that closes by
 * itself when exec succeeds, so the parent learns "executed" or the exact errno
 * before anybody is told that the program runs.
 */
#include "run/program.h"

#include "run/child_main.h"
#include "run/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_FDS   4  /* 0..3 of the program */
#define TELL_FD 4  /* where the pipe to the parent goes */
#define CLEAR   16 /* descriptors move up to here first, so that none is overwritten */

/* Kernels before 5.9, and old container profiles, have no close_range(). */
void rqi_close_from(int first)
{
    if (close_range((unsigned)first, ~0U, 0) == 0) {
        return;
    }
    struct rlimit limit = {0};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    for (rlim_t fd = (rlim_t)first; fd < limit.rlim_cur && fd < 1048576; fd++) {
        (void)close((int)fd);
    }
}

static _Noreturn void give_up(int tell, const char *stage)
{
    rqi_program_failure why = {.error = errno};
    (void)snprintf(why.stage, sizeof why.stage, "%s", stage);
    while (write(tell, &why, sizeof why) < 0 && errno == EINTR) {
    }
    _exit(127);
}

/* Puts the descriptors at 0..3 and the pipe at 4; nothing else stays open. */
static int place(const rqi_job *job, int tell)
{
    int moved[N_FDS];
    int high = fcntl(tell, F_DUPFD_CLOEXEC, CLEAR);
    if (high < 0) {
        give_up(tell, "dup");
    }
    for (int i = 0; i < N_FDS; i++) {
        moved[i] = fcntl(job->fds[i], F_DUPFD_CLOEXEC, CLEAR);
        if (moved[i] < 0) {
            give_up(high, "dup");
        }
    }
    for (int i = 0; i < N_FDS; i++) {
        if (dup2(moved[i], i) < 0) {
            give_up(high, "dup");
        }
    }
    if (dup3(high, TELL_FD, O_CLOEXEC) < 0) {
        give_up(high, "dup");
    }
    rqi_close_from(TELL_FD + 1);
    return TELL_FD;
}

static _Noreturn void become(const rqi_job *job, int tell, pid_t parent)
{
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(127);
    }
    tell = place(job, tell);
    if (job->directory != NULL && chdir(job->directory) != 0) {
        give_up(tell, "chdir");
    }
    if (rqi_limits_apply(&job->limits) != 0) {
        give_up(tell, "setrlimit");
    }
    /* The keeper set all dispositions to default, so only the mask is left. */
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (job->calls) {
        (void)close(tell);
        rqi_child_main();
    }
    environ = job->envp; /* where execvpe() looks for PATH */
    (void)execvpe(job->argv[0], job->argv, job->envp);
    give_up(tell, "exec");
}

/* Blocks until the program has been executed (false) or could not be (true). */
static bool read_failure(int fd, rqi_program_failure *why)
{
    ssize_t n;
    do {
        n = read(fd, why, sizeof *why);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof *why;
}

static pid_t fail(rqi_program_failure *why, const char *stage)
{
    why->error = errno;
    (void)snprintf(why->stage, sizeof why->stage, "%s", stage);
    return -1;
}

pid_t rqi_program_start(const rqi_job *job, rqi_program_failure *why)
{
    int tell[2];
    if (pipe2(tell, O_CLOEXEC) != 0) {
        return fail(why, "pipe");
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        become(job, tell[1], parent);
    }
    if (pid < 0) {
        (void)fail(why, "fork");
    } else {
        /* On both sides, because either may run first; after exec it fails, and is not needed. */
        (void)setpgid(pid, pid);
    }
    (void)close(tell[1]);
    bool refused = pid > 0 && read_failure(tell[0], why);
    (void)close(tell[0]);
    if (refused) {
        (void)waitpid(pid, NULL, 0);
        return -1;
    }
    return pid;
}
