/* SPDX-License-Identifier: MIT */
/* refq cache stat: how much is in a store. */
#include "cli.h"

#include "cache_open.h"
#include "exit.h"
#include "out.h"
#include "text.h"

struct stat_options {
    const char *store;
};

static const cli_option options[] = {
    CLI_STORE_ROW(struct stat_options, store),
};

static void add_row(cli_table *table, const char *label, const char *text)
{
    cli_table_add(table, CLI_BOLD, "%s", label);
    cli_table_add(table, CLI_PLAIN, "%s", text);
}

static int show_table(const refq_store *store, const refq_store_stat *stat)
{
    static const cli_column columns[] = {{NULL, false}, {"", false}};
    char size[CLI_TIME_MAX];
    rqi_buf entries = {0};
    cli_table table = cli_table_make(columns, 2);
    rqi_buf_addf(&entries, "%lld%s", (long long)stat->entries, stat->partial ? " or more" : "");
    add_row(&table, "store", refq_store_name(store));
    add_row(&table, "entries", rqi_buf_str(&entries));
    add_row(&table, "size",
            stat->bytes >= 0 ? cli_text_size(size, (stat->bytes + 1023) / 1024) : "not known");
    rqi_buf_done(&entries);
    return cli_out_table(&table);
}

static int show(const cli_common *common, const refq_store *store, const refq_store_stat *stat)
{
    if (!common->json) {
        return show_table(store, stat);
    }
    return cli_out_json(json_pack("{s:s, s:I, s:o, s:b}", "store", refq_store_name(store),
                                  "entries", (json_int_t)stat->entries, "bytes",
                                  stat->bytes >= 0 ? json_integer(stat->bytes) : json_null(),
                                  "partial", stat->partial));
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct stat_options *opt = given;
    cli_cache c = {0};
    refq_error err = {0};
    refq_store_stat stat = {.struct_size = sizeof stat};
    int code = cli_cache_open(common, opt->store, NULL, 0, &c);
    if (code == EX_OK && refq_store_count(c.store, &stat, &err) != REFQ_OK) {
        code = cli_fail(&err);
    }
    code = code == EX_OK ? show(common, c.store, &stat) : code;
    cli_cache_close(&c);
    return code;
}

const cli_command cli_cache_stat = {
    .name = "cache stat",
    .operands = "",
    .summary = "count the values in a store",
    .about =
        "Counts the values of all caches in a store, whoever may see them, and what they take.\n"
        "It looks at every key, so it is not for every second.\n",
    .example = "refq cache stat --store sqlite:/var/lib/app/cache.db",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct stat_options),
    .min_operands = 0,
    .max_operands = 0,
    .run = run,
};
