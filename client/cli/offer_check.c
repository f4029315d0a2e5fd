/* SPDX-License-Identifier: MIT */
#include "offer_check.h"

#include "exit.h"
#include "queue.h"

#include <string.h>

static int refuse_unknown(const char *queue, const char *task, const char *nearest)
{
    if (nearest[0] == '\0') {
        return cli_fail_as(EX_UNAVAILABLE,
                           "no worker of queue %s offers '%s' (--force queues it anyway)", queue,
                           task);
    }
    return cli_fail_as(
        EX_UNAVAILABLE,
        "no worker of queue %s offers '%s'; did you mean '%s'? (--force queues it anyway)", queue,
        task, nearest);
}

bool cli_offers(const refq_worker_info *worker, const char *task)
{
    size_t len = strlen(task);
    const char *at = worker->offers != NULL ? worker->offers : "";
    for (at += strspn(at, " "); *at != '\0'; at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");
        if (word == len && memcmp(at, task, len) == 0) {
            return true;
        }
        at += word;
    }
    return false;
}

/* The task waits for nobody when --queue was forgotten. Only a hint, so a failure is passed over.
 */
static void note_no_worker(refq_client *client, const char *queue, const char *task)
{
    refq_worker_info *workers = NULL;
    size_t n = 0;
    size_t i = 0;
    if (refq_client_workers(client, NULL, &workers, &n, NULL) != REFQ_OK) {
        n = 0;
    }
    while (i < n && (workers[i].lease_left_ms <= 0 || !cli_offers(&workers[i], task))) {
        i++;
    }
    if (i < n) {
        cli_note("no worker is alive on queue %s yet; the task waits for one ('%s' is offered on "
                 "queue %s: --queue %s, or REFQ_QUEUE)",
                 queue, task, workers[i].queue, workers[i].queue);
    } else {
        cli_note("no worker is alive on queue %s yet; the task waits for one", queue);
    }
    refq_workers_free(workers, n);
}

/* A queue nobody serves may be new, or misspelt. */
static int check_queue(refq_client *client, const char *queue, const char *task)
{
    cli_queue_known look;
    refq_error err = {0};
    if (cli_queue_look(client, queue, &look, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    if (!look.known && look.nearest[0] != '\0') {
        return cli_fail_as(EX_UNAVAILABLE,
                           "there is no queue '%s'; did you mean '%s'? (--force queues it anyway)",
                           queue, look.nearest);
    }
    note_no_worker(client, queue, task);
    return EX_OK;
}

int cli_offer_check(refq_client *client, const char *queue, const char *task)
{
    char nearest[REFQ_NAME_MAX + 1] = "";
    refq_offer offer = REFQ_OFFERED;
    refq_error err = {0};
    if (refq_client_offer(client, queue, task, &offer, nearest, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    if (offer == REFQ_NOT_OFFERED) {
        return refuse_unknown(queue, task, nearest);
    }
    return offer == REFQ_NO_WORKERS ? check_queue(client, queue, task) : EX_OK;
}
