/* SPDX-License-Identifier: MIT */
/*
 * refq cache ls: what is in a cache.
 *
 * DESIGN. Without --limit it shows a page of 50; a page of the store may hold
 * nothing for this actor, so pages are read until there is enough. As a page is
 * never cut, a few more may be shown: the cursor has no place inside of one.
 */
#include "cli.h"

#include "cache_open.h"
#include "exit.h"
#include "json_list.h"
#include "out.h"
#include "readers.h"
#include "text.h"

#include "base/clock.h"
#include "base/parse.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 50
#define PAGE_MAX      200

struct ls_options {
    cli_which which;
    cli_number limit;
    const char *cursor;
    bool all;
    cli_who who;
    const char *store;
};

#define AT(field) offsetof(struct ls_options, field)

static const cli_option options[] = {
    CLI_WHICH_ROWS(struct ls_options, which),
    {"limit", 'n', CLI_VALUE, "N", AT(limit), cli_read_page,
     "about so many, 1 to 1000 (default: 50)"},
    {"cursor", 0, CLI_VALUE, "C", AT(cursor), cli_read_text,
     "the page behind this one; \"start\" = the first"},
    {"all", 0, CLI_NO_VALUE, NULL, AT(all), cli_read_flag, "all there are, page by page"},
    CLI_WHO_ROWS(struct ls_options, who),
    CLI_STORE_ROW(struct ls_options, store),
};

/* --- Entries ---------------------------------------------------------------------------------- */

static const cli_column columns[] = {
    {"REF", false}, {"NAMESPACE", false}, {"TYPE", false},  {"ITEMS", true}, {"SIZE", true},
    {"AGE", true},  {"EXPIRES", true},    {"OWNER", false}, {"MAY", false},  {"TOOL", false},
};

static const struct {
    unsigned bit;
    const char *name;
} permissions[] = {{REFQ_READ, "read"},
                   {REFQ_WRITE, "write"},
                   {REFQ_UPDATE, "update"},
                   {REFQ_DELETE, "delete"},
                   {REFQ_EXECUTE, "execute"}};

#define N_PERMISSIONS (sizeof permissions / sizeof permissions[0])

static void add_permissions(cli_table *table, unsigned bits)
{
    rqi_buf text = {0};
    for (size_t i = 0; i < N_PERMISSIONS; i++) {
        if (bits != REFQ_PERM_FULL && (bits & permissions[i].bit) != 0) {
            rqi_buf_addf(&text, "%s%s", text.len > 0 ? "," : "", permissions[i].name);
        }
    }
    cli_table_add(table, CLI_PLAIN, "%s", bits == REFQ_PERM_FULL ? "all" : rqi_buf_str(&text));
    rqi_buf_done(&text);
}

static void add_span(cli_table *table, int64_t ms)
{
    char span[32];
    cli_table_add(table, CLI_PLAIN, "%s", rqi_format_duration(span, sizeof span, ms > 0 ? ms : 0));
}

static void add_expiry(cli_table *table, int64_t at_ms, int64_t now)
{
    if (at_ms == 0) {
        cli_table_add(table, CLI_PLAIN, "never");
    } else {
        add_span(table, at_ms - now);
    }
}

static int add_row(void *arg, const refq_cache_info *info)
{
    cli_table *table = arg;
    char size[CLI_TIME_MAX];
    int64_t now = rqi_wall_ms();
    cli_table_add(table, CLI_PLAIN, "%s", info->ref_id);
    cli_table_add(table, CLI_PLAIN, "%s%s", info->namespace_name, info->bound ? " (session)" : "");
    cli_table_add(table, CLI_PLAIN, "%s", info->type);
    if (info->total_items >= 0) {
        cli_table_add(table, CLI_PLAIN, "%lld", (long long)info->total_items);
    } else {
        cli_table_add(table, CLI_PLAIN, "%s", "");
    }
    if (info->size < 1024) {
        cli_table_add(table, CLI_PLAIN, "%lld B", (long long)info->size);
    } else {
        cli_table_add(table, CLI_PLAIN, "%s", cli_text_size(size, info->size / 1024));
    }
    add_span(table, now - info->created_at_ms);
    add_expiry(table, info->expires_at_ms, now);
    cli_table_add(table, CLI_PLAIN, "%s", info->owner != NULL ? info->owner : "");
    add_permissions(table, info->permissions);
    cli_table_add(table, CLI_PLAIN, "%s", info->tool_name != NULL ? info->tool_name : "");
    return EX_OK;
}

static json_t *number_or_null(int64_t value, int64_t least)
{
    return value >= least ? json_integer(value) : json_null();
}

static json_t *info_json(const refq_cache_info *info)
{
    json_t *may = json_array();
    for (size_t i = 0; i < N_PERMISSIONS; i++) {
        if ((info->permissions & permissions[i].bit) != 0) {
            (void)json_array_append_new(may, json_string(permissions[i].name));
        }
    }
    return json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:o, s:s?, s:s?, s:b, s:o}", "ref_id",
                     info->ref_id, "namespace", info->namespace_name, "type", info->type,
                     "total_items", number_or_null(info->total_items, 0), "size",
                     (json_int_t)info->size, "created_at", (json_int_t)info->created_at_ms,
                     "expires_at", number_or_null(info->expires_at_ms, 1), "owner", info->owner,
                     "tool_name", info->tool_name, "session_bound", info->bound, "permissions",
                     may);
}

static int add_json(void *arg, const refq_cache_info *info)
{
    return cli_json_list_add(arg, info_json(info));
}

static int collect_json(void *arg, const refq_cache_info *info)
{
    return json_array_append_new(arg, info_json(info)) == 0
               ? EX_OK
               : cli_fail_as(EX_OSERR, "out of memory for the list");
}

/* --- Pages ------------------------------------------------------------------------------------ */

struct pages {
    refq_cache *cache;
    refq_cache_list_query query;
    refq_actor actor;
    int64_t limit; /* 0 = all */
    int64_t n;
    size_t broken;
    char *next; /* owned; NULL before the first page */
};

static int read_page(struct pages *p, int (*each)(void *, const refq_cache_info *), void *arg)
{
    refq_error err = {0};
    refq_cache_list page;
    int64_t left = p->limit > 0 ? p->limit - p->n : PAGE_MAX;
    p->query.limit = (unsigned)(left < PAGE_MAX ? left : PAGE_MAX);
    if (refq_cache_ls(p->cache, &p->query, &p->actor, &page, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    int code = EX_OK;
    for (size_t i = 0; i < page.n && code == EX_OK; i++) {
        code = each(arg, &page.items[i]);
    }
    p->n += (int64_t)page.n;
    p->broken += page.broken;
    free(p->next);
    p->next = page.next;
    page.next = NULL;
    p->query.cursor = p->next;
    refq_cache_list_free(&page);
    return code;
}

static int each_entry(struct pages *p, int (*each)(void *, const refq_cache_info *), void *arg)
{
    int code = EX_OK;
    do {
        code = read_page(p, each, arg);
    } while (code == EX_OK && p->next[0] != '\0' && (p->limit == 0 || p->n < p->limit));
    return code;
}

/* --- Output ----------------------------------------------------------------------------------- */

static void note_broken(const struct pages *p)
{
    if (p->broken > 0) {
        cli_note("%zu more are no entries and were passed over", p->broken);
    }
}

static int show_table(struct pages *p)
{
    cli_table table = cli_table_make(columns, sizeof columns / sizeof columns[0]);
    int code = each_entry(p, add_row, &table);
    if (code == EX_OK && p->n == 0) {
        cli_note("no such entries, or none that this actor may know of");
    } else if (code == EX_OK) {
        code = cli_out_table(&table);
    }
    if (code == EX_OK && p->next[0] != '\0') {
        cli_note("there are more: --cursor '%s' shows the next page, --all shows all", p->next);
    }
    cli_table_done(&table);
    return code;
}

static int show_json(struct pages *p)
{
    cli_json_list list = {0};
    int code = each_entry(p, add_json, &list);
    if (code == EX_OK || list.open) {
        cli_json_list_end(&list);
    }
    return code;
}

/* A program that pages needs the cursor too, so it gets an object. */
static int show_json_page(struct pages *p)
{
    json_t *entries = json_array();
    int code = each_entry(p, collect_json, entries);
    if (code != EX_OK) {
        json_decref(entries);
        return code;
    }
    return cli_out_json(json_pack("{s:o, s:s, s:I}", "entries", entries, "next", p->next, "broken",
                                  (json_int_t)p->broken));
}

/* --- The command ------------------------------------------------------------------------------ */

static int check(const struct ls_options *opt)
{
    if (opt->all && (opt->cursor != NULL || opt->limit.given)) {
        return cli_fail_as(EX_USAGE, "cache ls: --all goes with neither --cursor nor --limit");
    }
    if (opt->which.children && opt->which.space == NULL) {
        return cli_fail_as(EX_USAGE, "cache ls: --children needs --namespace");
    }
    return EX_OK;
}

static struct pages pages_of(const struct ls_options *opt)
{
    bool from_start = opt->cursor == NULL || strcmp(opt->cursor, "start") == 0;
    return (struct pages){
        .query = {.struct_size = sizeof(refq_cache_list_query),
                  .namespace_name = opt->which.space,
                  .children = opt->which.children,
                  .all_caches = opt->which.all_caches,
                  .cursor = from_start ? NULL : opt->cursor},
        .actor = cli_who_actor(&opt->who),
        .limit = opt->all           ? 0
                 : opt->limit.given ? opt->limit.value
                                    : LIMIT_DEFAULT,
    };
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct ls_options *opt = given;
    const char *name = NULL;
    cli_cache c = {0};
    struct pages p = pages_of(opt);
    int code = check(opt);
    code = code == EX_OK ? cli_cache_pick(opt->which.name, &name) : code;
    code = code == EX_OK ? cli_cache_open(common, opt->store, name, 0, &c) : code;
    p.cache = c.cache;
    if (code == EX_OK && !common->json) {
        code = show_table(&p);
    } else if (code == EX_OK) {
        code = opt->cursor != NULL ? show_json_page(&p) : show_json(&p);
    }
    note_broken(&p);
    free(p.next);
    cli_cache_close(&c);
    return code;
}

const cli_command cli_cache_ls = {
    .name = "cache ls",
    .operands = "",
    .summary = "list the values in a cache",
    .about =
        "Lists the values that this actor may read or execute, in no order; results of tasks are\n"
        "among them. refq get prints one. MAY is what this actor may do with it. When there are\n"
        "more, the cursor of the next page goes to stderr; with -o json, --cursor start begins\n"
        "paging by objects that hold it.\n",
    .example = "refq cache ls --queue docs --namespace org:acme --children --as user:alice",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct ls_options),
    .min_operands = 0,
    .max_operands = 0,
    .run = run,
};
