/* SPDX-License-Identifier: MIT */
#include "support/fleet.h"

#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <check.h>
#include <signal.h>
#include <string.h>

#define FLEET_MAX 64

static struct {
    pid_t pids[FLEET_MAX];
    int alive[FLEET_MAX];
    int n;
} fleet;

pid_t rqt_fleet_add(const char *config, const char *const *options)
{
    ck_assert_int_lt(fleet.n, FLEET_MAX);
    pid_t pid = rqt_worker(config, options);
    fleet.pids[fleet.n] = pid;
    fleet.alive[fleet.n++] = 1;
    bool up = RQT_UNTIL(strstr(rqt_worker_log(pid), "event=started") != NULL, 15000);
    ck_assert_msg(up, "the worker did not start:\n%s", rqt_worker_log(pid));
    return pid;
}

static void forget(pid_t pid)
{
    for (int i = 0; i < fleet.n; i++) {
        if (fleet.pids[i] == pid) {
            fleet.alive[i] = 0;
        }
    }
}

void rqt_fleet_kill(pid_t pid)
{
    forget(pid);
    (void)kill(pid, SIGKILL);
    ck_assert_int_eq(rqt_reap(pid, 5000), 128 + SIGKILL);
}

void rqt_fleet_expect_end(pid_t pid, int status)
{
    forget(pid);
    int ended = rqt_reap(pid, 20000);
    ck_assert_msg(ended == status, "the worker ended with %d, not %d:\n%s", ended, status,
                  rqt_worker_log(pid));
}

void rqt_fleet_stop(pid_t pid)
{
    forget(pid);
    int status = rqt_worker_stop(pid);
    ck_assert_msg(status == 0, "the worker ended with status %d:\n%s", status, rqt_worker_log(pid));
}

void rqt_fleet_end(void)
{
    for (int i = 0; i < fleet.n; i++) {
        if (fleet.alive[i]) {
            rqt_fleet_stop(fleet.pids[i]);
        }
    }
    fleet.n = 0;
}

pid_t rqt_fleet_pid(const char *incarnation)
{
    pid_t pid = (pid_t)rqt_redis_int("HGET refq:{" RQT_QUEUE "}:worker:%s pid", incarnation);
    ck_assert_msg(pid > 0, "no worker %s", incarnation);
    return pid;
}

int rqt_fleet_said(const char *text)
{
    int found = 0;
    for (int i = 0; i < fleet.n; i++) {
        found += strstr(rqt_worker_log(fleet.pids[i]), text) != NULL;
    }
    return found;
}
