/* SPDX-License-Identifier: MIT */
/*
 * A value that was read once: its size as Python would write it, and where the
 * items of its outermost container are.
 *
 * DESIGN. The size of a value in the ref cache is that of
 * json.dumps(json.loads(text)): ", " and ": " between the parts, only ASCII,
 * floats as repr() has them. It is found in the same pass that checks the text,
 * without writing anything. Of members with the same key Python keeps the
 * place of the first and the value of the last; such places are noted ("moves")
 * for whoever writes the value. Offsets are 32 bits: texts are shorter, and a
 * value of millions of items has a table of eight bytes each.
 */
#ifndef RQI_JSON_PYDOC_H
#define RQI_JSON_PYDOC_H

#include "base/buf.h"
#include "json/scan.h"

typedef struct rqi_pyitem {
    uint32_t at;    /* offset of the item, of the key in an object */
    uint32_t chars; /* its size, with key and ": " in an object */
} rqi_pyitem;

typedef struct rqi_pymove {
    uint32_t key_at;   /* of a key that its object has twice */
    uint32_t value_at; /* where its value is instead; 0: the member is left out */
    uint32_t end_at;   /* past the value that stands there */
} rqi_pymove;

typedef struct rqi_pydoc {
    refq_bytes text;    /* the value without blanks around it; borrowed */
    rqi_scan_kind kind; /* of its first token */
    size_t chars;       /* size of the whole */
    rqi_pyitem *items;  /* of an array or object, when asked for; owned */
    size_t n_items;     /* counted even when not asked for */
    rqi_pymove *moves;  /* by key_at; owned */
    size_t n_moves;
} rqi_pydoc;

#define RQI_PYDOC_MAX RQI_BUF_MAX /* bytes of text */

/* Reads text, which is borrowed until done. REFQ_ERR_INVALID when it is not one value (as scan.h
 * has it), REFQ_ERR_LIMIT when too long or too deep, REFQ_ERR_NOMEM. */
REFQ_MUST_USE refq_err rqi_pydoc_open(refq_bytes text, bool want_items, rqi_pydoc *ret,
                                      refq_error *err);
void rqi_pydoc_done(rqi_pydoc *doc);

/* The move of the key at this offset, NULL when it has none. */
const rqi_pymove *rqi_pydoc_move(const rqi_pydoc *doc, size_t key_at);

#endif
