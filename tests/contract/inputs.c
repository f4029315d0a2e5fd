/* SPDX-License-Identifier: MIT */
/* References in arguments, whose values take their place before an attempt starts. */
#include "contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const refq_scope agent = {.struct_size = sizeof agent, .actor = "agent:*"};

/* A task whose arguments hold the reference, twice; it gives them back. */
static refq_ref user_of(rqi_ct *ct, const char *ref_id, const refq_scope *scope)
{
    char args[300];
    (void)snprintf(args, sizeof args, "{\"echo\":1,\"x\":\"%s\",\"y\":[{\"z\":\"%s\"}]}", ref_id,
                   ref_id);
    return CT_SUBMIT(ct, .args = args, .scope = scope);
}

static refq_ref user_of_task(rqi_ct *ct, const refq_ref *ref, const refq_scope *scope)
{
    char text[REFQ_REF_MAX + 1];
    return user_of(ct, refq_ref_format(ref, text), scope);
}

static void expect_value(rqi_ct *ct, const refq_ref *ref, const char *value)
{
    char want[600];
    (void)rqi_ct_end_as(ct, ref, REFQ_COMPLETE);
    const char *entry = rqi_ct_result(ct, ref);
    (void)snprintf(want, sizeof want, "{\"echo\":1,\"x\":%s,\"y\":[{\"z\":%s}]}", value, value);
    CT_CHECK(ct, strstr(entry, want) != NULL, "%s is missing in %.700s", want, entry);
}

static void expect_failure(rqi_ct *ct, const refq_ref *ref, const char *begins)
{
    refq_task *task = rqi_ct_end_as(ct, ref, REFQ_FAILED);
    const char *error = rqi_ct_field(task, "error");
    CT_CHECK(ct, strcmp(rqi_ct_field(task, "reason"), "permanent") == 0, "the reason is '%s'",
             rqi_ct_field(task, "reason"));
    CT_CHECK(ct, strncmp(error, begins, strlen(begins)) == 0, "it says '%s', not '%s'", error,
             begins);
}

static void values_take_their_places(rqi_ct *ct)
{
    refq_ref first = CT_SUBMIT(ct, .args = "{\"echo\":1,\"k\":[1,\"\\u00e9\",2.5,null]}");
    (void)rqi_ct_end_as(ct, &first, REFQ_COMPLETE);
    refq_ref ref = user_of_task(ct, &first, &agent);
    expect_value(ct, &ref, "{\"echo\":1,\"k\":[1,\"\xc3\xa9\",2.5,null]}");
    refq_ref next = user_of_task(ct, &ref, &agent);
    (void)rqi_ct_end_as(ct, &next, REFQ_COMPLETE);
}

static void without_an_actor_nothing_is_replaced(rqi_ct *ct)
{
    char text[REFQ_REF_MAX + 1];
    char quoted[sizeof text + 2];
    refq_ref first = rqi_ct_make(ct, RQI_CT_COMPLETE, NULL);
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", refq_ref_format(&first, text));
    refq_ref ref = user_of_task(ct, &first, NULL);
    expect_value(ct, &ref, quoted);
}

static bool is_parked(rqi_ct *ct, const refq_ref *ref)
{
    refq_task *task = rqi_ct_status(ct, ref);
    return refq_task_status(task) == REFQ_PENDING && refq_task_field(task, "after") != NULL;
}

static void what_still_runs_is_waited_for(rqi_ct *ct)
{
    refq_ref first = rqi_ct_make(ct, RQI_CT_RUNNING, NULL);
    refq_ref ref = user_of_task(ct, &first, &agent); /* nobody says that it has to wait */
    CT_UNTIL(ct, is_parked(ct, &ref));
    refq_task *task = rqi_ct_status(ct, &ref);
    CT_CHECK(ct, refq_task_number(task, "attempt", -1) == 0, "an attempt was counted");
    CT_CHECK(ct, refq_task_number(task, "releases", 0) == 0, "a release was counted");
    rqi_ct_open(ct->stage, 1);
    task = rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
    CT_CHECK(ct, refq_task_number(task, "attempt", -1) == 1, "it took %s attempts",
             rqi_ct_field(task, "attempt"));
}

#define SHOWN 50 /* bytes of a reference */

static void what_has_no_value_fails_it(rqi_ct *ct)
{
    char text[REFQ_REF_MAX + 1];
    const rqi_ct_state states[] = {RQI_CT_FAILED, RQI_CT_CANCELLED};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        refq_ref first = rqi_ct_make(ct, states[i], NULL);
        refq_ref ref = user_of_task(ct, &first, &agent);
        (void)refq_ref_format(&first, text);
        text[SHOWN] = '\0'; /* the record's error is short */
        expect_failure(ct, &ref, text);
    }
}

#define HIDDEN "Invalid or inaccessible reference: "

static void only_who_may_use_a_value_can(rqi_ct *ct)
{
    const refq_scope hers = {.struct_size = sizeof hers, .namespace_name = "user:alice"};
    const refq_scope blind = {.struct_size = sizeof blind, .policy = "{\"agent_permissions\":16}"};
    const refq_scope alice = {.struct_size = sizeof alice, .actor = "user:alice"};
    refq_ref first = CT_SUBMIT(ct, .scope = &hers);
    (void)rqi_ct_end_as(ct, &first, REFQ_COMPLETE);
    refq_ref ref = user_of_task(ct, &first, &agent);
    expect_failure(ct, &ref, HIDDEN);
    ref = user_of_task(ct, &first, &alice);
    (void)rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
    first = CT_SUBMIT(ct, .scope = &blind);
    (void)rqi_ct_end_as(ct, &first, REFQ_COMPLETE);
    ref = user_of_task(ct, &first, &agent);
    (void)rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
    first = CT_SUBMIT(ct, .args = "{\"gate\":1}", .scope = &hers);
    rqi_ct_until_arrived(ct, 1, 1);
    ref = user_of_task(ct, &first, &agent);
    expect_failure(ct, &ref, HIDDEN);
}

static void what_leads_nowhere(rqi_ct *ct)
{
    refq_scope named = {.struct_size = sizeof named, .actor = "agent:*", .inputs = "a calls"};
    refq_ref nobody = rqi_ct_ref(ct);
    refq_ref ref = user_of_task(ct, &nobody, &agent);
    expect_failure(ct, &ref, HIDDEN);
    ref = user_of(ct, "sha256:0123456789abcdef", &named);
    expect_value(ct, &ref, "\"sha256:0123456789abcdef\"");
    ref = user_of(ct, "calls:0123456789abcdef", &agent);
    expect_value(ct, &ref, "\"calls:0123456789abcdef\"");
    ref = user_of(ct, "calls:0123456789abcdef", &named);
    expect_failure(ct, &ref, HIDDEN);
}

static void it_cannot_be_its_own_input(rqi_ct *ct)
{
    char args[REFQ_REF_MAX + 20];
    char text[REFQ_REF_MAX + 1];
    refq_submitted done;
    refq_spec spec = {.ref = rqi_ct_ref(ct), .args = args, .scope = &agent};
    (void)snprintf(args, sizeof args, "{\"x\":\"%s\"}", refq_ref_format(&spec.ref, text));
    CT_OK(ct, rqi_ct_try(ct, spec, &done));
    expect_failure(ct, &spec.ref, "Circular reference detected: ");
}

const rqi_ct_case rqi_ct_cases_inputs[] = {
    {"inputs.values_take_their_places", values_take_their_places, REFQ_CAP_CALL, 0},
    {"inputs.without_an_actor_nothing_is_replaced", without_an_actor_nothing_is_replaced,
     REFQ_CAP_CALL, 0},
    {"inputs.what_still_runs_is_waited_for", what_still_runs_is_waited_for, REFQ_CAP_CALL, 0},
    {"inputs.what_has_no_value_fails_it", what_has_no_value_fails_it, REFQ_CAP_CALL, 0},
    {"inputs.only_who_may_use_a_value_can", only_who_may_use_a_value_can, REFQ_CAP_CALL, 0},
    {"inputs.what_leads_nowhere", what_leads_nowhere, REFQ_CAP_CALL, 0},
    {"inputs.it_cannot_be_its_own_input", it_cannot_be_its_own_input, REFQ_CAP_CALL, 0},
    {0},
};
