/* SPDX-License-Identifier: MIT */
#include "run/result.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK ((size_t)256 * 1024)

static bool not_there(int error, rqi_outcome *outcome)
{
    if (error == ENOENT) {
        rqi_outcome_fail(outcome, RQI_PERMANENT,
                         "exit 0, but there is no output file; its path is in REFQ_OUTPUT_FILE and "
                         "in the placeholder {@output}");
    } else if (error == ELOOP || error == ENOTDIR) {
        rqi_outcome_fail(outcome, RQI_PERMANENT,
                         "exit 0, but the output file is not a plain file; write it in place, not "
                         "as a link, a folder or a pipe");
    } else {
        rqi_outcome_fail(outcome, error == EACCES ? RQI_PERMANENT : RQI_RETRYABLE,
                         "cannot open the output file: %s", strerror(error));
    }
    return false;
}

static bool too_large(size_t max, rqi_outcome *outcome)
{
    rqi_outcome_fail(outcome, RQI_PERMANENT,
                     "the output file exceeds the limit of %zu bytes; raise max_output or write "
                     "less",
                     max);
    return false;
}

bool rqi_result_read(rqi_result_file file, size_t max, rqi_buf *out, rqi_outcome *outcome)
{
    struct stat st;
    if (file.fd < 0) {
        return not_there(file.error, outcome);
    }
    /* Before anything is read: a sparse file may be larger than any memory. */
    if (fstat(file.fd, &st) == 0 && st.st_size > (off_t)max) {
        return too_large(max, outcome);
    }
    for (;;) {
        char *at = rqi_buf_reserve(out, CHUNK);
        ssize_t n = at != NULL ? read(file.fd, at, CHUNK) : 0;
        if (at == NULL) {
            rqi_outcome_fail(outcome, RQI_RETRYABLE, "the worker is out of memory for the output");
            return false;
        }
        if (n < 0 && errno != EINTR) {
            rqi_outcome_fail(outcome, RQI_RETRYABLE, "cannot read the output file: %s",
                             strerror(errno));
            return false;
        }
        if (n == 0) {
            return true;
        }
        rqi_buf_commit(out, n > 0 ? (size_t)n : 0);
        if (out->len > max) {
            return too_large(max, outcome);
        }
    }
}
