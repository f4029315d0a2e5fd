/* SPDX-License-Identifier: MIT */
/* Writing down what a reader sees of a task, through the public client. */
#ifndef RQT_HISTORY_OBSERVE_H
#define RQT_HISTORY_OBSERVE_H

#include "support/history.h"

/* Reads the task and, when it is complete, its result, and appends a `seen` or `final` line. False,
 * with nothing written, when the server did not answer; the error is in err. */
bool rqt_history_observe(int fd, rqt_event_kind kind, refq_client *client, const refq_ref *ref,
                         refq_error *err);

#endif
