/* SPDX-License-Identifier: MIT */
#include "submitted.h"

#include "answer.h"
#include "exit.h"
#include "out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_t *submitted_json(const refq_submitted *done, refq_status status)
{
    char ref[REFQ_REF_MAX + 1];
    return json_pack("{s:s, s:s, s:b}", "ref_id", refq_ref_format(&done->ref, ref), "status",
                     refq_status_name(status), "existed", done->existed);
}

/* Takes the object. `value` (JSON text) is put in as it is, so that it arrives as it was stored. */
static int show_json(json_t *json, const char *value)
{
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (text == NULL) {
        return cli_fail_as(EX_OSERR, "out of memory for the JSON output");
    }
    rqi_buf line = {0};
    rqi_buf_add(&line, text, strlen(text) - (value != NULL ? 1 : 0));
    if (value != NULL) {
        rqi_buf_addf(&line, ",\"value\":%s}", value);
    }
    rqi_buf_addc(&line, '\n');
    (void)cli_out(&line);
    rqi_buf_done(&line);
    free(text);
    return EX_OK;
}

int cli_submitted_show(const cli_common *common, const refq_submitted *done, refq_status status)
{
    char ref[REFQ_REF_MAX + 1];
    if (common->json) {
        return show_json(submitted_json(done, status), NULL);
    }
    if (!cli_out_line(refq_ref_format(&done->ref, ref))) {
        /* The task is queued: whoever cannot read its reference there may find it here. */
        (void)dprintf(STDERR_FILENO, "refq: submitted %s\n", ref);
    }
    return EX_OK;
}

/* --- Waiting ---------------------------------------------------------------------------------- */

/* The reference of a task that ends with this process leads nowhere. */
static json_t *end_json(refq_client *client, const refq_submitted *done, refq_status status)
{
    return cli_is_durable(client) ? submitted_json(done, status)
                                  : json_pack("{s:s}", "status", refq_status_name(status));
}

static int show_value(const cli_common *common, refq_client *client, const refq_submitted *done)
{
    rqi_buf value = {0};
    int code = cli_answer_read(client, &done->ref, &value);
    if (code == EX_OK && common->json) {
        code = show_json(end_json(client, done, REFQ_COMPLETE), rqi_buf_str(&value));
    } else if (code == EX_OK) {
        (void)cli_out_line(rqi_buf_str(&value));
    }
    rqi_buf_done(&value);
    return code;
}

static int show_end(const cli_common *common, refq_client *client, const refq_submitted *done,
                    const refq_task *task)
{
    refq_status status = refq_task_status(task);
    if (status == REFQ_COMPLETE) {
        return show_value(common, client, done);
    }
    if (common->json) {
        (void)show_json(end_json(client, done, status), NULL);
    } else if (!refq_status_is_terminal(status) && cli_is_durable(client)) {
        (void)cli_submitted_show(common, done, status);
    }
    return cli_answer_missing(client, task);
}

int cli_submitted_wait(const cli_common *common, refq_client *client, int64_t timeout_ms,
                       const refq_submitted *done)
{
    char ref[REFQ_REF_MAX + 1];
    refq_task *task = NULL;
    refq_error err = {0};
    if (cli_is_durable(client)) {
        (void)dprintf(STDERR_FILENO, "%s\n", refq_ref_format(&done->ref, ref));
    }
    if (refq_client_wait(client, &done->ref, timeout_ms, NULL, NULL, &task, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    int code = show_end(common, client, done, task);
    refq_task_free(task);
    return code;
}
