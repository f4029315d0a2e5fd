/* SPDX-License-Identifier: MIT */
/* What tests of the contract do again and again. */
#include "contract.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAP_NS 2000000

int64_t rqi_ct_now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void rqi_ct_nap(void)
{
    const struct timespec t = {.tv_nsec = NAP_NS};
    (void)nanosleep(&t, NULL);
}

void rqi_ct_fail(rqi_ct *ct, const char *file, int line, const char *fmt, ...)
{
    const char *slash = strrchr(file, '/');
    int at = snprintf(ct->failure, sizeof ct->failure, "%s:%d: ", slash ? slash + 1 : file, line);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(ct->failure + at, sizeof ct->failure - (size_t)at, fmt, ap);
    va_end(ap);
    longjmp(ct->out, 1);
}

/* --- What a test owns ------------------------------------------------------------------------- */

/* Room for one more of n pointers. */
static void *grow(rqi_ct *ct, void *items, size_t n)
{
    void *grown = realloc(items, (n + 1) * sizeof(void *));
    CT_CHECK(ct, grown != NULL, "out of memory");
    return grown;
}

refq_task *rqi_ct_own(rqi_ct *ct, refq_task *task)
{
    ct->tasks = grow(ct, (void *)ct->tasks, ct->tasks_n);
    ct->tasks[ct->tasks_n++] = task;
    return task;
}

char *rqi_ct_own_text(rqi_ct *ct, char *text)
{
    ct->texts = grow(ct, (void *)ct->texts, ct->texts_n);
    ct->texts[ct->texts_n++] = text;
    return text;
}

/* --- Submitting ------------------------------------------------------------------------------- */

refq_ref rqi_ct_ref(rqi_ct *ct)
{
    refq_ref ref;
    CT_OK(ct, refq_ref_make(ct->setup.queue, &ref, &ct->err));
    return ref;
}

refq_err rqi_ct_try(rqi_ct *ct, refq_spec spec, refq_submitted *ret)
{
    spec.struct_size = sizeof spec;
    spec.task = spec.task != NULL ? spec.task : "play";
    if (spec.ref.hex[0] == '\0') {
        spec.ref = rqi_ct_ref(ct);
    }
    return refq_client_submit(ct->client, &spec, ret, &ct->err);
}

refq_ref rqi_ct_submit(rqi_ct *ct, refq_spec spec)
{
    refq_submitted done;
    CT_OK(ct, rqi_ct_try(ct, spec, &done));
    return done.ref;
}

/* --- Looking ---------------------------------------------------------------------------------- */

refq_task *rqi_ct_status(rqi_ct *ct, const refq_ref *ref)
{
    refq_task *task = NULL;
    CT_OK(ct, refq_client_status(ct->client, ref, &task, &ct->err));
    return rqi_ct_own(ct, task);
}

refq_task *rqi_ct_cancel_task(rqi_ct *ct, const refq_ref *ref)
{
    refq_task *task = NULL;
    CT_OK(ct, refq_client_cancel(ct->client, ref, &task, &ct->err));
    return rqi_ct_own(ct, task);
}

refq_task *rqi_ct_end(rqi_ct *ct, const refq_ref *ref)
{
    refq_task *task = NULL;
    CT_OK(ct, refq_client_wait(ct->client, ref, ct->budget_ms, NULL, NULL, &task, &ct->err));
    (void)rqi_ct_own(ct, task);
    CT_CHECK(ct, refq_status_is_terminal(refq_task_status(task)), "task %s is still %s", ref->hex,
             refq_status_name(refq_task_status(task)));
    return task;
}

refq_task *rqi_ct_end_as(rqi_ct *ct, const refq_ref *ref, refq_status status)
{
    refq_task *task = rqi_ct_end(ct, ref);
    CT_CHECK(ct, refq_task_status(task) == status, "task %s became %s (%s), not %s", ref->hex,
             refq_status_name(refq_task_status(task)), rqi_ct_field(task, "error"),
             refq_status_name(status));
    return task;
}

bool rqi_ct_is(rqi_ct *ct, const refq_ref *ref, refq_status status)
{
    refq_task *task = NULL;
    CT_OK(ct, refq_client_status(ct->client, ref, &task, &ct->err));
    bool is = refq_task_status(task) == status;
    refq_task_free(task);
    return is;
}

bool rqi_ct_gone(rqi_ct *ct, const refq_ref *ref)
{
    refq_task *task = NULL;
    refq_err rc = refq_client_status(ct->client, ref, &task, &ct->err);
    refq_task_free(task);
    CT_CHECK(ct, rc == REFQ_OK || rc == REFQ_ERR_NOTFOUND, "status: %s", ct->err.text);
    return rc == REFQ_ERR_NOTFOUND;
}

const char *rqi_ct_field(const refq_task *task, const char *name)
{
    const char *text = refq_task_field(task, name);
    return text != NULL ? text : "";
}

void rqi_ct_until_arrived(rqi_ct *ct, unsigned gate, unsigned n)
{
    CT_UNTIL(ct, rqi_ct_arrived(ct->stage, gate) >= n);
}

const char *rqi_ct_result(rqi_ct *ct, const refq_ref *ref)
{
    refq_task *task = NULL;
    char *entry = NULL;
    size_t len = 0;
    CT_OK(ct, refq_client_result(ct->client, ref, &task, &entry, &len, &ct->err));
    (void)rqi_ct_own(ct, task);
    (void)rqi_ct_own_text(ct, entry);
    CT_CHECK(ct, strlen(entry) == len, "an entry of %zu bytes ends after %zu", len, strlen(entry));
    return entry;
}

/* --- Tasks in each state ---------------------------------------------------------------------- */

static const struct {
    const char *name;
    refq_status status;
    const char *task;
    const char *args;
    int64_t delay_ms;
} states[RQI_CT_STATES] = {
    [RQI_CT_DELAYED] = {"delayed", REFQ_PENDING, "play", "{}", 3600000},
    [RQI_CT_BETWEEN] = {"waiting for a retry", REFQ_PENDING, "slow", "{\"fail\":1}", 0},
    [RQI_CT_RUNNING] = {"running", REFQ_PROCESSING, "play", "{\"gate\":1}", 0},
    [RQI_CT_COMPLETE] = {"complete", REFQ_COMPLETE, "play", "{}", 0},
    [RQI_CT_FAILED] = {"failed", REFQ_FAILED, "play", "{\"fail\":9,\"permanent\":1}", 0},
    [RQI_CT_CANCELLED] = {"cancelled", REFQ_CANCELLED, "play", "{}", 3600000},
};

static bool has_failed_once(rqi_ct *ct, const refq_ref *ref)
{
    refq_task *task = NULL;
    CT_OK(ct, refq_client_status(ct->client, ref, &task, &ct->err));
    bool has = refq_task_status(task) == REFQ_PENDING && refq_task_number(task, "failures", 0) == 1;
    refq_task_free(task);
    return has;
}

refq_ref rqi_ct_make(rqi_ct *ct, rqi_ct_state state, const char *key)
{
    unsigned before = rqi_ct_arrived(ct->stage, 1);
    refq_ref ref = CT_SUBMIT(ct, .task = states[state].task, .args = states[state].args,
                             .delay_ms = states[state].delay_ms, .key = key);
    if (state == RQI_CT_BETWEEN) {
        CT_UNTIL(ct, has_failed_once(ct, &ref));
    } else if (state == RQI_CT_RUNNING) {
        rqi_ct_until_arrived(ct, 1, before + 1);
    } else if (state == RQI_CT_CANCELLED) {
        (void)rqi_ct_cancel_task(ct, &ref);
    } else if (state != RQI_CT_DELAYED) {
        (void)rqi_ct_end_as(ct, &ref, states[state].status);
    }
    return ref;
}

refq_status rqi_ct_status_of(rqi_ct_state state)
{
    return states[state].status;
}

const char *rqi_ct_state_name(rqi_ct_state state)
{
    return states[state].name;
}

void rqi_ct_settle(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .task = "play");
    (void)rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
}
