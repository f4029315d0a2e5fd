/* SPDX-License-Identifier: MIT */
/* Killing children that this process did not make: orphans it inherited as a subreaper. */
#ifndef RQI_RUN_STRAYS_H
#define RQI_RUN_STRAYS_H

#include <stdbool.h>
#include <sys/types.h>

/* Kills and reaps every child of this process, and their children as those become its own, until
 * none is left. Children for which spare() says true are left alone; NULL spares none. Gives up
 * after five seconds: what has not died of SIGKILL by then hangs in the kernel. */
void rqi_strays_end(bool (*spare)(void *arg, pid_t pid), void *arg);

#endif
