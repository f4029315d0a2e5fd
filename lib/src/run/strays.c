/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Children are found by their parent's id in /proc/<pid>/stat. The
 * shorter way, /proc/<pid>/task/<tid>/children, depends on how the kernel was
 * built, and this is needed only for programs that leave something behind. A
 * child cannot be mistaken for another process: its id stays taken until it is
 * reaped, which only this process can do.
 */
#include "run/strays.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BUDGET_MS 5000
#define PAUSE_MAX 32 /* ms between two looks */

/* The parent in the text of a stat file: "pid (name) state ppid ..."; the name may hold anything.
 */
static pid_t parse_parent(char *stat)
{
    char *after = strrchr(stat, ')');
    if (after == NULL || strlen(after) < 5) {
        return -1;
    }
    return (pid_t)strtol(after + 4, NULL, 10);
}

static pid_t parent_of(int proc, const char *name)
{
    char path[64];
    char stat[512];
    (void)snprintf(path, sizeof path, "%.40s/stat", name);
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    ssize_t n = read(fd, stat, sizeof stat - 1);
    (void)close(fd);
    if (n <= 0) {
        return -1;
    }
    stat[n] = '\0';
    return parse_parent(stat);
}

/* Kills what is found; returns how many strays there were, dead ones included, because the death of
 * one may have brought in its children after they were looked for. */
static unsigned kill_found(DIR *dir, bool (*spare)(void *, pid_t), void *arg)
{
    unsigned found = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 0 || parent_of(dirfd(dir), entry->d_name) != getpid() ||
            (spare != NULL && spare(arg, pid))) {
            continue;
        }
        found++;
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, WNOHANG);
    }
    return found;
}

/* Without /proc nothing can be found, and waiting for it would not help. */
static unsigned kill_once(bool (*spare)(void *, pid_t), void *arg)
{
    DIR *dir = opendir("/proc");
    if (dir == NULL) {
        return 0;
    }
    unsigned found = kill_found(dir, spare, arg);
    (void)closedir(dir);
    return found;
}

/* The cheap answer to "is there anything at all"; only when no child is to be spared. */
static bool none_left(void)
{
    pid_t pid;
    do {
        pid = waitpid(-1, NULL, WNOHANG);
    } while (pid > 0);
    return pid < 0 && errno == ECHILD;
}

void rqi_strays_end(bool (*spare)(void *arg, pid_t pid), void *arg)
{
    int64_t deadline = rqi_mono_ms() + BUDGET_MS;
    for (long pause = 1; rqi_mono_ms() < deadline; pause = pause < PAUSE_MAX ? pause * 2 : pause) {
        if (spare == NULL && none_left()) {
            return;
        }
        /* Most of what is left has just been killed with its group: a moment saves the search. */
        struct timespec moment = {.tv_nsec = pause * 1000000};
        (void)nanosleep(&moment, NULL);
        if (spare == NULL && none_left()) {
            return;
        }
        if (kill_once(spare, arg) == 0) {
            return;
        }
    }
}
