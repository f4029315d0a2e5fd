/* SPDX-License-Identifier: MIT */
/*
 * Tasks that run alone.
 *
 * DESIGN. A task in whose hands workers have vanished again and again may be what
 * kills them. To find out without harm to others the worker lets it run when
 * nothing else does: it claims no more, waits until what runs is over, tells
 * Redis that from now on the task is alone, and starts it when that is taken. If
 * the worker vanishes then, it was this task.
 */
#ifndef RQI_WORK_ALONE_H
#define RQI_WORK_ALONE_H

#include "work/attempt.h"

/* Whether a task with this past has to run alone. */
bool rqi_alone_must(const rqi_attempt *a);

/* Has it wait for its turn. */
void rqi_alone_wait(rqi_attempt *a);

/* True while nothing else may be claimed. */
bool rqi_alone_wanted(const refq_worker *w);

/* Gives the first of those that wait its turn, when nothing else runs. */
void rqi_alone_look(refq_worker *w);

/* Redis knows: start it. */
void rqi_alone_go(rqi_attempt *a);

/* It waits no more, or has ended. */
void rqi_alone_drop(rqi_attempt *a);

#endif
