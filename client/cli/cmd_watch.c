/* SPDX-License-Identifier: MIT */
/*
 * refq watch: follows a task until it is over.
 *
 * DESIGN. Changes are pushed; this command asks for nothing in between. Three
 * ways of showing a change share one callback: a bar on a terminal, a line in a
 * pipe, an object with -o json. What a change looks like decides whether it is
 * one: the same line twice is shown once. The end is shown after the wait, because
 * only then can the history be asked for the whole error: a record has its start.
 */
#include "cli.h"

#include "exit.h"
#include "history.h"
#include "out.h"
#include "screen.h"
#include "task_view.h"
#include "text.h"

#include "base/parse.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct watch_options {
    cli_number timeout; /* ms */
};

static const cli_option options[] = {
    {"timeout", 't', CLI_VALUE, "DUR", offsetof(struct watch_options, timeout), cli_read_duration,
     "stop after so long (default: never)"},
};

struct watch {
    /* false: the output is gone. The error is that of a task that is over, else "". */
    bool (*show)(struct watch *w, const refq_task *task, const char *error);
    cli_screen *screen; /* NULL unless shown as a bar */
    rqi_buf last;       /* the line shown last */
};

/* --- Showing a change ------------------------------------------------------------------------- */

static bool show_if_new(struct watch *w, rqi_buf *line)
{
    bool same = strcmp(rqi_buf_str(line), rqi_buf_str(&w->last)) == 0;
    rqi_buf_done(&w->last);
    w->last = *line;
    return same || cli_out_line(rqi_buf_str(&w->last));
}

static void add_remark(rqi_buf *line, const refq_task *task, const char *error, const char *before)
{
    rqi_buf remark = {0};
    if (error[0] != '\0') {
        cli_text_clean(&remark, error, strlen(error));
    } else {
        cli_task_remark(&remark, task);
    }
    rqi_buf_addf(line, "%s%s", remark.len > 0 ? before : "", rqi_buf_str(&remark));
    rqi_buf_done(&remark);
}

static bool show_line(struct watch *w, const refq_task *task, const char *error)
{
    rqi_buf line = {0};
    rqi_buf_adds(&line, refq_status_name(refq_task_status(task)));
    add_remark(&line, task, error, " ");
    return show_if_new(w, &line);
}

static bool show_json(struct watch *w, const refq_task *task, const char *error)
{
    json_t *json = cli_task_json_full(task, error);
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    rqi_buf line = {0};
    rqi_buf_adds(&line, text != NULL ? text : "null");
    free(text);
    json_decref(json);
    return show_if_new(w, &line);
}

/* Called on the client's thread; the main thread only waits meanwhile. */
static bool on_change(void *arg, const refq_task *task)
{
    struct watch *w = arg;
    if (refq_status_is_terminal(refq_task_status(task))) {
        return true;
    }
    if (w->screen != NULL) {
        cli_screen_update(w->screen, task);
        return true;
    }
    return w->show(w, task, "");
}

/* --- The end ---------------------------------------------------------------------------------- */

static void add_span(rqi_buf *line, const refq_task *task)
{
    char span[32];
    int64_t end = refq_task_number(task, "completed_at", -1);
    int64_t start = refq_task_number(task, "started_at", -1);
    if (start >= 0 && end >= start) {
        rqi_buf_addf(line, "  in %s", rqi_format_duration(span, sizeof span, end - start));
    }
}

/* The bar's line is gone; what became of the task stays on the screen. */
static bool show_last_line(struct watch *w, const refq_task *task, const char *error)
{
    refq_status status = refq_task_status(task);
    rqi_buf line = {0};
    (void)w;
    cli_paint(&line, cli_colour_wanted(STDOUT_FILENO), cli_tone_of(status),
              refq_status_name(status));
    add_span(&line, task);
    add_remark(&line, task, error, "  ");
    bool good = cli_out_line(rqi_buf_str(&line));
    rqi_buf_done(&line);
    return good;
}

static bool show_end(struct watch *w, refq_client *client, const refq_task *task)
{
    rqi_buf error = {0};
    if (refq_task_status(task) == REFQ_FAILED) {
        cli_history_error(client, task, &error);
    }
    bool good = w->show(w, task, rqi_buf_str(&error));
    rqi_buf_done(&error);
    return good;
}

static int end_status(const refq_task *task)
{
    char ref[REFQ_REF_MAX + 1];
    refq_status status = refq_task_status(task);
    if (refq_status_is_terminal(status)) {
        return status == REFQ_COMPLETE ? EX_OK : CLI_EXIT_NO;
    }
    return cli_fail_as(EX_TEMPFAIL, "the time is up and %s is still %s",
                       refq_ref_format(refq_task_ref(task), ref), refq_status_name(status));
}

/* --- The command ------------------------------------------------------------------------------ */

static int prepare(struct watch *w, const cli_common *common)
{
    const char *term = getenv("TERM");
    bool plain = term == NULL || strcmp(term, "dumb") == 0 || !isatty(STDOUT_FILENO);
    refq_error err = {0};
    *w = (struct watch){.show = common->json ? show_json : show_line};
    if (common->json || plain) {
        return EX_OK;
    }
    w->show = show_last_line;
    return cli_screen_open(&w->screen, &err) == REFQ_OK ? EX_OK : cli_fail(&err);
}

static int follow(struct watch *w, refq_client *client, const refq_ref *ref, int64_t timeout_ms)
{
    refq_task *task = NULL;
    refq_error err = {0};
    refq_err code = refq_client_wait(client, ref, timeout_ms, on_change, w, &task, &err);
    cli_screen_close(w->screen);
    if (code != REFQ_OK) {
        return cli_fail(&err);
    }
    int result = show_end(w, client, task) ? end_status(task) : EX_IOERR;
    refq_task_free(task);
    return result;
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    const struct watch_options *opt = given;
    struct watch w = {0};
    refq_ref ref;
    refq_client *client = NULL;
    int code = cli_parse_ref(argv[0], &ref);
    code = code == EX_OK ? cli_connect(common, &client) : code;
    if (code != EX_OK) {
        return code;
    }
    code = prepare(&w, common);
    if (code == EX_OK) {
        code = follow(&w, client, &ref, opt->timeout.given ? opt->timeout.value : -1);
    }
    rqi_buf_done(&w.last);
    refq_client_close(client);
    return code;
}

const cli_command cli_watch = {
    .name = "watch",
    .operands = "REF",
    .summary = "follow a task until it is over",
    .about =
        "Shows a progress bar on a terminal and one line per change elsewhere; with -o json one\n"
        "object per change. Ctrl-C ends the watching, not the task.\n"
        "Exit status: 0 complete, 1 failed or cancelled, 66 no such task, 75 the time is up.\n",
    .example = "refq watch docs:0123456789abcdef0123456789abcdef --timeout 10m",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct watch_options),
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
