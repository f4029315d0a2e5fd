/* SPDX-License-Identifier: MIT */
/* What calls share: its beginning and end. */
#include "call/calls.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

static void free_names(char **names)
{
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        free(names[i]);
    }
    free((void *)names);
}

/* NULL when out of memory. */
static char **copy_names(const char *const *names)
{
    size_t n = 0;
    while (names[n] != NULL) {
        n++;
    }
    char **copy = (char **)calloc(n + 1, sizeof *copy);
    for (size_t i = 0; copy != NULL && i < n; i++) {
        copy[i] = strdup(names[i]);
        if (copy[i] == NULL) {
            free_names(copy);
            return NULL;
        }
    }
    return copy;
}

refq_err refq_calls_new(const refq_calls_options *options, refq_calls **ret_calls, refq_error *err)
{
    if (options->client == NULL || options->cache == NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID, "calls need a client and a cache");
    }
    refq_calls *calls = calloc(1, sizeof *calls);
    if (calls == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    (void)pthread_mutex_init(&calls->lock, NULL);
    (void)pthread_cond_init(&calls->work, NULL);
    (void)pthread_cond_init(&calls->idle, NULL);
    TAILQ_INIT(&calls->waiting);
    TAILQ_INIT(&calls->ready);
    atomic_init(&calls->refs, 1);
    calls->client = options->client;
    calls->cache = options->cache;
    calls->log = options->log;
    calls->definitions = rqi_definitions_new(options->client);
    calls->caches = options->caches != NULL ? copy_names(options->caches) : NULL;
    if (calls->definitions == NULL || (options->caches != NULL && calls->caches == NULL)) {
        refq_calls_free(calls);
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    *ret_calls = calls;
    return REFQ_OK;
}

void rqi_calls_unref(refq_calls *calls)
{
    if (atomic_fetch_sub(&calls->refs, 1) > 1) {
        return;
    }
    rqi_definitions_free(calls->definitions);
    free_names(calls->caches);
    (void)pthread_cond_destroy(&calls->idle);
    (void)pthread_cond_destroy(&calls->work);
    (void)pthread_mutex_destroy(&calls->lock);
    free(calls);
}

void refq_calls_free(refq_calls *calls)
{
    if (calls != NULL) {
        rqi_calls_settle(calls);
        rqi_calls_unref(calls);
    }
}
