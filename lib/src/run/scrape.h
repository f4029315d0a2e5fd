/* SPDX-License-Identifier: MIT */
/* Progress of programs that know nothing of refq: a pattern looked for in the lines of stderr. */
#ifndef RQI_RUN_SCRAPE_H
#define RQI_RUN_SCRAPE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define RQI_SCRAPE_LINE_MAX ((size_t)4096) /* bytes of a line; a longer one is not looked at */

typedef struct rqi_scrape rqi_scrape;

/* A Perl-compatible regular expression of at most 256 bytes. Its first group is the current value
 * and its second the total; with one group alone that is a percentage. REFQ_ERR_INVALID and
 * REFQ_ERR_LIMIT say what is wrong with it. */
refq_err rqi_scrape_check(const char *pattern, refq_error *err);

/* As the check; *ret is owned by the caller. */
refq_err rqi_scrape_new(const char *pattern, rqi_scrape **ret, refq_error *err);

/* Takes what was written and calls fn at most once, with the newest line that says something. Both
 * \n and \r end a line. */
void rqi_scrape_add(rqi_scrape *scrape, const char *data, size_t len,
                    void (*fn)(void *arg, int64_t current, int64_t total), void *arg);

/* NULL is fine. */
void rqi_scrape_free(rqi_scrape *scrape);

#endif
