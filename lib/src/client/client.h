/* SPDX-License-Identifier: MIT */
/* Running things on a client's I/O thread. */
#ifndef RQI_CLIENT_CLIENT_H
#define RQI_CLIENT_CLIENT_H

#include <refq/client.h>

#include <pthread.h>
#include <semaphore.h>
#include <sys/queue.h>

/* One call. start() runs on the I/O thread and sees to it that rqi_call_done() is called there,
 * exactly once, after which the memory may be gone: a blocking call lives on its caller's stack. */
typedef struct rqi_call {
    TAILQ_ENTRY(rqi_call) link;
    refq_client *client;
    void (*start)(struct rqi_call *call);
    void *arg; /* of the operation: its inputs and where its outputs go */
    refq_error err;
    void (*on_done)(struct rqi_call *call); /* NULL for a blocking call */
    sem_t done; /* not a condition variable: its mutex would make the woken caller wait once more */
} rqi_call;

/* Runs start() on the I/O thread and waits until the call is done; returns its error's code. */
refq_err rqi_call_run(refq_client *client, void (*start)(rqi_call *call), void *arg,
                      refq_error *err);

/* The same without waiting: call->on_done is called on the I/O thread once it is done, also when
 * the client closes. The call is the caller's to keep until then. */
void rqi_call_post(rqi_call *call);

/* Ends a call; err NULL = success. On the I/O thread. */
void rqi_call_done(rqi_call *call, const refq_error *err);

refq_backend *rqi_client_backend(refq_client *client);

/* Ends a call whose operation the backend lacks. */
void rqi_call_unsupported(rqi_call *call, const char *operation);

/* A copy that the caller frees, terminated; NULL when there is no memory. */
char *rqi_client_copy(refq_bytes text);

#endif
