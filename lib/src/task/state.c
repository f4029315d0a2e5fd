/* SPDX-License-Identifier: MIT */
/* The words and the transition table of a task's status. The Lua functions enforce it in Redis. */
#include "base/error.h"

#include <refq/task.h>

#include <string.h>

#define STATUSES 5

static const char *const status_names[STATUSES] = {
    [REFQ_PENDING] = "pending", [REFQ_PROCESSING] = "processing", [REFQ_COMPLETE] = "complete",
    [REFQ_FAILED] = "failed",   [REFQ_CANCELLED] = "cancelled",
};

/* Row: from. processing -> pending is a retry, a release or the loss of a worker; a waiting task
 * can fail only by being given up (expired, poison), never by running. */
static const char transitions[STATUSES][STATUSES] = {
    [REFQ_PENDING] = {[REFQ_PROCESSING] = 1, [REFQ_FAILED] = 1, [REFQ_CANCELLED] = 1},
    [REFQ_PROCESSING] =
        {[REFQ_PENDING] = 1, [REFQ_COMPLETE] = 1, [REFQ_FAILED] = 1, [REFQ_CANCELLED] = 1},
};

static const char *const lane_names[] = {
    [REFQ_LANE_NORMAL] = "normal", [REFQ_LANE_HIGH] = "high", [REFQ_LANE_LOW] = "low"};

const char *refq_status_name(refq_status status)
{
    return (unsigned)status < STATUSES ? status_names[status] : "unknown";
}

static int find(const char *const *names, unsigned n, const char *text)
{
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(names[i], text) == 0) {
            return (int)i;
        }
    }
    return -1;
}

refq_err refq_status_parse(const char *text, refq_status *ret)
{
    int i = find(status_names, STATUSES, text);
    if (i < 0) {
        return REFQ_ERR_INVALID;
    }
    *ret = (refq_status)i;
    return REFQ_OK;
}

int refq_status_is_terminal(refq_status status)
{
    return status == REFQ_COMPLETE || status == REFQ_FAILED || status == REFQ_CANCELLED;
}

int refq_status_can_become(refq_status from, refq_status to)
{
    return (unsigned)from < STATUSES && (unsigned)to < STATUSES && transitions[from][to];
}

const char *refq_lane_name(refq_lane lane)
{
    return (unsigned)lane < 3 ? lane_names[lane] : "unknown";
}

refq_err refq_lane_parse(const char *text, refq_lane *ret)
{
    int i = find(lane_names, 3, text);
    if (i < 0) {
        return REFQ_ERR_INVALID;
    }
    *ret = (refq_lane)i;
    return REFQ_OK;
}
