/* SPDX-License-Identifier: MIT */
/*
 * hiredis allocates an array's slots from its header, before any element has
 * arrived. A few bytes from a broken or hostile peer could so claim gigabytes;
 * the reader's own hook for making arrays is where that can be refused. hiredis
 * keeps its table of hooks private, but every reader it makes points to it.
 */
#include "redis/reader.h"

#include "redis/conn.h"

#include <pthread.h>

#define DEPTH_MAX 8 /* arrays inside each other: as many as hiredis before 1.1 takes */

static redisReplyObjectFunctions hooks;
static redisReplyObjectFunctions original;
static pthread_once_t once = PTHREAD_ONCE_INIT;

#if HIREDIS_MAJOR >= 1
typedef size_t array_count;
#else
typedef int array_count;
#endif

/* hiredis 1.1 and newer read, and free by recursion, whatever depth there is. */
static int is_too_deep(const redisReadTask *task)
{
    int depth = 0;
    for (; task != NULL && depth <= DEPTH_MAX; task = task->parent) {
        depth++;
    }
    return depth > DEPTH_MAX;
}

static void *bounded_array(const redisReadTask *task, array_count elements)
{
    if (elements > RQI_ELEMENTS_MAX || is_too_deep(task)) {
        return NULL; /* the reader reports it as out of memory and stops */
    }
    return original.createArray(task, elements);
}

static void learn_hooks(void)
{
    redisReader *sample = redisReaderCreate();
    if (sample == NULL) {
        return;
    }
    original = *sample->fn;
    hooks = original;
    hooks.createArray = bounded_array;
    redisReaderFree(sample);
}

redisReader *rqi_reader_new(void)
{
    (void)pthread_once(&once, learn_hooks);
    redisReader *reader = hooks.createArray != NULL ? redisReaderCreate() : NULL;
    if (reader != NULL) {
        reader->fn = &hooks;
    }
    return reader;
}
