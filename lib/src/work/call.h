/* SPDX-License-Identifier: MIT */
/*
 * One call of `finish`: what it says, and what is made of its reply.
 *
 * DESIGN. One function does all: it takes the reports that are ready and hands
 * out as many tasks as there are free slots. While a call is under way, reports
 * gather, so batches grow with the load by themselves and an idle worker's single
 * report leaves at once.
 *
 * A call whose reply is lost leaves two questions. Its reports go back to the
 * list and are sent again: the fence makes the repeat harmless. What it claimed
 * is found by `mine`, asked on the same connection before any further call of
 * that queue: what Redis says we hold and we know nothing of is given back at
 * once.
 */
#ifndef RQI_WORK_CALL_H
#define RQI_WORK_CALL_H

#include "work/notes.h"

#define RQI_BATCH_MAX 128  /* reports, and claims, of one call */
#define RQI_PAUSE_MS  1000 /* after a call failed for a reason that time may mend */

/* Sends what is ready, the notes, and asks for `want` tasks. False when there is no memory for it
 * now. */
bool rqi_call_send(rqi_line *line, size_t want, const rqi_note *notes, size_t notes_n);

#endif
