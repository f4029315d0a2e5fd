/* SPDX-License-Identifier: MIT */
/* A task's record as a hostile or newer server sends it: whatever is taken can be read in full. */
#include "fuzz/fz.h"

#include "redis/reader.h"
#include "task/record.h"

#include <string.h>

static void look_at(const refq_task *task)
{
    const char *name = NULL;
    const char *value = NULL;
    int64_t current = 0;
    int64_t total = 0;
    RQT_HOLDS(refq_task_field(task, "status") != NULL);
    RQT_HOLDS(strcmp(refq_task_field(task, "status"), refq_status_name(refq_task_status(task))) ==
              0);
    for (unsigned i = 0; refq_task_field_at(task, i, &name, &value); i++) {
        RQT_HOLDS(strcmp(refq_task_field(task, name), value) == 0);
        (void)refq_task_number(task, name, -1);
    }
    (void)refq_task_progress(task, &current, &total);
}

static void read_record(const redisReply *reply)
{
    const refq_ref ref = {.queue = "docs", .hex = "0123456789abcdef0123456789abcdef"};
    rqi_cursor cur = rqi_cursor_of(reply);
    refq_error err = {0};
    refq_task *task = NULL;
    if (rqi_record_read(&cur, &ref, 1, &task, &err) != REFQ_OK) {
        RQT_HOLDS(task == NULL && err.text[0] != '\0');
        return;
    }
    refq_task *copy = rqi_record_copy(task);
    RQT_HOLDS(copy != NULL);
    look_at(task);
    look_at(copy);
    refq_task_free(copy);
    refq_task_free(task);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    redisReader *reader = rqi_reader_new();
    void *reply = NULL;
    RQT_HOLDS(reader != NULL);
    if (redisReaderFeed(reader, (const char *)data, size) == REDIS_OK &&
        redisReaderGetReply(reader, &reply) == REDIS_OK && reply != NULL) {
        read_record(reply);
        freeReplyObject(reply);
    }
    redisReaderFree(reader);
    return 0;
}
