/* SPDX-License-Identifier: MIT */
#include "json/render.h"

struct home {
    unsigned depth; /* of the object whose member's value stands elsewhere */
    uint32_t at;    /* where to go on behind it */
};

struct render {
    const rqi_pydoc *doc;
    const rqi_render_form *form;
    rqi_buf *out;
    const char *base;
    rqi_scan scan;
    rqi_buf homes; /* a stack of struct home */
    bool comma;    /* something stands before the next part */
};

static void go_home(struct render *r)
{
    if (r->homes.len == 0) {
        return;
    }
    const struct home *top = (const struct home *)(const void *)(r->homes.ptr + r->homes.len) - 1;
    if (top->depth == r->scan.depth) {
        r->scan.p = r->base + top->at;
        r->homes.len -= sizeof *top;
    }
}

static void separate(struct render *r)
{
    if (r->comma) {
        rqi_buf_adds(r->out, r->form->comma);
    }
    r->comma = true;
}

static void write_key(struct render *r, const rqi_scan_token *token)
{
    separate(r);
    r->form->write(token, r->out);
    rqi_buf_adds(r->out, r->form->colon);
    r->comma = false;
}

static void on_key(struct render *r, const rqi_scan_token *token)
{
    const rqi_pymove *move =
        rqi_pydoc_move(r->doc, (size_t)((const char *)token->text.ptr - r->base));
    if (move != NULL && move->value_at == 0) {
        rqi_scan_skip(&r->scan, r->base + move->end_at);
        return;
    }
    write_key(r, token);
    if (move != NULL) {
        struct home home = {r->scan.depth, move->end_at};
        rqi_buf_add(&r->homes, &home, sizeof home);
        r->scan.p = r->base + move->value_at;
    }
}

static void on_open(struct render *r, const rqi_scan_token *token)
{
    separate(r);
    rqi_buf_addc(r->out, *(const char *)token->text.ptr);
    r->comma = false;
}

static void on_close(struct render *r, const rqi_scan_token *token)
{
    rqi_buf_addc(r->out, *(const char *)token->text.ptr);
    r->comma = true;
    go_home(r);
}

static void on_scalar(struct render *r, const rqi_scan_token *token)
{
    separate(r);
    r->form->write(token, r->out);
    go_home(r);
}

static void on_token(struct render *r, const rqi_scan_token *token)
{
    rqi_scan_kind kind = token->kind;
    if (kind == RQI_SCAN_KEY) {
        on_key(r, token);
    } else if (kind == RQI_SCAN_ARRAY || kind == RQI_SCAN_OBJECT) {
        on_open(r, token);
    } else if (kind == RQI_SCAN_ARRAY_END || kind == RQI_SCAN_OBJECT_END) {
        on_close(r, token);
    } else {
        on_scalar(r, token);
    }
}

static struct render begin(const rqi_pydoc *doc, const rqi_render_form *form, rqi_buf *out)
{
    return (struct render){.doc = doc, .form = form, .out = out, .base = doc->text.ptr};
}

static void move_to(struct render *r, size_t at)
{
    rqi_scan_init(&r->scan, (refq_bytes){r->base + at, r->doc->text.len - at}, 0, NULL);
}

static void write_value(struct render *r, size_t at)
{
    rqi_scan_token token;
    move_to(r, at);
    r->comma = false;
    while (r->out->err == REFQ_OK && rqi_scan_next(&r->scan, &token) > RQI_SCAN_DONE) {
        on_token(r, &token);
    }
}

static void finish(struct render *r)
{
    if (r->homes.err != REFQ_OK && r->out->err == REFQ_OK) {
        r->out->err = r->homes.err;
    }
    rqi_buf_done(&r->homes);
}

void rqi_render_value(const rqi_pydoc *doc, size_t at, const rqi_render_form *form, rqi_buf *out)
{
    struct render r = begin(doc, form, out);
    write_value(&r, at);
    finish(&r);
}

/* Writes the key at this offset and returns where its value is. */
static size_t write_item_key(struct render *r, size_t at)
{
    rqi_scan_token token;
    move_to(r, at);
    (void)rqi_scan_next(&r->scan, &token);
    r->comma = false;
    write_key(r, &token);
    const rqi_pymove *move = rqi_pydoc_move(r->doc, at);
    if (move != NULL) {
        return move->value_at;
    }
    const char *p = r->scan.p;
    while (*p != ':') {
        p++;
    }
    return (size_t)(p + 1 - r->base);
}

void rqi_render_items(const rqi_pydoc *doc, size_t i, size_t n, const rqi_render_form *form,
                      rqi_buf *out)
{
    struct render r = begin(doc, form, out);
    for (size_t k = i; k < i + n && out->err == REFQ_OK; k++) {
        if (k > i) {
            rqi_buf_adds(out, form->comma);
        }
        size_t at = doc->items[k].at;
        write_value(&r, doc->kind == RQI_SCAN_OBJECT ? write_item_key(&r, at) : at);
    }
    finish(&r);
}
