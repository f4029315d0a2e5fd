/* SPDX-License-Identifier: MIT */
#include "schema/regex.h"

#include "schema/regex_text.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdlib.h>

#define BYTES_A_STEP 16
#define HEAP_KIB     (16 * 1024)
#define TOO_EXPENSIVE                                                                            \
    "a pattern is too expensive: it backtracks too often on this text; write it without nested " \
    "repetitions"

struct rqi_js_regex {
    rqi_js_regex *next;
    pcre2_code *code;
    const char *text; /* borrowed */
    size_t len;
};

/* Of one run: what pcre2_match() writes to. */
struct rqi_js_matcher {
    pcre2_match_context *context;
    pcre2_match_data *data;
    rqi_js_run *run;
    uint64_t left;   /* steps of this match */
    size_t position; /* of the last callout */
};

/* --- Compiling -------------------------------------------------------------------------------- */

static refq_err refuse(rqi_js_compile *c, const rqi_js_site *site, const char *keyword,
                       const char *text, size_t offset, const char *why)
{
    return rqi_js_compile_fail(c, site, keyword, REFQ_ERR_INVALID,
                               "the pattern '%.60s' is wrong at byte %zu: %s", text, offset, why);
}

static refq_err compile(rqi_js_compile *c, const rqi_js_site *site, const char *keyword,
                        const char *text, const rqi_buf *translated, pcre2_code **ret)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (context == NULL) {
        return rqi_js_compile_nomem(c);
    }
    int code;
    PCRE2_SIZE offset;
    pcre2_set_parens_nest_limit(context, 100);
    *ret = pcre2_compile((PCRE2_SPTR)rqi_buf_str(translated), translated->len,
                         PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_DOLLAR_ENDONLY |
                             PCRE2_ALLOW_EMPTY_CLASS | PCRE2_MATCH_UNSET_BACKREF |
                             PCRE2_AUTO_CALLOUT | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C,
                         &code, &offset, context);
    pcre2_compile_context_free(context);
    if (*ret != NULL) {
        return REFQ_OK;
    }
    unsigned char why[120];
    (void)pcre2_get_error_message(code, why, sizeof why);
    return rqi_js_compile_fail(c, site, keyword, REFQ_ERR_INVALID, "the pattern '%.60s': %s", text,
                               (const char *)why);
}

static refq_err keep(rqi_js_compile *c, const rqi_js_site *site, const char *keyword,
                     pcre2_code *code, rqi_js_regex **ret)
{
    size_t size = 0;
    (void)pcre2_pattern_info(code, PCRE2_INFO_SIZE, &size);
    c->regex_bytes += size;
    rqi_js_regex *regex = rqi_js_alloc(c, 1, sizeof *regex);
    if (regex == NULL || c->regex_bytes > RQI_JS_REGEX_MAX_ALL) {
        pcre2_code_free(code);
        return regex == NULL ? rqi_js_compile_nomem(c)
                             : rqi_js_compile_fail(c, site, keyword, REFQ_ERR_LIMIT,
                                                   "all patterns together are larger than %zu MiB",
                                                   RQI_JS_REGEX_MAX_ALL >> 20);
    }
    regex->code = code;
    regex->next = c->schema->regexes;
    c->schema->regexes = regex;
    *ret = regex;
    return REFQ_OK;
}

refq_err rqi_js_regex_compile(rqi_js_compile *c, const rqi_js_site *site, const char *keyword,
                              const char *text, size_t len, const rqi_js_regex **ret)
{
    if (len > RQI_JS_REGEX_MAX) {
        return rqi_js_compile_fail(c, site, keyword, REFQ_ERR_LIMIT,
                                   "the pattern has %zu bytes; at most %d are allowed", len,
                                   RQI_JS_REGEX_MAX);
    }
    rqi_buf translated = {0};
    size_t offset;
    pcre2_code *code = NULL;
    const char *why = rqi_js_regex_text(text, len, &translated, &offset);
    refq_err rc = why != NULL ? refuse(c, site, keyword, text, offset, why)
                              : compile(c, site, keyword, text, &translated, &code);
    rqi_buf_done(&translated);
    rqi_js_regex *regex;
    if (rc == REFQ_OK) {
        rc = keep(c, site, keyword, code, &regex);
    }
    if (rc == REFQ_OK) {
        regex->text = text;
        regex->len = len;
        *ret = regex;
    }
    return rc;
}

void rqi_js_regex_free(rqi_js_regex *list)
{
    for (; list != NULL; list = list->next) {
        pcre2_code_free(list->code);
    }
}

refq_bytes rqi_js_regex_source(const rqi_js_regex *regex)
{
    return (refq_bytes){regex->text, regex->len};
}

/* --- Matching --------------------------------------------------------------------------------- */

/* Not 0 ends the match; below 0 it is what pcre2_match() returns. */
static int charge(pcre2_callout_block *block, void *arg)
{
    struct rqi_js_matcher *m = arg;
    size_t now = block->current_position;
    size_t distance = now > m->position ? now - m->position : m->position - now;
    uint64_t cost = 1 + distance / BYTES_A_STEP;
    m->position = now;
    if (cost > m->left || !rqi_js_spend(m->run, cost)) {
        return PCRE2_ERROR_MATCHLIMIT;
    }
    m->left -= cost;
    return 0;
}

void rqi_js_matcher_free(struct rqi_js_matcher *matcher)
{
    if (matcher != NULL) {
        pcre2_match_context_free(matcher->context);
        pcre2_match_data_free(matcher->data);
        free(matcher);
    }
}

static struct rqi_js_matcher *matcher_of(rqi_js_run *run)
{
    if (run->matcher != NULL) {
        return run->matcher;
    }
    struct rqi_js_matcher *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return NULL;
    }
    m->run = run;
    m->context = pcre2_match_context_create(NULL);
    m->data = pcre2_match_data_create(1, NULL);
    if (m->context == NULL || m->data == NULL) {
        rqi_js_matcher_free(m);
        return NULL;
    }
    (void)pcre2_set_callout(m->context, charge, m);
    (void)pcre2_set_match_limit(m->context, RQI_JS_REGEX_MAX_STEPS);
    (void)pcre2_set_heap_limit(m->context, HEAP_KIB);
    run->matcher = m;
    return m;
}

bool rqi_js_regex_match(rqi_js_run *run, const rqi_js_regex *regex, const char *text, size_t len)
{
    struct rqi_js_matcher *m = matcher_of(run);
    if (m == NULL) {
        return rqi_js_stop(run, REFQ_ERR_NOMEM, "out of memory while matching a pattern");
    }
    if (!rqi_js_spend(run, 4 + len / BYTES_A_STEP)) {
        return false;
    }
    m->left = RQI_JS_REGEX_MAX_STEPS;
    m->position = 0;
    int rc =
        pcre2_match(regex->code, (PCRE2_SPTR)text, len, 0, PCRE2_NO_UTF_CHECK, m->data, m->context);
    if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH) {
        return rc >= 0;
    }
    return rqi_js_stop(run, rc == PCRE2_ERROR_NOMEMORY ? REFQ_ERR_NOMEM : REFQ_ERR_LIMIT,
                       rc == PCRE2_ERROR_NOMEMORY ? "out of memory while matching a pattern"
                                                  : TOO_EXPENSIVE);
}
