/* SPDX-License-Identifier: MIT */
/* definitions.h has the design. */
#include "call/definitions.h"

#include "base/clock.h"
#include "base/error.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { KEEP_MS = 5000, MANY = 1024 };

/* `pub` is first: what callers hold. */
typedef struct kept {
    rqi_definition pub;
    unsigned users; /* callers, and the list */
} kept;

typedef struct place {
    TAILQ_ENTRY(place) link;
    char queue[REFQ_QUEUE_MAX + 1];
    char task[REFQ_NAME_MAX + 1];
    char *text; /* owned: of the catalog */
    int64_t read_at_ms;
    kept *kept;
} place;

struct rqi_definitions {
    refq_client *client;
    pthread_mutex_t lock;             /* guards all below; never held while the server is asked */
    TAILQ_HEAD(places, place) places; /* the last read first */
    unsigned n;
};

rqi_definitions *rqi_definitions_new(refq_client *client)
{
    rqi_definitions *all = calloc(1, sizeof *all);
    if (all != NULL) {
        all->client = client;
        (void)pthread_mutex_init(&all->lock, NULL);
        TAILQ_INIT(&all->places);
    }
    return all;
}

static void drop(kept *k)
{
    if (k != NULL && --k->users == 0) {
        rqi_definition_done(&k->pub);
        free(k);
    }
}

static void remove_place(rqi_definitions *all, place *p)
{
    TAILQ_REMOVE(&all->places, p, link);
    all->n--;
    drop(p->kept);
    free(p->text);
    free(p);
}

void rqi_definitions_free(rqi_definitions *all)
{
    if (all == NULL) {
        return;
    }
    while (!TAILQ_EMPTY(&all->places)) {
        remove_place(all, TAILQ_FIRST(&all->places));
    }
    (void)pthread_mutex_destroy(&all->lock);
    free(all);
}

/* --- Keeping them ----------------------------------------------------------------------------- */

static refq_err make(const char *text, kept **ret, refq_error *err)
{
    kept *k = calloc(1, sizeof *k);
    if (k == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    k->users = 1;
    refq_err rc = rqi_definition_read(text, &k->pub, err);
    if (rc != REFQ_OK) {
        free(k);
        return rc;
    }
    *ret = k;
    return REFQ_OK;
}

static place *find(rqi_definitions *all, const char *queue, const char *task)
{
    place *p = NULL;
    TAILQ_FOREACH(p, &all->places, link)
    {
        if (strcmp(p->queue, queue) == 0 && strcmp(p->task, task) == 0) {
            return p;
        }
    }
    return NULL;
}

/* A kept one that is still good; with one user more. */
static const rqi_definition *take_kept(rqi_definitions *all, const char *queue, const char *task)
{
    const rqi_definition *found = NULL;
    pthread_mutex_lock(&all->lock);
    place *p = find(all, queue, task);
    if (p != NULL && rqi_mono_ms() - p->read_at_ms < KEEP_MS) {
        p->kept->users++;
        found = &p->kept->pub;
    }
    pthread_mutex_unlock(&all->lock);
    return found;
}

/* The same text again: what was compiled stays. */
static const rqi_definition *renew(rqi_definitions *all, const char *queue, const char *task,
                                   const char *text)
{
    const rqi_definition *found = NULL;
    pthread_mutex_lock(&all->lock);
    place *p = find(all, queue, task);
    if (p != NULL && strcmp(p->text, text) == 0) {
        p->read_at_ms = rqi_mono_ms();
        p->kept->users++;
        found = &p->kept->pub;
    }
    pthread_mutex_unlock(&all->lock);
    return found;
}

/* Takes p. */
static void insert(rqi_definitions *all, place *p)
{
    pthread_mutex_lock(&all->lock);
    place *old = find(all, p->queue, p->task);
    if (old != NULL) {
        remove_place(all, old);
    }
    if (all->n == MANY) {
        remove_place(all, TAILQ_LAST(&all->places, places));
    }
    TAILQ_INSERT_HEAD(&all->places, p, link);
    all->n++;
    pthread_mutex_unlock(&all->lock);
}

static refq_err keep(rqi_definitions *all, const char *queue, const char *task, const char *text,
                     const rqi_definition **ret, refq_error *err)
{
    kept *k = NULL;
    refq_err rc = make(text, &k, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    place *p = calloc(1, sizeof *p);
    char *copy = strdup(text);
    if (p == NULL || copy == NULL) {
        free(p);
        free(copy);
        drop(k);
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    (void)snprintf(p->queue, sizeof p->queue, "%s", queue);
    (void)snprintf(p->task, sizeof p->task, "%s", task);
    p->text = copy;
    p->read_at_ms = rqi_mono_ms();
    p->kept = k;
    k->users = 2; /* the caller, and the list */
    insert(all, p);
    *ret = &k->pub;
    return REFQ_OK;
}

/* --- Taking one ------------------------------------------------------------------------------- */

static refq_err explain(rqi_definitions *all, const char *queue, const char *task, refq_error *err)
{
    refq_offer offer = REFQ_NO_WORKERS;
    char nearest[REFQ_NAME_MAX + 1] = "";
    if ((refq_client_capabilities(all->client) & REFQ_CAP_FLEET) == 0 ||
        refq_client_offer(all->client, queue, task, &offer, nearest, NULL) != REFQ_OK) {
        return REFQ_ERR_NOTFOUND;
    }
    if (offer == REFQ_NO_WORKERS) {
        return rqi_fail(err, REFQ_ERR_NOTFOUND,
                        "no worker of queue %s is alive, and none has offered the task '%s' in the "
                        "last minute: start one",
                        queue, task);
    }
    return nearest[0] == '\0' ? REFQ_ERR_NOTFOUND
                              : rqi_fail(err, REFQ_ERR_NOTFOUND,
                                         "no worker of queue %s offers the task '%s'; did you mean "
                                         "'%s'?",
                                         queue, task, nearest);
}

refq_err rqi_definitions_take(rqi_definitions *all, const char *queue, const char *task,
                              const rqi_definition **ret, refq_error *err)
{
    refq_texts texts;
    const rqi_definition *found = take_kept(all, queue, task);
    if (found != NULL) {
        *ret = found;
        return REFQ_OK;
    }
    refq_err rc = refq_client_catalog(all->client, queue, task, &texts, err);
    if (rc == REFQ_ERR_NOTFOUND) {
        return explain(all, queue, task, err);
    }
    if (rc != REFQ_OK) {
        return rc;
    }
    found = renew(all, queue, task, texts.items[0]);
    rc = REFQ_OK;
    if (found != NULL) {
        *ret = found;
    } else {
        rc = keep(all, queue, task, texts.items[0], ret, err);
        rc = rc == REFQ_OK ? rc : rqi_fail_in(err, rc, "%s of queue %s", task, queue);
    }
    refq_texts_free(&texts);
    return rc;
}

void rqi_definitions_give_back(rqi_definitions *all, const rqi_definition *definition)
{
    pthread_mutex_lock(&all->lock);
    drop((kept *)(uintptr_t)definition);
    pthread_mutex_unlock(&all->lock);
}
