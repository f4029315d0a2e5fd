/* SPDX-License-Identifier: MIT */
#include "base/parse.h"

#include "base/error.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    double factor;
};

static const struct unit durations[] = {{"ms", 1},     {"s", 1e3},     {"m", 60e3},
                                        {"h", 3600e3}, {"d", 86400e3}, {NULL, 0}};

static const struct unit sizes[] = {
    {"", 1},        {"B", 1},         {"K", 1024},         {"KiB", 1024},
    {"M", 1048576}, {"MiB", 1048576}, {"G", 1073741824.0}, {"GiB", 1073741824.0},
    {NULL, 0}};

static const struct unit *find_unit(const struct unit *units, const char *name)
{
    for (; units->name != NULL; units++) {
        if (strcmp(units->name, name) == 0) {
            return units;
        }
    }
    return NULL;
}

/* Only plain decimals. Not strtod: it takes "inf" and "0x1p3", and in a program that has called
 * setlocale() it may stop at the point. */
static int scan_number(const char *text, double *ret, const char **ret_rest)
{
    size_t digits = strspn(text, "0123456789");
    size_t len = digits;
    if (text[len] == '.') {
        len += 1 + strspn(text + len + 1, "0123456789");
    }
    if (digits == 0 || len > 20) {
        return 0;
    }
    double value = 0;
    double scale = 1;
    for (size_t i = 0; i < len; i++) {
        if (i == digits) {
            continue; /* the point */
        }
        value = value * 10 + (text[i] - '0');
        scale *= i > digits ? 10 : 1;
    }
    *ret = value / scale;
    *ret_rest = text + len;
    return 1;
}

refq_err rqi_parse_duration(const char *text, int64_t *ret_ms, refq_error *err)
{
    double value = 0;
    const char *rest = NULL;
    if (text[0] == '-') {
        return rqi_fail(err, REFQ_ERR_INVALID, "'%.40s' is negative; a duration cannot be", text);
    }
    if (!scan_number(text, &value, &rest)) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "'%.40s' is not a duration; write for example 500ms, 5s, 2m, 1h or 7d",
                        text);
    }
    const struct unit *unit = find_unit(durations, rest);
    if (unit == NULL && !(rest[0] == '\0' && value == 0)) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "'%.40s' needs a unit: ms, s, m, h or d (for example %.20ss)", text,
                        rest[0] == '\0' ? text : "5");
    }
    double ms = unit != NULL ? value * unit->factor : 0;
    if (ms > (double)RQI_DURATION_MAX_MS) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "'%.40s' is longer than the 366 days allowed", text);
    }
    *ret_ms = (int64_t)llround(ms);
    return REFQ_OK;
}

refq_err rqi_parse_size(const char *text, size_t *ret_bytes, refq_error *err)
{
    double value = 0;
    const char *rest = NULL;
    const struct unit *unit = NULL;
    if (scan_number(text, &value, &rest)) {
        unit = find_unit(sizes, rest);
    }
    if (unit == NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "'%.40s' is not a size; write for example 4096, 64KiB or 16MiB", text);
    }
    double bytes = value * unit->factor;
    if (bytes > 1e15) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "'%.40s' is too large", text);
    }
    *ret_bytes = (size_t)bytes;
    return REFQ_OK;
}

refq_err rqi_parse_int(const char *text, int64_t min, int64_t max, int64_t *ret, refq_error *err)
{
    size_t start = text[0] == '-' ? 1 : 0;
    size_t digits = strspn(text + start, "0123456789");
    errno = 0;
    long long value = strtoll(text, NULL, 10);
    if (digits == 0 || text[start + digits] != '\0') {
        return rqi_fail(err, REFQ_ERR_INVALID, "'%.40s' is not a whole number", text);
    }
    if (errno != 0 || value < min || value > max) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "%.40s is out of range; allowed are %lld to %lld",
                        text, (long long)min, (long long)max);
    }
    *ret = value;
    return REFQ_OK;
}

const char *rqi_format_duration(char *out, size_t size, int64_t ms)
{
    long long s = (long long)(ms / 1000);
    if (ms < 0) {
        (void)snprintf(out, size, "-");
    } else if (ms < 1000) {
        (void)snprintf(out, size, "%lldms", (long long)ms);
    } else if (ms < 60000) {
        (void)snprintf(out, size, "%lld.%llds", s, (long long)(ms % 1000 / 100));
    } else if (s < 3600) {
        (void)snprintf(out, size, "%lldm%02llds", s / 60, s % 60);
    } else if (s < 86400) {
        (void)snprintf(out, size, "%lldh%02lldm", s / 3600, s / 60 % 60);
    } else {
        (void)snprintf(out, size, "%lldd%02lldh", s / 86400, s / 3600 % 24);
    }
    return out;
}

#define NAME_MAX_COMPARED 64

size_t rqi_edit_distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_COMPARED + 1];
    size_t la = strnlen(a, NAME_MAX_COMPARED);
    size_t lb = strnlen(b, NAME_MAX_COMPARED);
    for (size_t j = 0; j <= lb; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            best = above + 1 < best ? above + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[lb];
}

const char *rqi_nearest(const char *text, const char *const *names, size_t n)
{
    const char *best = NULL;
    size_t best_distance =
        strnlen(text, NAME_MAX_COMPARED) / 2 + 1; /* farther than half the word is no hint */
    for (size_t i = 0; i < n; i++) {
        size_t d = rqi_edit_distance(text, names[i]);
        if (d < best_distance) {
            best = names[i];
            best_distance = d;
        }
    }
    return best;
}
