/* SPDX-License-Identifier: MIT */
/* What a service manager is told: the protocol of sd_notify(3). */
#ifndef REFQ_WORKER_NOTIFY_H
#define REFQ_WORKER_NOTIFY_H

#include <refq/error.h>

#include <stdint.h>

/* Takes NOTIFY_SOCKET and the watchdog's variables out of the environment, so that nothing that is
 * started can speak for us. Nobody listens when they are absent. Call it before there are threads.
 */
refq_err rqi_notify_open(refq_error *err);

/* How often the service manager wants to hear of us, in microseconds; 0 = never. */
int64_t rqi_notify_watchdog_us(void);

/* Sends lines such as "READY=1\nSTATUS=running". Any thread. */
void rqi_notify_send(const char *lines);

/* Says that task files are read again, which the protocol wants with a time. */
void rqi_notify_reloading(void);

/* Nobody listens any more. */
void rqi_notify_close(void);

#endif
