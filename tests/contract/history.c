/* SPDX-License-Identifier: MIT */
/* What is kept of attempts that are over, and of the arguments. */
#include "contract.h"

#include <stdlib.h>
#include <string.h>

static size_t history(rqi_ct *ct, const refq_ref *ref, char **out, size_t max)
{
    refq_texts texts;
    CT_OK(ct, refq_client_history(ct->client, ref, &texts, &ct->err));
    for (size_t i = 0; i < texts.n && i < max; i++) {
        out[i] = rqi_ct_own_text(ct, strdup(texts.items[i]));
    }
    size_t n = texts.n;
    refq_texts_free(&texts);
    return n;
}

static void failures_are_told_newest_first(rqi_ct *ct)
{
    char *lines[8] = {NULL};
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"fail\":99}", .max_retries = 2);
    (void)rqi_ct_end_as(ct, &ref, REFQ_FAILED);
    size_t n = history(ct, &ref, lines, 8);
    CT_CHECK(ct, n == 3, "%zu attempts, not 3", n);
    const char *errors[] = {"attempt 3 fails", "attempt 2 fails", "attempt 1 fails"};
    for (size_t i = 0; i < n; i++) {
        CT_CHECK(ct, rqi_ct_json_number(lines[i], "attempt", 0) == 3 - (long)i, "line %zu is %s", i,
                 lines[i]);
        CT_CHECK(ct, strstr(lines[i], errors[i]) != NULL, "line %zu is %s", i, lines[i]);
        CT_CHECK(ct, strstr(lines[i], "\"retryable\"") != NULL, "line %zu is %s", i, lines[i]);
        CT_CHECK(ct, rqi_ct_json_number(lines[i], "at", 0) > 0, "line %zu is %s", i, lines[i]);
    }
}

static void the_class_is_told(rqi_ct *ct)
{
    char *lines[2] = {NULL};
    refq_ref ref = rqi_ct_make(ct, RQI_CT_FAILED, NULL);
    CT_CHECK(ct, history(ct, &ref, lines, 2) == 1, "not one attempt");
    CT_CHECK(ct, strstr(lines[0], "\"permanent\"") != NULL, "the line is %s", lines[0]);
}

static void failures_of_a_task_that_lives_are_there(rqi_ct *ct)
{
    char *lines[2] = {NULL};
    refq_ref ref = rqi_ct_make(ct, RQI_CT_BETWEEN, NULL);
    CT_CHECK(ct, history(ct, &ref, lines, 2) == 1, "not one attempt");
}

static void it_is_bounded(rqi_ct *ct)
{
    char *lines[64] = {NULL};
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"fail\":99,\"after\":0}", .max_retries = 30);
    (void)rqi_ct_end_as(ct, &ref, REFQ_FAILED);
    size_t n = history(ct, &ref, lines, 64);
    CT_CHECK(ct, n > 0 && n <= 31, "%zu attempts", n);
    CT_CHECK(ct, rqi_ct_json_number(lines[0], "attempt", 0) == 31, "the first line is %s",
             lines[0]);
}

static void nothing_failed_is_nothing_told(rqi_ct *ct)
{
    char *lines[4] = {NULL};
    refq_ref ref = rqi_ct_make(ct, RQI_CT_DELAYED, NULL);
    CT_CHECK(ct, history(ct, &ref, lines, 4) == 0, "an attempt that never was: %s", lines[0]);
}

static void arguments_are_kept_while_they_may_be_needed(rqi_ct *ct)
{
    static const char args[] = "{\"fail\":99,\"permanent\":1,\"s\":\"\xc3\xa9\",\"n\":[1,2.5,null],"
                               "\"long\":\"01234567890123456789012345678901234567890123456789\"}";
    const int64_t delays[] = {3600000, 0};
    for (int i = 0; i < 2; i++) {
        refq_texts texts;
        refq_ref ref = CT_SUBMIT(ct, .args = args, .delay_ms = delays[i]);
        if (i == 1) {
            (void)rqi_ct_end_as(ct, &ref, REFQ_FAILED);
        }
        CT_OK(ct, refq_client_args(ct->client, &ref, &texts, &ct->err));
        char *text = texts.n == 1 ? rqi_ct_own_text(ct, strdup(texts.items[0])) : NULL;
        refq_texts_free(&texts);
        CT_CHECK(ct, text != NULL && strcmp(text, args) == 0, "the arguments are %s",
                 text != NULL ? text : "missing");
    }
}

static void arguments_of_a_complete_task_are_gone(rqi_ct *ct)
{
    static const char args[] =
        "{\"long\":\"0123456789012345678901234567890123456789012345678901234567890123456789\"}";
    refq_texts texts;
    refq_ref ref = CT_SUBMIT(ct, .args = args);
    (void)rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
    CT_REFUSED(ct, refq_client_args(ct->client, &ref, &texts, &ct->err), REFQ_ERR_NOTFOUND);
}

static void unknown_task_is_not_found(rqi_ct *ct)
{
    refq_texts texts;
    refq_ref ref = rqi_ct_ref(ct);
    CT_REFUSED(ct, refq_client_history(ct->client, &ref, &texts, &ct->err), REFQ_ERR_NOTFOUND);
    CT_REFUSED(ct, refq_client_args(ct->client, &ref, &texts, &ct->err), REFQ_ERR_NOTFOUND);
}

const rqi_ct_case rqi_ct_cases_history[] = {
    {"history.failures_are_told_newest_first", failures_are_told_newest_first, REFQ_CAP_HISTORY, 0},
    {"history.the_class_is_told", the_class_is_told, REFQ_CAP_HISTORY, 0},
    {"history.failures_of_a_task_that_lives_are_there", failures_of_a_task_that_lives_are_there,
     REFQ_CAP_HISTORY, 0},
    {"history.it_is_bounded", it_is_bounded, REFQ_CAP_HISTORY, 0},
    {"history.nothing_failed_is_nothing_told", nothing_failed_is_nothing_told, REFQ_CAP_HISTORY, 0},
    {"history.arguments_are_kept_while_they_may_be_needed",
     arguments_are_kept_while_they_may_be_needed, REFQ_CAP_HISTORY, 0},
    {"history.arguments_of_a_complete_task_are_gone", arguments_of_a_complete_task_are_gone,
     REFQ_CAP_HISTORY, 0},
    {"history.unknown_task_is_not_found", unknown_task_is_not_found, REFQ_CAP_HISTORY, 0},
    {0},
};
