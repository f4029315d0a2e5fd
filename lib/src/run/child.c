/* SPDX-License-Identifier: MIT */
#include "run/child.h"

#include "base/error.h"
#include "codec/json.h"
#include "run/child_wire.h"
#include "run/exec_state.h"
#include "run/plugin.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* --- The end ---------------------------------------------------------------------------------- */

static void crashed(const rqi_ending *e, rqi_outcome *outcome)
{
    char words[RQI_WORDS_MAX];
    int status = e->event->status;
    rqi_verdict_words(outcome, words, sizeof words);
    if (WIFSIGNALED(status)) {
        rqi_outcome_fail(outcome, RQI_CRASHED, "the handler crashed: signal %d (%s)%s",
                         WTERMSIG(status), strsignal(WTERMSIG(status)), words);
        return;
    }
    rqi_outcome_fail(outcome, RQI_CRASHED,
                     "the handler ended its process (exit %d) instead of returning%s",
                     WEXITSTATUS(status), words);
}

/* A child that corrupted its memory may write anything. */
static bool is_json(const char *text, size_t len)
{
    json_t *value = NULL;
    refq_err code =
        rqi_json_load_any(text, len, RQI_CHILD_VALUE_MAX, RQI_CHILD_DEPTH_MAX, &value, NULL);
    json_decref(value);
    return code == REFQ_OK;
}

/* False when it is no complete result. */
static bool take_result(rqi_buf *out, rqi_outcome *outcome)
{
    rqi_child_result result;
    if (out->len < sizeof result) {
        return false;
    }
    memcpy(&result, out->ptr, sizeof result);
    rqi_buf_consume(out, sizeof result);
    if (result.magic != RQI_CHILD_MAGIC || result.kind > RQI_PERMANENT ||
        result.error_len >= RQI_ERROR_MAX || result.error_len > out->len ||
        result.value_len != out->len - result.error_len) {
        return false;
    }
    if (result.kind != RQI_DONE) {
        rqi_outcome_fail(outcome, result.kind, "%.*s", (int)result.error_len, rqi_buf_str(out));
        outcome->retry_after_ms = result.retry_after_ms;
        return true;
    }
    rqi_buf_consume(out, result.error_len);
    if (!is_json(rqi_buf_str(out), out->len)) {
        return false;
    }
    outcome->kind = RQI_DONE;
    outcome->value = *out;
    *out = (rqi_buf){0};
    return true;
}

static void verdict(const rqi_ending *e, rqi_outcome *outcome)
{
    if (rqi_verdict_early(e, outcome)) {
        return;
    }
    if (e->event->kind == RQI_CHILD_REFUSED) {
        rqi_outcome_fail(outcome, RQI_RETRYABLE, "cannot start a process for the handler: %s: %s",
                         e->event->stage, strerror(e->event->error));
    } else if (!take_result(e->out, outcome)) {
        crashed(e, outcome);
    }
}

/* --- The start -------------------------------------------------------------------------------- */

static void compose(const rqi_run *run, const rqi_exec_call *call, rqi_buf *ret)
{
    const rqi_handler *h = run->handler;
    rqi_child_input input = {
        .fn = h->fn,
        .arg = h->arg,
        .ref = run->ref,
        .number = run->number,
        .timeout_ms = run->timeout_ms,
        .deadline_ms = run->deadline_ms,
        .can_ask = call->on_ask != NULL,
        .can_log = call->log != NULL && call->log->fn != NULL,
        .log_level = call->log != NULL ? call->log->level : REFQ_LOG_ERROR,
        .args_len = run->args.len,
        .json_len = run->args.len == 0 ? run->json.len : 0,
    };
    const rqi_plugin *plugin = h->plugin;
    if (plugin != NULL) {
        input.plugin_len = strlen(plugin->path);
        input.config_len = strlen(plugin->config);
    }
    (void)snprintf(input.fence, sizeof input.fence, "%s", run->fence);
    (void)snprintf(input.task, sizeof input.task, "%s", h->def.name);
    rqi_buf_add(ret, &input, sizeof input);
    if (plugin != NULL) {
        rqi_buf_adds(ret, plugin->path);
        rqi_buf_adds(ret, plugin->config);
    }
    rqi_buf_add(ret, rqi_buf_str(&run->args), input.args_len);
    rqi_buf_add(ret, rqi_buf_str(&run->json), input.json_len);
}

static refq_err spawn(rqi_exec *e, const rqi_exec_call *call, refq_error *err)
{
    static char name[] = "refq-child";
    char *const argv[] = {name, NULL};
    char *const env[] = {NULL};
    (void)call;
    rqi_spawn order = {.argv = argv, .envp = env, .calls = true};
    return rqi_exec_order(e, &order, err);
}

static const rqi_exec_manner manner = {.spawn = spawn, .verdict = verdict, .logs = true};

refq_err rqi_child_start(rqi_keeper *keeper, const rqi_run *run, const rqi_exec_call *call,
                         rqi_exec **ret, refq_error *err)
{
    /* A plugin is loaded by the child itself. */
    if (run->handler->plugin == NULL && run->handler->serial > rqi_keeper_serial(keeper)) {
        return rqi_fail(err, REFQ_ERR_UNSUPPORTED,
                        "task %s was registered after the worker had started, so it cannot run in "
                        "a child process; restart the worker",
                        run->handler->def.name);
    }
    const refq_exec_def none = {0};
    refq_exec_def def = call->def != NULL ? *call->def : none;
    def.output = REFQ_OUTPUT_TEXT;
    def.progress = NULL;
    def.max_output = RQI_CHILD_VALUE_MAX + RQI_ERROR_MAX + sizeof(rqi_child_result);
    rqi_exec_call own = *call;
    own.def = &def;
    rqi_buf input = {0};
    compose(run, call, &input);
    if (input.err != REFQ_OK) {
        rqi_buf_done(&input);
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory for a child process");
    }
    refq_bytes bytes = rqi_buf_bytes(&input);
    refq_err code = rqi_exec_begin(keeper, &own, &manner, &bytes, ret, err);
    rqi_buf_done(&input);
    return code;
}
