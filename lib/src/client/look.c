/* SPDX-License-Identifier: MIT */
/* Blocking calls that read more than one thing: pages of tasks, texts, events. */
#include "client/client.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

static void out_of_memory(rqi_call *call)
{
    refq_error err;
    (void)rqi_fail(&err, REFQ_ERR_NOMEM, "out of memory");
    rqi_call_done(call, &err);
}

/* --- Pages of tasks --------------------------------------------------------------------------- */

struct list {
    const refq_list_query *query;
    refq_list *ret;
};

static void on_page(void *arg, const refq_error *err, const refq_page *page)
{
    rqi_call *call = arg;
    struct list *l = call->arg;
    if (err != NULL) {
        rqi_call_done(call, err);
        return;
    }
    refq_list list = {
        .tasks = calloc(page->n + 1, sizeof *list.tasks), .n = page->n, .next = strdup(page->next)};
    if (list.tasks == NULL || list.next == NULL) {
        for (size_t i = 0; i < page->n; i++) {
            refq_task_free(page->tasks[i]);
        }
        list.n = 0;
        refq_list_free(&list);
        out_of_memory(call);
        return;
    }
    if (page->n > 0) {
        memcpy((void *)list.tasks, (void *)page->tasks, page->n * sizeof *list.tasks);
    }
    *l->ret = list;
    rqi_call_done(call, NULL);
}

static void start_list(rqi_call *call)
{
    struct list *l = call->arg;
    refq_backend *b = rqi_client_backend(call->client);
    if (b->ops->list == NULL) {
        rqi_call_unsupported(call, "list");
        return;
    }
    b->ops->list(b, l->query, on_page, call);
}

refq_err refq_client_list(refq_client *client, const refq_list_query *query, refq_list *ret,
                          refq_error *err)
{
    struct list l = {query, ret};
    return rqi_call_run(client, start_list, &l, err);
}

void refq_list_free(refq_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        refq_task_free(list->tasks[i]);
    }
    free(list->tasks);
    free(list->next);
    *list = (refq_list){0};
}

/* --- Texts ------------------------------------------------------------------------------------ */

struct texts {
    const refq_ref *ref;
    const char *queue;
    const char *task;
    refq_texts *ret;
};

static void on_texts(void *arg, const refq_error *err, const refq_bytes *items, size_t n)
{
    rqi_call *call = arg;
    struct texts *t = call->arg;
    if (err != NULL) {
        rqi_call_done(call, err);
        return;
    }
    refq_texts texts = {.items = calloc(n + 1, sizeof *texts.items)};
    while (texts.items != NULL && texts.n < n) {
        texts.items[texts.n] = rqi_client_copy(items[texts.n]);
        if (texts.items[texts.n] == NULL) {
            break;
        }
        texts.n++;
    }
    if (texts.items == NULL || texts.n < n) {
        refq_texts_free(&texts);
        out_of_memory(call);
        return;
    }
    *t->ret = texts;
    rqi_call_done(call, NULL);
}

static void start_history(rqi_call *call)
{
    struct texts *t = call->arg;
    refq_backend *b = rqi_client_backend(call->client);
    if (b->ops->history == NULL) {
        rqi_call_unsupported(call, "a task's history");
        return;
    }
    b->ops->history(b, t->ref, on_texts, call);
}

static void start_args(rqi_call *call)
{
    struct texts *t = call->arg;
    refq_backend *b = rqi_client_backend(call->client);
    if (b->ops->args == NULL) {
        rqi_call_unsupported(call, "a task's arguments");
        return;
    }
    b->ops->args(b, t->ref, on_texts, call);
}

static void start_queues(rqi_call *call)
{
    refq_backend *b = rqi_client_backend(call->client);
    if (b->ops->queues == NULL) {
        rqi_call_unsupported(call, "a list of queues");
        return;
    }
    b->ops->queues(b, on_texts, call);
}

static void start_catalog(rqi_call *call)
{
    struct texts *t = call->arg;
    refq_backend *b = rqi_client_backend(call->client);
    if (b->ops->catalog == NULL) {
        rqi_call_unsupported(call, "a catalog");
        return;
    }
    b->ops->catalog(b, t->queue, t->task, on_texts, call);
}

refq_err refq_client_history(refq_client *client, const refq_ref *ref, refq_texts *ret,
                             refq_error *err)
{
    struct texts t = {.ref = ref, .ret = ret};
    return rqi_call_run(client, start_history, &t, err);
}

refq_err refq_client_args(refq_client *client, const refq_ref *ref, refq_texts *ret,
                          refq_error *err)
{
    struct texts t = {.ref = ref, .ret = ret};
    return rqi_call_run(client, start_args, &t, err);
}

refq_err refq_client_queues(refq_client *client, refq_texts *ret, refq_error *err)
{
    struct texts t = {.ret = ret};
    return rqi_call_run(client, start_queues, &t, err);
}

refq_err refq_client_catalog(refq_client *client, const char *queue, const char *task,
                             refq_texts *ret, refq_error *err)
{
    struct texts t = {.queue = queue, .task = task, .ret = ret};
    return rqi_call_run(client, start_catalog, &t, err);
}

void refq_texts_free(refq_texts *texts)
{
    for (size_t i = 0; i < texts->n; i++) {
        free(texts->items[i]);
    }
    free(texts->items);
    *texts = (refq_texts){0};
}

/* --- Events ----------------------------------------------------------------------------------- */

struct events {
    const refq_events_query *query;
    refq_events *ret;
};

static void on_events(void *arg, const refq_error *err, const refq_event *items, size_t n,
                      const char *next)
{
    rqi_call *call = arg;
    struct events *e = call->arg;
    if (err != NULL) {
        rqi_call_done(call, err);
        return;
    }
    refq_events events = {.items = calloc(n + 1, sizeof *events.items), .next = strdup(next)};
    bool good = events.items != NULL && events.next != NULL;
    for (; good && events.n < n; events.n++) {
        events.items[events.n] = items[events.n];
        events.items[events.n].id = strdup(items[events.n].id);
        good = events.items[events.n].id != NULL;
    }
    if (!good) {
        refq_events_free(&events);
        out_of_memory(call);
        return;
    }
    *e->ret = events;
    rqi_call_done(call, NULL);
}

static void start_events(rqi_call *call)
{
    struct events *e = call->arg;
    refq_backend *b = rqi_client_backend(call->client);
    if (b->ops->events == NULL) {
        rqi_call_unsupported(call, "an event log");
        return;
    }
    b->ops->events(b, e->query, on_events, call);
}

refq_err refq_client_events(refq_client *client, const refq_events_query *query, refq_events *ret,
                            refq_error *err)
{
    struct events e = {query, ret};
    return rqi_call_run(client, start_events, &e, err);
}

void refq_events_free(refq_events *events)
{
    for (size_t i = 0; i < events->n; i++) {
        free((void *)events->items[i].id);
    }
    free(events->items);
    free(events->next);
    *events = (refq_events){0};
}
