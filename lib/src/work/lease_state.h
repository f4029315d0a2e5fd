/* SPDX-License-Identifier: MIT */
/* What the files of the lease share: lease.c is the thread and what the loop asks of it, beat.c
 * says and reads beats. */
#ifndef RQI_WORK_LEASE_STATE_H
#define RQI_WORK_LEASE_STATE_H

#include "redis/conn.h"
#include "work/lease.h"

#include <pthread.h>

typedef enum rqi_lease_mode { LEASE_START, LEASE_BEAT, LEASE_BYE, LEASE_ENDED } rqi_lease_mode;

/* One queue of a lease. */
struct rqi_tie {
    rqi_lease *lease;
    const rqi_keys *keys;
    bool in_flight;      /* a beat is under way; the thread's */
    unsigned mismatches; /* beats in a row whose counts differed; the thread's */

    /* Under the lease's lock. */
    refq_handlers *handlers; /* a reference */
    bool offer;              /* the next beat says what is offered */
    rqi_lease_mode mode;
    bool urgent; /* a beat is wanted at once */
    char id[REFQ_HEX_LEN + 1];
    unsigned generation; /* rises with each id */
    rqi_lease_words words;
    int64_t last_ms;
    bool has_notice;
    rqi_notice notice;
};

struct rqi_lease {
    rqi_lease_options o;
    struct event_base *base;
    rqi_conn *conn;
    struct event *timer;
    struct event *wake;
    int wake_fd;
    pthread_t thread;
    rqi_cmd cmd;
    char host[65];
    struct rqi_tie *ties; /* owned */
    size_t ties_n;

    pthread_mutex_t lock;
    bool stopping;
    int64_t turn_ms; /* monotonic time of the thread's last look at its beats */
};

/* Sends the beat that the tie's mode asks for. On the thread. */
void rqi_beat_send(struct rqi_tie *tie);

#endif
