/* SPDX-License-Identifier: MIT */
#include "support/crew.h"

#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/wait.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { LEAVE_MS = 30000 };

typedef enum duty { GONE = 0, AT_WORK, FROZEN, LEAVING } duty;

static struct {
    const rqt_crew_options *o;
    struct {
        pid_t pid;
        duty duty;
        char log[160];
    } slots[RQT_CREW_MAX];
    int serial;
    bool outage;
} crew;

static void hire(int slot)
{
    char lease[24];
    char slots[16];
    char place[16];
    size_t programs = 0;
    while (crew.o->programs[programs] != NULL) {
        programs++;
    }
    int serial = crew.serial++;
    (void)snprintf(lease, sizeof lease, "%lld", (long long)crew.o->lease_ms);
    (void)snprintf(place, sizeof place, "%d", slot);
    (void)snprintf(slots, sizeof slots, "%d", crew.o->slots);
    (void)snprintf(crew.slots[slot].log, sizeof crew.slots[slot].log, "%s/worker-%d.log",
                   rqt_redis_dir(), serial);
    const char *argv[] = {crew.o->programs[(size_t)serial % programs],
                          rqt_redis_url(),
                          crew.o->history,
                          crew.o->clocks,
                          place,
                          RQT_CHAOS_PROGRAM_PATH,
                          lease,
                          slots,
                          NULL};
    rqt_spawn_options spawn = {
        .argv = argv, .out_path = crew.slots[slot].log, .err_path = crew.slots[slot].log};
    crew.slots[slot].pid = rqt_spawn(&spawn);
    crew.slots[slot].duty = AT_WORK;
}

void rqt_crew_start(const rqt_crew_options *options)
{
    ck_assert_int_le(options->size, RQT_CREW_MAX);
    memset(&crew, 0, sizeof crew);
    crew.o = options;
    for (int i = 0; i < options->size; i++) {
        hire(i);
    }
}

static bool ended(int slot, int *status)
{
    return waitpid(crew.slots[slot].pid, status, WNOHANG) == crew.slots[slot].pid;
}

void rqt_crew_outage(bool on)
{
    crew.outage = on;
}

/* A worker that finds no server when it starts, or one that does not answer in time, says so and
 * ends; it has not taken anything yet. */
static bool gave_up(int slot, int code)
{
    const char *log = rqt_read(crew.slots[slot].log);
    return code == EXIT_FAILURE && strstr(log, "event=started") == NULL &&
           strstr(log, "event=beat_failed") != NULL;
}

static void expect_excuse(int slot, int status)
{
    if (!WIFEXITED(status) || !gave_up(slot, WEXITSTATUS(status))) {
        ck_abort_msg("worker %d ended by itself (wait status %d); its log:\n%s",
                     (int)crew.slots[slot].pid, status, rqt_read(crew.slots[slot].log));
    }
}

void rqt_crew_tend(void)
{
    for (int i = 0; i < crew.o->size; i++) {
        int status = 0;
        if (crew.slots[i].duty == GONE && !crew.outage) {
            hire(i);
        } else if (crew.slots[i].duty == AT_WORK && ended(i, &status)) {
            crew.slots[i].duty = GONE;
            expect_excuse(i, status);
        }
    }
}

pid_t rqt_crew_pid(int slot)
{
    return crew.slots[slot].duty == AT_WORK ? crew.slots[slot].pid : 0;
}

void rqt_crew_kill(int slot)
{
    crew.slots[slot].duty = GONE;
    (void)kill(crew.slots[slot].pid, SIGKILL);
    int code = rqt_reap(crew.slots[slot].pid, 10000);
    ck_assert(code == 128 + SIGKILL || gave_up(slot, code));
}

void rqt_crew_freeze(int slot)
{
    crew.slots[slot].duty = FROZEN;
    (void)kill(crew.slots[slot].pid, SIGSTOP);
}

void rqt_crew_thaw(int slot)
{
    crew.slots[slot].duty = AT_WORK;
    (void)kill(crew.slots[slot].pid, SIGCONT);
}

void rqt_crew_dismiss(int slot)
{
    crew.slots[slot].duty = LEAVING;
    (void)kill(crew.slots[slot].pid, SIGTERM);
}

static void expect_clean(int slot, int status)
{
    bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    ck_assert_msg(clean || (WIFEXITED(status) && gave_up(slot, WEXITSTATUS(status))),
                  "worker %d was told to end, and ended with wait status %d; its log:\n%s",
                  (int)crew.slots[slot].pid, status, rqt_read(crew.slots[slot].log));
}

bool rqt_crew_has_left(int slot)
{
    int status = 0;
    if (!ended(slot, &status)) {
        return false;
    }
    crew.slots[slot].duty = GONE;
    expect_clean(slot, status);
    return true;
}

void rqt_crew_end(void)
{
    for (int i = 0; i < crew.o->size; i++) {
        if (crew.slots[i].duty == AT_WORK) {
            rqt_crew_dismiss(i);
        }
    }
    for (int i = 0; i < crew.o->size; i++) {
        bool left = crew.slots[i].duty != LEAVING || RQT_UNTIL(rqt_crew_has_left(i), LEAVE_MS);
        ck_assert_msg(left, "worker %d did not end; its log:\n%s", (int)crew.slots[i].pid,
                      rqt_read(crew.slots[i].log));
    }
}
