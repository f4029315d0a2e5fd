/* SPDX-License-Identifier: MIT */
/*
 * Writing a value anew, token by token, from the text it was read from.
 *
 * DESIGN. How a single token looks is a function of the form that is wanted
 * (pytext.h, strict.h); what is done here is the same for all: separators, and
 * for keys that come again the value of the last at the place of the first.
 * For that the scan jumps to the other value and back, so that each part of
 * the text is visited once, however often and deep keys repeat.
 */
#ifndef RQI_JSON_RENDER_H
#define RQI_JSON_RENDER_H

#include "base/buf.h"
#include "json/pydoc.h"

typedef struct rqi_render_form {
    const char *comma;                                        /* between items */
    const char *colon;                                        /* behind keys */
    void (*write)(const rqi_scan_token *token, rqi_buf *out); /* scalars and keys */
} rqi_render_form;

/* Appends the value that begins at this offset of the document. Failures are out's. */
void rqi_render_value(const rqi_pydoc *doc, size_t at, const rqi_render_form *form, rqi_buf *out);

/* Appends n items from the i-th on, with commas between them, and keys in an object; the document
 * was opened with its items. */
void rqi_render_items(const rqi_pydoc *doc, size_t i, size_t n, const rqi_render_form *form,
                      rqi_buf *out);

#endif
