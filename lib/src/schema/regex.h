/* SPDX-License-Identifier: MIT */
/*
 * Patterns: compiled once, matched with a budget.
 *
 * DESIGN. PCRE2 backtracks, so a pattern may take for ever. Its own match limit counts for each
 * start of a match anew and does not see how far one item of the pattern runs, so patterns are
 * compiled with an automatic callout before each item: the callout charges the run's steps for
 * every item and for the distance since the last one. PCRE2's limits stay as the second fence. Not
 * the JIT: it needs writable and executable memory, which hardened systems refuse.
 */
#ifndef RQI_SCHEMA_REGEX_H
#define RQI_SCHEMA_REGEX_H

#include "schema/compile.h"
#include "schema/run.h"

#define RQI_JS_REGEX_MAX       4096              /* bytes of one pattern */
#define RQI_JS_REGEX_MAX_ALL   ((size_t)4 << 20) /* bytes of all compiled patterns */
#define RQI_JS_REGEX_MAX_STEPS 1000000           /* of one match */

typedef struct rqi_js_regex rqi_js_regex;

/* The pattern is borrowed and belongs to the document; keyword and place are for the error. */
REFQ_MUST_USE refq_err rqi_js_regex_compile(rqi_js_compile *c, const rqi_js_site *site,
                                            const char *keyword, const char *text, size_t len,
                                            const rqi_js_regex **ret);

/* True when some part of the text matches. False, with the run stopped, when it costs too much. */
bool rqi_js_regex_match(rqi_js_run *run, const rqi_js_regex *regex, const char *text, size_t len);

/* As it was written. */
refq_bytes rqi_js_regex_source(const rqi_js_regex *regex);

/* Frees all of a schema's. */
void rqi_js_regex_free(rqi_js_regex *list);

/* Frees what matching needed. */
void rqi_js_matcher_free(struct rqi_js_matcher *matcher);

#endif
