/* SPDX-License-Identifier: MIT */
/* The append-only file of the fixture's server, for a test that plays a power cut. */
#ifndef RQT_AOF_H
#define RQT_AOF_H

#include <stdint.h>

/* Bytes in the part the server writes now. */
int64_t rqt_aof_size(void);

/* Cuts that part to at most so many bytes, whole transactions only. While the server is down. */
void rqt_aof_cut(int64_t left);

#endif
