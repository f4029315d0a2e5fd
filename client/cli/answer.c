/* SPDX-License-Identifier: MIT */
#include "answer.h"

#include "exit.h"
#include "history.h"
#include "task_view.h"
#include "value.h"

#include <stdlib.h>

bool cli_is_durable(refq_client *client)
{
    return (refq_client_capabilities(client) & REFQ_CAP_DURABLE) != 0;
}

static int say_missing(const refq_task *task, bool durable, const char *remark)
{
    char ref[REFQ_REF_MAX + 1];
    refq_status status = refq_task_status(task);
    const char *name = refq_status_name(status);
    const char *task_name = refq_task_field(task, "task");
    const char *subject =
        durable || task_name == NULL ? refq_ref_format(refq_task_ref(task), ref) : task_name;
    if (!refq_status_is_terminal(status)) {
        return cli_fail_as(EX_TEMPFAIL, "%s is %s%s%s; %s", subject, name,
                           remark[0] != '\0' ? ", " : "", remark,
                           durable ? "refq watch follows it" : "the time is up, so it is stopped");
    }
    if (status == REFQ_FAILED) {
        return cli_fail_as(CLI_EXIT_NO, "%s failed: %s", subject,
                           remark[0] != '\0' ? remark : "no error was recorded");
    }
    return cli_fail_as(CLI_EXIT_NO, "%s is %s", subject, name);
}

int cli_answer_missing(refq_client *client, const refq_task *task)
{
    rqi_buf remark = {0};
    if (refq_task_status(task) == REFQ_FAILED) {
        cli_history_error(client, task, &remark);
    } else {
        cli_task_remark(&remark, task);
    }
    int code = say_missing(task, cli_is_durable(client), rqi_buf_str(&remark));
    rqi_buf_done(&remark);
    return code;
}

int cli_answer_read(refq_client *client, const refq_ref *ref, rqi_buf *out)
{
    refq_task *task = NULL;
    char *text = NULL;
    size_t len = 0;
    refq_error err = {0};
    refq_err code = refq_client_result(client, ref, &task, &text, &len, &err);
    int result = EX_OK;
    if (code == REFQ_ERR_CONFLICT && task != NULL) {
        result = cli_answer_missing(client, task);
    } else if (code != REFQ_OK) {
        result = cli_fail(&err);
    } else if (cli_value_cut(text, len, out, &err) != REFQ_OK) {
        result = cli_fail_as(EX_DATAERR, "%s", err.text);
    }
    free(text);
    refq_task_free(task);
    return result == EX_OK && out->err != REFQ_OK ? cli_fail_as(EX_OSERR, "out of memory") : result;
}
