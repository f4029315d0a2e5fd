/* SPDX-License-Identifier: MIT */
/* From a fork to the program: process group, descriptors, directory, exec. */
#ifndef RQI_RUN_PROGRAM_H
#define RQI_RUN_PROGRAM_H

#include "run/keeper_wire.h"

typedef struct rqi_program_failure {
    int error;      /* errno */
    char stage[16]; /* "fork", "chdir", "exec" ... */
} rqi_program_failure;

/* Starts the program as a child; returns its process id once it has been executed. On failure
 * returns -1 and says why; no child is left then. */
pid_t rqi_program_start(const rqi_job *job, rqi_program_failure *why);

/* Closes every descriptor >= first. */
void rqi_close_from(int first);

#endif
