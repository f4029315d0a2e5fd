/* SPDX-License-Identifier: MIT */
/*
 * A ref cache for programs in other languages: JSON lines on stdin, one answer each on stdout.
 *
 *     cache_tool URL NAME
 *     {"op": "set", "value": "[1]", "namespace": "public", "policy": "{...}", "ttl_ms": 1000,
 *      "actor": "user:alice", "session": "s1"}    {"ok": true, "ref_id": "NAME:0123456789abcdef"}
 *     {"op": "resolve", "ref_id": "..."}          {"ok": true, "value": "[1]"}
 *     {"op": "get", "ref_id": "...", "page": 2}   {"ok": true, "response": "{...}"}
 *     {"op": "exists", "ref_id": "..."}           {"ok": true, "there": true}
 *     {"op": "delete", "ref_id": "..."}           {"ok": true, "there": true}
 *     {"op": "list", "all": true}                 {"ok": true, "refs": ["..."], "broken": 0}
 *     {"op": "clear", "namespace": "x"}           {"ok": true, "removed": 1, "broken": 0}
 *
 * `value`, `policy` and `response` are JSON texts. Without an actor the anonymous agent asks. What
 * fails answers {"ok": false, "error": "not found", "text": "why"}.
 */
#include "tools/json_lines.h"

#include <refq/cache.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct request {
    refq_cache *cache;
    const json_t *in;
    const char *ref_id;
    refq_actor actor;
    refq_error err;
};

static bool has(const struct request *r, const char *name)
{
    return json_object_get(r->in, name) != NULL;
}

static json_t *set(struct request *r)
{
    char ref_id[REFQ_STORE_ID_MAX + 1];
    refq_policy *policy = NULL;
    const char *text = rqt_lines_text(r->in, "policy");
    refq_cache_value v = {.struct_size = sizeof v,
                          .json = rqt_lines_text(r->in, "value"),
                          .len = json_string_length(json_object_get(r->in, "value")),
                          .namespace_name = rqt_lines_text(r->in, "namespace"),
                          .ttl_ms = rqt_lines_number(r->in, "ttl_ms"),
                          .tool_name = rqt_lines_text(r->in, "tool_name")};
    refq_err rc = text != NULL ? refq_policy_parse(text, strlen(text), &policy, &r->err) : REFQ_OK;
    v.policy = policy;
    rc = rc == REFQ_OK ? refq_cache_set(r->cache, &v, &r->actor, ref_id, &r->err) : rc;
    refq_policy_free(policy);
    return rc == REFQ_OK ? json_pack("{s:b, s:s}", "ok", 1, "ref_id", ref_id)
                         : rqt_lines_failed(&r->err);
}

static json_t *resolve(struct request *r)
{
    char *json = NULL;
    size_t len = 0;
    if (refq_cache_resolve(r->cache, r->ref_id, REFQ_READ, &r->actor, &json, &len, &r->err) !=
        REFQ_OK) {
        return rqt_lines_failed(&r->err);
    }
    json_t *out = json_pack("{s:b, s:s%}", "ok", 1, "value", json, len);
    free(json);
    return out;
}

static json_t *get(struct request *r)
{
    refq_response response;
    refq_cache_query q = {.struct_size = sizeof q,
                          .full = json_is_true(json_object_get(r->in, "full")),
                          .has_page = has(r, "page"),
                          .page = rqt_lines_number(r->in, "page"),
                          .has_page_size = has(r, "page_size"),
                          .page_size = rqt_lines_number(r->in, "page_size"),
                          .has_max_size = has(r, "max_size"),
                          .max_size = rqt_lines_number(r->in, "max_size")};
    if (refq_cache_get(r->cache, r->ref_id, &q, &r->actor, &response, &r->err) != REFQ_OK) {
        return rqt_lines_failed(&r->err);
    }
    json_t *out = json_pack("{s:b, s:s%}", "ok", 1, "response", response.json, response.len);
    refq_response_free(&response);
    return out;
}

static json_t *answer_there(struct request *r, refq_err rc, bool there)
{
    return rc == REFQ_OK ? json_pack("{s:b, s:b}", "ok", 1, "there", there)
                         : rqt_lines_failed(&r->err);
}

static json_t *exists(struct request *r)
{
    bool there = false;
    refq_err rc = refq_cache_exists(r->cache, r->ref_id, &r->actor, &there, &r->err);
    return answer_there(r, rc, there);
}

static json_t *delete (struct request *r)
{
    bool there = false;
    refq_err rc = refq_cache_delete(r->cache, r->ref_id, &r->actor, &there, &r->err);
    return answer_there(r, rc, there);
}

/* All pages. */
static json_t *list(struct request *r)
{
    json_t *refs = json_array();
    json_int_t broken = 0;
    char *cursor = NULL;
    refq_err rc = REFQ_OK;
    do {
        refq_cache_list page;
        refq_cache_list_query q = {.struct_size = sizeof q,
                                   .namespace_name = rqt_lines_text(r->in, "namespace"),
                                   .all_caches = json_is_true(json_object_get(r->in, "all")),
                                   .cursor = cursor};
        rc = refq_cache_ls(r->cache, &q, &r->actor, &page, &r->err);
        free(cursor);
        cursor = NULL;
        if (rc != REFQ_OK) {
            break;
        }
        for (size_t i = 0; i < page.n; i++) {
            json_array_append_new(refs, json_string(page.items[i].ref_id));
        }
        broken += (json_int_t)page.broken;
        cursor = page.next;
        page.next = NULL;
        refq_cache_list_free(&page);
    } while (cursor != NULL && cursor[0] != '\0');
    free(cursor);
    if (rc != REFQ_OK) {
        json_decref(refs);
        return rqt_lines_failed(&r->err);
    }
    return json_pack("{s:b, s:o, s:I}", "ok", 1, "refs", refs, "broken", broken);
}

static json_t *clear(struct request *r)
{
    refq_cache_cleared done;
    refq_cache_clear_query q = {.struct_size = sizeof q,
                                .namespace_name = rqt_lines_text(r->in, "namespace"),
                                .children = json_is_true(json_object_get(r->in, "children")),
                                .all_caches = json_is_true(json_object_get(r->in, "all"))};
    if (refq_cache_clear(r->cache, &q, &r->actor, &done, &r->err) != REFQ_OK) {
        return rqt_lines_failed(&r->err);
    }
    return json_pack("{s:b, s:I, s:I, s:I}", "ok", 1, "removed", (json_int_t)done.removed, "denied",
                     (json_int_t)done.denied, "broken", (json_int_t)done.broken);
}

static const struct {
    const char *name;
    json_t *(*run)(struct request *r);
} operations[] = {
    {"set", set},       {"resolve", resolve}, {"get", get},     {"exists", exists},
    {"delete", delete}, {"list", list},       {"clear", clear},
};

/* "system" stands for the system actor here: the test is trusted. */
static refq_err read_actor(struct request *r)
{
    const char *text = rqt_lines_text(r->in, "actor");
    if (text != NULL && strcmp(text, "system") == 0) {
        r->actor = refq_actor_system();
        return REFQ_OK;
    }
    r->actor = (refq_actor){.session_id = rqt_lines_text(r->in, "session")};
    return text != NULL
               ? refq_actor_parse(text, rqt_lines_text(r->in, "session"), &r->actor, &r->err)
               : REFQ_OK;
}

static json_t *answer(void *cache, const json_t *in)
{
    struct request request = {.cache = cache, .in = in};
    struct request *r = &request;
    r->ref_id = has(r, "ref_id") ? rqt_lines_text(in, "ref_id") : "";
    const char *op = rqt_lines_text(r->in, "op");
    if (read_actor(r) != REFQ_OK) {
        return rqt_lines_failed(&r->err);
    }
    for (size_t i = 0; op != NULL && i < sizeof operations / sizeof operations[0]; i++) {
        if (strcmp(op, operations[i].name) == 0) {
            return operations[i].run(r);
        }
    }
    r->err = (refq_error){.code = REFQ_ERR_INVALID, .text = "this is no operation of a cache"};
    return rqt_lines_failed(&r->err);
}

int main(int argc, char **argv)
{
    refq_error err;
    refq_store *store = NULL;
    refq_cache *cache = NULL;
    refq_store_options so = {.struct_size = sizeof so, .url = argc > 1 ? argv[1] : NULL};
    refq_cache_options o = {.struct_size = sizeof o, .name = argc > 2 ? argv[2] : NULL};
    if (refq_store_open(&so, &store, &err) != REFQ_OK ||
        refq_cache_open(store, &o, &cache, &err) != REFQ_OK) {
        (void)fprintf(stderr, "cache_tool: %s\n", err.text);
        refq_store_close(store);
        return 1;
    }
    rqt_lines_serve(answer, cache);
    refq_cache_close(cache);
    refq_store_close(store);
    return 0;
}
