/* SPDX-License-Identifier: MIT */
/* Cutting a stream into lines: the same lines come out however the stream is cut. The first byte is
 * the size of the pieces, the second how much of a line's limit is already used up. */
#include "fuzz/fz.h"

#include "run/lines.h"

#include <string.h>

static void take_line(void *arg, const char *line, size_t len)
{
    rqi_buf *out = arg;
    if (line == NULL) {
        rqi_buf_adds(out, "too long;");
        return;
    }
    RQT_HOLDS(len <= RQI_LINE_MAX && line[len] == '\0');
    rqi_buf_addf(out, "%zu:", len);
    rqi_buf_add(out, line, len);
}

static void cut(const uint8_t *data, size_t size, size_t piece, size_t before, rqi_buf *out)
{
    static char filler[RQI_LINE_MAX];
    rqi_lines lines = {0};
    memset(filler, 'x', sizeof filler);
    rqi_lines_add(&lines, filler, before, take_line, out);
    for (size_t at = 0; at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        rqi_lines_add(&lines, (const char *)data + at, n, take_line, out);
    }
    rqi_lines_done(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t piece = (size_t)rqt_fz_byte(&data, &size) % 16 + 1;
    uint8_t used = rqt_fz_byte(&data, &size);
    size_t before = used > 127 ? RQI_LINE_MAX - (used - 128U) : 0;
    rqi_buf whole = {0};
    rqi_buf parts = {0};
    cut(data, size, size + 1, before, &whole);
    cut(data, size, piece, before, &parts);
    RQT_HOLDS(whole.len == parts.len);
    RQT_HOLDS(whole.len == 0 || memcmp(whole.ptr, parts.ptr, whole.len) == 0);
    rqi_buf_done(&whole);
    rqi_buf_done(&parts);
    return 0;
}
