/* SPDX-License-Identifier: MIT */
/* A server and a worker of one's own, in a temporary folder. */
#ifndef CLI_DEV_FLEET_H
#define CLI_DEV_FLEET_H

#include <refq/error.h>

#include <stdbool.h>
#include <sys/types.h>

typedef struct cli_dev_fleet {
    char dir[64];
    char url[96];
    pid_t server; /* 0 = not running; likewise below */
    pid_t worker;
    pid_t janitor; /* removes the folder when this process is gone, however it went */
    int leash;     /* closed, also by the kernel: the janitor acts */
    int log_fd;    /* what the worker writes; -1 = none */
} cli_dev_fleet;

/* Makes the folder and starts the server. Call it before there are threads. Returns an exit status;
 * cli_dev_fleet_end() in any case. */
int cli_dev_fleet_start(cli_dev_fleet *fleet);

/* Starts refq-worker with this task file and concurrency (0 = its default). */
int cli_dev_fleet_work(cli_dev_fleet *fleet, const char *config, int concurrency);

/* EX_OK while both run; else an exit status, after saying which one has ended. */
int cli_dev_fleet_check(cli_dev_fleet *fleet);

/* Whether the worker still runs. */
bool cli_dev_fleet_works(cli_dev_fleet *fleet);

/* Sends it a signal. */
void cli_dev_fleet_stop_worker(const cli_dev_fleet *fleet, int signal);

/* Ends what still runs and removes the folder. */
void cli_dev_fleet_end(cli_dev_fleet *fleet);

#endif
