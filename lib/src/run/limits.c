/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A limit that is already stricter is no failure: whoever started the
 * worker has set it, and what the definition asks for holds all the same. The
 * hard limit of CPU time lies above the soft one, so that a program is told
 * (SIGXCPU) before it is killed, and the worker can tell why it died.
 */
#include "run/limits.h"

#include "base/error.h"
#include "base/parse.h"

#include <stddef.h>
#include <sys/resource.h>

#define CPU_AFTERWARDS 5 /* seconds from SIGXCPU to SIGKILL */
#define MEMORY_MIN     ((size_t)1 << 20)
#define SIZE_MAX_BYTES ((size_t)1 << 50)
#define FILES_MIN      16 /* 0 to 3 are taken, the loader needs some */
#define FILES_MAX      1048576
#define PROCESSES_MAX  4194304 /* what Linux has at most */

static refq_err too_large(const char *name, const char *range, refq_error *err)
{
    return rqi_fail(err, REFQ_ERR_LIMIT, "limits: %s is out of range; allowed are %s", name, range);
}

refq_err rqi_limits_check(const refq_exec_limits *limits, refq_error *err)
{
    if (limits->memory != 0 && (limits->memory < MEMORY_MIN || limits->memory > SIZE_MAX_BYTES)) {
        return too_large("memory", "1 MiB to 1 PiB", err);
    }
    if (limits->file_size > SIZE_MAX_BYTES) {
        return too_large("file_size", "1 byte to 1 PiB", err);
    }
    if (limits->cpu_ms < 0 || limits->cpu_ms > RQI_DURATION_MAX_MS) {
        return too_large("cpu", "1 s to 366 days", err);
    }
    if (limits->open_files != 0 &&
        (limits->open_files < FILES_MIN || limits->open_files > FILES_MAX)) {
        return too_large("open_files", "16 to 1048576", err);
    }
    if (limits->processes > PROCESSES_MAX) {
        return too_large("processes", "1 to 4194304", err);
    }
    return REFQ_OK;
}

static rlim_t smaller(rlim_t a, rlim_t b)
{
    return a < b ? a : b;
}

static int apply(int resource, rlim_t soft, rlim_t hard)
{
    struct rlimit now;
    if (soft == 0) {
        return 0;
    }
    if (getrlimit(resource, &now) != 0) {
        return -1;
    }
    struct rlimit wanted = {.rlim_cur = smaller(soft, now.rlim_cur),
                            .rlim_max = smaller(hard, now.rlim_max)};
    return setrlimit(resource, &wanted);
}

int rqi_limits_apply(const refq_exec_limits *limits)
{
    rlim_t seconds = (rlim_t)((limits->cpu_ms + 999) / 1000);
    const struct {
        int resource;
        rlim_t soft;
        rlim_t hard;
    } all[] = {
        {RLIMIT_NOFILE, limits->open_files, limits->open_files},
        {RLIMIT_CPU, seconds, seconds + CPU_AFTERWARDS},
        {RLIMIT_FSIZE, limits->file_size, limits->file_size},
        {RLIMIT_NPROC, limits->processes, limits->processes},
        {RLIMIT_AS, limits->memory, limits->memory},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (apply(all[i].resource, all[i].soft, all[i].hard) != 0) {
            return -1;
        }
    }
    return 0;
}
