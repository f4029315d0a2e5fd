/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The backend is single-threaded; the client gives it a thread of its
 * own and a mailbox: a list of calls under a mutex and an eventfd that wakes the
 * loop. A call is a struct on its caller's stack, so a blocking call allocates
 * nothing here, and any number of them are under way at the same time.
 */
#include "client/client.h"

#include "base/error.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct refq_client {
    struct event_base *base;
    refq_backend *backend;
    unsigned capabilities; /* of the backend; kept, because other threads may ask */
    struct event *mail;    /* readable: the mailbox has calls, or it is time to stop */
    int wake_fd;
    pthread_t thread;
    pthread_mutex_t lock; /* guards calls and stopping */
    TAILQ_HEAD(, rqi_call) calls;
    bool stopping;
    bool running; /* the thread exists */
};

refq_backend *rqi_client_backend(refq_client *client)
{
    return client->backend;
}

void rqi_call_done(rqi_call *call, const refq_error *err)
{
    if (err != NULL) {
        call->err = *err;
    }
    if (call->on_done != NULL) {
        call->on_done(call);
    } else {
        (void)sem_post(&call->done);
    }
}

void rqi_call_unsupported(rqi_call *call, const char *operation)
{
    refq_error err;
    (void)rqi_fail(&err, REFQ_ERR_UNSUPPORTED, "the %s backend does not offer %s",
                   call->client->backend->ops->name, operation);
    rqi_call_done(call, &err);
}

char *rqi_client_copy(refq_bytes text)
{
    char *copy = malloc(text.len + 1);
    if (copy != NULL) {
        memcpy(copy, text.ptr, text.len);
        copy[text.len] = '\0';
    }
    return copy;
}

static void wake(refq_client *client)
{
    uint64_t one = 1;
    ssize_t n = write(client->wake_fd, &one, sizeof one);
    (void)n; /* full means it is awake already */
}

void rqi_call_post(rqi_call *call)
{
    refq_client *client = call->client;
    pthread_mutex_lock(&client->lock);
    TAILQ_INSERT_TAIL(&client->calls, call, link);
    wake(client); /* under the lock: a client that closes meanwhile must not take wake_fd away */
    pthread_mutex_unlock(&client->lock);
}

refq_err rqi_call_run(refq_client *client, void (*start)(rqi_call *call), void *arg,
                      refq_error *err)
{
    rqi_call call = {.client = client, .start = start, .arg = arg};
    (void)sem_init(&call.done, 0, 0);
    rqi_call_post(&call);
    while (sem_wait(&call.done) != 0) {
        /* a signal handler ran on this thread */
    }
    (void)sem_destroy(&call.done);
    if (call.err.code != REFQ_OK && err != NULL) {
        *err = call.err;
    }
    return call.err.code;
}

/* Starts what is in the mailbox, or, when stopping, fails it. */
static void read_mail(refq_client *client, bool stopping)
{
    refq_error closed;
    (void)rqi_fail(&closed, REFQ_ERR_CLOSED, "the client is being closed");
    pthread_mutex_lock(&client->lock);
    rqi_call *call = NULL;
    while ((call = TAILQ_FIRST(&client->calls)) != NULL) {
        TAILQ_REMOVE(&client->calls, call, link);
        pthread_mutex_unlock(&client->lock);
        if (stopping) {
            rqi_call_done(call, &closed);
        } else {
            call->start(call);
        }
        pthread_mutex_lock(&client->lock);
    }
    pthread_mutex_unlock(&client->lock);
}

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
    refq_client *client = arg;
    uint64_t count = 0;
    ssize_t n = read(fd, &count, sizeof count);
    (void)n;
    (void)what;
    pthread_mutex_lock(&client->lock);
    bool stopping = client->stopping;
    pthread_mutex_unlock(&client->lock);
    read_mail(client, stopping);
    if (stopping) {
        (void)event_base_loopbreak(client->base);
    }
}

static void *run(void *arg)
{
    refq_client *client = arg;
    (void)event_base_loop(client->base, EVLOOP_NO_EXIT_ON_EMPTY);
    client->backend->ops->shutdown(client->backend);
    client->backend = NULL;
    (void)event_base_loop(client->base, EVLOOP_NONBLOCK); /* callbacks promised for later */
    return NULL;
}

/* Signals are the program's business: its own threads take them. */
static int start_thread(refq_client *client)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&client->thread, NULL, run, client);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    client->running = rc == 0;
    return rc;
}

static refq_err open_parts(refq_client *client, refq_backend_factory factory, void *arg,
                           refq_error *err)
{
    client->base = event_base_new();
    client->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (client->base == NULL || client->wake_fd < 0) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "cannot make an event loop");
    }
    client->mail = event_new(client->base, client->wake_fd, EV_READ | EV_PERSIST, on_mail, client);
    if (client->mail == NULL || event_add(client->mail, NULL) != 0) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "cannot make an event loop");
    }
    refq_err rc = factory(client->base, arg, &client->backend, err);
    client->capabilities = rc == REFQ_OK ? client->backend->ops->capabilities : 0;
    if (rc == REFQ_OK && start_thread(client) != 0) {
        rc = rqi_fail(err, REFQ_ERR_NOMEM, "cannot start a thread");
    }
    return rc;
}

refq_err refq_client_open_with(refq_backend_factory factory, void *arg, refq_client **ret_client,
                               refq_error *err)
{
    refq_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    TAILQ_INIT(&client->calls);
    client->wake_fd = -1;
    (void)pthread_mutex_init(&client->lock, NULL);
    refq_err rc = open_parts(client, factory, arg, err);
    if (rc != REFQ_OK) {
        refq_client_close(client);
        return rc;
    }
    *ret_client = client;
    return REFQ_OK;
}

static refq_err make_redis(struct event_base *base, void *arg, refq_backend **ret, refq_error *err)
{
    return refq_backend_redis_new(base, arg, ret, err);
}

refq_err refq_client_open(const refq_redis_options *options, refq_client **ret_client,
                          refq_error *err)
{
    return refq_client_open_with(make_redis, (void *)options, ret_client, err);
}

unsigned refq_client_capabilities(const refq_client *client)
{
    return client->capabilities;
}

static void stop_thread(refq_client *client)
{
    pthread_mutex_lock(&client->lock);
    client->stopping = true;
    pthread_mutex_unlock(&client->lock);
    wake(client);
    (void)pthread_join(client->thread, NULL);
}

void refq_client_close(refq_client *client)
{
    if (client == NULL) {
        return;
    }
    if (client->running) {
        stop_thread(client);
    }
    if (client->backend != NULL) {
        client->backend->ops->shutdown(client->backend);
    }
    if (client->mail != NULL) {
        event_free(client->mail);
    }
    if (client->base != NULL) {
        event_base_free(client->base);
    }
    if (client->wake_fd >= 0) {
        (void)close(client->wake_fd);
    }
    (void)pthread_mutex_destroy(&client->lock);
    free(client);
}
