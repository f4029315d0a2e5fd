/* SPDX-License-Identifier: MIT */
#include "run/exec_def.h"

#include "base/error.h"
#include "run/argv.h"
#include "run/limits.h"
#include "run/scrape.h"

#include <stdlib.h>
#include <string.h>

#define OUTPUT_DEFAULT ((size_t)16 << 20)
#define OUTPUT_MAX     ((size_t)200 << 20) /* below what a reader takes as one reply */
#define KILL_GRACE_MS  5000
#define LOG_TAIL       4096
#define LOG_TAIL_MAX   65536

refq_err rqi_exec_def_check(const refq_exec_def *def, refq_error *err)
{
    if (def->max_output > OUTPUT_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "max_output is at most %zu MiB", OUTPUT_MAX >> 20);
    }
    if (def->log_tail > LOG_TAIL_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "log_tail is at most %d KiB", LOG_TAIL_MAX / 1024);
    }
    refq_err code = rqi_argv_check(def->argv, err);
    if (code == REFQ_OK && def->output != REFQ_OUTPUT_FILE && rqi_argv_uses_output(def->argv)) {
        code = rqi_fail(err, REFQ_ERR_INVALID, "{@output} in the command needs output: file");
    }
    if (code == REFQ_OK) {
        code = rqi_limits_check(&def->limits, err);
    }
    if (code == REFQ_OK && def->progress != NULL) {
        code = rqi_scrape_check(def->progress, err);
    }
    return code;
}

/* Copies text when set; *ok turns false when there is no memory. */
static const char *copy(const char *text, bool *ok)
{
    char *out = text != NULL ? strdup(text) : NULL;
    *ok = *ok && (text == NULL || out != NULL);
    return out;
}

static const char *const *copy_list(const char *const *list, bool *ok)
{
    size_t n = 0;
    while (list != NULL && list[n] != NULL) {
        n++;
    }
    const char **out = list != NULL ? calloc(n + 1, sizeof *out) : NULL;
    *ok = *ok && (list == NULL || out != NULL);
    for (size_t i = 0; out != NULL && i < n; i++) {
        out[i] = copy(list[i], ok);
    }
    return out;
}

static void free_list(const char *const *list)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
        free((void *)list[i]);
    }
    free((void *)list);
}

refq_err rqi_exec_def_copy(const refq_exec_def *def, refq_exec_def *ret, refq_error *err)
{
    bool ok = true;
    refq_exec_def out = *def;
    out.argv = copy_list(def->argv, &ok);
    out.env = copy_list(def->env, &ok);
    out.directory = copy(def->directory, &ok);
    out.progress = copy(def->progress, &ok);
    out.max_output = def->max_output != 0 ? def->max_output : OUTPUT_DEFAULT;
    out.kill_grace_ms = def->kill_grace_ms != 0 ? def->kill_grace_ms : KILL_GRACE_MS;
    out.log_tail = def->log_tail != 0 ? def->log_tail : LOG_TAIL;
    if (!ok) {
        rqi_exec_def_done(&out);
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory for the definition of a program");
    }
    *ret = out;
    return REFQ_OK;
}

void rqi_exec_def_done(refq_exec_def *def)
{
    free((void *)def->directory);
    free((void *)def->progress);
    free_list(def->argv);
    free_list(def->env);
    *def = (refq_exec_def){0};
}
