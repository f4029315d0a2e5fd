/* SPDX-License-Identifier: MIT */
/*
 * refq get: what a reference leads to.
 *
 * DESIGN. Without options the value is printed whole and as it is stored, for
 * pipes: a preview that looks like a value would be a trap. Whoever wants one
 * says so, by --preview or by saying how large it may be. With -o json it is the
 * response that agents get.
 */
#include "cli.h"

#include "cache_open.h"
#include "exit.h"
#include "out.h"
#include "readers.h"
#include "reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct get_options {
    bool full;
    bool preview;
    cli_number page;
    cli_number page_size;
    cli_number max_size;
    refq_format format;
    bool entry;
    cli_who who;
    const char *store;
};

#define AT(field) offsetof(struct get_options, field)

static const cli_option options[] = {
    {"full", 0, CLI_NO_VALUE, NULL, AT(full), cli_read_flag,
     "print the whole value: the default, said aloud"},
    {"preview", 0, CLI_NO_VALUE, NULL, AT(preview), cli_read_flag,
     "print a preview of a value that is large"},
    {"page", 0, CLI_VALUE, "N", AT(page), cli_read_count, "print this page of it, from 1"},
    {"page-size", 0, CLI_VALUE, "N", AT(page_size), cli_read_count,
     "items of a page, characters of a text (default: 20; what fits)"},
    {"max-size", 0, CLI_VALUE, "N", AT(max_size), cli_read_natural,
     "size of a preview or page in tokens (default: 1000)"},
    {"format", 0, CLI_VALUE, "FORMAT", AT(format), cli_read_reply_format,
     "minimal, standard (default), full: of -o json before it is complete"},
    {"entry", 0, CLI_NO_VALUE, NULL, AT(entry), cli_read_flag,
     "print the whole cache entry, not only its value"},
    CLI_WHO_ROWS(struct get_options, who),
    CLI_STORE_ROW(struct get_options, store),
};

static bool wants_preview(const struct get_options *opt)
{
    return opt->preview || opt->page.given || opt->page_size.given || opt->max_size.given;
}

/* --- Answers ---------------------------------------------------------------------------------- */

static refq_cache_query query_of(const cli_common *common, const struct get_options *opt)
{
    return (refq_cache_query){
        .struct_size = sizeof(refq_cache_query),
        .full = !wants_preview(opt),
        .has_page = opt->page.given || opt->page_size.given,
        .page = opt->page.given ? opt->page.value : 1,
        .has_page_size = opt->page_size.given,
        .page_size = opt->page_size.value,
        .has_max_size = opt->max_size.given,
        .max_size = opt->max_size.value,
        .format = common->json ? opt->format : REFQ_FORMAT_FULL,
    };
}

static int show_reply(const cli_common *common, const struct get_options *opt, const cli_cache *c,
                      const char *ref, const refq_actor *actor)
{
    refq_error err = {0};
    refq_response response = {0};
    refq_cache_query query = query_of(common, opt);
    if (refq_cache_get(c->cache, ref, &query, actor, &response, &err) != REFQ_OK) {
        return cli_cache_fail(&err);
    }
    rqi_buf options_again = {0};
    cli_who_words(&opt->who, opt->store, &options_again);
    int code = common->json ? cli_reply_json(&response)
                            : cli_reply_preview(&response, rqi_buf_str(&options_again));
    rqi_buf_done(&options_again);
    refq_response_free(&response);
    return code;
}

static int show_text(char *text, size_t len)
{
    rqi_buf out = {0};
    rqi_buf_add(&out, text, len);
    rqi_buf_addc(&out, '\n');
    free(text);
    int code = out.err == REFQ_OK ? EX_OK : cli_fail_as(EX_OSERR, "out of memory");
    if (code == EX_OK) {
        (void)cli_out(&out);
    }
    rqi_buf_done(&out);
    return code;
}

/* The value as it is stored; when there is none, why. */
static int show_value(const cli_common *common, const struct get_options *opt, const cli_cache *c,
                      const char *ref, const refq_actor *actor)
{
    char *text = NULL;
    size_t len = 0;
    refq_error err = {0};
    refq_err rc = refq_cache_resolve(c->cache, ref, REFQ_READ, actor, &text, &len, &err);
    if (rc == REFQ_ERR_CONFLICT) {
        return show_reply(common, opt, c, ref, actor);
    }
    if (rc == REFQ_OK && opt->entry) {
        free(text);
        text = NULL;
        rc = refq_store_get(c->store, ref, &text, &len, &err);
    }
    return rc == REFQ_OK ? show_text(text, len) : cli_cache_fail(&err);
}

/* --- The command ------------------------------------------------------------------------------ */

/* The cache's name is what a reference begins with; those of others may begin with anything. */
static int read_ref(const char *ref, char name[REFQ_CACHE_NAME_MAX + 1])
{
    size_t len = strcspn(ref, ":");
    refq_error err = {0};
    if (len == 0 || ref[len] == '\0' || ref[len + 1] == '\0') {
        return cli_fail_as(
            EX_USAGE, "'%.60s' is not a reference, which looks like docs:0123456789abcdef", ref);
    }
    if (refq_store_id_check(ref, &err) != REFQ_OK) {
        return cli_fail_as(EX_USAGE, "%s", err.text);
    }
    bool fits = len <= REFQ_CACHE_NAME_MAX;
    (void)snprintf(name, REFQ_CACHE_NAME_MAX + 1, "%.*s", fits ? (int)len : 0, ref);
    if (refq_queue_check(name, NULL) != REFQ_OK) {
        (void)snprintf(name, REFQ_CACHE_NAME_MAX + 1, "default");
    }
    return EX_OK;
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    const struct get_options *opt = given;
    char name[REFQ_CACHE_NAME_MAX + 1];
    cli_cache c = {0};
    refq_actor actor = cli_who_actor(&opt->who);
    if (opt->entry && (wants_preview(opt) || common->json)) {
        return cli_fail_as(EX_USAGE, "get: --entry goes with neither -o json nor what makes a "
                                     "preview");
    }
    if (opt->full && wants_preview(opt)) {
        return cli_fail_as(EX_USAGE, "get: --full is the whole value; it goes without what makes "
                                     "a preview");
    }
    int code = read_ref(argv[0], name);
    code = code == EX_OK ? cli_cache_open(common, opt->store, name, CLI_CACHE_TASKS, &c) : code;
    if (code == EX_OK) {
        bool reply = common->json || wants_preview(opt);
        code = reply ? show_reply(common, opt, &c, argv[0], &actor)
                     : show_value(common, opt, &c, argv[0], &actor);
    }
    cli_cache_close(&c);
    return code;
}

const cli_command cli_get = {
    .name = "get",
    .operands = "REF",
    .summary = "print what a reference leads to",
    .about =
        "Prints the value of a task or of the ref cache as JSON, whole and as it is stored, or\n"
        "a preview or page of it. With -o json: the response that agents get, with the value\n"
        "or how the task stands. Without --as it is read as by an agent nobody knows, who may\n"
        "read what has the default policy. With --store only what is stored there is known.\n"
        "Exit status: 0 printed, 1 the task failed or was cancelled, 66 no such reference, or\n"
        "not for this actor, 75 not complete yet.\n",
    .example = "refq get docs:0123456789abcdef0123456789abcdef | jq -r '.[0]'",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct get_options),
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
