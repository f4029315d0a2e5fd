/* SPDX-License-Identifier: MIT */
#include "explain.h"

#include "text.h"

#include "base/parse.h"

#include <string.h>

static const char *field(const refq_task *task, const char *name)
{
    const char *text = refq_task_field(task, name);
    return text != NULL ? text : "";
}

/* --- Pending ---------------------------------------------------------------------------------- */

static void add_offer(rqi_buf *out, refq_client *client, const refq_task *task)
{
    const char *queue = refq_task_ref(task)->queue;
    refq_offer offer = REFQ_OFFERED;
    refq_error err = {0};
    if ((refq_client_capabilities(client) & REFQ_CAP_FLEET) == 0 ||
        refq_client_offer(client, queue, field(task, "task"), &offer, NULL, &err) != REFQ_OK) {
        return;
    }
    if (offer == REFQ_NO_WORKERS) {
        rqi_buf_addf(out, "; no worker of queue %s is alive", queue);
    } else if (offer == REFQ_NOT_OFFERED) {
        rqi_buf_addf(out, "; no live worker of queue %s offers %s", queue, field(task, "task"));
    }
}

static void add_paused(rqi_buf *out, refq_client *client, const char *queue)
{
    refq_stats stats = {0};
    if (refq_client_stats(client, queue, &stats, NULL) == REFQ_OK && stats.paused) {
        rqi_buf_addf(out, "; queue %s is paused", queue);
    }
}

static void explain_pending(rqi_buf *out, refq_client *client, const refq_task *task)
{
    char span[32];
    int64_t attempt = refq_task_number(task, "attempt", 0);
    int64_t left = refq_task_number(task, "due_at", 0) - refq_task_seen_at_ms(task);
    if (field(task, "after")[0] != '\0') {
        rqi_buf_adds(out, "waits until other tasks are over, then for a worker");
    } else if (left > 0) {
        rqi_buf_addf(out, "waits %s more, then for a worker",
                     rqi_format_duration(span, sizeof span, left));
    } else {
        rqi_buf_adds(out, "waits for a free worker");
    }
    if (attempt > 0) {
        rqi_buf_addf(out, "; it will be attempt %lld", (long long)attempt + 1);
    }
    add_paused(out, client, refq_task_ref(task)->queue);
    add_offer(out, client, task);
}

/* --- The others ------------------------------------------------------------------------------- */

static void explain_processing(rqi_buf *out, refq_client *client, const refq_task *task)
{
    char ref[REFQ_REF_MAX + 1];
    char span[32];
    (void)client;
    int64_t seen = refq_task_seen_at_ms(task);
    int64_t ran = seen - refq_task_number(task, "started_at", seen);
    rqi_buf_addf(out, "attempt %lld runs for %s on worker %.8s",
                 (long long)refq_task_number(task, "attempt", 1),
                 rqi_format_duration(span, sizeof span, ran > 0 ? ran : 0), field(task, "worker"));
    if (strcmp(field(task, "waiting"), "input") == 0) {
        rqi_buf_addf(out, " and asks a question; refq answer %s answers it",
                     refq_ref_format(refq_task_ref(task), ref));
    }
}

static void explain_complete(rqi_buf *out, refq_client *client, const refq_task *task)
{
    char ref[REFQ_REF_MAX + 1];
    char stamp[CLI_TIME_MAX];
    int64_t until = refq_task_number(task, "expires_at", -1);
    (void)client;
    rqi_buf_addf(out, "its value is there: refq get %s", refq_ref_format(refq_task_ref(task), ref));
    if (until >= 0 && until < refq_task_seen_at_ms(task)) {
        rqi_buf_clear(out);
        rqi_buf_addf(out, "it is done, but its value has expired (%s)",
                     cli_text_time(stamp, until));
    } else if (until >= 0) {
        rqi_buf_addf(out, " (until %s)", cli_text_time(stamp, until));
    }
}

static void explain_failed(rqi_buf *out, refq_client *client, const refq_task *task)
{
    static const struct {
        const char *reason;
        const char *sentence;
    } reasons[] = {
        {"exhausted", "every attempt failed and there are no retries left"},
        {"permanent", "its handler said that trying again is no use"},
        {"poison", "the workers that ran it died"},
        {"expired", "no worker began it in time"},
        {"undecodable", "its arguments cannot be read"},
        {"unknown_handler", "no worker has offered it for too long"},
    };
    (void)client;
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (strcmp(reasons[i].reason, field(task, "reason")) == 0) {
            rqi_buf_adds(out, reasons[i].sentence);
        }
    }
    rqi_buf_adds(out, out->len > 0 ? "" : "it failed for good");
    if (field(task, "replaced_by")[0] == '\0') {
        rqi_buf_adds(out, "; refq retry runs it again");
    }
}

static void explain_cancelled(rqi_buf *out, refq_client *client, const refq_task *task)
{
    (void)client;
    rqi_buf_adds(out, "somebody cancelled it");
    if (field(task, "replaced_by")[0] == '\0') {
        rqi_buf_adds(out, "; refq retry runs it again");
    }
}

void cli_explain(rqi_buf *out, refq_client *client, const refq_task *task)
{
    static void (*const explainers[])(rqi_buf *, refq_client *, const refq_task *) = {
        [REFQ_PENDING] = explain_pending,     [REFQ_PROCESSING] = explain_processing,
        [REFQ_COMPLETE] = explain_complete,   [REFQ_FAILED] = explain_failed,
        [REFQ_CANCELLED] = explain_cancelled,
    };
    rqi_buf sentence = {0};
    explainers[refq_task_status(task)](&sentence, client, task);
    rqi_buf_add(out, rqi_buf_str(&sentence), sentence.len);
    rqi_buf_done(&sentence);
}
