/* SPDX-License-Identifier: MIT */
/* refq_bpe: a rank file, a pattern, and counting with them. */
#include "base/error.h"
#include "preview/bpe_merge.h"
#include "preview/bpe_split.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct refq_bpe {
    rqi_bpe_ranks ranks;
    refq_bpe_pattern pattern;
};

static refq_err read_file(const char *path, rqi_buf *out, refq_error *err)
{
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return rqi_fail(err, REFQ_ERR_IO, "%s: %s", path, strerror(errno));
    }
    char *at;
    size_t n = 1;
    while (n > 0 && (at = rqi_buf_reserve(out, 65536)) != NULL) {
        n = fread(at, 1, 65536, f);
        rqi_buf_commit(out, n);
    }
    int failed = ferror(f) ? errno : 0;
    (void)fclose(f);
    if (failed != 0) {
        return rqi_fail(err, REFQ_ERR_IO, "%s: %s", path, strerror(failed));
    }
    return out->err == REFQ_OK ? REFQ_OK
                               : rqi_fail(err, out->err, "%s: more than %zu bytes, or no memory",
                                          path, RQI_BPE_FILE_MAX);
}

static refq_err read_ranks(refq_bpe *bpe, const char *path, refq_error *err)
{
    rqi_buf text = rqi_buf_make(RQI_BPE_FILE_MAX);
    refq_err rc = read_file(path, &text, err);
    if (rc == REFQ_OK) {
        rc = rqi_bpe_ranks_read(&bpe->ranks, rqi_buf_str(&text), text.len, err);
        rc = rc != REFQ_OK ? rqi_fail_in(err, rc, "%s", path) : REFQ_OK;
    }
    rqi_buf_done(&text);
    return rc;
}

refq_err refq_bpe_open(const char *path, refq_bpe_pattern pattern, refq_bpe **ret, refq_error *err)
{
    if (pattern != REFQ_BPE_O200K && pattern != REFQ_BPE_CL100K) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "pattern %d is unknown; use REFQ_BPE_O200K or REFQ_BPE_CL100K",
                        (int)pattern);
    }
    refq_bpe *bpe = calloc(1, sizeof *bpe);
    if (bpe == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "no memory for %s", path);
    }
    bpe->pattern = pattern;
    refq_err rc = read_ranks(bpe, path, err);
    if (rc != REFQ_OK) {
        refq_bpe_free(bpe);
        return rc;
    }
    *ret = bpe;
    return REFQ_OK;
}

size_t refq_bpe_count(void *arg, const char *text, size_t len)
{
    const refq_bpe *bpe = arg;
    rqi_bpe_merge merge = {0};
    size_t tokens = 0;
    while (len > 0 && tokens != SIZE_MAX) {
        size_t n = rqi_bpe_split(bpe->pattern, text, len);
        size_t more = rqi_bpe_merge_count(&merge, &bpe->ranks, text, n);
        tokens = more == SIZE_MAX ? SIZE_MAX : tokens + more;
        text += n;
        len -= n;
    }
    rqi_bpe_merge_done(&merge);
    return tokens;
}

void refq_bpe_free(refq_bpe *bpe)
{
    if (bpe != NULL) {
        rqi_bpe_ranks_done(&bpe->ranks);
        free(bpe);
    }
}
