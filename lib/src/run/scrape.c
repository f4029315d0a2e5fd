/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Matching happens on the worker's loop, for programs that may write as
 * fast as they can, so its cost is bounded from all sides: short patterns, short
 * lines, and of each chunk only the newest lines, from the last one backwards
 * until one matches. That loses nothing: of two values only the newer one would
 * be shown. A line may still cost the square of its length and more, so matching
 * is paid for in steps, of which a program has only so many a second: PCRE2 calls
 * us at each item of the pattern, and we end the match when there is none left.
 * POSIX' regexec() has no such limit, and regcomp() took minutes for some patterns
 * of 128 bytes; PCRE2's own limit counts anew at each start in the line.
 */
#include "run/scrape.h"

#include "base/clock.h"
#include "base/error.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdlib.h>
#include <string.h>

#define PATTERN_MAX   256
#define NEST_MAX      50
#define LINES_A_CHUNK 64 /* that are looked at */
#define BYTES_A_STEP  16
#define STEPS_MAX     ((int64_t)1 << 18) /* in one go: a few milliseconds */
#define STEPS_A_MS    1000               /* for good: some hundredths of a core */
#define HEAP_KIB      4096               /* what a match may remember */
#define DIGITS_MAX    15
#define GROUPS        3 /* the match, current, total */

struct rqi_scrape {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
    uint32_t groups; /* of the pattern */
    int64_t steps;   /* that are left */
    int64_t steps_at_us;
    size_t position; /* of the last callout */
    rqi_buf line;    /* the start of a line whose end has not come yet */
    bool dropping;   /* that line is too long */
};

/* --- Patterns --------------------------------------------------------------------------------- */

static uint32_t groups_of(const pcre2_code *code)
{
    uint32_t n = 0;
    (void)pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &n);
    return n;
}

static refq_err refuse(const char *pattern, int failed, size_t offset, refq_error *err)
{
    if (failed == PCRE2_ERROR_HEAP_FAILED) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory for a progress pattern");
    }
    unsigned char why[120];
    (void)pcre2_get_error_message(failed, why, sizeof why);
    return rqi_fail(err, REFQ_ERR_INVALID,
                    "progress: '%.80s' is not a regular expression: %s (byte %zu)", pattern,
                    (const char *)why, offset);
}

static refq_err compile(const char *pattern, pcre2_code **ret, refq_error *err)
{
    if (strlen(pattern) > PATTERN_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "progress: the pattern is longer than %d bytes",
                        PATTERN_MAX);
    }
    int failed = PCRE2_ERROR_HEAP_FAILED;
    PCRE2_SIZE offset = 0;
    pcre2_code *code = NULL;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (context != NULL) {
        (void)pcre2_set_parens_nest_limit(context, NEST_MAX);
        code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                             PCRE2_AUTO_CALLOUT | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP |
                                 PCRE2_NEVER_BACKSLASH_C,
                             &failed, &offset, context);
    }
    pcre2_compile_context_free(context);
    if (code == NULL) {
        return refuse(pattern, failed, offset, err);
    }
    if (groups_of(code) == 0) {
        pcre2_code_free(code);
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "progress: '%.80s' has no group; write for example page ([0-9]+) of "
                        "([0-9]+), or ([0-9.]+)%% for a percentage",
                        pattern);
    }
    *ret = code;
    return REFQ_OK;
}

refq_err rqi_scrape_check(const char *pattern, refq_error *err)
{
    pcre2_code *code = NULL;
    refq_err rc = compile(pattern, &code, err);
    pcre2_code_free(code);
    return rc;
}

/* --- Steps ------------------------------------------------------------------------------------ */

static bool pay(rqi_scrape *s, size_t bytes)
{
    s->steps -= (int64_t)(1 + bytes / BYTES_A_STEP);
    return s->steps > 0;
}

/* Called by PCRE2 before each item of the pattern; not 0 ends the match. */
static int charge(pcre2_callout_block *block, void *arg)
{
    rqi_scrape *s = arg;
    size_t now = block->current_position;
    size_t way = now > s->position ? now - s->position : s->position - now;
    s->position = now;
    return pay(s, way) ? 0 : PCRE2_ERROR_MATCHLIMIT;
}

/* What time has earned since the last look. */
static void earn(rqi_scrape *s)
{
    int64_t now = rqi_mono_us();
    int64_t ms = (now - s->steps_at_us) / 1000;
    int64_t earned = ms < STEPS_MAX / STEPS_A_MS ? ms * STEPS_A_MS : STEPS_MAX;
    s->steps = s->steps + earned < STEPS_MAX ? s->steps + earned : STEPS_MAX;
    s->steps_at_us += ms * 1000;
}

/* --- Creation --------------------------------------------------------------------------------- */

refq_err rqi_scrape_new(const char *pattern, rqi_scrape **ret, refq_error *err)
{
    rqi_scrape *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory for a progress pattern");
    }
    refq_err code = compile(pattern, &s->code, err);
    if (code == REFQ_OK) {
        s->data = pcre2_match_data_create(GROUPS, NULL);
        s->context = pcre2_match_context_create(NULL);
        code = s->data != NULL && s->context != NULL
                   ? REFQ_OK
                   : refuse(pattern, PCRE2_ERROR_HEAP_FAILED, 0, err);
    }
    if (code != REFQ_OK) {
        rqi_scrape_free(s);
        return code;
    }
    (void)pcre2_set_callout(s->context, charge, s);
    (void)pcre2_set_heap_limit(s->context, HEAP_KIB);
    s->groups = groups_of(s->code);
    s->steps = STEPS_MAX;
    s->steps_at_us = rqi_mono_us();
    *ret = s;
    return REFQ_OK;
}

void rqi_scrape_free(rqi_scrape *scrape)
{
    if (scrape != NULL) {
        pcre2_match_context_free(scrape->context);
        pcre2_match_data_free(scrape->data);
        pcre2_code_free(scrape->code);
        rqi_buf_done(&scrape->line);
        free(scrape);
    }
}

/* --- Lines ------------------------------------------------------------------------------------ */

/* The whole part of a number such as 12 or 45.7; false for anything else. */
static bool read_number(const char *at, size_t len, int64_t *ret)
{
    int64_t value = 0;
    size_t digits = 0;
    for (; digits < len && at[digits] >= '0' && at[digits] <= '9'; digits++) {
        if (digits == DIGITS_MAX) {
            return false;
        }
        value = value * 10 + (at[digits] - '0');
    }
    size_t used = digits;
    if (used < len && at[used] == '.') {
        for (used++; used < len && at[used] >= '0' && at[used] <= '9'; used++) {
        }
    }
    *ret = value;
    return digits > 0 && used == len;
}

/* The number of a group; `absent` when the group took no part. */
static bool read_group(const rqi_scrape *s, const char *line, uint32_t group, bool absent,
                       int64_t *ret)
{
    const PCRE2_SIZE *found = pcre2_get_ovector_pointer(s->data) + (size_t)2 * group;
    if (found[0] == PCRE2_UNSET) {
        return absent;
    }
    return found[0] <= found[1] && read_number(line + found[0], found[1] - found[0], ret);
}

static bool match_line(rqi_scrape *s, const char *line, size_t len, int64_t *current,
                       int64_t *total)
{
    s->position = 0;
    if (!pay(s, len) ||
        pcre2_match(s->code, (PCRE2_SPTR)line, len, 0, 0, s->data, s->context) < 0 ||
        !read_group(s, line, 1, false, current)) {
        return false;
    }
    if (s->groups == 1) {
        *total = 100;
        return *current <= 100;
    }
    *total = 0;
    return read_group(s, line, 2, true, total);
}

/* A line may lie in two parts: what came earlier, and what came now. */
static bool match_parts(rqi_scrape *s, const rqi_buf *early, const char *late, size_t late_len,
                        int64_t *current, int64_t *total)
{
    char line[RQI_SCRAPE_LINE_MAX];
    size_t early_len = early != NULL ? early->len : 0;
    size_t len = early_len + late_len;
    if (len == 0 || len > RQI_SCRAPE_LINE_MAX) {
        return false;
    }
    memcpy(line, early != NULL ? rqi_buf_str(early) : "", early_len);
    memcpy(line + early_len, late, late_len);
    return match_line(s, line, len, current, total);
}

static bool ends_line(char c)
{
    return c == '\n' || c == '\r';
}

/* Keeps the start of a line for the next call. */
static void keep(rqi_scrape *s, const char *data, size_t len)
{
    if (s->dropping || s->line.len + len > RQI_SCRAPE_LINE_MAX) {
        s->dropping = true;
        rqi_buf_clear(&s->line);
        return;
    }
    rqi_buf_add(&s->line, data, len);
}

/* Looks at the lines of data[0..len), which ends with a line's end, from the last one backwards,
 * until one matches or the steps are used up. */
static bool match_newest(rqi_scrape *s, const char *data, size_t len, int64_t *current,
                         int64_t *total)
{
    earn(s);
    for (unsigned n = 0; n < LINES_A_CHUNK && len > 0 && s->steps > 0; n++) {
        size_t end = len - 1;
        size_t start = end;
        while (start > 0 && !ends_line(data[start - 1])) {
            start--;
        }
        bool first = start == 0;
        if (!(first && s->dropping) &&
            match_parts(s, first ? &s->line : NULL, data + start, end - start, current, total)) {
            return true;
        }
        len = start;
    }
    return false;
}

void rqi_scrape_add(rqi_scrape *scrape, const char *data, size_t len,
                    void (*fn)(void *arg, int64_t current, int64_t total), void *arg)
{
    size_t lines = len;
    while (lines > 0 && !ends_line(data[lines - 1])) {
        lines--;
    }
    int64_t current = 0;
    int64_t total = 0;
    bool found = match_newest(scrape, data, lines, &current, &total);
    if (lines > 0) {
        rqi_buf_clear(&scrape->line);
        scrape->dropping = false;
    }
    keep(scrape, data + lines, len - lines);
    if (found) {
        fn(arg, current, total);
    }
}
