/* SPDX-License-Identifier: MIT */
/*
 * The minder: one process beside each program, its parent and subreaper.
 *
 * DESIGN. Whatever a program leaves behind has to be found and killed when the
 * program ends, also what left its process group with setsid() and was orphaned.
 * Were the keeper the subreaper of all programs, it could not tell whose orphan
 * a process is, and the end of one program would kill the daemons (a gpg-agent,
 * a browser's zygote) that another one still uses. With a process for each, all
 * its orphans are its own, "nothing is left" is one waitpid() that says ECHILD,
 * and a program that hangs in execve() on a dead file system holds up nobody.
 * The price is one more fork, of a process that is small and never execs.
 *
 * A minder reports to the worker directly, over the keeper's end of the socket.
 */
#ifndef RQI_RUN_MINDER_H
#define RQI_RUN_MINDER_H

#include "run/keeper_wire.h"

/* Forks the minder of a program; returns its process id or -1 with errno. */
pid_t rqi_minder_fork(int socket, const rqi_job *job);

/* Has the minder send a signal to the program's process group. */
void rqi_minder_signal(pid_t minder, int signal);

/* Sends a report; blocks while the worker is behind, which it never is for long. */
void rqi_report_send(int socket, const rqi_report *report);

#endif
