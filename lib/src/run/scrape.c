/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Matching happens on the worker's loop, for programs that may write as
 * fast as they can, so its cost is bounded from all sides: short patterns, short
 * lines, and of each chunk only the newest lines, from the last one backwards
 * until one matches. That loses nothing: of two values only the newer one would
 * be shown. A line may still cost the square of its length (4 KiB of digits:
 * 80 ms), so a chunk has a budget of one such line, and after a costly look there
 * is none for 20 times as long, measured in CPU time so that a busy machine does
 * not count. Some things of regcomp() are refused because they cost more than a
 * pattern's length tells: nested repetitions, which are expanded in memory (a +
 * is written as twice what it repeats), and back-references, which make matching
 * exponential. Empty alternatives and counted groups are refused as well: 128 bytes
 * of them kept glibc busy for over a minute.
 */
#include "run/scrape.h"

#include "base/clock.h"
#include "base/error.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATTERN_MAX   256
#define COUNT_MAX     1000 /* of the only repetition of a pattern; a + counts 2, {3,} counts 4 */
#define COUNTS_MAX    64   /* product of several */
#define BRACES_MAX    16   /* of those in braces: glibc takes 8 s for 54 of what may be empty */
#define LINES_A_CHUNK 64   /* that are looked at */
#define COSTLY_US     2000 /* of CPU time for one chunk */
#define PAUSE_FACTOR  20
#define DIGITS_MAX    15
#define GROUPS        3 /* the match, current, total */

struct rqi_scrape {
    regex_t regex;
    rqi_buf line;  /* the start of a line whose end has not come yet */
    bool dropping; /* that line is too long */
    int64_t pause_until_us;
};

/* --- Patterns --------------------------------------------------------------------------------- */

static bool has_back_reference(const char *pattern)
{
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '\\' && *++pattern >= '1' && *pattern <= '9') {
            return true;
        }
        if (*pattern == '\0') {
            return false;
        }
    }
    return false;
}

/* How often a repetition writes out what it repeats. */
static unsigned long count_of(const char *repetition)
{
    if (*repetition == '+') {
        return 2;
    }
    char *end = NULL;
    unsigned long low = strtoul(repetition + 1, &end, 10);
    bool open = *end == ',' && end[1] == '}';
    unsigned long high = *end == ',' ? strtoul(end + 1, NULL, 10) : low;
    unsigned long count = high > low ? high : low;
    count = count > COUNT_MAX ? COUNT_MAX + 1 : count > 0 ? count : 1;
    return open ? count + 1 : count;
}

/* How much the counts of all repetitions may multiply to, when they multiply to more; 0 when they
 * do not. Those that stand side by side only add up, but telling them apart would take a parser. */
static unsigned long exceeded_bound(const char *pattern)
{
    unsigned long product = 1;
    unsigned long braces = 1;
    unsigned n = 0;
    unsigned n_braces = 0;
    for (; (pattern = strpbrk(pattern, "{+")) != NULL && product <= COUNT_MAX; pattern++) {
        unsigned long count = count_of(pattern);
        product *= count;
        braces *= *pattern == '{' ? count : 1;
        n_braces += *pattern == '{';
        n++;
    }
    if (n_braces > 1 && braces > BRACES_MAX) {
        return BRACES_MAX;
    }
    unsigned long bound = n > 1 ? COUNTS_MAX : COUNT_MAX;
    return product > bound ? bound : 0;
}

/* What regcomp() takes exponentially long for, however short it is: alternatives that are empty,
 * and groups that are written out several times. NULL = there is none of it. */
static const char *costly_part(const char *pattern)
{
    static const char empty[] = "an alternative is empty; write (a)? instead of (a|)";
    static const char counted[] = "a group with a count, such as (a){2}, is not supported";
    char before = '|'; /* as if one had just ended */
    for (const char *p = pattern; *p != '\0'; p++) {
        bool escapes = *p == '\\' && p[1] != '\0';
        if (*p == '|' && (before == '(' || before == '|' || p[1] == ')' || p[1] == '\0')) {
            return empty;
        }
        if (*p == '{' && before == ')' && count_of(p) > 1) {
            return counted;
        }
        before = escapes ? '\\' : *p;
        p += escapes;
    }
    return NULL;
}

static refq_err check_size(const char *pattern, refq_error *err)
{
    if (strlen(pattern) > PATTERN_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "progress: the pattern is longer than %d bytes",
                        PATTERN_MAX);
    }
    unsigned long bound = exceeded_bound(pattern);
    if (bound > 0) {
        return rqi_fail(err, REFQ_ERR_LIMIT,
                        "progress: the repetition counts of the pattern multiply to more than %lu; "
                        "use * instead of + and {}",
                        bound);
    }
    const char *part = costly_part(pattern);
    if (part != NULL) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "progress: %s", part);
    }
    if (has_back_reference(pattern)) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "progress: back-references such as \\1 are not supported");
    }
    return REFQ_OK;
}

static refq_err compile(const char *pattern, regex_t *ret, refq_error *err)
{
    refq_err code = check_size(pattern, err);
    if (code != REFQ_OK) {
        return code;
    }
    int failed = regcomp(ret, pattern, REG_EXTENDED);
    if (failed != 0) {
        char why[80];
        (void)regerror(failed, ret, why, sizeof why);
        return rqi_fail(err, failed == REG_ESPACE ? REFQ_ERR_NOMEM : REFQ_ERR_INVALID,
                        "progress: '%.80s' is not an extended regular expression: %s", pattern,
                        why);
    }
    if (ret->re_nsub == 0) {
        regfree(ret);
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "progress: '%.80s' has no group; write for example page ([0-9]+) of "
                        "([0-9]+), or ([0-9.]+)%% for a percentage",
                        pattern);
    }
    return REFQ_OK;
}

refq_err rqi_scrape_check(const char *pattern, refq_error *err)
{
    regex_t regex;
    refq_err code = compile(pattern, &regex, err);
    if (code == REFQ_OK) {
        regfree(&regex);
    }
    return code;
}

refq_err rqi_scrape_new(const char *pattern, rqi_scrape **ret, refq_error *err)
{
    rqi_scrape *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory for a progress pattern");
    }
    refq_err code = compile(pattern, &s->regex, err);
    if (code != REFQ_OK) {
        free(s);
        return code;
    }
    *ret = s;
    return REFQ_OK;
}

void rqi_scrape_free(rqi_scrape *scrape)
{
    if (scrape != NULL) {
        regfree(&scrape->regex);
        rqi_buf_done(&scrape->line);
        free(scrape);
    }
}

/* --- Lines ------------------------------------------------------------------------------------ */

/* The whole part of a number such as 12 or 45.7; false for anything else. */
static bool read_number(const char *line, const regmatch_t *match, int64_t *ret)
{
    size_t len = (size_t)(match->rm_eo - match->rm_so);
    const char *at = line + match->rm_so;
    size_t digits = strspn(at, "0123456789");
    digits = digits < len ? digits : len;
    size_t used = digits;
    if (used < len && at[used] == '.') {
        size_t decimals = strspn(at + used + 1, "0123456789");
        used += 1 + decimals;
    }
    if (digits == 0 || digits > DIGITS_MAX || used < len) {
        return false;
    }
    int64_t value = 0;
    for (size_t i = 0; i < digits; i++) {
        value = value * 10 + (at[i] - '0');
    }
    *ret = value;
    return true;
}

static bool match_line(const rqi_scrape *s, const char *line, int64_t *current, int64_t *total)
{
    regmatch_t found[GROUPS];
    if (regexec(&s->regex, line, GROUPS, found, 0) != 0 || found[1].rm_so < 0 ||
        !read_number(line, &found[1], current)) {
        return false;
    }
    if (s->regex.re_nsub == 1) {
        *total = 100;
        return *current <= 100;
    }
    *total = 0;
    return found[2].rm_so < 0 || read_number(line, &found[2], total);
}

/* A line may lie in two parts: what came earlier, and what came now. */
static bool match_parts(const rqi_scrape *s, const rqi_buf *early, const char *late,
                        size_t late_len, int64_t *current, int64_t *total)
{
    char line[RQI_SCRAPE_LINE_MAX + 1];
    size_t early_len = early != NULL ? early->len : 0;
    size_t len = early_len + late_len;
    if (len == 0 || len > RQI_SCRAPE_LINE_MAX) {
        return false;
    }
    memcpy(line, early != NULL ? rqi_buf_str(early) : "", early_len);
    memcpy(line + early_len, late, late_len);
    line[len] = '\0';
    return match_line(s, line, current, total);
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

/* Looks at the lines of data[0..len), which ends with a line's end, from the last one backwards. */
static bool match_newest(const rqi_scrape *s, const char *data, size_t len, int64_t *current,
                         int64_t *total)
{
    size_t budget = RQI_SCRAPE_LINE_MAX * RQI_SCRAPE_LINE_MAX;
    for (unsigned n = 0; n < LINES_A_CHUNK && len > 0; n++) {
        size_t end = len - 1;
        size_t start = end;
        while (start > 0 && !ends_line(data[start - 1])) {
            start--;
        }
        bool first = start == 0;
        size_t size = end - start + (first ? s->line.len : 0);
        if (size <= RQI_SCRAPE_LINE_MAX && size * size > budget) {
            return false;
        }
        budget -= size <= RQI_SCRAPE_LINE_MAX ? size * size : 0;
        if (!(first && s->dropping) &&
            match_parts(s, first ? &s->line : NULL, data + start, end - start, current, total)) {
            return true;
        }
        len = start;
    }
    return false;
}

static int64_t cpu_us(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The same, unless the last looks were too costly. */
static bool look(rqi_scrape *s, const char *data, size_t len, int64_t *current, int64_t *total)
{
    if (len == 0 || (s->pause_until_us != 0 && rqi_mono_us() < s->pause_until_us)) {
        return false;
    }
    int64_t before = cpu_us();
    bool found = match_newest(s, data, len, current, total);
    int64_t cost = cpu_us() - before;
    s->pause_until_us = cost > COSTLY_US ? rqi_mono_us() + cost * PAUSE_FACTOR : 0;
    return found;
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
    bool found = look(scrape, data, lines, &current, &total);
    if (lines > 0) {
        rqi_buf_clear(&scrape->line);
        scrape->dropping = false;
    }
    keep(scrape, data + lines, len - lines);
    if (found) {
        fn(arg, current, total);
    }
}
