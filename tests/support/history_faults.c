/* SPDX-License-Identifier: MIT */
#include "support/history_faults.h"

#include <stdlib.h>
#include <string.h>

#define MS           ((int64_t)1000000)
#define LOSS_BACK_MS 3000 /* unless the fault says how much it took */

typedef enum reach { REACH_NONE, REACH_WORKER, REACH_LOSS } reach;

/* The time in which a fault acts. */
struct rqt_window {
    int64_t from_ns;
    int64_t to_ns;
    int64_t back_ns; /* of a loss: how old what was forgotten can be */
    int64_t id;
    pid_t target; /* 0 = the server, and so everybody */
    reach reach;
    bool kills;
};

static reach reach_of(const rqt_event *e)
{
    char text[16] = "";
    (void)rqt_event_text(e, "reach", text, sizeof text);
    return strcmp(text, "worker") == 0 ? REACH_WORKER
           : strcmp(text, "loss") == 0 ? REACH_LOSS
                                       : REACH_NONE;
}

static void add_window(rqt_faults_seen *f, const rqt_event *e)
{
    char name[16] = "";
    (void)rqt_event_text(e, "name", name, sizeof name);
    int64_t past = rqt_event_number(e, "for", 0); /* noticed when it was over */
    f->windows[f->n++] = (rqt_window){
        .from_ns = e->at_ns - past * MS,
        .to_ns = past > 0 ? e->at_ns : RQT_FOREVER,
        .back_ns = rqt_event_number(e, "back", LOSS_BACK_MS) * MS,
        .id = rqt_event_number(e, "id", 0),
        .target = (pid_t)rqt_event_number(e, "target", 0),
        .reach = reach_of(e),
        .kills = strcmp(name, "kill") == 0,
    };
}

static void heal_window(rqt_faults_seen *f, const rqt_event *e)
{
    int64_t id = rqt_event_number(e, "id", 0);
    for (size_t i = 0; i < f->n; i++) {
        if (f->windows[i].id == id && f->windows[i].to_ns == RQT_FOREVER) {
            f->windows[i].to_ns = e->at_ns;
        }
    }
}

refq_err rqt_faults_seen_read(const rqt_history *h, rqt_faults_seen *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < h->n; i++) {
        n += h->events[i].kind == RQT_FAULT;
    }
    *ret = (rqt_faults_seen){.windows = calloc(n + 1, sizeof *ret->windows)};
    if (ret->windows == NULL) {
        return REFQ_ERR_NOMEM;
    }
    for (size_t i = 0; i < h->n; i++) {
        const rqt_event *e = &h->events[i];
        if (e->kind == RQT_FAULT) {
            add_window(ret, e);
        } else if (e->kind == RQT_HEALED) {
            heal_window(ret, e);
        }
    }
    return REFQ_OK;
}

void rqt_faults_seen_done(rqt_faults_seen *f)
{
    free(f->windows);
    *f = (rqt_faults_seen){0};
}

static bool touches(const rqt_window *w, int64_t from_ns, int64_t to_ns)
{
    return w->from_ns <= to_ns && w->to_ns >= from_ns;
}

bool rqt_fault_hit_worker(const rqt_faults_seen *f, pid_t worker, int64_t from_ns, int64_t to_ns)
{
    for (size_t i = 0; i < f->n; i++) {
        const rqt_window *w = &f->windows[i];
        if (w->reach == REACH_WORKER && w->target == worker && touches(w, from_ns, to_ns)) {
            return true;
        }
    }
    return false;
}

bool rqt_fault_lost_memory(const rqt_faults_seen *f, int64_t from_ns, int64_t to_ns)
{
    for (size_t i = 0; i < f->n; i++) {
        const rqt_window *w = &f->windows[i];
        if (w->reach == REACH_LOSS && touches(w, from_ns, to_ns) &&
            from_ns >= w->from_ns - w->back_ns) {
            return true;
        }
    }
    return false;
}

int64_t rqt_fault_held_up(const rqt_faults_seen *f, pid_t worker, int64_t from_ns, int64_t to_ns)
{
    int64_t sum = 0;
    for (size_t i = 0; i < f->n; i++) {
        const rqt_window *w = &f->windows[i];
        if ((w->target == 0 || w->target == worker) && touches(w, from_ns, to_ns)) {
            int64_t from = w->from_ns > from_ns ? w->from_ns : from_ns;
            sum += (w->to_ns < to_ns ? w->to_ns : to_ns) - from;
        }
    }
    return sum;
}

#define STRAGGLE_NS INT64_C(1000000000) /* that a program may begin after its worker is gone */

/* A kill is written down before it happens, and healed once the worker is gone. A program that was
 * being started then writes its first word a moment later, before it is killed too. */
int64_t rqt_fault_killed_at(const rqt_faults_seen *f, pid_t worker, int64_t from_ns)
{
    for (size_t i = 0; i < f->n; i++) {
        const rqt_window *w = &f->windows[i];
        bool after = w->to_ns == RQT_FOREVER || w->to_ns + STRAGGLE_NS >= from_ns;
        if (w->kills && w->target == worker && after) {
            return w->to_ns > from_ns ? w->to_ns : from_ns;
        }
    }
    return RQT_FOREVER;
}
