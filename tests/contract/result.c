/* SPDX-License-Identifier: MIT */
/* Results: when there is one, and what it looks like. */
#include "contract.h"

#include <stdlib.h>
#include <string.h>

#define LARGE 300000

static void value_comes_back_byte_for_byte(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"verbatim\":1}");
    (void)rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
    const char *entry = rqi_ct_result(ct, &ref);
    CT_CHECK(ct, strstr(entry, RQI_CT_VERBATIM) != NULL, "the entry is %.200s", entry);
}

static void entry_has_its_members(rqi_ct *ct)
{
    static const char *const members[] = {"\"value\"",      "\"namespace\"",  "\"policy\"",
                                          "\"created_at\"", "\"expires_at\"", "\"metadata\"",
                                          "\"tool_name\"",  "\"play\""};
    refq_ref ref = rqi_ct_make(ct, RQI_CT_COMPLETE, NULL);
    const char *entry = rqi_ct_result(ct, &ref);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        CT_CHECK(ct, strstr(entry, members[i]) != NULL, "%s is missing in %.200s", members[i],
                 entry);
    }
}

static void arguments_arrive_as_they_are(rqi_ct *ct)
{
    const char *args =
        "{\"echo\":1,\"s\":\"\xc3\xa9\\n\",\"n\":[1,-2.5,null,true],\"o\":{\"b\":1,\"a\":2}}";
    refq_ref ref = CT_SUBMIT(ct, .args = args);
    (void)rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
    const char *entry = rqi_ct_result(ct, &ref);
    CT_CHECK(ct, strstr(entry, args) != NULL, "the entry is %.300s", entry);
}

static void no_arguments_are_an_empty_object(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .args = NULL);
    (void)rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
}

static void nothing_returned_is_null(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"nothing\":1}");
    (void)rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
    const char *value = strstr(rqi_ct_result(ct, &ref), "\"value\":");
    CT_CHECK(ct, value != NULL && strncmp(value + 8 + strspn(value + 8, " "), "null", 4) == 0,
             "the value is %.20s", value != NULL ? value : "missing");
}

static void large_values_and_arguments_pass(rqi_ct *ct)
{
    char *args = rqi_ct_own_text(ct, calloc(LARGE + 64, 1));
    CT_CHECK(ct, args != NULL, "out of memory");
    memset(args, 'y', LARGE + 32);
    memcpy(args, "{\"size\":300000,\"pad\":\"", 22);
    memcpy(args + LARGE + 32, "\"}", 2);
    refq_ref ref = CT_SUBMIT(ct, .args = args);
    (void)rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
    const char *value = strchr(rqi_ct_result(ct, &ref), 'x');
    while (value != NULL && value[0] == 'x' && value[1] != 'x') {
        value = strchr(value + 1, 'x'); /* an x of a member's name */
    }
    CT_CHECK(ct, value != NULL && strspn(value, "x") == LARGE, "the value is not all there");
}

static void is_refused(rqi_ct *ct, const refq_ref *ref, refq_err want, const char *what)
{
    refq_task *task = NULL;
    char *entry = NULL;
    size_t len = 0;
    refq_err rc = refq_client_result(ct->client, ref, &task, &entry, &len, &ct->err);
    free(entry);
    CT_CHECK(ct, rc == want, "%s: %s, not %s", what, refq_strerror(rc), refq_strerror(want));
    CT_CHECK(ct, ct->err.text[0] != '\0', "%s: no text of why", what);
    if (want == REFQ_ERR_CONFLICT) {
        CT_CHECK(ct, task != NULL, "%s: the task is not told", what);
    }
    if (task != NULL) {
        (void)rqi_ct_own(ct, task);
    }
}

static void without_one_the_state_is_told(rqi_ct *ct)
{
    for (int i = 0; i < RQI_CT_STATES; i++) {
        refq_ref ref = rqi_ct_make(ct, (rqi_ct_state)i, NULL);
        if (i != RQI_CT_COMPLETE) {
            is_refused(ct, &ref, REFQ_ERR_CONFLICT, rqi_ct_state_name((rqi_ct_state)i));
        }
    }
}

static void unknown_task_is_not_found(rqi_ct *ct)
{
    refq_ref ref = rqi_ct_ref(ct);
    is_refused(ct, &ref, REFQ_ERR_NOTFOUND, "an unknown task");
}

static bool value_is_gone(rqi_ct *ct, const refq_ref *ref)
{
    refq_task *task = NULL;
    char *entry = NULL;
    size_t len = 0;
    refq_err rc = refq_client_result(ct->client, ref, &task, &entry, &len, &ct->err);
    free(entry);
    refq_task_free(task);
    CT_CHECK(ct, rc == REFQ_OK || rc == REFQ_ERR_NOTFOUND, "result: %s", ct->err.text);
    return rc == REFQ_ERR_NOTFOUND;
}

/* The record outlives the value, so that a late reader learns what happened. */
static void expired_value_leaves_its_record(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .task = "brief");
    refq_task *task = rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
    CT_CHECK(ct,
             refq_task_number(task, "expires_at", 0) >=
                 refq_task_number(task, "completed_at", INT64_MAX - 50) + 50,
             "expires_at is %s", rqi_ct_field(task, "expires_at"));
    CT_UNTIL(ct, value_is_gone(ct, &ref));
    CT_CHECK(ct, rqi_ct_is(ct, &ref, REFQ_COMPLETE), "the record is gone too");
}

const rqi_ct_case rqi_ct_cases_result[] = {
    {"result.value_comes_back_byte_for_byte", value_comes_back_byte_for_byte, 0, 0},
    {"result.entry_has_its_members", entry_has_its_members, 0, 0},
    {"result.arguments_arrive_as_they_are", arguments_arrive_as_they_are, 0, 0},
    {"result.no_arguments_are_an_empty_object", no_arguments_are_an_empty_object, 0, 0},
    {"result.nothing_returned_is_null", nothing_returned_is_null, 0, 0},
    {"result.large_values_and_arguments_pass", large_values_and_arguments_pass, 0, 0},
    {"result.without_one_the_state_is_told", without_one_the_state_is_told, 0, 0},
    {"result.unknown_task_is_not_found", unknown_task_is_not_found, 0, 0},
    {"result.expired_value_leaves_its_record", expired_value_leaves_its_record, 0, 0},
    {0},
};
