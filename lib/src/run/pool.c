/* SPDX-License-Identifier: MIT */
#include "run/pool.h"

#include "base/error.h"
#include "run/ctx.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct rqi_pool {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct rqi_runs todo;
    struct rqi_runs ended;
    pthread_t *threads;
    unsigned max;
    unsigned started;
    unsigned idle;   /* threads that wait for work */
    unsigned queued; /* runs in todo */
    bool stopping;
    int notify_fd;
};

static void *work(void *arg)
{
    rqi_pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (TAILQ_EMPTY(&pool->todo) && !pool->stopping) {
            pool->idle++;
            (void)pthread_cond_wait(&pool->more, &pool->lock);
            pool->idle--;
        }
        rqi_run *run = TAILQ_FIRST(&pool->todo);
        if (run == NULL) {
            break;
        }
        TAILQ_REMOVE(&pool->todo, run, link);
        pool->queued--;
        pthread_mutex_unlock(&pool->lock);
        (run->job != NULL ? run->job : rqi_ctx_run)(run);
        uint64_t one = 1;
        pthread_mutex_lock(&pool->lock);
        TAILQ_INSERT_TAIL(&pool->ended, run, link);
        ssize_t n = write(pool->notify_fd, &one, sizeof one);
        (void)n;
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

refq_err rqi_pool_new(unsigned threads_max, int notify_fd, rqi_pool **ret, refq_error *err)
{
    rqi_pool *pool = calloc(1, sizeof *pool);
    pthread_t *threads = calloc(threads_max, sizeof *threads);
    if (pool == NULL || threads == NULL) {
        free(pool);
        free(threads);
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->more, NULL);
    TAILQ_INIT(&pool->todo);
    TAILQ_INIT(&pool->ended);
    pool->threads = threads;
    pool->max = threads_max;
    pool->notify_fd = notify_fd;
    *ret = pool;
    return REFQ_OK;
}

/* Under the lock. Signals are taken by the program's own threads. */
static int start_thread(rqi_pool *pool)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&pool->threads[pool->started], NULL, work, pool);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    pool->started += rc == 0;
    return rc;
}

refq_err rqi_pool_add(rqi_pool *pool, rqi_run *run)
{
    refq_err rc = REFQ_OK;
    pthread_mutex_lock(&pool->lock);
    if (pool->idle <= pool->queued && pool->started < pool->max && start_thread(pool) != 0 &&
        pool->started == 0) {
        rc = REFQ_ERR_NOMEM;
    } else {
        TAILQ_INSERT_TAIL(&pool->todo, run, link);
        pool->queued++;
        (void)pthread_cond_signal(&pool->more);
    }
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

void rqi_pool_take(rqi_pool *pool, struct rqi_runs *ended)
{
    pthread_mutex_lock(&pool->lock);
    TAILQ_CONCAT(ended, &pool->ended, link);
    pthread_mutex_unlock(&pool->lock);
}

void rqi_pool_free(rqi_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    (void)pthread_cond_broadcast(&pool->more);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->started; i++) {
        (void)pthread_join(pool->threads[i], NULL);
    }
    (void)pthread_mutex_destroy(&pool->lock);
    (void)pthread_cond_destroy(&pool->more);
    free(pool->threads);
    free(pool);
}
