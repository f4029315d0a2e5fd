/* SPDX-License-Identifier: MIT */
/* refq get: the value of a complete task. */
#include "cli.h"

#include "answer.h"
#include "exit.h"
#include "out.h"

struct get_options {
    bool entry;
};

static const cli_option options[] = {
    {"entry", 0, CLI_NO_VALUE, NULL, offsetof(struct get_options, entry), cli_read_flag,
     "print the whole cache entry, not only its value"},
};

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    const struct get_options *opt = given;
    refq_ref ref;
    refq_client *client = NULL;
    int code = cli_parse_ref(argv[0], &ref);
    code = code == EX_OK ? cli_connect(common, &client) : code;
    if (code != EX_OK) {
        return code;
    }
    rqi_buf text = {0};
    code = cli_answer_read(client, &ref, opt->entry, &text);
    if (code == EX_OK) {
        rqi_buf_addc(&text, '\n');
        (void)cli_out(&text);
    }
    rqi_buf_done(&text);
    refq_client_close(client);
    return code;
}

const cli_command cli_get = {
    .name = "get",
    .operands = "REF",
    .summary = "print the value of a complete task",
    .about = "Prints the value as JSON, exactly as it is stored.\n"
             "Exit status: 0 printed, 1 the task failed or was cancelled, 66 no such task or its\n"
             "value has expired, 75 not complete yet.\n",
    .example = "refq get docs:0123456789abcdef0123456789abcdef | jq -r .text",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct get_options),
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
