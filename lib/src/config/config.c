/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The file is read in three steps: bytes to a tree with lines
 * (yaml_node.c), tree to structs by the tables below, then a look at the file
 * system. Each step stops at the first mistake: later ones are often only its
 * echo. A task whose program is missing stops the worker from starting at all,
 * because such a worker would take tasks of that name only to fail them.
 */
#include "config/config.h"

#include "base/error.h"
#include "config/config_call.h"
#include "config/config_exec.h"
#include "config/config_plugin.h"
#include "config/config_read.h"
#include "config/place.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND ((int64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define MIB    ((int64_t)1024 * 1024)

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* rqi_read_word() stores an unsigned. */
_Static_assert(sizeof(refq_exec_input) == sizeof(unsigned), "enum size");
_Static_assert(sizeof(refq_exec_output) == sizeof(unsigned), "enum size");

/* --- The keys ----------------------------------------------------------------------------------
 */

static rqi_read_fn read_queue, read_name, read_tasks, read_backoff, read_jitter;

static const char *const input_words[] = {
    [REFQ_INPUT_JSON] = "json", [REFQ_INPUT_NONE] = "none", NULL};
static const char *const output_words[] = {[REFQ_OUTPUT_JSON] = "json",
                                           [REFQ_OUTPUT_TEXT] = "text",
                                           [REFQ_OUTPUT_BASE64] = "base64",
                                           [REFQ_OUTPUT_FILE] = "file",
                                           NULL};
static const char *const jitter_words[] = {"full", "none", NULL};

#define TOP(member)     offsetof(rqi_config, member)
#define TASK(member)    offsetof(rqi_config_task, member)
#define BACKOFF(member) offsetof(refq_backoff, member)

#define RANGE(lo, hi, text) .min = (lo), .max = (hi), .allowed = (text)

/* clang-format off */
static const rqi_key backoff_keys[] = {
    {"base", rqi_read_duration, BACKOFF(base_ms), RANGE(1, DAY, "1ms to 1d")},
    {"factor", rqi_read_number, BACKOFF(factor), RANGE(1, 100, "1 to 100")},
    {"cap", rqi_read_duration, BACKOFF(cap_ms), RANGE(1, 7 * DAY, "1ms to 7d")},
    {"jitter", read_jitter, BACKOFF(no_jitter), .words = jitter_words},
};

static const rqi_key_table backoff_table = {"backoff", backoff_keys, COUNT(backoff_keys)};

static const rqi_key task_keys[] = {
    {"name", read_name, TASK(def.name), .max = REFQ_NAME_MAX, .required = true},
    {"description", rqi_read_text, TASK(def.description), .max = 4096},
    {"exec", rqi_read_exec, .required = true},
    {"directory", rqi_read_directory, .offset = 0},
    {"env", rqi_read_env, .offset = 0},
    {"input", rqi_read_word, TASK(exec.input), .words = input_words},
    {"output", rqi_read_word, TASK(exec.output), .words = output_words},
    {"max_output", rqi_read_size, TASK(exec.max_output), RANGE(1, 200 * MIB, "1 byte to 200MiB")},
    {"kill_grace", rqi_read_duration, TASK(exec.kill_grace_ms),
     RANGE(1, 10 * MINUTE, "1ms to 10m")},
    {"log_tail", rqi_read_size, TASK(exec.log_tail), RANGE(1, 65536, "1 byte to 64KiB")},
    {"progress", rqi_read_progress, .offset = 0},
    {"limits", rqi_read_limits, .inner = &rqi_limit_table},
    {"allow_dash", rqi_read_flag, .offset = TASK(exec.allow_dash)},
    {"input_schema", rqi_read_input_schema, TASK(def.input_schema), .max = 16384},
    {"output_schema", rqi_read_output_schema, TASK(def.output_schema), .max = 16384},
    {"async_timeout", rqi_read_duration, TASK(def.async_timeout_ms), RANGE(1, HOUR, "1ms to 1h")},
    {"timeout", rqi_read_duration, TASK(def.timeout_ms), RANGE(0, 30 * DAY, "0 (no limit) to 30d")},
    {"max_retries", rqi_read_retries, TASK(def.max_retries), RANGE(0, 1000, "0 to 1000")},
    {"backoff", read_backoff, TASK(def.backoff), .inner = &backoff_table},
    {"concurrency", rqi_read_count, TASK(def.concurrency), RANGE(1, 4096, "1 to 4096")},
    {"result_ttl", rqi_read_duration, TASK(def.result_ttl_ms),
     RANGE(SECOND, 366 * DAY, "1s to 366d")},
    {"reuse", rqi_read_reuse, TASK(def.reuse), .words = rqi_reuse_words},
    {"response_format", rqi_read_format, TASK(def.response_format), .words = rqi_format_words},
    {"max_size", rqi_read_max_size, TASK(def.max_size), RANGE(1, 1 << 30, "1 to 1073741824")},
    {"namespace", rqi_read_namespace, TASK(def.namespace_template), .max = 1024},
    {"owner", rqi_read_owner, TASK(def.owner_template), .max = 1024},
    {"session_scoped", rqi_read_flag, TASK(def.session_scoped), .max = 0},
    {"policy", rqi_read_policy, TASK(def.policy), .max = 8192},
};
static const rqi_key_table task_table = {"a task", task_keys, COUNT(task_keys)};

static const rqi_key top_keys[] = {
    {"queue", read_queue, TOP(queue), .max = REFQ_QUEUE_MAX, .required = true},
    {"tasks", read_tasks, .inner = &task_table},
    {"plugins", rqi_read_plugins, .inner = &rqi_plugin_table},
};
/* clang-format on */

const rqi_key_table rqi_config_table = {"the file", top_keys, COUNT(top_keys)};

/* --- Readers -----------------------------------------------------------------------------------
 */

static refq_err check_name(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                           refq_err (*check)(const char *, refq_error *))
{
    const char *text = "";
    refq_error inner;
    refq_err e = rqi_read_scalar(r, key->name, node, &text);
    if (e != REFQ_OK || (e = check(text, &inner)) == REFQ_OK) {
        return e;
    }
    return rqi_fail_at(r->err, e, r->file, node->line, "%s: %s", key->name, inner.text);
}

static refq_err read_queue(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                           void *target)
{
    refq_err e = check_name(r, key, node, refq_queue_check);
    return e == REFQ_OK ? rqi_read_text(r, key, node, target) : e;
}

static refq_err read_name(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                          void *target)
{
    refq_err e = check_name(r, key, node, refq_name_check);
    ((rqi_config_task *)target)->line = node->line;
    return e == REFQ_OK ? rqi_read_text(r, key, node, target) : e;
}

static refq_err read_jitter(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                            void *target)
{
    rqi_key plain = *key;
    plain.offset = 0;
    unsigned word = 0;
    refq_err e = rqi_read_word(r, &plain, node, &word);
    ((refq_backoff *)target)->no_jitter = word == 1;
    return e;
}

/* The library takes an all-zero backoff for the default; a partial one has to be completed here. */
static refq_err read_backoff(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                             void *target)
{
    refq_backoff *backoff = (refq_backoff *)(void *)((char *)target + key->offset);
    *backoff = (refq_backoff){.base_ms = SECOND, .factor = 2, .cap_ms = MINUTE};
    refq_err e = rqi_read_map(r, key->inner, node, backoff);
    if (e != REFQ_OK || backoff->base_ms <= backoff->cap_ms) {
        return e;
    }
    return rqi_fail_at(r->err, REFQ_ERR_INVALID, r->file, node->line,
                       "backoff: base (%lldms) is longer than cap (%lldms); give a longer cap",
                       (long long)backoff->base_ms, (long long)backoff->cap_ms);
}

static refq_err check_unique(const rqi_reading *r, const rqi_config *config,
                             const rqi_config_task *task)
{
    for (size_t i = 0; i < config->n; i++) {
        if (strcmp(config->tasks[i].def.name, task->def.name) == 0) {
            return rqi_fail_at(r->err, REFQ_ERR_CONFLICT, r->file, task->line,
                               "task '%s' is already defined on line %u", task->def.name,
                               config->tasks[i].line);
        }
    }
    return REFQ_OK;
}

static refq_err read_task(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                          rqi_config *config)
{
    rqi_config_task *task = &config->tasks[config->n];
    task->def.struct_size = sizeof task->def;
    task->exec.struct_size = sizeof task->exec;
    refq_err e = rqi_read_map(r, key->inner, node, task);
    if (e == REFQ_OK) {
        e = check_unique(r, config, task);
    }
    if (e == REFQ_OK) {
        e = rqi_read_exec_finish(r, task);
    }
    config->n += e == REFQ_OK;
    return e;
}

/* The rows of task_keys that fill in the definition; the others tell of a program. */
static size_t definition_keys(rqi_key out[COUNT(task_keys)])
{
    size_t n = 0;
    for (size_t i = 0; i < COUNT(task_keys); i++) {
        if (task_keys[i].offset > TASK(def) && task_keys[i].offset < TASK(exec)) {
            out[n++] = task_keys[i];
        }
    }
    return n;
}

refq_err rqi_read_definition(const rqi_reading *r, const rqi_yaml_node *node, refq_task_def *ret)
{
    rqi_key keys[COUNT(task_keys)];
    rqi_config_task task = {.def = *ret};
    const rqi_key_table table = {"a task of a plugin", keys, definition_keys(keys)};
    refq_err e = rqi_read_map(r, &table, node, &task);
    *ret = task.def;
    return e;
}

static refq_err read_tasks(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                           void *target)
{
    rqi_config *config = target;
    refq_err e = rqi_read_expect(r, key->name, node, RQI_YAML_LIST);
    if (e != REFQ_OK) {
        return e;
    }
    if (node->count == 0 || node->count > RQI_CONFIG_MAX_TASKS) {
        return rqi_fail_at(r->err, REFQ_ERR_LIMIT, r->file, node->line,
                           "%u tasks are listed; allowed are 1 to %d", node->count,
                           RQI_CONFIG_MAX_TASKS);
    }
    config->tasks = rqi_arena_alloc(r->arena, node->count, sizeof *config->tasks);
    if (config->tasks == NULL) {
        return rqi_read_nomem(r);
    }
    for (const rqi_yaml_node *child = node->first; e == REFQ_OK && child != NULL;
         child = child->next) {
        e = read_task(r, key, child, config);
    }
    return e;
}

/* --- Files -------------------------------------------------------------------------------------
 */

/* The PATH the program will see: its own env may set it. */
static const char *path_of(const rqi_config_task *task)
{
    for (size_t i = 0; task->exec.env != NULL && task->exec.env[i] != NULL; i++) {
        if (strncmp(task->exec.env[i], "PATH=", 5) == 0) {
            return task->exec.env[i] + 5;
        }
    }
    const char *path = getenv("PATH");
    return path != NULL ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

static refq_err check_on_path(const rqi_config *config, const rqi_config_task *task,
                              refq_error *err)
{
    const char *path = path_of(task);
    char candidate[4096];
    for (const char *at = path; *at != '\0'; at += *at == ':') {
        size_t len = strcspn(at, ":");
        (void)snprintf(candidate, sizeof candidate, "%.*s/%s", (int)len, at, task->argv0);
        if (access(candidate, X_OK) == 0) {
            return REFQ_OK;
        }
        at += len;
    }
    return rqi_fail_at(err, REFQ_ERR_NOTFOUND, config->file, task->exec_line,
                       "exec: cannot find '%.100s' on the PATH", task->argv0);
}

static refq_err check_program(const rqi_config *config, const rqi_config_task *task,
                              refq_error *err)
{
    const char *path = task->program;
    struct stat st;
    if (path == NULL) {
        return check_on_path(config, task, err);
    }
    if (stat(path, &st) != 0) {
        return rqi_fail_at(err, REFQ_ERR_NOTFOUND, config->file, task->exec_line,
                           "exec: cannot find '%.100s': %s", task->argv0, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return rqi_fail_at(err, REFQ_ERR_INVALID, config->file, task->exec_line,
                           "exec: '%.100s' is not a file", task->argv0);
    }
    if (access(path, X_OK) != 0) {
        return rqi_fail_at(err, REFQ_ERR_INVALID, config->file, task->exec_line,
                           "exec: '%.60s' is not executable: chmod +x %.100s", task->argv0, path);
    }
    return REFQ_OK;
}

static refq_err check_directory(const rqi_config *config, const rqi_config_task *task,
                                refq_error *err)
{
    struct stat st;
    if (task->directory_line == 0) {
        return REFQ_OK;
    }
    int failed = stat(task->exec.directory, &st);
    if (failed == 0 && S_ISDIR(st.st_mode)) {
        return REFQ_OK;
    }
    return rqi_fail_at(err, REFQ_ERR_NOTFOUND, config->file, task->directory_line,
                       "directory: cannot use '%.120s': %s", task->exec.directory,
                       strerror(failed ? errno : ENOTDIR));
}

refq_err rqi_config_check_files(const rqi_config *config, refq_error *err)
{
    refq_err e = REFQ_OK;
    for (size_t i = 0; e == REFQ_OK && i < config->n; i++) {
        e = check_program(config, &config->tasks[i], err);
        if (e == REFQ_OK) {
            e = check_directory(config, &config->tasks[i], err);
        }
    }
    return e == REFQ_OK ? rqi_config_check_plugins(config, err) : e;
}

static refq_err read_fd(int fd, const char *path, rqi_buf *out, refq_error *err)
{
    for (;;) {
        char *at = rqi_buf_reserve(out, 65536);
        if (at == NULL) {
            return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
        }
        ssize_t n = read(fd, at, 65536);
        if (n < 0 && errno != EINTR) {
            return rqi_fail(err, REFQ_ERR_IO, "cannot read '%.150s': %s", path, strerror(errno));
        }
        rqi_buf_commit(out, n > 0 ? (size_t)n : 0);
        if (out->len > RQI_CONFIG_MAX_BYTES) {
            return rqi_fail(err, REFQ_ERR_LIMIT, "'%.150s' is larger than the 1 MiB allowed", path);
        }
        if (n == 0) {
            return REFQ_OK;
        }
    }
}

static refq_err read_file(const char *path, rqi_buf *out, refq_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return rqi_fail(err, REFQ_ERR_NOTFOUND, "cannot open '%.150s': %s", path, strerror(errno));
    }
    refq_err e = read_fd(fd, path, out, err);
    close(fd);
    return e;
}

/* The folder of path, absolute. Not of what path links to: programs are looked for beside the name
 * the person gave. The caller frees it. */
static char *folder_of(const char *path)
{
    char *copy = strdup(path);
    char *folder = copy != NULL ? realpath(dirname(copy), NULL) : NULL;
    free(copy);
    return folder;
}

/* --- Public ------------------------------------------------------------------------------------
 */

static refq_err parse_into(refq_bytes text, const char *file, const char *folder,
                           rqi_config *config, refq_error *err)
{
    config->file = rqi_arena_copy(&config->arena, file, strlen(file));
    const char *own_folder = rqi_arena_copy(&config->arena, folder, strlen(folder));
    if (config->file == NULL || own_folder == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    const rqi_reading r = {config->file, own_folder, &config->arena, err};
    const rqi_yaml_node *root = NULL;
    refq_err e = rqi_yaml_parse(text, file, &config->arena, &root, err);
    if (e != REFQ_OK) {
        return e;
    }
    if (root == NULL || root->kind == RQI_YAML_NULL) {
        return rqi_fail_at(err, REFQ_ERR_INVALID, file, 1,
                           "the file is empty; it needs the keys 'queue' and 'tasks'");
    }
    e = rqi_read_map(&r, &rqi_config_table, root, config);
    if (e == REFQ_OK && config->n + config->n_plugins == 0) {
        return rqi_fail_at(err, REFQ_ERR_INVALID, file, root->line,
                           "the file lacks the key 'tasks'");
    }
    return e;
}

refq_err rqi_config_parse(refq_bytes text, const char *file, const char *folder,
                          rqi_config *ret_config, refq_error *err)
{
    rqi_config config = {0};
    refq_err e = parse_into(text, file, folder, &config, err);
    if (e != REFQ_OK) {
        rqi_config_done(&config);
        return e;
    }
    *ret_config = config;
    return REFQ_OK;
}

static refq_err parse_beside(refq_bytes text, const char *path, rqi_config *config, refq_error *err)
{
    char *folder = folder_of(path);
    if (folder == NULL) {
        return rqi_fail(err, REFQ_ERR_IO, "cannot find the folder of '%.150s': %s", path,
                        strerror(errno));
    }
    refq_err e = rqi_config_parse(text, path, folder, config, err);
    free(folder);
    return e;
}

refq_err rqi_config_load(const char *path, rqi_config *ret_config, refq_error *err)
{
    rqi_config config = {0};
    rqi_buf text = rqi_buf_make(2 * RQI_CONFIG_MAX_BYTES);
    refq_err e = read_file(path, &text, err);
    if (e == REFQ_OK) {
        e = parse_beside(rqi_buf_bytes(&text), path, &config, err);
    }
    if (e == REFQ_OK) {
        e = rqi_config_check_files(&config, err);
    }
    rqi_buf_done(&text);
    if (e != REFQ_OK) {
        rqi_config_done(&config);
        return e;
    }
    *ret_config = config;
    return REFQ_OK;
}

void rqi_config_done(rqi_config *config)
{
    rqi_arena_done(&config->arena);
    *config = (rqi_config){0};
}
