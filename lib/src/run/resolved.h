/* SPDX-License-Identifier: MIT */
/*
 * Arguments in which values have taken the place of references.
 *
 * DESIGN. They can be as large as results, and come as JSON text; all other
 * arguments are small and come as msgpack. So what is cheap for those is not
 * done here: nothing of them is parsed on the event loop. What a command line
 * needs of them is picked beforehand, and the msgpack form is made when a
 * handler asks for it.
 */
#ifndef RQI_RUN_RESOLVED_H
#define RQI_RUN_RESOLVED_H

#include "run/run.h"

/* Gives them to a run that is not started yet, instead of those it has; json (strict JSON text of
 * an object) is taken, and left empty. Any thread. REFQ_ERR_LIMIT when a placeholder of the command
 * asks for what no command line can carry. */
REFQ_MUST_USE refq_err rqi_run_take_resolved(rqi_run *run, rqi_buf *json, refq_error *err);

/* Makes the msgpack form, when there is none: on the handler's thread. It stays empty for what is
 * nested too deep for libmsgpack, and without memory. */
void rqi_run_pack_resolved(rqi_run *run);

#endif
