/* SPDX-License-Identifier: MIT */
/*
 * A record is what the hash holds, name by name, so a snapshot keeps exactly
 * that: fields added by newer versions stay visible, and nothing is parsed
 * before somebody asks for it.
 */
#include "task/record.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 128 /* more than any version writes; a larger hash is not ours */

struct field {
    char *name;  /* owned; the value follows in the same block */
    char *value; /* borrowed from name's block; terminated, but may hold zero bytes */
    size_t len;
};

struct refq_task {
    refq_ref ref;
    refq_status status;
    int64_t now_ms;
    unsigned n;
    struct field fields[FIELDS_MAX];
};

static int find(const refq_task *task, const char *name)
{
    for (unsigned i = 0; i < task->n; i++) {
        if (strcmp(task->fields[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static refq_err make_field(struct field *f, const char *name, const char *value, size_t value_len)
{
    size_t name_size = strlen(name) + 1;
    char *block = malloc(name_size + value_len + 1);
    if (block == NULL) {
        return REFQ_ERR_NOMEM;
    }
    memcpy(block, name, name_size);
    memcpy(block + name_size, value, value_len);
    block[name_size + value_len] = '\0';
    f->name = block;
    f->value = block + name_size;
    f->len = value_len;
    return REFQ_OK;
}

static refq_err set_field(refq_task *task, const char *name, const char *value, size_t len)
{
    struct field fresh;
    int at = find(task, name);
    if (at < 0 && task->n == FIELDS_MAX) {
        return REFQ_ERR_LIMIT;
    }
    refq_err rc = make_field(&fresh, name, value, len);
    if (rc != REFQ_OK) {
        return rc;
    }
    if (at < 0) {
        at = (int)task->n++;
    } else {
        free(task->fields[at].name);
    }
    task->fields[at] = fresh;
    if (strcmp(name, "status") == 0 && refq_status_parse(fresh.value, &task->status) != REFQ_OK) {
        return REFQ_ERR_PROTO;
    }
    return REFQ_OK;
}

refq_task *rqi_record_new(const refq_ref *ref, int64_t now_ms)
{
    refq_task *task = calloc(1, sizeof *task);
    if (task != NULL) {
        task->ref = *ref;
        task->now_ms = now_ms;
    }
    return task;
}

refq_err rqi_record_set(refq_task *task, const char *name, const char *value)
{
    return set_field(task, name, value, strlen(value));
}

int rqi_record_bytes(const refq_task *task, const char *name, const char **ret, size_t *ret_len)
{
    int at = find(task, name);
    if (at < 0) {
        return 0;
    }
    *ret = task->fields[at].value;
    *ret_len = task->fields[at].len;
    return 1;
}

static refq_err read_fields(refq_task *task, rqi_cursor *cur, int64_t n)
{
    refq_err rc = REFQ_OK;
    for (int64_t i = 0; i < n && !cur->bad; i++) {
        const char *name = rqi_next_str(cur);
        refq_bytes value = rqi_next_bytes(cur);
        if (rc == REFQ_OK && !cur->bad) {
            rc = set_field(task, name, value.ptr, value.len);
        }
    }
    return cur->bad ? REFQ_ERR_PROTO : rc;
}

refq_err rqi_record_read(rqi_cursor *cur, const refq_ref *ref, int64_t now_ms, refq_task **ret,
                         refq_error *err)
{
    char text[REFQ_REF_MAX + 1];
    int64_t n = rqi_next_int(cur);
    if (cur->bad || n < 0) {
        return rqi_reply_unexpected(err, "get");
    }
    if (n == 0) {
        return rqi_fail(err, REFQ_ERR_NOTFOUND, "there is no task %s (or its record has expired)",
                        refq_ref_format(ref, text));
    }
    refq_task *task = rqi_record_new(ref, now_ms);
    if (task == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    refq_err rc = read_fields(task, cur, n);
    if (rc != REFQ_OK || find(task, "status") < 0) {
        refq_task_free(task);
        return rqi_fail(err, REFQ_ERR_PROTO, "the record of %s is not one this version understands",
                        refq_ref_format(ref, text));
    }
    *ret = task;
    return REFQ_OK;
}

refq_task *rqi_record_copy(const refq_task *task)
{
    refq_task *copy = rqi_record_new(&task->ref, task->now_ms);
    if (copy == NULL) {
        return NULL;
    }
    for (unsigned i = 0; i < task->n; i++) {
        const struct field *f = &task->fields[i];
        if (set_field(copy, f->name, f->value, f->len) != REFQ_OK) {
            refq_task_free(copy);
            return NULL;
        }
    }
    return copy;
}

void refq_task_free(refq_task *task)
{
    if (task == NULL) {
        return;
    }
    for (unsigned i = 0; i < task->n; i++) {
        free(task->fields[i].name);
    }
    free(task);
}

const refq_ref *refq_task_ref(const refq_task *task)
{
    return &task->ref;
}

refq_status refq_task_status(const refq_task *task)
{
    return task->status;
}

const char *refq_task_field(const refq_task *task, const char *name)
{
    int at = find(task, name);
    return at >= 0 ? task->fields[at].value : NULL;
}

int64_t refq_task_number(const refq_task *task, const char *name, int64_t otherwise)
{
    const char *text = refq_task_field(task, name);
    char *end = NULL;
    long long value = text != NULL ? strtoll(text, &end, 10) : 0;
    return text != NULL && end != text && *end == '\0' ? value : otherwise;
}

int refq_task_field_at(const refq_task *task, unsigned i, const char **ret_name,
                       const char **ret_value)
{
    if (i >= task->n) {
        return 0;
    }
    *ret_name = task->fields[i].name;
    *ret_value = task->fields[i].value;
    return 1;
}

void refq_task_scope(const refq_task *task, refq_scope *ret)
{
    *ret = (refq_scope){
        .struct_size = sizeof *ret,
        .namespace_name = refq_task_field(task, "namespace"),
        .owner = refq_task_field(task, "owner"),
        .session = refq_task_field(task, "session"),
        .policy = refq_task_field(task, "policy"),
        .actor = refq_task_field(task, "actor"),
        .actor_session = refq_task_field(task, "actor_session"),
        .inputs = refq_task_field(task, "inputs"),
    };
}

int refq_task_progress(const refq_task *task, int64_t *ret_current, int64_t *ret_total)
{
    const char *text = refq_task_field(task, "progress");
    long long current = 0;
    long long total = 0;
    if (text == NULL || sscanf(text, "%lld/%lld", &current, &total) != 2) {
        return 0;
    }
    *ret_current = current;
    *ret_total = total;
    return 1;
}

int64_t refq_task_seen_at_ms(const refq_task *task)
{
    return task->now_ms;
}
