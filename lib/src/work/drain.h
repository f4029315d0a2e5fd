/* SPDX-License-Identifier: MIT */
/* Stopping a worker: claim no more, let what runs end, give back the rest, say goodbye. */
#ifndef RQI_WORK_DRAIN_H
#define RQI_WORK_DRAIN_H

#include <refq/work.h>

/* Begins to stop, as refq_worker_stop() does. Repeating it changes nothing. */
void rqi_drain_begin(refq_worker *w);

/* Somebody asked for it, `times` times; from the second time on what runs is stopped. */
void rqi_drain_ask(refq_worker *w, unsigned times);

/* The grace is over, or the patience after it. */
void rqi_drain_deadline(refq_worker *w);

/* The process that starts programs has died: all is given back, and the worker ends. */
void rqi_drain_broken(refq_worker *w);

/* Says the goodbye of each queue that is done; ends the loop once all have said it. */
void rqi_drain_look(refq_worker *w);

#endif
