/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The record holds 64 bytes of an error, because longer values would
 * cost it its compact encoding; the history holds it in full. So the history is
 * asked for only when the record's text was cut, and believed only when it
 * begins as the record does: the newest entry may be of another attempt.
 */
#include "history.h"

#include "exit.h"

#include <stdlib.h>
#include <string.h>

#define SHORTENED 60 /* bytes; a shorter error in a record is whole */
#define ALIKE     32 /* bytes at its start that tell that it is the same error */

/* An entry that somebody else has written stays visible, as an error. */
static json_t *parse(const char *text)
{
    json_t *entry = json_loads(text, JSON_ALLOW_NUL, NULL);
    if (json_is_object(entry)) {
        return entry;
    }
    json_decref(entry);
    return json_pack("{s:s}", "error", "this entry of the history cannot be read");
}

int cli_history_read(refq_client *client, const refq_ref *ref, json_t **ret)
{
    refq_texts texts = {0};
    refq_error err = {0};
    if (refq_client_history(client, ref, &texts, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    json_t *list = json_array();
    int failed = list == NULL;
    for (size_t i = 0; i < texts.n && !failed; i++) {
        failed = json_array_append_new(list, parse(texts.items[i]));
    }
    refq_texts_free(&texts);
    if (failed) {
        json_decref(list);
        return cli_fail_as(EX_OSERR, "out of memory for the history");
    }
    *ret = list;
    return EX_OK;
}

static bool add_full(refq_client *client, const refq_ref *ref, const char *shortened, rqi_buf *out)
{
    refq_texts texts = {0};
    refq_error err = {0};
    if ((refq_client_capabilities(client) & REFQ_CAP_HISTORY) == 0 ||
        refq_client_history(client, ref, &texts, &err) != REFQ_OK) {
        return false;
    }
    json_t *entry = texts.n > 0 ? parse(texts.items[0]) : NULL;
    const char *full = json_string_value(json_object_get(entry, "error"));
    bool same = full != NULL && strncmp(full, shortened, ALIKE) == 0;
    if (same) {
        rqi_buf_adds(out, full);
    }
    json_decref(entry);
    refq_texts_free(&texts);
    return same;
}

void cli_history_error(refq_client *client, const refq_task *task, rqi_buf *out)
{
    const char *error = refq_task_field(task, "error");
    if (error == NULL || error[0] == '\0') {
        return;
    }
    if (strlen(error) < SHORTENED || !add_full(client, refq_task_ref(task), error, out)) {
        rqi_buf_adds(out, error);
    }
}
