/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The first of two entries with one name wins, so the order of adding is
 * the order of precedence: refq's own, then the definition's, then the worker's.
 * Where Redis is, and its password, is nobody's business here: whoever has them
 * can write any task's result.
 */
#include "run/env.h"

#include "base/error.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX  256
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *const taken_over[] = {"PATH", "HOME",   "LANG", "LC_ALL",
                                         "TZ",   "TMPDIR", "USER", NULL};

static bool has_name(const char *entry, const char *name, size_t len)
{
    return strncmp(entry, name, len) == 0 && entry[len] == '=';
}

static bool is_set(const rqi_strv *v, const char *name, size_t len)
{
    const char *at = rqi_buf_str(&v->text);
    for (size_t i = 0; i < v->n; i++) {
        if (has_name(at, name, len)) {
            return true;
        }
        at += strlen(at) + 1;
    }
    return false;
}

/* refq's own names: those of its connection are secrets, the others are set here. */
static bool is_ours(const char *entry)
{
    return strncmp(entry, "REFQ_", 5) == 0;
}

static void set(rqi_strv *v, const char *name, const char *value)
{
    if (value == NULL || v->text.err != REFQ_OK || is_set(v, name, strlen(name))) {
        return;
    }
    rqi_buf_adds(&v->text, name);
    rqi_buf_addc(&v->text, '=');
    rqi_buf_adds(&v->text, value);
    rqi_strv_end(v);
}

static refq_err set_listed(rqi_strv *v, const char *entry, refq_error *err)
{
    const char *equals = strchr(entry, '=');
    if (equals == NULL || equals == entry) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "'%.60s' in the environment of the task is not NAME=VALUE", entry);
    }
    if (is_ours(entry) || is_set(v, entry, (size_t)(equals - entry))) {
        return REFQ_OK;
    }
    rqi_buf_adds(&v->text, entry);
    rqi_strv_end(v);
    return REFQ_OK;
}

static refq_err set_all_listed(rqi_strv *v, const char *const *env, refq_error *err)
{
    refq_err code = REFQ_OK;
    for (size_t i = 0; code == REFQ_OK && v->text.err == REFQ_OK && env[i] != NULL; i++) {
        if (i == ENTRIES_MAX) {
            return rqi_fail(err, REFQ_ERR_LIMIT,
                            "the task lists more than %d environment variables", ENTRIES_MAX);
        }
        code = set_listed(v, env[i], err);
    }
    return code;
}

refq_err rqi_env_build(const rqi_exec_call *call, const char *output_file, rqi_strv *ret,
                       refq_error *err)
{
    rqi_buf attempt = {0};
    rqi_buf_addf(&attempt, "%u", call->attempt);
    set(ret, "REFQ_REF_ID", call->ref_id);
    set(ret, "REFQ_ATTEMPT", rqi_buf_str(&attempt));
    set(ret, "REFQ_FENCE", call->fence);
    set(ret, "REFQ_OUTPUT_FILE", output_file);
    set(ret, "TRACEPARENT", call->traceparent);
    rqi_buf_done(&attempt);
    if (call->def->env != NULL) {
        refq_err code = set_all_listed(ret, call->def->env, err);
        if (code != REFQ_OK) {
            return code;
        }
    }
    for (const char *const *name = taken_over; *name != NULL; name++) {
        set(ret, *name, getenv(*name));
    }
    set(ret, "PATH", DEFAULT_PATH);
    return REFQ_OK;
}
