/* SPDX-License-Identifier: MIT */
/* The forked side of the keeper. */
#ifndef RQI_RUN_KEEPER_MAIN_H
#define RQI_RUN_KEEPER_MAIN_H

#include <sys/types.h>

/* Runs the keeper on its end of the socket until the worker is gone. */
_Noreturn void rqi_keeper_main(int socket, pid_t worker);

#endif
