/* SPDX-License-Identifier: MIT */
/* refq dead purge: removes dead letters. */
#include "cli.h"

#include "confirm.h"
#include "exit.h"
#include "out.h"
#include "readers.h"
#include "removal.h"

#include <stdlib.h>

struct purge_options {
    const char *queue;
    bool all;
    const char *task;
    cli_number older_than; /* ms */
    bool dry_run;
    bool yes;
};

#define AT(field) offsetof(struct purge_options, field)

static const cli_option options[] = {
    {"queue", 'q', CLI_VALUE, "Q", AT(queue), cli_read_text,
     "with --all: the queue (default: REFQ_QUEUE, else \"default\")"},
    {"all", 0, CLI_NO_VALUE, NULL, AT(all), cli_read_flag, "all dead letters of the queue"},
    {"task", 't', CLI_VALUE, "TASK", AT(task), cli_read_task,
     "with --all: only tasks of this name"},
    {"older-than", 0, CLI_VALUE, "DUR", AT(older_than), cli_read_duration,
     "with --all: only those that died so long ago"},
    {"dry-run", 'n', CLI_NO_VALUE, NULL, AT(dry_run), cli_read_flag, "with --all: only count them"},
    {"yes", 'y', CLI_NO_VALUE, NULL, AT(yes), cli_read_flag, "do not ask"},
};

/* --- One after the other ---------------------------------------------------------------------- */

static int purge_one(refq_client *client, const refq_ref *ref, int64_t *removed)
{
    char text[REFQ_REF_MAX + 1];
    int64_t n = 0;
    refq_error err = {0};
    refq_cleanup_query query = {
        .struct_size = sizeof query, .queue = ref->queue, .status = -1, .dead = true, .only = ref};
    if (refq_client_cleanup(client, &query, &n, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    *removed += n;
    return n > 0 ? EX_OK
                 : cli_fail_as(EX_NOINPUT, "%s is not a dead letter", refq_ref_format(ref, text));
}

static int purge_each(refq_client *client, const refq_ref *refs, int n, int64_t *removed)
{
    int worst = EX_OK;
    for (int i = 0; i < n && (worst == EX_OK || worst == EX_NOINPUT); i++) {
        int code = purge_one(client, &refs[i], removed);
        worst = code > worst ? code : worst;
    }
    return worst;
}

static int show_removed(const cli_common *common, int64_t removed)
{
    if (common->json) {
        return cli_out_json(json_pack("{s:I}", "removed", (json_int_t)removed));
    }
    rqi_buf line = {0};
    rqi_buf_addf(&line, "removed %lld dead letter%s", (long long)removed, removed == 1 ? "" : "s");
    (void)cli_out_line(rqi_buf_str(&line));
    rqi_buf_done(&line);
    return EX_OK;
}

static int purge_refs(const cli_common *common, const struct purge_options *opt, int argc,
                      char **argv)
{
    refq_ref *refs = NULL;
    refq_client *client = NULL;
    int64_t removed = 0;
    int code = cli_parse_refs(argc, argv, &refs);
    code = code == EX_OK
               ? cli_confirm(opt->yes, "remove %d dead letter%s?", argc, argc == 1 ? "" : "s")
               : code;
    code = code == EX_OK ? cli_connect(common, &client) : code;
    if (client != NULL) {
        code = purge_each(client, refs, argc, &removed);
        (void)show_removed(common, removed);
    }
    refq_client_close(client);
    free(refs);
    return code;
}

/* --- All -------------------------------------------------------------------------------------- */

static int purge_all(const cli_common *common, const struct purge_options *opt)
{
    const cli_removal removal = {
        .queue = opt->queue, .dry_run = opt->dry_run, .yes = opt->yes, .what = "dead letters"};
    refq_cleanup_query query = {.struct_size = sizeof query,
                                .older_than_ms = opt->older_than.value,
                                .status = -1,
                                .dead = true,
                                .task = opt->task};
    return cli_removal_run(common, &removal, &query);
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    const struct purge_options *opt = given;
    bool filtered =
        opt->queue != NULL || opt->task != NULL || opt->older_than.given || opt->dry_run;
    if (opt->all == (argc > 0)) {
        return cli_fail_as(EX_USAGE, "dead purge: give references, or --all");
    }
    if (!opt->all && filtered) {
        return cli_fail_as(EX_USAGE,
                           "dead purge: --queue, --task, --older-than and --dry-run go with --all");
    }
    return opt->all ? purge_all(common, opt) : purge_refs(common, opt, argc, argv);
}

const cli_command cli_dead_purge = {
    .name = "dead purge",
    .operands = "[REF...]",
    .summary = "remove dead letters",
    .about = "Removes dead letters, with their arguments and history: they cannot run again then.\n"
             "Asks first on a terminal; elsewhere --yes or --dry-run is needed.\n"
             "Exit status: 0 done, 1 the answer was no, 66 one is not a dead letter.\n",
    .example = "refq dead purge --queue docs --all --older-than 3d --dry-run",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct purge_options),
    .max_operands = -1,
    .run = run,
};
