/* SPDX-License-Identifier: MIT */
/*
 * Shell patterns as Python's fnmatch.fnmatchcase() understands them: * ? [seq] [!seq].
 *
 * DESIGN. Allow and deny lists are written by Python programs and read here, so a pattern must mean
 * the same on both sides down to the odd cases: [a-] has a hyphen, [b-a] is empty and matches
 * nothing, ] right after [ or [! is a member, an unclosed [ is itself, a backslash escapes nothing.
 * fnmatch(3) differs in several of these and depends on the locale, so it is not used.
 *
 * A pattern is first compiled: every part but * is a set of ranges of code points (? is the
 * complement of nothing). Matching remembers the last * only, which is enough because a later *
 * can give up whatever an earlier one could; so the work is at most pattern times name, never
 * exponential.
 */
#ifndef RQI_ACCESS_GLOB_H
#define RQI_ACCESS_GLOB_H

#include <refq/access.h>

#include <stdint.h>

typedef struct rqi_glob_range {
    uint32_t from, to; /* code points, both included */
} rqi_glob_range;

typedef struct rqi_glob_part {
    bool star;      /* any text; else one character: */
    bool negated;   /* of none of the ranges */
    uint16_t first; /* of the ranges */
    uint16_t n;     /* ranges; 0 = no character, or, negated, any */
} rqi_glob_part;

typedef struct rqi_glob {
    size_t n;        /* parts */
    size_t n_ranges; /* of all parts; never more than the pattern has characters */
    rqi_glob_part parts[REFQ_ACCESS_NAME_MAX];
    rqi_glob_range ranges[REFQ_ACCESS_NAME_MAX];
} rqi_glob;

/* False when the pattern is longer than REFQ_ACCESS_NAME_MAX bytes or no UTF-8. */
REFQ_MUST_USE bool rqi_glob_compile(const char *pattern, rqi_glob *ret);

/* False also for a name that is longer than REFQ_ACCESS_NAME_MAX bytes or no UTF-8. */
bool rqi_glob_match(const rqi_glob *glob, const char *name);

/* Whether one character fits a part that is no star. */
bool rqi_glob_has(const rqi_glob *glob, const rqi_glob_part *part, uint32_t character);

#endif
