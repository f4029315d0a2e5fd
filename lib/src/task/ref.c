/* SPDX-License-Identifier: MIT */
/* References and names: what <refq/task.h> says of them. */
#include "base/error.h"
#include "base/rand.h"

#include <refq/task.h>

#include <stdio.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

refq_err refq_queue_check(const char *name, refq_error *err)
{
    size_t len = strlen(name);
    if (len == 0 || len > REFQ_QUEUE_MAX || strspn(name, LETTERS) == 0 ||
        strspn(name, LETTERS DIGITS "_-") != len) {
        return rqi_fail(
            err, REFQ_ERR_INVALID,
            "'%.70s' is not a queue name: a letter, then letters, digits, '_' or '-', at "
            "most %d in all",
            name, REFQ_QUEUE_MAX);
    }
    return REFQ_OK;
}

refq_err refq_name_check(const char *name, refq_error *err)
{
    size_t len = strlen(name);
    if (len == 0 || len > REFQ_NAME_MAX || strspn(name, LETTERS DIGITS "_-") != len) {
        return rqi_fail(
            err, REFQ_ERR_INVALID,
            "'%.70s' is not a task name: letters, digits, '_' or '-', at most %d in all", name,
            REFQ_NAME_MAX);
    }
    return REFQ_OK;
}

refq_err refq_ref_make(const char *queue, refq_ref *ret, refq_error *err)
{
    refq_err rc = refq_queue_check(queue, err);
    if (rc == REFQ_OK) {
        rc = rqi_rand_init(err);
    }
    if (rc != REFQ_OK) {
        return rc;
    }
    (void)snprintf(ret->queue, sizeof ret->queue, "%s", queue);
    rqi_rand_hex(ret->hex, REFQ_HEX_LEN / 2);
    return REFQ_OK;
}

refq_err refq_ref_parse(const char *text, refq_ref *ret, refq_error *err)
{
    const char *colon = strchr(text, ':');
    if (colon == NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "'%.80s' is not a task reference; one looks like docs:%s", text,
                        "0123456789abcdef0123456789abcdef");
    }
    refq_ref ref = {.queue = ""};
    size_t queue_len = (size_t)(colon - text);
    if (queue_len <= REFQ_QUEUE_MAX) {
        memcpy(ref.queue, text, queue_len);
    }
    if (refq_queue_check(ref.queue, NULL) != REFQ_OK) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "'%.80s' is not a task reference: the part before ':' is not a queue name",
                        text);
    }
    const char *hex = colon + 1;
    size_t len = strlen(hex);
    if (strspn(hex, DIGITS "abcdef") != len || len != REFQ_HEX_LEN) {
        return rqi_fail(
            err, REFQ_ERR_INVALID,
            "'%.110s' is not a task reference: after ':' come exactly %d lower-case hex "
            "digits%s",
            text, REFQ_HEX_LEN, len == 16 ? " (16 digits name a cache entry that is no task)" : "");
    }
    memcpy(ref.hex, hex, REFQ_HEX_LEN + 1);
    *ret = ref;
    return REFQ_OK;
}

const char *refq_ref_format(const refq_ref *ref, char out[REFQ_REF_MAX + 1])
{
    (void)snprintf(out, REFQ_REF_MAX + 1, "%s:%s", ref->queue, ref->hex);
    return out;
}
