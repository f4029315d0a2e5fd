/* SPDX-License-Identifier: MIT */
#include "support/proc.h"

#include "support/redis_fixture.h"
#include "support/wait.h"

#include <check.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void redirect(const char *path, int fd, int flags)
{
    int opened = open(path != NULL ? path : "/dev/null", flags | O_CLOEXEC, 0600);
    if (opened < 0 || dup2(opened, fd) < 0) {
        _exit(126);
    }
}

static void exec_child(const rqt_spawn_options *o)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    redirect(o->in_path, 0, O_RDONLY);
    redirect(o->out_path, 1, O_WRONLY | O_CREAT | O_APPEND);
    /* One file is opened once: it may be renamed between two openings. */
    if (o->err_path != NULL && o->err_path == o->out_path) {
        (void)dup2(1, 2);
    } else {
        redirect(o->err_path, 2, O_WRONLY | O_CREAT | O_APPEND);
    }
    for (size_t i = 0; o->env != NULL && o->env[i] != NULL; i++) {
        (void)putenv((char *)o->env[i]);
    }
    (void)execvp(o->argv[0], (char *const *)o->argv);
    _exit(127);
}

pid_t rqt_spawn(const rqt_spawn_options *options)
{
    pid_t pid = fork();
    if (pid < 0) {
        abort();
    }
    if (pid == 0) {
        exec_child(options);
    }
    return pid;
}

static int ended(pid_t pid, int *status)
{
    return waitpid(pid, status, WNOHANG) == pid;
}

int rqt_reap(pid_t pid, int budget_ms)
{
    int status = 0;
    if (!RQT_UNTIL(ended(pid, &status), budget_ms)) {
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void read_into(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "re");
    size_t n = f != NULL ? fread(out, 1, size - 1, f) : 0;
    out[n] = '\0';
    if (f != NULL) {
        (void)fclose(f);
    }
}

const rqt_result *rqt_run(const char *const *argv)
{
    static rqt_result result;
    char out[128];
    char err[128];
    char url[160];
    (void)snprintf(out, sizeof out, "%s/out-%d", rqt_redis_dir(), (int)getpid());
    (void)snprintf(err, sizeof err, "%s/err-%d", rqt_redis_dir(), (int)getpid());
    (void)snprintf(url, sizeof url, "REFQ_REDIS=%s", rqt_redis_url());
    (void)unlink(out);
    (void)unlink(err);
    const char *env[] = {url, "LC_ALL=C.UTF-8", "TZ=UTC", NULL};
    rqt_spawn_options options = {.argv = argv, .env = env, .out_path = out, .err_path = err};
    pid_t pid = rqt_spawn(&options);
    result.status = rqt_reap(pid, 30000);
    if (result.status == -1) {
        (void)kill(pid, SIGKILL);
        (void)rqt_reap(pid, 1000);
    }
    read_into(out, result.out, sizeof result.out);
    read_into(err, result.err, sizeof result.err);
    return &result;
}

const rqt_result *rqt_refq(const char *const *args)
{
    const char *argv[64] = {RQT_REFQ_PATH};
    for (size_t i = 0; args[i] != NULL && i < 62; i++) {
        argv[i + 1] = args[i];
    }
    return rqt_run(argv);
}

static void log_path(pid_t pid, char out[128])
{
    (void)snprintf(out, 128, "%s/worker-%d.log", rqt_redis_dir(), (int)pid);
}

pid_t rqt_worker(const char *config_path, const char *const *options)
{
    static int serial;
    char log[128];
    char renamed[128];
    const char *argv[32] = {RQT_WORKER_PATH, "--config", config_path, "--redis", rqt_redis_url()};
    for (size_t i = 0; options != NULL && options[i] != NULL && i < 24; i++) {
        argv[i + 5] = options[i];
    }
    (void)snprintf(log, sizeof log, "%s/worker-%d-%d.new", rqt_redis_dir(), (int)getpid(),
                   serial++);
    rqt_spawn_options spawn = {.argv = argv, .out_path = log, .err_path = log};
    pid_t pid = rqt_spawn(&spawn);
    log_path(pid, renamed);
    (void)RQT_UNTIL(rename(log, renamed) == 0, 2000);
    return pid;
}

const char *rqt_worker_log(pid_t pid)
{
    char path[128];
    log_path(pid, path);
    return rqt_read(path);
}

int rqt_worker_stop(pid_t pid)
{
    (void)kill(pid, SIGTERM);
    return rqt_reap(pid, 30000);
}

void rqt_wait_workers(const char *queue, int n)
{
    char key[128];
    (void)snprintf(key, sizeof key, "refq:{%s}:workers", queue);
    ck_assert_msg(RQT_UNTIL(rqt_redis_int("ZCARD %s", key) == n, 10000),
                  "%d workers of %s expected, there are %lld", n, queue,
                  rqt_redis_int("ZCARD %s", key));
}

const char *rqt_file(const char *name, const char *text, int executable)
{
    static char paths[16][256];
    static int next;
    char *path = paths[next++ % 16];
    (void)snprintf(path, sizeof paths[0], "%s/%s", rqt_redis_dir(), name);
    char written[sizeof paths[0] + 8];
    (void)snprintf(written, sizeof written, "%s.new", path);
    FILE *f = fopen(written, "we");
    ck_assert_msg(f != NULL, "%s: %s", written, strerror(errno));
    ck_assert(fputs(text, f) >= 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(written, executable ? 0700 : 0600), 0);
    ck_assert_int_eq(rename(written, path), 0);
    return path;
}

const char *rqt_read(const char *path)
{
    static char text[1048576];
    read_into(path, text, sizeof text);
    return text;
}

static int holds(const char *pid, const char *text)
{
    char path[300];
    char line[4096] = "";
    (void)snprintf(path, sizeof path, "/proc/%s/cmdline", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, line, sizeof line - 1) : 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    for (ssize_t i = 0; i + 1 < n; i++) {
        line[i] = line[i] == '\0' ? ' ' : line[i];
    }
    return n > 0 && strstr(line, text) != NULL;
}

int rqt_count_processes(const char *text)
{
    int n = 0;
    DIR *proc = opendir("/proc");
    struct dirent *e = NULL;
    while (proc != NULL && (e = readdir(proc)) != NULL) {
        n += isdigit((unsigned char)e->d_name[0]) && strtol(e->d_name, NULL, 10) != getpid() &&
             holds(e->d_name, text);
    }
    if (proc != NULL) {
        (void)closedir(proc);
    }
    return n;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void rqt_remove_tree(const char *path)
{
    if (path[0] != '\0') {
        (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}
