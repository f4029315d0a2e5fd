/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A response is taken apart by its text. A parser with numbers of 64
 * bits would refuse values that Python and the cache take, and a value should
 * reach the terminal as it is.
 */
#include "reply.h"

#include "exit.h"
#include "out.h"
#include "text.h"

#include "base/parse.h"
#include "json/parts.h"
#include "json/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INDENT  2
#define COLUMNS 96 /* of a line with several items */
#define DEEPEST 32 /* levels that are indented; further ones stand below each other */

/* --- Reading ---------------------------------------------------------------------------------- */

refq_bytes cli_reply_member(refq_bytes object, const char *name)
{
    rqi_parts parts;
    rqi_part part;
    rqi_parts_open(&parts, object, NULL);
    while (rqi_parts_next(&parts, &part)) {
        if (parts.kind == RQI_SCAN_OBJECT && rqi_str_is(part.key, name)) {
            return part.kind == RQI_SCAN_NULL ? (refq_bytes){0} : part.value;
        }
    }
    return (refq_bytes){0};
}

void cli_reply_text(refq_bytes object, const char *name, rqi_buf *out)
{
    refq_bytes value = cli_reply_member(object, name);
    const char *text = value.ptr;
    if (value.len > 0 && text[0] == '"') {
        rqi_str_decode(value, out);
    }
}

int64_t cli_reply_number(refq_bytes object, const char *name, int64_t otherwise)
{
    char digits[24];
    int64_t number = otherwise;
    refq_bytes value = cli_reply_member(object, name);
    if (value.len == 0 || value.len >= sizeof digits) {
        return otherwise;
    }
    (void)snprintf(digits, sizeof digits, "%.*s", (int)value.len, (const char *)value.ptr);
    return rqi_parse_int(digits, INT64_MIN, INT64_MAX, &number, NULL) == REFQ_OK ? number
                                                                                 : otherwise;
}

static refq_bytes all_of(const refq_response *r)
{
    return (refq_bytes){.ptr = r->json, .len = r->len};
}

/* --- Indenting -------------------------------------------------------------------------------- */

struct layout {
    rqi_buf *out;
    unsigned depth;
    size_t line;  /* where in out the line starts */
    bool fresh;   /* nothing in the innermost container yet */
    bool behind;  /* a key was written last */
    bool scalars; /* an item that is no container was written last */
};

static void new_line(struct layout *l)
{
    unsigned levels = l->depth < DEEPEST ? l->depth : DEEPEST;
    rqi_buf_addc(l->out, '\n');
    l->line = l->out->len;
    rqi_buf_addf(l->out, "%*s", (int)(INDENT * levels), "");
}

/* Items that are no containers share lines: a thousand numbers are no thousand lines. */
static void begin_part(struct layout *l, const rqi_scan_token *token, bool scalar)
{
    if (l->behind || l->depth == 0) {
        return;
    }
    rqi_buf_adds(l->out, l->fresh ? "" : ",");
    if (scalar && l->scalars && l->out->len - l->line + token->text.len < COLUMNS) {
        rqi_buf_addc(l->out, ' ');
    } else {
        new_line(l);
    }
}

static void close_container(struct layout *l, refq_bytes text)
{
    l->depth--;
    if (!l->fresh) {
        new_line(l);
    }
    rqi_buf_add(l->out, text.ptr, text.len);
    l->fresh = false;
    l->scalars = false;
}

static void put_token(struct layout *l, const rqi_scan_token *token)
{
    bool opens = token->kind == RQI_SCAN_ARRAY || token->kind == RQI_SCAN_OBJECT;
    bool scalar = !opens && !l->behind && token->kind != RQI_SCAN_KEY;
    if (token->kind == RQI_SCAN_ARRAY_END || token->kind == RQI_SCAN_OBJECT_END) {
        close_container(l, token->text);
        return;
    }
    begin_part(l, token, scalar);
    rqi_buf_add(l->out, token->text.ptr, token->text.len);
    l->behind = token->kind == RQI_SCAN_KEY;
    rqi_buf_adds(l->out, l->behind ? ": " : "");
    l->depth += opens;
    l->fresh = opens;
    l->scalars = scalar;
}

void cli_reply_pretty(refq_bytes value, rqi_buf *out)
{
    rqi_scan scan;
    rqi_scan_token token;
    struct layout l = {.out = out};
    rqi_scan_init(&scan, value, 0, NULL);
    rqi_scan_kind kind = rqi_scan_next(&scan, &token);
    while (kind != RQI_SCAN_DONE && kind != RQI_SCAN_BAD) {
        put_token(&l, &token);
        kind = rqi_scan_next(&scan, &token);
    }
}

/* --- No value --------------------------------------------------------------------------------- */

static int status_of(const refq_response *r)
{
    if (!r->is_async) {
        return EX_OK;
    }
    return refq_status_is_terminal(r->status) ? CLI_EXIT_NO : EX_TEMPFAIL;
}

int cli_reply_json(const refq_response *response)
{
    (void)cli_out_line(response->json);
    return status_of(response);
}

/* "3/6 step 3", "3", or what the message says. */
static void add_progress(refq_bytes all, rqi_buf *out)
{
    refq_bytes progress = cli_reply_member(all, "progress");
    int64_t total = cli_reply_number(progress, "total", -1);
    if (progress.len == 0) {
        cli_reply_text(all, "message", out);
        return;
    }
    rqi_buf_addf(out, "%" PRId64, cli_reply_number(progress, "current", 0));
    if (total >= 0) {
        rqi_buf_addf(out, "/%" PRId64, total);
    }
    rqi_buf_addc(out, ' ');
    cli_reply_text(progress, "message", out);
}

static void add_error(refq_bytes all, rqi_buf *out)
{
    size_t before = out->len;
    cli_reply_text(all, "error", out);
    if (out->len == before) {
        cli_reply_text(all, "message", out);
    }
}

int cli_reply_missing(const refq_response *response)
{
    rqi_buf ref = {0};
    rqi_buf remark = {0};
    int code = status_of(response);
    refq_bytes all = all_of(response);
    cli_reply_text(all, "ref_id", &ref);
    if (response->status == REFQ_FAILED) {
        add_error(all, &remark);
        (void)cli_fail_as(code, "%s failed: %s", rqi_buf_str(&ref), rqi_buf_str(&remark));
    } else if (response->status == REFQ_CANCELLED) {
        (void)cli_fail_as(code, "%s is cancelled", rqi_buf_str(&ref));
    } else {
        add_progress(all, &remark);
        (void)cli_fail_as(code, "%s is %s, %s; refq watch follows it", rqi_buf_str(&ref),
                          refq_status_name(response->status), rqi_buf_str(&remark));
    }
    rqi_buf_done(&remark);
    rqi_buf_done(&ref);
    return code;
}

/* --- Values ----------------------------------------------------------------------------------- */

static void note_page(int64_t page, int64_t pages, const char *items)
{
    if (page < pages) {
        cli_note("page %" PRId64 " of %" PRId64 "%s; --page %" PRId64 " shows the next", page,
                 pages, items, page + 1);
    } else if (page == pages) {
        cli_note("page %" PRId64 " of %" PRId64 "%s: the last", page, pages, items);
    } else {
        cli_note("there is no page %" PRId64 "; the last is %" PRId64 "%s", page, pages, items);
    }
}

/* What is shown is not all: says what it is, and how to see more. */
static void note_preview(refq_bytes all, const char *options)
{
    rqi_buf ref = {0};
    rqi_buf items = {0};
    int64_t page = cli_reply_number(all, "page", 0);
    int64_t n = cli_reply_number(all, "total_items", -1);
    cli_reply_text(all, "ref_id", &ref);
    if (n >= 0) {
        rqi_buf_addf(&items, ", %" PRId64 " items in all", n);
    }
    if (page > 0) {
        note_page(page, cli_reply_number(all, "total_pages", 0), rqi_buf_str(&items));
    } else {
        cli_note("a preview%s; refq get %s%s prints the whole value, with --page 1 the first page",
                 rqi_buf_str(&items), rqi_buf_str(&ref), options);
    }
    rqi_buf_done(&items);
    rqi_buf_done(&ref);
}

/* Values are answered whole or in part. */
static refq_bytes value_of(refq_bytes all)
{
    static const char *const names[] = {"value", "preview"};
    rqi_parts parts;
    rqi_part part;
    rqi_parts_open(&parts, all, NULL);
    while (rqi_parts_next(&parts, &part)) {
        if (rqi_str_is(part.key, names[0]) || rqi_str_is(part.key, names[1])) {
            return part.value;
        }
    }
    return (refq_bytes){0};
}

static int put(rqi_buf *text, refq_bytes raw)
{
    if (text->err != REFQ_OK) { /* too large to be laid out: as it is */
        rqi_buf_clear(text);
        rqi_buf_add(text, raw.ptr, raw.len);
    }
    rqi_buf_addc(text, '\n');
    return text->err == REFQ_OK ? (cli_out(text), EX_OK) : cli_fail_as(EX_OSERR, "out of memory");
}

int cli_reply_preview(const refq_response *response, const char *options)
{
    refq_bytes all = all_of(response);
    if (response->is_async) {
        return cli_reply_missing(response);
    }
    rqi_buf text = {0};
    refq_bytes value = value_of(all);
    rqi_buf_add(&text, value.ptr, value.len);
    int code = put(&text, value);
    rqi_buf_done(&text);
    if (code == EX_OK && !response->is_complete) {
        note_preview(all, options);
    }
    return code;
}

/* --- Calls ------------------------------------------------------------------------------------ */

static void add_row(cli_table *table, const char *label, cli_tone tone, const rqi_buf *text)
{
    if (text->len > 0) {
        cli_table_add(table, CLI_BOLD, "%s", label);
        cli_table_add(table, tone, "%s", rqi_buf_str(text));
    }
}

/* A reference, how its task stands, and how to go on. */
static int show_handle(const refq_response *response, const char *options, const rqi_buf *about)
{
    static const cli_column columns[] = {{NULL, false}, {"", false}};
    cli_table table = cli_table_make(columns, 2);
    rqi_buf ref = {0};
    rqi_buf text = {0};
    refq_bytes all = all_of(response);
    cli_reply_text(all, "ref_id", &ref);
    add_row(&table, "ref_id", CLI_PLAIN, &ref);
    rqi_buf_adds(&text, refq_status_name(response->status));
    add_row(&table, "status", cli_tone_of(response->status), &text);
    rqi_buf_clear(&text);
    if (!response->is_async || cli_reply_member(all, "progress").len > 0) {
        add_progress(all, &text);
    }
    add_row(&table, response->is_async ? "progress" : "about", CLI_PLAIN, &text);
    add_row(&table, "about", CLI_PLAIN, about);
    rqi_buf_clear(&text);
    if (response->is_async) {
        rqi_buf_addf(&text, "refq get %s%s   (refq watch follows it)", rqi_buf_str(&ref), options);
    }
    add_row(&table, "next", CLI_PLAIN, &text);
    rqi_buf_done(&text);
    rqi_buf_done(&ref);
    int code = cli_out_table(&table);
    return code == EX_OK ? status_of(response) : code;
}

static int show_value(const refq_response *response, refq_bytes value, const char *options)
{
    rqi_buf ref = {0};
    rqi_buf text = {0};
    refq_bytes all = all_of(response);
    cli_reply_text(all, "ref_id", &ref);
    (void)dprintf(STDERR_FILENO, "%s\n", rqi_buf_str(&ref));
    cli_reply_pretty(value, &text);
    int code = put(&text, value);
    if (code == EX_OK && !response->is_complete) {
        note_preview(all, options);
    }
    rqi_buf_done(&text);
    rqi_buf_done(&ref);
    return code;
}

int cli_reply_called(const refq_response *response, const char *options, const rqi_buf *about)
{
    refq_bytes value = response->is_async ? (refq_bytes){0} : value_of(all_of(response));
    if (value.len > 0) {
        return show_value(response, value, options);
    }
    bool over = response->is_async && refq_status_is_terminal(response->status);
    return over ? cli_reply_missing(response) : show_handle(response, options, about);
}
