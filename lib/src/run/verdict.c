/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. What refq did to the program comes before what the program says: a
 * cancelled one may exit with anything, also with 0. Then stands how it ended,
 * and only after a clean end is its output looked at.
 */
#include "run/verdict.h"

#include "base/parse.h"
#include "base/utf8.h"
#include "run/output.h"
#include "run/result.h"
#include "run/tail.h"
#include "run/text.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define LINE_SHOWN (RQI_WORDS_MAX - 16)

static const struct {
    int error;
    bool passing; /* it may well work later */
    const char *hint;
} refusals[] = {
    {EACCES, false, " (is it executable?)"},
    {ENOENT, false, " (is the path right, and the interpreter in its first line?)"},
    {ENOEXEC, false, " (is it built for this machine, or does it lack a #! line?)"},
    {EAGAIN, true, " (the limit of processes is reached)"},
    {ENOMEM, true, ""},
    {EMFILE, true, " (the limit of open files is reached)"},
    {ENFILE, true, " (the system's limit of open files is reached)"},
    {ETXTBSY, true, " (it is being written)"},
    {EIO, true, ""},
};

static void refused(const rqi_ending *e, rqi_outcome *outcome)
{
    bool passing = false;
    const char *hint = "";
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (refusals[i].error == e->event->error) {
            passing = refusals[i].passing;
            hint = refusals[i].hint;
        }
    }
    rqi_outcome_kind kind = passing ? RQI_RETRYABLE : RQI_PERMANENT;
    const char *reason = strerror(e->event->error);
    if (strcmp(e->event->stage, "exec") == 0) {
        rqi_outcome_fail(outcome, kind, "cannot execute %.512s: %s%s", e->def->argv[0], reason,
                         hint);
    } else if (strcmp(e->event->stage, "chdir") == 0) {
        rqi_outcome_fail(outcome, kind, "cannot change to the directory %.512s: %s",
                         e->def->directory, reason);
    } else if (strcmp(e->event->stage, "mkdir") == 0) {
        rqi_outcome_fail(outcome, RQI_RETRYABLE,
                         "cannot make a folder for the output file in TMPDIR (or /tmp): %s",
                         reason);
    } else {
        rqi_outcome_fail(outcome, kind, "cannot start %.512s: %s failed: %s", e->def->argv[0],
                         e->event->stage, reason);
    }
}

void rqi_verdict_words(const rqi_outcome *outcome, char *out, size_t size)
{
    size_t len = 0;
    const char *text = rqi_buf_str(&outcome->log_tail);
    const char *line = rqi_tail_last_line(text, outcome->log_tail.len, &len);
    size_t cut = rqi_utf8_cut(line, len, LINE_SHOWN);
    (void)snprintf(out, size, "%s%.*s%s", len > 0 ? ": " : "", (int)cut, line,
                   cut < len ? "..." : "");
    rqi_text_flatten(out);
}

/* The signal that ended the program, or, as shells tell it, a program it started; 0 = none. */
static int signal_of(int status)
{
    if (WIFSIGNALED(status)) {
        return WTERMSIG(status);
    }
    return WEXITSTATUS(status) > 128 ? WEXITSTATUS(status) - 128 : 0;
}

/* True, and the error is set, when it died of a limit and the kernel said so. */
static bool hit_limit(const rqi_ending *e, rqi_outcome *outcome)
{
    const refq_exec_limits *limits = &e->def->limits;
    int signal = signal_of(e->event->status);
    char duration[32];
    if (signal == SIGXCPU && limits->cpu_ms > 0) {
        rqi_outcome_fail(outcome, RQI_RETRYABLE,
                         "used more CPU time than its limit of %s; raise limits: cpu",
                         rqi_format_duration(duration, sizeof duration, limits->cpu_ms));
        return true;
    }
    if (signal == SIGXFSZ && limits->file_size > 0) {
        rqi_outcome_fail(outcome, RQI_RETRYABLE,
                         "wrote a file larger than its limit of %zu bytes; raise limits: file_size",
                         limits->file_size);
        return true;
    }
    return false;
}

static void ended(const rqi_ending *e, rqi_outcome *outcome)
{
    char words[RQI_WORDS_MAX];
    if (hit_limit(e, outcome)) {
        return;
    }
    rqi_verdict_words(outcome, words, sizeof words);
    int status = e->event->status;
    if (WIFSIGNALED(status)) {
        rqi_outcome_fail(outcome, RQI_RETRYABLE, "killed by signal %d (%s)%s", WTERMSIG(status),
                         strsignal(WTERMSIG(status)), words);
        return;
    }
    int code = WEXITSTATUS(status);
    if (code == 0 && e->def->output == REFQ_OUTPUT_FILE &&
        !rqi_result_read(e->event->result, e->max_output, e->out, outcome)) {
        return;
    }
    if (code == 0) {
        rqi_output_convert(e->def->output, e->out, outcome);
        return;
    }
    rqi_outcome_fail(outcome, code == RQI_EXIT_PERMANENT ? RQI_PERMANENT : RQI_RETRYABLE,
                     "exit %d%s", code, words);
}

bool rqi_verdict_early(const rqi_ending *e, rqi_outcome *outcome)
{
    char duration[32];
    if (e->cancelled) {
        rqi_outcome_fail(outcome, RQI_CANCELLED, "cancelled");
    } else if (e->event->kind == RQI_CHILD_LOST) {
        outcome->lost = true;
        rqi_outcome_fail(outcome, RQI_RETRYABLE,
                         "a process that looks after programs died, and the program with it");
    } else if (e->overflowed) {
        rqi_outcome_fail(outcome, RQI_PERMANENT,
                         "output exceeds the limit of %zu bytes; raise max_output or use fewer "
                         "results",
                         e->max_output);
    } else if (e->timed_out) {
        rqi_outcome_fail(outcome, RQI_RETRYABLE, "timed out after %s",
                         rqi_format_duration(duration, sizeof duration, e->timeout_ms));
    } else if (e->out->err != REFQ_OK) {
        rqi_outcome_fail(outcome, RQI_RETRYABLE, "the worker is out of memory for the output");
    } else {
        return false;
    }
    return true;
}

void rqi_verdict(const rqi_ending *e, rqi_outcome *outcome)
{
    if (rqi_verdict_early(e, outcome)) {
        return;
    }
    if (e->event->kind == RQI_CHILD_REFUSED) {
        refused(e, outcome);
    } else {
        ended(e, outcome);
    }
}
