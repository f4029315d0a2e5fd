/* SPDX-License-Identifier: MIT */
/*
 * JSON that strict parsers take, from JSON as Python writes it.
 *
 * DESIGN. Two forms. `portable` is for what is answered as JSON: NaN, the
 * infinities and floats too large for a double are null, lone surrogates are
 * \ufffd, every other byte stays, blanks too. `strict` is for what jansson is
 * to load: besides, an integer beyond 64 bits is a string of its digits, of
 * keys that come again the value of the last stands at the place of the first,
 * and there are no blanks. What is stored in the ref cache is neither: it stays
 * as it was written.
 */
#ifndef RQI_JSON_PORTABLE_H
#define RQI_JSON_PORTABLE_H

#include "json/render.h"

extern const rqi_render_form rqi_strict;

/* Append the text in the form. REFQ_ERR_INVALID when it is not one value, REFQ_ERR_LIMIT when
 * nested too deep, and out's errors. out may hold a part after a failure. */
REFQ_MUST_USE refq_err rqi_portable_write(refq_bytes text, rqi_buf *out, refq_error *err);
REFQ_MUST_USE refq_err rqi_strict_write(refq_bytes text, rqi_buf *out, refq_error *err);

#endif
