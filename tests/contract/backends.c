/* SPDX-License-Identifier: MIT */
/* The suite of backends: what each of its tests begins and ends with. */
#include "contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const rqi_ct_case *const groups[] = {
    rqi_ct_cases_backend, rqi_ct_cases_submit,  rqi_ct_cases_wait,     rqi_ct_cases_result,
    rqi_ct_cases_attempt, rqi_ct_cases_cancel,  rqi_ct_cases_progress, rqi_ct_cases_order,
    rqi_ct_cases_retry,   rqi_ct_cases_list,    rqi_ct_cases_history,  rqi_ct_cases_operate,
    rqi_ct_cases_ask,     rqi_ct_cases_cleanup, rqi_ct_cases_events,   rqi_ct_cases_scope,
    rqi_ct_cases_reuse,   rqi_ct_cases_after,   rqi_ct_cases_inputs,
};

static const rqi_ct_capability capabilities[] = {
    {REFQ_CAP_DURABLE, "durable"}, {REFQ_CAP_PROGRESS, "progress"}, {REFQ_CAP_LIST, "list"},
    {REFQ_CAP_PUSH, "push"},       {REFQ_CAP_RETRY, "retry"},       {REFQ_CAP_OPERATE, "operate"},
    {REFQ_CAP_HISTORY, "history"}, {REFQ_CAP_ASK, "ask"},           {REFQ_CAP_EVENTS, "events"},
    {REFQ_CAP_FLEET, "fleet"},     {REFQ_CAP_CALL, "call"},         {0},
};

static refq_err begin(rqi_ct *ct, refq_error *err)
{
    static const refq_contract_setup empty;
    refq_ref ref;
    refq_handlers *handlers = NULL;
    refq_err rc = refq_ref_make("contract", &ref, err);
    char *queue = malloc(REFQ_QUEUE_MAX + 1);
    ct->stage = rqi_ct_stage_new();
    if (rc != REFQ_OK || queue == NULL || ct->stage == NULL) {
        free(queue);
        return rc != REFQ_OK ? rc : REFQ_ERR_NOMEM;
    }
    (void)snprintf(queue, REFQ_QUEUE_MAX + 1, "contract-%s", ref.hex);
    ct->setup.queue = queue;
    rc = refq_handlers_new(&handlers, err);
    ct->setup.handlers = handlers;
    if (rc == REFQ_OK) {
        rc = rqi_ct_stage_handlers(ct->stage, handlers, err);
    }
    if (rc == REFQ_OK) {
        rc = ct->subject->start(ct->subject->arg, &ct->setup, err);
    }
    if (rc != REFQ_OK) {
        free(queue);
        refq_handlers_unref(handlers);
        rqi_ct_stage_free(ct->stage);
        ct->stage = NULL;
        ct->setup = empty;
        return rc;
    }
    rc = refq_client_open_with(rqi_ct_guarded, ct, &ct->client, err);
    if (rc == REFQ_OK) {
        ct->capabilities = refq_client_capabilities(ct->client);
    }
    return rc;
}

/* Every handler the subject still runs must be over before the stage is freed: stop() sees to it.
 */
static void end(rqi_ct *ct)
{
    if (ct->stage != NULL) {
        rqi_ct_open_all(ct->stage);
    }
    refq_client_close(ct->client);
    if (ct->setup.queue != NULL) {
        ct->subject->stop(ct->subject->arg);
        refq_handlers_unref(ct->setup.handlers);
        free((void *)ct->setup.queue);
    }
    rqi_ct_guard_end(ct);
    rqi_ct_stage_free(ct->stage);
}

static const rqi_ct_suite suite = {
    .thing = "backend",
    .groups = groups,
    .groups_n = sizeof groups / sizeof groups[0],
    .begin = begin,
    .end = end,
    .capabilities = capabilities,
};

int refq_contract_run(const refq_contract_subject *subject, const refq_contract_options *options)
{
    const rqi_ct like = {.suite = &suite, .subject = subject};
    return rqi_ct_run(&like, subject->name, options);
}

int refq_contract_main(const refq_contract_subject *subject, int argc, char **argv)
{
    const rqi_ct like = {.suite = &suite, .subject = subject};
    return rqi_ct_main(&like, subject->name, argc, argv);
}
