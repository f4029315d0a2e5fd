/* SPDX-License-Identifier: MIT */
/*
 * JSON as Python's json.dumps() writes it by default: json.dumps(json.loads(x)).
 *
 * DESIGN. ", " and ": " between the parts; strings in ASCII, with \uXXXX in
 * lower case, pairs of them beyond U+FFFF, lone surrogates and DEL escaped too;
 * integers with all their digits (-0 is 0); floats as repr() (pyfloat.h), those
 * too large Infinity; NaN and the infinities by name; of keys that come again
 * the value of the last at the place of the first.
 */
#ifndef RQI_JSON_PYTEXT_H
#define RQI_JSON_PYTEXT_H

#include "json/render.h"

extern const rqi_render_form rqi_pytext;

/* Characters of a scalar or a key in this form, all of them ASCII. 0 only without memory. */
size_t rqi_pytext_chars(const rqi_scan_token *token);

/* Appends the whole text in this form. Errors as rqi_pydoc_open(), and those of out. */
REFQ_MUST_USE refq_err rqi_pytext_write(refq_bytes text, rqi_buf *out, refq_error *err);

/* Its length, without writing it: one pass over the text. */
REFQ_MUST_USE refq_err rqi_pytext_measure(refq_bytes text, size_t *ret_chars, refq_error *err);

#endif
