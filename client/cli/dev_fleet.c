/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Nothing may be left behind, not even by kill -9. The children die
 * with this process by the kernel's help (PR_SET_PDEATHSIG; the worker's own
 * keeper then ends its programs). The folder cannot be removed that way, so a
 * janitor, forked first, waits at the end of a pipe that only this process
 * holds open: when it closes, for whatever reason, it removes the folder. The
 * ordinary end goes the same way.
 *
 * Each child has a process group of its own: Ctrl-C is for us, and we stop them
 * in order, the worker before its server.
 */
#include "dev_fleet.h"

#include "exit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOT_FOUND 127
#define PATH_SIZE 4096
#define NAP_MS    20

/* --- Processes -------------------------------------------------------------------------------- */

static void nap(void)
{
    struct timespec span = {.tv_nsec = NAP_MS * 1000000L};
    (void)nanosleep(&span, NULL);
}

/* In the child: dies with the parent, gets no signal of the terminal, starts with clean signals. */
static void become_child(pid_t parent, int out_fd)
{
    sigset_t none;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(NOT_FOUND);
    }
    (void)setpgid(0, 0);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    int in_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)dup2(in_fd, STDIN_FILENO);
    (void)dup2(out_fd, STDOUT_FILENO);
    (void)dup2(out_fd, STDERR_FILENO);
}

/* Tries the programs in turn. */
static pid_t start(const char *const *programs, char *const *argv, int out_fd)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid != 0) {
        return pid;
    }
    become_child(parent, out_fd);
    for (; *programs != NULL; programs++) {
        (void)execvp(*programs, argv);
    }
    _exit(NOT_FOUND);
}

static bool has_ended(pid_t *pid, int *status)
{
    if (*pid <= 0 || waitpid(*pid, status, WNOHANG) != *pid) {
        return false;
    }
    *pid = 0;
    return true;
}

/* --- The janitor ------------------------------------------------------------------------------ */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

/* The server may be writing its last file while it dies. */
static void remove_folder(const char *dir)
{
    for (int tries = 0; tries < 100 && access(dir, F_OK) == 0; tries++) {
        (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        if (access(dir, F_OK) == 0) {
            nap();
        }
    }
}

static void be_janitor(const char *dir, int leash)
{
    char byte;
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    (void)setsid();
    (void)prctl(PR_SET_NAME, "refq-janitor");
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        (void)signal(ignored[i], SIG_IGN);
    }
    (void)close(STDIN_FILENO);
    (void)close(STDOUT_FILENO); /* whoever reads our output must not wait for the janitor */
    (void)close(STDERR_FILENO);
    while (read(leash, &byte, 1) == -1 && errno == EINTR) {
    }
    remove_folder(dir);
    _exit(0);
}

static int start_janitor(cli_dev_fleet *f)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return cli_fail_as(EX_OSERR, "cannot make a pipe: %s", strerror(errno));
    }
    f->janitor = fork();
    if (f->janitor == 0) {
        (void)close(ends[1]);
        be_janitor(f->dir, ends[0]);
    }
    (void)close(ends[0]);
    f->leash = ends[1];
    return f->janitor > 0 ? EX_OK : cli_fail_as(EX_OSERR, "cannot fork: %s", strerror(errno));
}

/* --- The server ------------------------------------------------------------------------------- */

static int make_folder(cli_dev_fleet *f)
{
    const char *tmp = getenv("TMPDIR");
    bool usable = tmp != NULL && tmp[0] == '/' && strlen(tmp) < 32; /* a socket's path is short */
    (void)snprintf(f->dir, sizeof f->dir, "%s/refq-dev.XXXXXX", usable ? tmp : "/tmp");
    if (mkdtemp(f->dir) == NULL) {
        int code =
            cli_fail_as(EX_CANTCREAT, "cannot make a folder %s: %s", f->dir, strerror(errno));
        f->dir[0] = '\0';
        return code;
    }
    (void)snprintf(f->url, sizeof f->url, "unix://%s/redis.sock", f->dir);
    return EX_OK;
}

static int start_server(cli_dev_fleet *f)
{
    static const char *const programs[] = {"redis-server", "valkey-server", NULL};
    char log[96];
    char socket[96];
    (void)snprintf(log, sizeof log, "%s/redis.log", f->dir);
    (void)snprintf(socket, sizeof socket, "%s/redis.sock", f->dir);
    const char *argv[] = {"redis-server", "--port", "0",     "--unixsocket", socket,
                          "--save",       "",       "--dir", f->dir,         NULL};
    int fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd == -1) {
        return cli_fail_as(EX_CANTCREAT, "cannot write %s: %s", log, strerror(errno));
    }
    f->server = start(programs, (char *const *)argv, fd);
    (void)close(fd);
    return f->server > 0 ? EX_OK : cli_fail_as(EX_OSERR, "cannot fork: %s", strerror(errno));
}

int cli_dev_fleet_start(cli_dev_fleet *f)
{
    *f = (cli_dev_fleet){.leash = -1, .log_fd = -1};
    int code = make_folder(f);
    code = code == EX_OK ? start_janitor(f) : code;
    return code == EX_OK ? start_server(f) : code;
}

/* --- The worker ------------------------------------------------------------------------------- */

/* Beside this program; "" when that cannot be told. */
static void sibling(char out[PATH_SIZE])
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_SIZE - sizeof "refq-worker");
    out[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(out, '/');
    if (slash == NULL) {
        out[0] = '\0';
        return;
    }
    size_t at = (size_t)(slash - out) + 1;
    (void)snprintf(out + at, PATH_SIZE - at, "refq-worker");
}

int cli_dev_fleet_work(cli_dev_fleet *f, const char *config, int concurrency)
{
    char beside[PATH_SIZE];
    char number[16];
    int ends[2];
    sibling(beside);
    (void)snprintf(number, sizeof number, "%d", concurrency);
    const char *const programs[] = {beside, "refq-worker", NULL};
    const char *argv[] = {"refq-worker", "--config", config,
                          "--redis",     f->url,     concurrency > 0 ? "--concurrency" : NULL,
                          number,        NULL};
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return cli_fail_as(EX_OSERR, "cannot make a pipe: %s", strerror(errno));
    }
    f->worker = start(programs, (char *const *)argv, ends[1]);
    (void)close(ends[1]);
    f->log_fd = ends[0];
    (void)fcntl(f->log_fd, F_SETFL, O_NONBLOCK);
    return f->worker > 0 ? EX_OK : cli_fail_as(EX_OSERR, "cannot fork: %s", strerror(errno));
}

/* --- Watching and ending ---------------------------------------------------------------------- */

static int tell_end(const char *name, const char *package, int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND) {
        return cli_fail_as(EX_UNAVAILABLE, "%s is not installed, or not on the PATH%s%s", name,
                           package[0] != '\0' ? "; on Debian: apt install " : "", package);
    }
    if (WIFSIGNALED(status)) {
        return cli_fail_as(EX_SOFTWARE, "%s was ended by signal %d", name, WTERMSIG(status));
    }
    int code = WEXITSTATUS(status);
    return cli_fail_as(code != 0 ? code : EX_SOFTWARE, "%s has ended with status %d", name, code);
}

int cli_dev_fleet_check(cli_dev_fleet *f)
{
    int status = 0;
    if (has_ended(&f->server, &status)) {
        return tell_end("redis-server", "redis-server", status);
    }
    return has_ended(&f->worker, &status) ? tell_end("refq-worker", "", status) : EX_OK;
}

bool cli_dev_fleet_works(cli_dev_fleet *f)
{
    int status = 0;
    return f->worker > 0 && !has_ended(&f->worker, &status);
}

void cli_dev_fleet_stop_worker(const cli_dev_fleet *f, int signal)
{
    if (f->worker > 0) {
        (void)kill(f->worker, signal);
    }
}

static void end_one(pid_t pid, int signal)
{
    if (pid > 0) {
        (void)kill(pid, signal);
        while (waitpid(pid, NULL, 0) == -1 && errno == EINTR) {
        }
    }
}

void cli_dev_fleet_end(cli_dev_fleet *f)
{
    end_one(f->worker, SIGKILL);
    end_one(f->server, SIGKILL); /* nothing of it is to be kept */
    if (f->leash >= 0) {
        (void)close(f->leash);
    }
    if (f->log_fd >= 0) {
        (void)close(f->log_fd);
    }
    while (f->janitor > 0 && waitpid(f->janitor, NULL, 0) == -1 && errno == EINTR) {
    }
    *f = (cli_dev_fleet){.leash = -1, .log_fd = -1};
}
