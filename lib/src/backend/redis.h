/* SPDX-License-Identifier: MIT */
/* What the files of the redis backend share. */
#ifndef RQI_BACKEND_REDIS_H
#define RQI_BACKEND_REDIS_H

#include "redis/conn.h"
#include "task/fcall.h"
#include "task/keys.h"

#include <refq/backend.h>

#include <sys/queue.h>

#define RQI_RECORD_TTL_MS ((int64_t)24 * 3600 * 1000) /* of finished tasks */
#define RQI_DEAD_TTL_MS   ((int64_t)7 * 24 * 3600 * 1000)

/* One queue this backend has dealt with. Never removed: there are few. */
typedef struct rqi_queue {
    SLIST_ENTRY(rqi_queue) link;
    struct rqi_redis *owner;
    rqi_keys keys;
    bool announced;  /* its name is in refq:queues */
    bool subscribed; /* the reply channel is confirmed on the present subscriber connection */
    bool subscribing;
} rqi_queue;

struct rqi_wait;

typedef struct rqi_redis {
    refq_backend pub; /* first: callers hold a pointer to it */
    struct event_base *base;
    rqi_url url;
    char prefix[RQI_PREFIX_MAX + 1];
    char client_id[REFQ_HEX_LEN + 1];
    int64_t timeout_ms;
    refq_logger log;
    rqi_conn *conn;          /* commands */
    rqi_conn *sub;           /* pushes; NULL until somebody waits */
    struct event *keepalive; /* PING on sub */
    unsigned keepalives;     /* PINGs so far */
    struct event *ask_again; /* after a failed question about tasks waited for */
    rqi_cmd cmd;             /* scratch */
    SLIST_HEAD(, rqi_queue) queues;
    TAILQ_HEAD(rqi_waits, rqi_wait) waits;
    bool closing;
} rqi_redis;

/* The queue's entry, made when first asked for. NULL (and err) when the name is invalid. */
rqi_queue *rqi_redis_queue(rqi_redis *r, const char *name, refq_error *err);

/* Calls back with an error from the loop. */
void rqi_redis_fail_later(rqi_redis *r, const refq_error *err, refq_task_cb cb, void *arg);

/* redis_submit.c */
void rqi_redis_submit(refq_backend *b, const refq_spec *specs, size_t n, refq_submit_cb cb,
                      void *arg);
/* redis_read.c */
void rqi_redis_get_status(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg);
void rqi_redis_get_result(refq_backend *b, const refq_ref *ref, refq_result_cb cb, void *arg);
void rqi_redis_cancel(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg);
/* redis_list.c */
void rqi_redis_list(refq_backend *b, const refq_list_query *query, refq_list_cb cb, void *arg);
/* redis_change.c */
void rqi_redis_retry(refq_backend *b, const refq_ref *ref, const refq_ref *as, refq_task_cb cb,
                     void *arg);
void rqi_redis_answer(refq_backend *b, const refq_ref *ref, const char *json, refq_task_cb cb,
                      void *arg);
void rqi_redis_detach(refq_backend *b, const refq_ref *ref, const refq_ref *caller, refq_task_cb cb,
                      void *arg);
void rqi_redis_hand_out(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg);
/* redis_operate.c */
void rqi_redis_cleanup(refq_backend *b, const refq_cleanup_query *query, refq_count_cb cb,
                       void *arg);
void rqi_redis_stats(refq_backend *b, const char *queue, refq_stats_cb cb, void *arg);
void rqi_redis_control(refq_backend *b, const refq_control *control, refq_count_cb cb, void *arg);
/* redis_texts.c */
void rqi_redis_queues(refq_backend *b, refq_texts_cb cb, void *arg);
void rqi_redis_history(refq_backend *b, const refq_ref *ref, refq_texts_cb cb, void *arg);
void rqi_redis_args(refq_backend *b, const refq_ref *ref, refq_texts_cb cb, void *arg);

/* redis_catalog.c */
void rqi_redis_catalog(refq_backend *b, const char *queue, const char *task, refq_texts_cb cb,
                       void *arg);
/* redis_events.c */
void rqi_redis_events(refq_backend *b, const refq_events_query *query, refq_events_cb cb,
                      void *arg);
/* redis_fleet.c */
void rqi_redis_workers(refq_backend *b, const char *queue, refq_workers_cb cb, void *arg);
/* redis_wait.c */
void rqi_redis_wait(refq_backend *b, const refq_ref *ref, int64_t timeout_ms, refq_watch_cb watch,
                    refq_task_cb cb, void *arg);
void rqi_redis_wait_shutdown(rqi_redis *r);

#endif
