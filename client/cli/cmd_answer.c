/* SPDX-License-Identifier: MIT */
/* refq answer: answers the question of a running task. */
#include "cli.h"

#include "args_input.h"
#include "exit.h"
#include "out.h"
#include "task_view.h"

#include <jansson.h>

#define ANSWER_MAX ((size_t)64 * 1024)

static int check(const rqi_buf *json)
{
    if (json->err == REFQ_ERR_LIMIT) {
        return cli_fail_as(EX_DATAERR, "the answer is larger than the 64 KiB allowed");
    }
    if (json->err != REFQ_OK) {
        return cli_fail_as(EX_OSERR, "out of memory for the answer");
    }
    json_t *value = json_loads(rqi_buf_str(json), JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (value == NULL) {
        return cli_fail_as(EX_DATAERR, "the answer is not JSON; a text needs quotes: '\"%.60s\"'",
                           rqi_buf_str(json));
    }
    json_decref(value);
    return EX_OK;
}

static int send_answer(const cli_common *common, const refq_ref *ref, const rqi_buf *json)
{
    refq_client *client = NULL;
    refq_task *task = NULL;
    refq_error err = {0};
    int code = cli_connect(common, &client);
    if (code != EX_OK) {
        return code;
    }
    if (refq_client_answer(client, ref, rqi_buf_str(json), &task, &err) != REFQ_OK) {
        code = cli_fail(&err);
    } else if (common->json) {
        code = cli_out_json(cli_task_json(task));
    } else {
        (void)cli_out_line("answered");
    }
    refq_task_free(task);
    refq_client_close(client);
    return code;
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)given;
    (void)argc;
    refq_ref ref;
    rqi_buf json = rqi_buf_make(ANSWER_MAX);
    int code = cli_parse_ref(argv[0], &ref);
    code = code == EX_OK ? cli_input_read(argv[1], "the answer", &json) : code;
    code = code == EX_OK ? check(&json) : code;
    code = code == EX_OK ? send_answer(common, &ref, &json) : code;
    rqi_buf_done(&json);
    return code;
}

const cli_command cli_answer = {
    .name = "answer",
    .operands = "REF JSON|@FILE|-",
    .summary = "answer the question of a running task",
    .about = "A running task may ask; `refq show REF` shows the question. The answer is one JSON\n"
             "value: true, 3, '\"a text\"', '{\"page\":3}'; @FILE reads a file, - standard input.\n"
             "Exit status: 0 answered, 1 the task does not ask, 65 the answer is not JSON, 66 no\n"
             "such task.\n",
    .example = "refq answer docs:0123456789abcdef0123456789abcdef '\"yes\"'",
    .min_operands = 2,
    .max_operands = 2,
    .run = run,
};
