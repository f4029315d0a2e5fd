/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Of exec only the program itself, argv[0], is taken relative to the
 * task file's folder, and only when it has a slash. The other arguments are
 * handed on untouched: "s/a/b/", "image/png" and "{dir}/x" have slashes too.
 * They still find files beside the task file, because the working directory is
 * that folder unless the file says otherwise.
 */
#include "config/config_exec.h"

#include "base/buf.h"
#include "config/place.h"
#include "run/argv.h"
#include "run/exec_def.h"
#include "run/scrape.h"

#include <stdio.h>
#include <string.h>

#define MAX_ARGS       256
#define MAX_ENV        128
#define MAX_TEXT       8192
#define MAX_START_SIZE ((size_t)64 * 1024) /* leaves room for the values of placeholders */

static bool is_relative_path(const char *text)
{
    return text[0] != '/';
}

/* folder/path, without a leading "./"; path itself when it is absolute. */
static const char *absolute(const rqi_reading *r, const char *path)
{
    if (!is_relative_path(path)) {
        return path;
    }
    while (strncmp(path, "./", 2) == 0) {
        path += 2 + strspn(path + 2, "/");
    }
    rqi_buf out = {0};
    rqi_buf_addf(&out, "%s/%s", strcmp(r->folder, "/") == 0 ? "" : r->folder, path);
    return rqi_arena_own(r->arena, rqi_buf_take(&out, NULL));
}

static refq_err check_length(const rqi_reading *r, const char *what, const rqi_yaml_node *node,
                             const char *text)
{
    if (strlen(text) <= MAX_TEXT) {
        return REFQ_OK;
    }
    return rqi_fail_at(r->err, REFQ_ERR_LIMIT, r->file, node->line, "%.60s is longer than %d bytes",
                       what, MAX_TEXT);
}

/* Text with every brace doubled, as templates write a plain one. */
static const char *as_template(const rqi_reading *r, const char *text)
{
    rqi_buf out = {0};
    for (; *text != '\0'; text++) {
        rqi_buf_addc(&out, *text);
        if (*text == '{' || *text == '}') {
            rqi_buf_addc(&out, *text);
        }
    }
    return rqi_arena_own(r->arena, rqi_buf_take(&out, NULL));
}

/* The reverse, for a template that is known to hold no placeholder. */
static const char *without_template(const rqi_reading *r, const char *text)
{
    rqi_buf out = {0};
    for (; *text != '\0'; text++) {
        rqi_buf_addc(&out, *text);
        text += *text == '{' || *text == '}';
    }
    return rqi_arena_own(r->arena, rqi_buf_take(&out, NULL));
}

/* --- exec --------------------------------------------------------------------------------------
 */

static refq_err read_arg(const rqi_reading *r, const rqi_yaml_node *node, unsigned i,
                         const char **ret_text)
{
    char what[48];
    (void)snprintf(what, sizeof what, "exec: entry %u", i + 1);
    refq_err e = rqi_read_scalar(r, what, node, ret_text);
    return e == REFQ_OK ? check_length(r, what, node, *ret_text) : e;
}

static refq_err read_args(const rqi_reading *r, const rqi_yaml_node *node, const char **argv)
{
    unsigned i = 0;
    for (const rqi_yaml_node *child = node->first; child != NULL; child = child->next, i++) {
        refq_err e = read_arg(r, child, i, &argv[i]);
        if (e != REFQ_OK) {
            return e;
        }
    }
    return REFQ_OK;
}

static refq_err check_args(const rqi_reading *r, const rqi_yaml_node *node, const char *const *argv)
{
    refq_error inner;
    refq_err e = rqi_argv_check(argv, &inner);
    if (e == REFQ_OK) {
        return e;
    }
    return rqi_fail_at(r->err, e, r->file, node->line, "exec: %s", inner.text);
}

/* A program with a slash becomes an absolute path. It stays a template, whatever the folder's name
 * holds. */
static refq_err set_program(const rqi_reading *r, rqi_config_task *task, const char **argv)
{
    task->argv0 = argv[0];
    if (strchr(argv[0], '/') == NULL) {
        return REFQ_OK;
    }
    const char *plain = without_template(r, argv[0]);
    task->program = plain != NULL ? absolute(r, plain) : NULL;
    argv[0] = task->program != NULL ? as_template(r, task->program) : NULL;
    return argv[0] != NULL ? REFQ_OK : rqi_read_nomem(r);
}

refq_err rqi_read_exec(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                       void *target)
{
    rqi_config_task *task = target;
    refq_err e = rqi_read_expect(r, key->name, node, RQI_YAML_LIST);
    if (e != REFQ_OK) {
        return e;
    }
    if (node->count == 0 || node->count > MAX_ARGS) {
        return rqi_fail_at(r->err, REFQ_ERR_LIMIT, r->file, node->line,
                           "exec has %u entries; allowed are 1 to %d, the program first",
                           node->count, MAX_ARGS);
    }
    const char **argv = rqi_arena_alloc(r->arena, node->count + 1, sizeof *argv);
    if (argv == NULL) {
        return rqi_read_nomem(r);
    }
    e = read_args(r, node, argv);
    if (e == REFQ_OK) {
        e = check_args(r, node, argv);
    }
    if (e != REFQ_OK) {
        return e;
    }
    task->exec.argv = argv;
    task->exec_line = node->first->line;
    return set_program(r, task, argv);
}

/* --- directory ---------------------------------------------------------------------------------
 */

refq_err rqi_read_directory(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                            void *target)
{
    rqi_config_task *task = target;
    const char *text = "";
    refq_err e = rqi_read_scalar(r, key->name, node, &text);
    if (e == REFQ_OK) {
        e = check_length(r, key->name, node, text);
    }
    if (e != REFQ_OK) {
        return e;
    }
    task->exec.directory = absolute(r, text);
    task->directory_line = node->line;
    return task->exec.directory != NULL ? REFQ_OK : rqi_read_nomem(r);
}

/* --- env ---------------------------------------------------------------------------------------
 */

static bool is_env_name(const char *name, size_t len)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    return len > 0 && strchr(letters, name[0]) != NULL && strspn(name, all) >= len;
}

static refq_err check_env(const rqi_reading *r, const rqi_yaml_node *node, const char *pair,
                          const char *const *before)
{
    size_t len = strcspn(pair, "=");
    if (!is_env_name(pair, len)) {
        return rqi_fail_at(r->err, REFQ_ERR_INVALID, r->file, node->line,
                           "env: '%.*s' is not a variable's name; use letters, digits and _",
                           (int)(len < 40 ? len : 40), pair);
    }
    if (strncmp(pair, "REFQ_", 5) == 0 || strncmp(pair, "TRACEPARENT=", 12) == 0) {
        return rqi_fail_at(
            r->err, REFQ_ERR_INVALID, r->file, node->line,
            "env: %.*s cannot be given here; REFQ_... and TRACEPARENT are the worker's",
            (int)(len < 40 ? len : 40), pair);
    }
    for (; *before != NULL; before++) {
        if (strncmp(*before, pair, len + 1) == 0) {
            return rqi_fail_at(r->err, REFQ_ERR_INVALID, r->file, node->line,
                               "env: %.*s is given twice", (int)(len < 40 ? len : 40), pair);
        }
    }
    return REFQ_OK;
}

/* One NAME=VALUE of a map's or a list's entry. */
static refq_err read_pair(const rqi_reading *r, const rqi_yaml_node *node, const char **ret_pair)
{
    char what[96];
    (void)snprintf(what, sizeof what, "env: %.60s", node->key != NULL ? node->key : "an entry");
    refq_err e = rqi_read_scalar(r, what, node, ret_pair);
    if (e != REFQ_OK) {
        return e;
    }
    if (node->key == NULL && strchr(*ret_pair, '=') == NULL) {
        return rqi_fail_at(r->err, REFQ_ERR_INVALID, r->file, node->line,
                           "env: '%.40s' has no '='; write NAME=VALUE", *ret_pair);
    }
    if (node->key != NULL && strchr(node->key, '=') != NULL) {
        return rqi_fail_at(r->err, REFQ_ERR_INVALID, r->file, node->line,
                           "env: '%.40s' is not a variable's name; use letters, digits and _",
                           node->key);
    }
    if (node->key != NULL) {
        rqi_buf out = {0};
        rqi_buf_addf(&out, "%s=%s", node->key, *ret_pair);
        *ret_pair = rqi_arena_own(r->arena, rqi_buf_take(&out, NULL));
    }
    return *ret_pair != NULL ? check_length(r, what, node, *ret_pair) : rqi_read_nomem(r);
}

static refq_err read_pairs(const rqi_reading *r, const rqi_yaml_node *node, const char **env)
{
    unsigned i = 0;
    for (const rqi_yaml_node *child = node->first; child != NULL; child = child->next, i++) {
        const char *pair = NULL;
        refq_err e = read_pair(r, child, &pair);
        if (e == REFQ_OK) {
            e = check_env(r, child, pair, env);
        }
        if (e != REFQ_OK) {
            return e;
        }
        env[i] = pair;
    }
    return REFQ_OK;
}

refq_err rqi_read_env(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                      void *target)
{
    rqi_config_task *task = target;
    if (node->kind != RQI_YAML_LIST) {
        refq_err e = rqi_read_expect(r, key->name, node, RQI_YAML_MAP);
        if (e != REFQ_OK) {
            return e;
        }
    }
    if (node->count > MAX_ENV) {
        return rqi_fail_at(r->err, REFQ_ERR_LIMIT, r->file, node->line,
                           "env has %u entries; at most %d are allowed", node->count, MAX_ENV);
    }
    const char **env = rqi_arena_alloc(r->arena, node->count + 1, sizeof *env);
    if (env == NULL) {
        return rqi_read_nomem(r);
    }
    task->exec.env = env;
    return read_pairs(r, node, env);
}

/* --- progress ----------------------------------------------------------------------------------
 */

refq_err rqi_read_progress(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                           void *target)
{
    rqi_config_task *task = target;
    refq_error inner;
    refq_err e = rqi_read_scalar(r, key->name, node, &task->exec.progress);
    if (e != REFQ_OK || (e = rqi_scrape_check(task->exec.progress, &inner)) == REFQ_OK) {
        return e;
    }
    return rqi_fail_at(r->err, e, r->file, node->line, "%s", inner.text);
}

/* --- limits ------------------------------------------------------------------------------------
 */

#define LIMIT(member)       offsetof(refq_exec_limits, member)
#define RANGE(lo, hi, text) .min = (lo), .max = (hi), .allowed = (text)
#define TIB                 ((int64_t)1 << 40)
#define DAY_MS              ((int64_t)24 * 3600 * 1000)

static const rqi_key limit_keys[] = {
    {"memory", rqi_read_size, LIMIT(memory), RANGE(1 << 20, TIB, "1MiB to 1024GiB")},
    {"open_files", rqi_read_count, LIMIT(open_files), RANGE(16, 1048576, "16 to 1048576")},
    {"cpu", rqi_read_duration, LIMIT(cpu_ms), RANGE(1000, 30 * DAY_MS, "1s to 30d")},
    {"file_size", rqi_read_size, LIMIT(file_size), RANGE(1, TIB, "1 byte to 1024GiB")},
    {"processes", rqi_read_count, LIMIT(processes), RANGE(1, 4194304, "1 to 4194304")},
};

const rqi_key_table rqi_limit_table = {"limits", limit_keys,
                                       sizeof limit_keys / sizeof limit_keys[0]};

refq_err rqi_read_limits(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                         void *target)
{
    rqi_config_task *task = target;
    return rqi_read_map(r, key->inner, node, &task->exec.limits);
}

/* --- All of it ---------------------------------------------------------------------------------
 */

static size_t bytes_of(const char *const *texts)
{
    size_t n = 0;
    for (; texts != NULL && *texts != NULL; texts++) {
        n += strlen(*texts) + 1;
    }
    return n;
}

refq_err rqi_read_exec_finish(const rqi_reading *r, rqi_config_task *task)
{
    if (bytes_of(task->exec.argv) + bytes_of(task->exec.env) > MAX_START_SIZE) {
        return rqi_fail_at(r->err, REFQ_ERR_LIMIT, r->file, task->exec_line,
                           "exec and env of task '%s' together exceed %zu bytes", task->def.name,
                           MAX_START_SIZE);
    }
    refq_error inner;
    refq_err e = rqi_exec_def_check(&task->exec, &inner);
    if (e != REFQ_OK) {
        return rqi_fail_at(r->err, e, r->file, task->exec_line, "exec: %s", inner.text);
    }
    if (task->exec.directory == NULL) {
        task->exec.directory = r->folder;
    }
    return REFQ_OK;
}
