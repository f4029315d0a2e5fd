/* SPDX-License-Identifier: MIT */
/* The four descriptors between the worker and a program. */
#ifndef RQI_RUN_PIPES_H
#define RQI_RUN_PIPES_H

#include <refq/bytes.h>
#include <refq/error.h>

enum { RQI_IN = 0, RQI_OUT, RQI_LOG, RQI_CONTROL, RQI_N_PIPES };

typedef struct rqi_pipes {
    int ours[RQI_N_PIPES];   /* non-blocking; -1 = none or closed; RQI_IN has none */
    int theirs[RQI_N_PIPES]; /* for the program; -1 = closed */
} rqi_pipes;

/* Opens all of them; input becomes the program's stdin, NULL gives it an empty one. */
refq_err rqi_pipes_open(rqi_pipes *pipes, const refq_bytes *input, refq_error *err);

/* Closes one end of one pipe; once is enough, twice is fine. */
void rqi_pipe_close(int *fd);

void rqi_pipes_close_theirs(rqi_pipes *pipes);
void rqi_pipes_close(rqi_pipes *pipes);

#endif
