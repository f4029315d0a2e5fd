/* SPDX-License-Identifier: MIT */
/* Starting an external program: command line, environment, folder. */
#include "run/exec_state.h"

#include "base/error.h"
#include "run/argv.h"
#include "run/env.h"
#include "run/keeper_wire.h"

static refq_err too_long(const rqi_strv *argv, const rqi_strv *env, refq_error *err)
{
    if (argv->text.err == REFQ_ERR_LIMIT || env->text.err == REFQ_ERR_LIMIT) {
        return rqi_fail(err, REFQ_ERR_LIMIT,
                        "the command line or the environment exceeds %zu KiB; pass large values on "
                        "stdin instead",
                        RQI_KEEPER_TEXT_MAX / 1024);
    }
    return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory for a command line");
}

/* Appends where the result goes; nothing when it is no file. */
static refq_err name_result(rqi_exec *e, rqi_buf *path, refq_error *err)
{
    if (e->def.output != REFQ_OUTPUT_FILE) {
        return REFQ_OK;
    }
    refq_err code = rqi_folder_name(&e->folder, err);
    rqi_buf_addf(path, "%s/" RQI_RESULT_NAME, rqi_buf_str(&e->folder));
    return code;
}

static refq_err fill_in(const rqi_exec *e, const rqi_exec_call *call, const char *result,
                        rqi_strv *argv, rqi_strv *env, refq_error *err)
{
    const rqi_template template = {
        .argv = e->def.argv, .output = result, .allow_dash = e->def.allow_dash};
    refq_err code =
        rqi_argv_expand(&template, call->named.len > 0 ? call->named : call->args, argv, err);
    if (code == REFQ_OK) {
        code = rqi_env_build(call, result, env, err);
    }
    if (code == REFQ_OK && (rqi_strv_make(argv) == NULL || rqi_strv_make(env) == NULL)) {
        code = too_long(argv, env, err);
    }
    return code;
}

static refq_err spawn(rqi_exec *e, const rqi_exec_call *call, refq_error *err)
{
    rqi_strv argv = {.text = rqi_buf_make(RQI_KEEPER_TEXT_MAX)};
    rqi_strv env = {.text = rqi_buf_make(RQI_KEEPER_TEXT_MAX)};
    rqi_buf result = {0};
    refq_err code = name_result(e, &result, err);
    if (code == REFQ_OK) {
        code = fill_in(e, call, result.len > 0 ? rqi_buf_str(&result) : NULL, &argv, &env, err);
    }
    if (code == REFQ_OK) {
        rqi_spawn order = {.argv = argv.ptr,
                           .envp = env.ptr,
                           .directory = e->def.directory,
                           .folder = e->folder.len > 0 ? rqi_buf_str(&e->folder) : NULL};
        code = rqi_exec_order(e, &order, err);
    }
    rqi_buf_done(&result);
    rqi_strv_done(&argv);
    rqi_strv_done(&env);
    return code;
}

static const rqi_exec_manner manner = {.spawn = spawn, .verdict = rqi_verdict, .term = true};

refq_err rqi_exec_start(rqi_keeper *keeper, const rqi_exec_call *call, rqi_exec **ret,
                        refq_error *err)
{
    bool piped = call->def->input == REFQ_INPUT_JSON;
    return rqi_exec_begin(keeper, call, &manner, piped ? &call->args : NULL, ret, err);
}
