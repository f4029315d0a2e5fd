/* SPDX-License-Identifier: MIT */
/* refq cache rm: removes values by their references. */
#include "cli.h"

#include "cache_open.h"
#include "exit.h"
#include "json_list.h"
#include "out.h"

struct rm_options {
    cli_who who;
    const char *store;
};

static const cli_option options[] = {
    CLI_WHO_ROWS(struct rm_options, who),
    CLI_STORE_ROW(struct rm_options, store),
};

static int show(const cli_common *common, cli_json_list *list, const char *ref)
{
    if (common->json) {
        return cli_json_list_add(list, json_pack("{s:s, s:b}", "ref_id", ref, "removed", true));
    }
    rqi_buf line = {0};
    rqi_buf_addf(&line, "removed %s", ref);
    (void)cli_out_line(rqi_buf_str(&line));
    rqi_buf_done(&line);
    return EX_OK;
}

static int remove_one(const cli_common *common, const cli_cache *c, const refq_actor *actor,
                      const char *ref, cli_json_list *list)
{
    bool was = false;
    refq_error err = {0};
    refq_err rc = refq_cache_delete(c->cache, ref, actor, &was, &err);
    if (rc != REFQ_OK) {
        return cli_cache_fail(&err);
    }
    /* gone since it was looked at: what was wanted, though not by this command */
    return was ? show(common, list, ref) : EX_OK;
}

/* The first failure gives the status; the others are tried all the same. */
static int remove_all(const cli_common *common, const cli_cache *c, const refq_actor *actor, int n,
                      char **refs)
{
    int result = EX_OK;
    cli_json_list list = {0};
    for (int i = 0; i < n; i++) {
        int code = remove_one(common, c, actor, refs[i], &list);
        result = result == EX_OK ? code : result;
    }
    if (common->json) {
        cli_json_list_end(&list);
    }
    return result;
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    const struct rm_options *opt = given;
    cli_cache c = {0};
    refq_actor actor = cli_who_actor(&opt->who);
    int code = cli_cache_open(common, opt->store, NULL, 0, &c);
    code = code == EX_OK ? remove_all(common, &c, &actor, argc, argv) : code;
    cli_cache_close(&c);
    return code;
}

const cli_command cli_cache_rm = {
    .name = "cache rm",
    .operands = "REF [REF...]",
    .summary = "remove values by their references",
    .about =
        "Removes values; the record of a task stays. An agent nobody knows may not remove what\n"
        "has the default policy: say who asks.\n"
        "Exit status: 0 all are removed, 66 one does not exist or is not for this actor, 77\n"
        "this actor may not remove one.\n",
    .example = "refq cache rm docs:0123456789abcdef --as user:alice",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct rm_options),
    .min_operands = 1,
    .max_operands = -1,
    .run = run,
};
