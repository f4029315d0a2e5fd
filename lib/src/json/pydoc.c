/* SPDX-License-Identifier: MIT */
#include "json/pydoc.h"

#include "base/error.h"
#include "json/keys.h"
#include "json/pytext.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The densest growth is a control character above ASCII's printable ones: one byte, six written. */
static_assert(RQI_PYDOC_MAX <= UINT32_MAX / 6, "sizes of items fit 32 bits");

/* An open container. */
struct frame {
    size_t value_from; /* w->chars where the current value began */
    size_t n;          /* members so far, without those that came again */
    uint32_t bottom;   /* of its keys */
    uint32_t key;      /* of the current member */
    uint32_t key_at;
    uint32_t value_at;
    bool object;
    bool again; /* the current key was there before */
};

struct walk {
    rqi_scan scan;
    rqi_pydoc *doc;
    const char *base; /* the value's first byte */
    bool want_items;
    size_t chars;
    size_t item_from; /* chars where the current item of the outermost container began */
    rqi_keys keys;
    rqi_buf items;
    rqi_buf moves;
    struct frame frames[RQI_SCAN_DEPTH + 1]; /* by depth; the first is not used */
};

static uint32_t offset(const struct walk *w, refq_bytes text)
{
    return (uint32_t)((const char *)text.ptr - w->base);
}

static rqi_pyitem *item(struct walk *w, size_t i)
{
    return (rqi_pyitem *)(void *)w->items.ptr + i;
}

static void begin_item(struct walk *w, refq_bytes text)
{
    w->doc->n_items++;
    w->item_from = w->chars;
    if (w->want_items) {
        rqi_pyitem it = {.at = offset(w, text)};
        rqi_buf_add(&w->items, &it, sizeof it);
    }
}

static bool has_item(const struct walk *w, unsigned depth)
{
    return depth == 1 && w->want_items && w->items.err == REFQ_OK;
}

/* --- Members ---------------------------------------------------------------------------------- */

static void on_key(struct walk *w, const rqi_scan_token *token)
{
    struct frame *f = &w->frames[w->scan.depth];
    bool is_new;
    f->key = rqi_keys_add(&w->keys, f->bottom, token->text, token->plain, &is_new);
    f->again = !is_new;
    f->key_at = offset(w, token->text);
    if (!is_new) {
        return;
    }
    w->chars += f->n++ != 0 ? 2 : 0;
    if (w->scan.depth == 1) {
        begin_item(w, token->text);
    }
    w->chars += rqi_pytext_chars(token) + 2;
}

static void add_move(struct walk *w, uint32_t key_at, uint32_t value_at, uint32_t end_at)
{
    rqi_pymove move = {key_at, value_at, end_at};
    rqi_buf_add(&w->moves, &move, sizeof move);
}

/* The first member of this key takes over the value that ended at `end`. */
static void note_move(struct walk *w, const struct frame *f, rqi_key *key, uint32_t end)
{
    if (key->move == 0) {
        add_move(w, offset(w, key->text), f->value_at, key->value_end);
        key->move = (uint32_t)(w->moves.len / sizeof(rqi_pymove));
    } else if (w->moves.err == REFQ_OK) {
        ((rqi_pymove *)(void *)w->moves.ptr)[key->move - 1].value_at = f->value_at;
    }
    add_move(w, f->key_at, 0, end);
}

static void end_member(struct walk *w, unsigned depth, struct frame *f, size_t size)
{
    if (w->keys.failed) {
        return;
    }
    rqi_key *key = &w->keys.list[f->key];
    uint32_t end = (uint32_t)(w->scan.p - w->base);
    if (f->again) {
        w->chars -= key->value_size;
        note_move(w, f, key, end);
    } else {
        key->value_end = end;
    }
    if (has_item(w, depth)) {
        /* At this depth a key's index is its item's. */
        rqi_pyitem *it = item(w, f->key);
        it->chars =
            (uint32_t)(f->again ? it->chars + size - key->value_size : w->chars - w->item_from);
    }
    key->value_size = size;
}

/* --- Values ----------------------------------------------------------------------------------- */

static void begin_value(struct walk *w, unsigned depth, const rqi_scan_token *token)
{
    if (depth == 0) {
        return;
    }
    struct frame *f = &w->frames[depth];
    f->value_at = offset(w, token->text);
    if (!f->object) {
        w->chars += f->n++ != 0 ? 2 : 0;
        if (depth == 1) {
            begin_item(w, token->text);
        }
    }
    f->value_from = w->chars;
}

static void end_value(struct walk *w, unsigned depth)
{
    if (depth == 0) {
        return;
    }
    struct frame *f = &w->frames[depth];
    size_t size = w->chars - f->value_from;
    if (f->object) {
        end_member(w, depth, f, size);
    } else if (has_item(w, depth)) {
        item(w, w->doc->n_items - 1)->chars = (uint32_t)size;
    }
}

static void on_open(struct walk *w, const rqi_scan_token *token)
{
    begin_value(w, w->scan.depth - 1, token);
    w->frames[w->scan.depth] =
        (struct frame){.bottom = w->keys.n, .object = token->kind == RQI_SCAN_OBJECT};
    w->chars++;
}

static void on_close(struct walk *w, const rqi_scan_token *token)
{
    (void)token;
    rqi_keys_pop(&w->keys, w->frames[w->scan.depth + 1].bottom);
    w->chars++;
    end_value(w, w->scan.depth);
}

static void on_scalar(struct walk *w, const rqi_scan_token *token)
{
    begin_value(w, w->scan.depth, token);
    size_t chars = rqi_pytext_chars(token);
    w->keys.failed = w->keys.failed || chars == 0;
    w->chars += chars;
    end_value(w, w->scan.depth);
}

static void (*const handlers[])(struct walk *, const rqi_scan_token *) = {
    [RQI_SCAN_NULL] = on_scalar,     [RQI_SCAN_FALSE] = on_scalar,
    [RQI_SCAN_TRUE] = on_scalar,     [RQI_SCAN_NAN] = on_scalar,
    [RQI_SCAN_INFINITY] = on_scalar, [RQI_SCAN_NEG_INFINITY] = on_scalar,
    [RQI_SCAN_INT] = on_scalar,      [RQI_SCAN_REAL] = on_scalar,
    [RQI_SCAN_STRING] = on_scalar,   [RQI_SCAN_KEY] = on_key,
    [RQI_SCAN_ARRAY] = on_open,      [RQI_SCAN_ARRAY_END] = on_close,
    [RQI_SCAN_OBJECT] = on_open,     [RQI_SCAN_OBJECT_END] = on_close};

static bool out_of_memory(const struct walk *w)
{
    return w->keys.failed || w->items.err != REFQ_OK || w->moves.err != REFQ_OK;
}

static refq_err walk_text(struct walk *w, refq_error *err)
{
    rqi_scan_token token;
    const char *end = w->scan.start;
    while (rqi_scan_next(&w->scan, &token) > RQI_SCAN_DONE) {
        if (w->base == NULL) {
            w->base = token.text.ptr;
            w->doc->kind = token.kind;
        }
        handlers[token.kind](w, &token);
        if (out_of_memory(w)) {
            return rqi_fail(err, REFQ_ERR_NOMEM, "no memory for the table of a JSON text's items");
        }
        end = w->scan.p;
    }
    refq_err rc = rqi_scan_finish(&w->scan);
    if (rc == REFQ_OK) {
        w->doc->text = (refq_bytes){w->base, (size_t)(end - w->base)};
        w->doc->chars = w->chars;
    }
    return rc;
}

/* --- Opening ---------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
    const rqi_pymove *x = a;
    const rqi_pymove *y = b;
    return (x->key_at > y->key_at) - (x->key_at < y->key_at);
}

static void hand_over(struct walk *w)
{
    rqi_pydoc *doc = w->doc;
    doc->n_moves = w->moves.len / sizeof *doc->moves;
    doc->items = (rqi_pyitem *)(void *)w->items.ptr;
    doc->moves = (rqi_pymove *)(void *)w->moves.ptr;
    if (doc->n_moves != 0) {
        qsort(doc->moves, doc->n_moves, sizeof *doc->moves, by_key);
    }
}

refq_err rqi_pydoc_open(refq_bytes text, bool want_items, rqi_pydoc *ret, refq_error *err)
{
    if (text.len > RQI_PYDOC_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT,
                        "the JSON text has %zu bytes; at most %zu bytes are allowed", text.len,
                        RQI_PYDOC_MAX);
    }
    struct walk *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "no memory to read %zu bytes of JSON", text.len);
    }
    rqi_pydoc doc = {0};
    w->doc = &doc;
    w->want_items = want_items;
    rqi_scan_init(&w->scan, text, 0, err);
    rqi_keys_init(&w->keys);
    refq_err rc = walk_text(w, err);
    if (rc == REFQ_OK) {
        hand_over(w);
        *ret = doc;
    } else {
        rqi_buf_done(&w->items);
        rqi_buf_done(&w->moves);
    }
    rqi_keys_done(&w->keys);
    free(w);
    return rc;
}

void rqi_pydoc_done(rqi_pydoc *doc)
{
    free(doc->items);
    free(doc->moves);
    *doc = (rqi_pydoc){0};
}

const rqi_pymove *rqi_pydoc_move(const rqi_pydoc *doc, size_t key_at)
{
    if (doc->n_moves == 0) {
        return NULL;
    }
    rqi_pymove key = {.key_at = (uint32_t)key_at};
    return bsearch(&key, doc->moves, doc->n_moves, sizeof *doc->moves, by_key);
}
