/* SPDX-License-Identifier: MIT */
/* refq cache clear: removes many values. */
#include "cli.h"

#include "cache_open.h"
#include "confirm.h"
#include "exit.h"
#include "out.h"

struct clear_options {
    cli_which which;
    bool yes;
    cli_who who;
    const char *store;
};

#define AT(field) offsetof(struct clear_options, field)

static const cli_option options[] = {
    CLI_WHICH_ROWS(struct clear_options, which),
    {"yes", 'y', CLI_NO_VALUE, NULL, AT(yes), cli_read_flag, "do not ask"},
    CLI_WHO_ROWS(struct clear_options, who),
    CLI_STORE_ROW(struct clear_options, store),
};

static int show(const cli_common *common, const refq_cache_cleared *done)
{
    if (common->json) {
        return cli_out_json(json_pack("{s:I, s:I, s:I}", "removed", (json_int_t)done->removed,
                                      "denied", (json_int_t)done->denied, "broken",
                                      (json_int_t)done->broken));
    }
    rqi_buf line = {0};
    rqi_buf_addf(&line, "removed %zu entries", done->removed);
    (void)cli_out_line(rqi_buf_str(&line));
    rqi_buf_done(&line);
    if (done->denied > 0) {
        cli_note("%zu were left: this actor may not remove them (--as says who asks)",
                 done->denied);
    }
    if (done->broken > 0) {
        cli_note("%zu were left: they are no entries", done->broken);
    }
    return EX_OK;
}

/* What is meant, in words, is asked before it is done. */
static int confirm(const struct clear_options *opt, const char *name)
{
    char who[REFQ_ACCESS_NAME_MAX + 1];
    refq_actor actor = cli_who_actor(&opt->who);
    rqi_buf space = {0};
    if (opt->which.space != NULL) {
        rqi_buf_addf(&space, " in namespace %s%s", opt->which.space,
                     opt->which.children ? " and those under it" : "");
    }
    (void)refq_actor_format(&actor, who, sizeof who);
    int code = cli_confirm(opt->yes, "remove all values of %s%s%s that %s may remove?",
                           opt->which.all_caches ? "all caches" : "cache ",
                           opt->which.all_caches ? "" : name, rqi_buf_str(&space), who);
    rqi_buf_done(&space);
    return code;
}

static int clear(const cli_common *common, const struct clear_options *opt, const cli_cache *c)
{
    refq_error err = {0};
    refq_cache_cleared done = {0};
    refq_actor actor = cli_who_actor(&opt->who);
    refq_cache_clear_query query = {.struct_size = sizeof query,
                                    .namespace_name = opt->which.space,
                                    .children = opt->which.children,
                                    .all_caches = opt->which.all_caches};
    refq_err rc = refq_cache_clear(c->cache, &query, &actor, &done, &err);
    int code = rc == REFQ_OK || done.removed > 0 ? show(common, &done) : EX_OK;
    return rc == REFQ_OK ? code : cli_fail(&err);
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct clear_options *opt = given;
    const char *name = NULL;
    cli_cache c = {0};
    if (opt->which.children && opt->which.space == NULL) {
        return cli_fail_as(EX_USAGE, "cache clear: --children needs --namespace");
    }
    int code = cli_cache_pick(opt->which.name, &name);
    code = code == EX_OK ? confirm(opt, name) : code;
    code = code == EX_OK ? cli_cache_open(common, opt->store, name, 0, &c) : code;
    code = code == EX_OK ? clear(common, opt, &c) : code;
    cli_cache_close(&c);
    return code;
}

const cli_command cli_cache_clear = {
    .name = "cache clear",
    .operands = "",
    .summary = "remove all values of a cache",
    .about =
        "Removes the values that this actor may remove, results of tasks among them, and says how\n"
        "many others were left. What is no entry is left alone. An agent nobody knows may not\n"
        "remove what has the default policy. Asks first on a terminal; elsewhere --yes is needed.\n"
        "Exit status: 0 done, 1 the answer was no.\n",
    .example =
        "refq cache clear --queue docs --namespace session:s-17 --session s-17 --as user:alice",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct clear_options),
    .min_operands = 0,
    .max_operands = 0,
    .run = run,
};
