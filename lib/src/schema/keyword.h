/* SPDX-License-Identifier: MIT */
/* The table of keywords: each vocabulary's file defines its rows, keyword.c puts them in the order
 * in which a node's keywords are evaluated. */
#ifndef RQI_SCHEMA_KEYWORD_H
#define RQI_SCHEMA_KEYWORD_H

#include "schema/compile.h"
#include "schema/run.h"

#define RQI_JS_CORE             1u
#define RQI_JS_APPLICATOR       2u
#define RQI_JS_UNEVALUATED      4u
#define RQI_JS_VALIDATION       8u
#define RQI_JS_META_DATA        16u
#define RQI_JS_FORMAT_ANNOTATE  32u
#define RQI_JS_FORMAT_ASSERT    64u
#define RQI_JS_CONTENT          128u
#define RQI_JS_ALL_VOCABULARIES (255u & ~RQI_JS_FORMAT_ASSERT)

/* Reads the keyword's value; on success *ret holds what evaluation needs, or has keyword NULL when
 * there is nothing to evaluate. */
typedef refq_err rqi_js_compile_fn(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                                   rqi_js_check *ret);

/* True when the value passes. A keyword without an explanation reports its failure by itself. */
typedef bool rqi_js_eval_fn(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                            rqi_js_marks *marks);

/* Appends what was expected of a value that did not pass. */
typedef void rqi_js_explain_fn(const rqi_js_check *check, const rqi_js_at *at, rqi_buf *out);

struct rqi_js_keyword {
    const char *name;
    unsigned vocabularies; /* any of them makes it known */
    rqi_js_compile_fn *compile;
    rqi_js_eval_fn *eval;
    rqi_js_explain_fn *explain; /* NULL: eval reports */
    bool needs_marks;           /* what the other keywords have looked at */
};

/* Rows of one file; the last one has no name. */
extern const rqi_js_keyword rqi_js_type_keywords[];
extern const rqi_js_keyword rqi_js_value_keywords[];
extern const rqi_js_keyword rqi_js_number_keywords[];
extern const rqi_js_keyword rqi_js_string_keywords[];
extern const rqi_js_keyword rqi_js_annotation_keywords[];
extern const rqi_js_keyword rqi_js_array_keywords[];
extern const rqi_js_keyword rqi_js_object_keywords[];
extern const rqi_js_keyword rqi_js_ref_keywords[];
extern const rqi_js_keyword rqi_js_members_keywords[];
extern const rqi_js_keyword rqi_js_dependencies_keywords[];
extern const rqi_js_keyword rqi_js_items_keywords[];
extern const rqi_js_keyword rqi_js_logic_keywords[];
extern const rqi_js_keyword rqi_js_unevaluated_keywords[];

/* All of them, in the order of evaluation: what is cheap and says most first, what depends on the
 * others last. NULL-terminated. */
extern const rqi_js_keyword *const rqi_js_keyword_groups[];

#endif
