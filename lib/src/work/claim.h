/* SPDX-License-Identifier: MIT */
/*
 * When something is said to Redis, and which queue gets a free slot.
 *
 * DESIGN. Free slots are dealt one by one, each to the hungry queue that has the
 * fewest; among equals in turn. So a queue that is flooded cannot keep the
 * others from their share, not even with tasks that run for hours, and a queue
 * with nothing to do leaves its share to the others. What no queue is hungry for
 * goes along with reports that are sent anyway, which may find work.
 *
 * A second call of a queue may be under way when the worker is large and the
 * last claim was full: then Redis and the worker do not wait for each other.
 */
#ifndef RQI_WORK_CLAIM_H
#define RQI_WORK_CLAIM_H

#include "work/line.h"

void rqi_claim_kick(refq_worker *w); /* look for something to send, once per turn of the loop */
void rqi_claim_now(rqi_line *line);  /* there may be work: do not trust being parked */
void rqi_claim_look(refq_worker *w); /* called by the kick event */
void rqi_claim_up(void *worker);     /* the main connection is up */

/* After a failure that is not the connection's (that one ends with the next connection). */
void rqi_claim_pause(rqi_line *line);

/* Slots that nobody runs in or has claimed. */
size_t rqi_claim_free_slots(const refq_worker *w);

/* Whether the line claims nothing: draining, or told to be quiet. */
bool rqi_claim_is_off(const rqi_line *line);

struct event;
void rqi_claim_arm(struct event *timer, int64_t ms);

#endif
