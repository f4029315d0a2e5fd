/* SPDX-License-Identifier: MIT */
/*
 * A store for programs in other languages: JSON lines on stdin, one answer each on stdout.
 *
 *     store_tool URL [PREFIX]
 *     {"op": "set", "ref_id": "c:1", "text": "{...}", "ttl_ms": 1000, "if_absent": false}
 *     {"op": "get", "ref_id": "c:1"}              {"ok": true, "text": "{...}"}
 *     {"op": "delete", "ref_id": "c:1"}           {"ok": true, "there": true}
 *     {"op": "exists", "ref_id": "c:1"}           {"ok": true, "there": false}
 *     {"op": "scan", "name": "c", "cursor": "", "limit": 10, "texts": true}
 *                                                 {"ok": true, "items": [{"ref_id": "c:1", "text":
 *                                                  "{...}"}], "skipped": 0, "next": ""}
 *     {"op": "clear", "name": "c"}                {"ok": true, "n": 3}
 *     {"op": "count"}                             {"ok": true, "n": 3}
 *
 * What fails answers {"ok": false, "error": "not found", "text": "why"}. A number at "times"
 * repeats a set, with "-0", "-1" and so on behind the ref_id.
 */
#include "tools/json_lines.h"

#include <refq/store.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct request {
    refq_store *store;
    const json_t *in;
    const char *ref_id;
    refq_error err;
};

static json_t *done(void)
{
    return json_pack("{s:b}", "ok", 1);
}

static json_t *set(struct request *r)
{
    const char *text = rqt_lines_text(r->in, "text");
    refq_bytes bytes = {text, json_string_length(json_object_get(r->in, "text"))};
    unsigned flags = json_is_true(json_object_get(r->in, "if_absent")) ? REFQ_STORE_IF_ABSENT : 0;
    int64_t times = rqt_lines_number(r->in, "times");
    int64_t ttl_ms = rqt_lines_number(r->in, "ttl_ms");
    refq_err rc =
        times != 0 ? REFQ_OK : refq_store_set(r->store, r->ref_id, bytes, ttl_ms, flags, &r->err);
    for (int64_t i = 0; i < times && rc == REFQ_OK; i++) {
        char id[REFQ_STORE_ID_MAX + 32];
        (void)snprintf(id, sizeof id, "%.256s-%lld", r->ref_id, (long long)i);
        rc = refq_store_set(r->store, id, bytes, ttl_ms, flags, &r->err);
    }
    return rc == REFQ_OK ? done() : rqt_lines_failed(&r->err);
}

static json_t *get(struct request *r)
{
    char *text = NULL;
    size_t len = 0;
    if (refq_store_get(r->store, r->ref_id, &text, &len, &r->err) != REFQ_OK) {
        return rqt_lines_failed(&r->err);
    }
    json_t *out = json_pack("{s:b, s:s%}", "ok", 1, "text", text, len);
    free(text);
    return out;
}

static json_t *answer_there(struct request *r, refq_err rc, bool there)
{
    return rc == REFQ_OK ? json_pack("{s:b, s:b}", "ok", 1, "there", there)
                         : rqt_lines_failed(&r->err);
}

static json_t *delete (struct request *r)
{
    bool there = false;
    refq_err rc = refq_store_delete(r->store, r->ref_id, &there, &r->err);
    return answer_there(r, rc, there);
}

static json_t *exists(struct request *r)
{
    bool there = false;
    refq_err rc = refq_store_exists(r->store, r->ref_id, &there, &r->err);
    return answer_there(r, rc, there);
}

static json_t *scan(struct request *r)
{
    refq_store_page page = {0};
    refq_store_query q = {.struct_size = sizeof q,
                          .name = rqt_lines_text(r->in, "name"),
                          .cursor = rqt_lines_text(r->in, "cursor"),
                          .limit = (unsigned)rqt_lines_number(r->in, "limit"),
                          .texts = json_is_true(json_object_get(r->in, "texts"))};
    if (refq_store_scan(r->store, &q, &page, &r->err) != REFQ_OK) {
        return rqt_lines_failed(&r->err);
    }
    json_t *items = json_array();
    for (size_t i = 0; i < page.n; i++) {
        const refq_store_item *item = &page.items[i];
        json_array_append_new(items,
                              json_pack("{s:s, s:s?}", "ref_id", item->ref_id, "text", item->text));
    }
    json_t *out = json_pack("{s:b, s:o, s:I, s:s}", "ok", 1, "items", items, "skipped",
                            (json_int_t)page.skipped, "next", page.next);
    refq_store_page_free(&page);
    return out;
}

static json_t *answer_number(struct request *r, refq_err rc, int64_t n)
{
    return rc == REFQ_OK ? json_pack("{s:b, s:I}", "ok", 1, "n", (json_int_t)n)
                         : rqt_lines_failed(&r->err);
}

static json_t *clear(struct request *r)
{
    size_t n = 0;
    refq_err rc = refq_store_clear(r->store, rqt_lines_text(r->in, "name"), &n, &r->err);
    return answer_number(r, rc, (int64_t)n);
}

static json_t *count(struct request *r)
{
    refq_store_stat stat = {.struct_size = sizeof stat};
    refq_err rc = refq_store_count(r->store, &stat, &r->err);
    return answer_number(r, rc, stat.entries);
}

static const struct {
    const char *name;
    json_t *(*run)(struct request *r);
} operations[] = {
    {"set", set},   {"get", get},     {"delete", delete}, {"exists", exists},
    {"scan", scan}, {"clear", clear}, {"count", count},
};

static json_t *answer(void *store, const json_t *in)
{
    struct request request = {.store = store, .in = in, .ref_id = rqt_lines_text(in, "ref_id")};
    struct request *r = &request;
    const char *op = rqt_lines_text(r->in, "op");
    for (size_t i = 0; op != NULL && i < sizeof operations / sizeof operations[0]; i++) {
        if (strcmp(op, operations[i].name) == 0) {
            return operations[i].run(r);
        }
    }
    r->err = (refq_error){.code = REFQ_ERR_INVALID, .text = "this is no operation of a store"};
    return rqt_lines_failed(&r->err);
}

int main(int argc, char **argv)
{
    refq_error err;
    refq_store *store = NULL;
    refq_store_options o = {.struct_size = sizeof o,
                            .url = argc > 1 ? argv[1] : NULL,
                            .prefix = argc > 2 ? argv[2] : NULL};
    if (refq_store_open(&o, &store, &err) != REFQ_OK) {
        (void)fprintf(stderr, "store_tool: %s\n", err.text);
        return 1;
    }
    rqt_lines_serve(answer, store);
    refq_store_close(store);
    return 0;
}
