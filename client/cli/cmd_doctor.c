/* SPDX-License-Identifier: MIT */
/* refq doctor: whether the server and the queues are well. */
#include "cli.h"

#include "doctor.h"
#include "exit.h"
#include "queue.h"

struct doctor_options {
    const char *queue;
    bool audit;
};

static const cli_option options[] = {
    {"queue", 'q', CLI_VALUE, "Q", offsetof(struct doctor_options, queue), cli_read_text,
     "look at this queue only (default: at all)"},
    {"audit", 0, CLI_NO_VALUE, NULL, offsetof(struct doctor_options, audit), cli_read_flag,
     "check every record and index too; reads all keys, in small steps"},
};

static void look_at(refq_client *client, const char *queue, bool audit, cli_findings *f)
{
    cli_doctor_queue(client, queue, f);
    if (audit) {
        cli_doctor_audit(client, queue, f);
    }
}

static void look_at_all(refq_client *client, bool audit, cli_findings *f)
{
    refq_texts names = {0};
    refq_error err = {0};
    if (refq_client_queues(client, &names, &err) != REFQ_OK) {
        cli_findings_add(f, CLI_FAIL, "queues", "no queue can be checked",
                         "the message says what to do", "%s", err.text);
        return;
    }
    for (size_t i = 0; i < names.n; i++) {
        look_at(client, names.items[i], audit, f);
    }
    if (names.n == 0) {
        cli_findings_add(f, CLI_FINE, "queues", NULL, NULL, "there is none yet");
    }
    refq_texts_free(&names);
}

static int examine(const cli_common *common, const struct doctor_options *opt, refq_client *client)
{
    cli_findings findings = cli_findings_make(common->json);
    if (cli_doctor_connection(client, &findings)) {
        cli_doctor_server(client, &findings);
        cli_doctor_rights(client, &findings);
        if (opt->queue != NULL) {
            look_at(client, opt->queue, opt->audit, &findings);
        } else {
            look_at_all(client, opt->audit, &findings);
        }
    }
    return cli_findings_end(&findings);
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct doctor_options *opt = given;
    const char *queue = NULL;
    refq_client *client = NULL;
    int code = opt->queue != NULL ? cli_queue_pick(opt->queue, &queue) : EX_OK;
    code = code == EX_OK ? cli_connect(common, &client) : code;
    code = code == EX_OK ? examine(common, opt, client) : code;
    refq_client_close(client);
    return code;
}

const cli_command cli_doctor = {
    .name = "doctor",
    .operands = "",
    .summary = "check the server, the rights and the queues",
    .about =
        "Says of each thing it looks at whether it is well, and if not, why that matters and how\n"
        "to mend it. --audit also checks that the state of the queues does not contradict\n"
        "itself. Changes nothing.\n"
        "Exit status: 0 nothing has failed (there may be warnings), 1 something has.\n",
    .example = "refq doctor --audit",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct doctor_options),
    .max_operands = 0,
    .run = run,
};
