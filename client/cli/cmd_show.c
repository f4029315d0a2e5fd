/* SPDX-License-Identifier: MIT */
/*
 * refq show: everything there is to know about a task.
 *
 * DESIGN. Arguments and history are read after the record, each on its own; a
 * part that is gone is said to be gone instead of failing the whole, because
 * this is the command people turn to when something is wrong.
 */
#include "cli.h"

#include "exit.h"
#include "explain.h"
#include "history.h"
#include "history_view.h"
#include "out.h"
#include "task_block.h"
#include "task_view.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

struct whole {
    refq_client *client;
    refq_task *task;
    json_t *args;    /* NULL = gone */
    json_t *history; /* an array */
    rqi_buf error;   /* in full */
    rqi_buf meaning;
};

/* --- Reading ---------------------------------------------------------------------------------- */

static json_t *read_args(refq_client *client, const refq_ref *ref)
{
    refq_texts texts = {0};
    refq_error err = {0};
    if (refq_client_args(client, ref, &texts, &err) != REFQ_OK) {
        return NULL;
    }
    json_t *args = texts.n > 0 ? json_loads(texts.items[0], JSON_ALLOW_NUL, NULL) : NULL;
    refq_texts_free(&texts);
    return args;
}

static int read_whole(struct whole *w, const refq_ref *ref)
{
    refq_error err = {0};
    if (refq_client_status(w->client, ref, &w->task, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    w->args = read_args(w->client, ref);
    cli_history_error(w->client, w->task, &w->error);
    cli_explain(&w->meaning, w->client, w->task);
    return cli_history_read(w->client, ref, &w->history);
}

static void free_whole(struct whole *w)
{
    rqi_buf_done(&w->error);
    rqi_buf_done(&w->meaning);
    json_decref(w->args);
    json_decref(w->history);
    refq_task_free(w->task);
    refq_client_close(w->client);
}

/* --- Showing ---------------------------------------------------------------------------------- */

static int show_json(const struct whole *w)
{
    json_t *record = cli_task_json_full(w->task, rqi_buf_str(&w->error));
    return cli_out_json(json_pack("{s:o, s:s, s:O?, s:O}", "record", record, "meaning",
                                  rqi_buf_str(&w->meaning), "args", w->args, "history",
                                  w->history));
}

static void add_heading(rqi_buf *out, const char *title)
{
    rqi_buf_addc(out, '\n');
    cli_paint(out, cli_colour_wanted(1), CLI_BOLD, title);
    rqi_buf_addc(out, '\n');
}

/* Indented JSON, each line cleaned: strings in it are foreign text. */
static void add_args(rqi_buf *out, const json_t *args)
{
    char *text = args != NULL ? json_dumps(args, JSON_INDENT(2)) : NULL;
    const char *at = text != NULL ? text : "gone: a complete task's are not kept";
    while (at[0] != '\0') {
        size_t len = strcspn(at, "\n");
        rqi_buf_adds(out, "  ");
        cli_text_clean(out, at, len);
        rqi_buf_addc(out, '\n');
        at += len + (at[len] == '\n');
    }
    free(text);
}

static void add_history(rqi_buf *out, const struct whole *w)
{
    if (json_array_size(w->history) == 0) {
        rqi_buf_adds(out, "  no attempt has failed\n");
    }
    for (size_t i = json_array_size(w->history); i-- > 0;) {
        cli_history_add(out, json_array_get(w->history, i), refq_task_seen_at_ms(w->task),
                        cli_colour_wanted(1));
    }
}

static int show_text(const struct whole *w)
{
    rqi_buf text = {0};
    int code = cli_task_block(w->task, w->error.len > 0 ? rqi_buf_str(&w->error) : NULL);
    add_heading(&text, "meaning");
    rqi_buf_adds(&text, "  ");
    cli_text_clean(&text, rqi_buf_str(&w->meaning), w->meaning.len);
    rqi_buf_addc(&text, '\n');
    add_heading(&text, "arguments");
    add_args(&text, w->args);
    add_heading(&text, "history");
    add_history(&text, w);
    (void)cli_out(&text);
    rqi_buf_done(&text);
    return code;
}

/* --- The command ------------------------------------------------------------------------------ */

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)given;
    (void)argc;
    refq_ref ref;
    struct whole w = {0};
    int code = cli_parse_ref(argv[0], &ref);
    code = code == EX_OK ? cli_connect(common, &w.client) : code;
    code = code == EX_OK ? read_whole(&w, &ref) : code;
    if (code == EX_OK) {
        code = common->json ? show_json(&w) : show_text(&w);
    }
    free_whole(&w);
    return code;
}

const cli_command cli_show = {
    .name = "show",
    .operands = "REF",
    .summary = "everything about a task",
    .about = "Shows a task's record, what it means, its arguments, what its attempts came to, and\n"
             "where its value is.\n"
             "Exit status: 0 whatever the status is, 66 when there is no such task.\n",
    .example = "refq show docs:0123456789abcdef0123456789abcdef",
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
