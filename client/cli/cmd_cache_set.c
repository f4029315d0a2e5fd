/* SPDX-License-Identifier: MIT */
/* refq cache set: stores a value and prints its reference. */
#include "cli.h"

#include "args_input.h"
#include "cache_open.h"
#include "exit.h"
#include "out.h"

#include "json/scan.h"

#include <stdlib.h>
#include <string.h>

struct set_options {
    const char *name;
    const char *value;
    const char *space;
    cli_number ttl; /* ms, or REFQ_FOREVER */
    const char *policy;
    const char *owner;
    bool bind_session;
    const char *tool;
    cli_who who;
    const char *store;
};

#define AT(field) offsetof(struct set_options, field)

static const cli_option options[] = {
    {"queue", 'q', CLI_VALUE, "Q", AT(name), cli_read_text,
     "of the cache: a queue's, or any (default: REFQ_QUEUE, else \"default\")"},
    {"value", 0, CLI_VALUE, "JSON|@FILE|-", AT(value), cli_read_text, "the value (required)"},
    {"namespace", 0, CLI_VALUE, "N", AT(space), cli_read_space, "where it goes (default: public)"},
    {"ttl", 0, CLI_VALUE, "DUR", AT(ttl), cli_read_ttl,
     "how long it is kept, or forever (default: 1h)"},
    {"policy", 0, CLI_VALUE, "PRESET|JSON", AT(policy), cli_read_policy,
     "who may do what with it (default: default)"},
    {"owner", 0, CLI_VALUE, "ACTOR", AT(owner), cli_read_owner, "whose it is"},
    {"bind-session", 0, CLI_NO_VALUE, NULL, AT(bind_session), cli_read_flag,
     "only for the session that --session names"},
    {"tool", 0, CLI_VALUE, "TEXT", AT(tool), cli_read_text, "what made it, for people"},
    CLI_WHO_ROWS(struct set_options, who),
    CLI_STORE_ROW(struct set_options, store),
};

/* A mistake in it is told before anything is connected to. */
static int read_value(const char *given, rqi_buf *out)
{
    refq_error err = {0};
    int code = cli_input_read(given, "--value", out);
    if (code == EX_OK && out->err == REFQ_ERR_LIMIT) {
        return cli_fail_as(EX_DATAERR, "--value: larger than the %zu MiB that an entry may have",
                           REFQ_STORE_ENTRY_MAX >> 20);
    }
    if (code == EX_OK && out->err != REFQ_OK) {
        return cli_fail_as(EX_OSERR, "--value: out of memory");
    }
    if (code == EX_OK && rqi_scan_check(rqi_buf_bytes(out), 0, NULL, &err) != REFQ_OK) {
        return cli_fail_as(EX_DATAERR, "--value: %s", err.text);
    }
    return code;
}

static int store(const cli_common *common, const struct set_options *opt, const cli_cache *c,
                 const rqi_buf *text, const refq_policy *policy)
{
    char ref[REFQ_STORE_ID_MAX + 1];
    refq_error err = {0};
    refq_actor actor = cli_who_actor(&opt->who);
    refq_cache_value value = {.struct_size = sizeof value,
                              .json = rqi_buf_str(text),
                              .len = text->len,
                              .namespace_name = opt->space,
                              .policy = policy,
                              .ttl_ms = opt->ttl.value,
                              .tool_name = opt->tool};
    if (refq_cache_set(c->cache, &value, &actor, ref, &err) != REFQ_OK) {
        return cli_cache_fail(&err);
    }
    if (common->json) {
        return cli_out_json(json_pack("{s:s}", "ref_id", ref));
    }
    (void)cli_out_line(ref);
    return EX_OK;
}

static int check(const struct set_options *opt)
{
    if (opt->value == NULL) {
        return cli_fail_as(EX_USAGE, "cache set: --value is missing (refq help cache set)");
    }
    if (opt->bind_session && opt->who.session == NULL) {
        return cli_fail_as(EX_USAGE, "cache set: --bind-session needs --session");
    }
    return EX_OK;
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct set_options *opt = given;
    const char *name = NULL;
    rqi_buf text = rqi_buf_make(REFQ_STORE_ENTRY_MAX);
    refq_policy *policy = NULL;
    cli_cache c = {0};
    int code = check(opt);
    code = code == EX_OK ? cli_cache_pick(opt->name, &name) : code;
    code = code == EX_OK ? cli_policy_make(opt->policy, opt->owner,
                                           opt->bind_session ? opt->who.session : NULL, &policy)
                         : code;
    code = code == EX_OK ? read_value(opt->value, &text) : code;
    code = code == EX_OK ? cli_cache_open(common, opt->store, name, CLI_CACHE_NEW, &c) : code;
    code = code == EX_OK ? store(common, opt, &c, &text, policy) : code;
    cli_cache_close(&c);
    refq_policy_free(policy);
    rqi_buf_done(&text);
    return code;
}

const cli_command cli_cache_set = {
    .name = "cache set",
    .operands = "",
    .summary = "store a value and print its reference",
    .about =
        "Stores one JSON value, up to 128 MiB, as it is. Presets of --policy: default (users may\n"
        "everything, agents read and execute), public, user_only, execute_only, read_only.\n"
        "Exit status: 0 stored, 65 it is no JSON or too large, 75 the store is full, 77 this "
        "actor\n"
        "may not enter the namespace.\n",
    .example = "refq cache set --queue docs --value @table.json --ttl 2h --as user:alice "
               "--namespace user:alice",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct set_options),
    .min_operands = 0,
    .max_operands = 0,
    .run = run,
};
