/* SPDX-License-Identifier: MIT */
/* The rules of the ref cache, over each of its stores. */
#include "support/access_cells.h"
#include "support/main.h"
#include "support/redis_fixture.h"
#include "support/wait.h"

#include <refq/cache.h>

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MEMORY, SQLITE, REDIS, STORES };

static refq_store *store;
static refq_cache *cache;
static char path[160];

static const refq_actor agent; /* anonymous */
static const refq_actor alice = {.type = REFQ_ACTOR_USER, .id = "alice"};
static const refq_actor bob = {.type = REFQ_ACTOR_USER, .id = "bob"};

/* --- Scaffolding ------------------------------------------------------------------------------ */

static void open_store(int kind)
{
    refq_error err = {0};
    char url[200];
    refq_store_options o = {.struct_size = sizeof o, .url = url};
    (void)snprintf(path, sizeof path, "%s/cache-%d.db", rqt_redis_dir(), (int)getpid());
    (void)snprintf(url, sizeof url, "%s", "memory:");
    if (kind == SQLITE) {
        (void)snprintf(url, sizeof url, "sqlite:%s", path);
    } else if (kind == REDIS) {
        (void)snprintf(url, sizeof url, "%s", rqt_redis_url());
    }
    ck_assert_msg(refq_store_open(&o, &store, &err) == REFQ_OK, "%s", err.text);
    ck_assert_msg(refq_store_clear(store, NULL, NULL, &err) == REFQ_OK, "%s", err.text);
}

static refq_cache *open_cache(const char *name)
{
    refq_error err = {0};
    refq_cache *made = NULL;
    refq_cache_options o = {.struct_size = sizeof o, .name = name};
    ck_assert_msg(refq_cache_open(store, &o, &made, &err) == REFQ_OK, "%s", err.text);
    return made;
}

static void begin(int kind)
{
    open_store(kind);
    cache = open_cache("docs");
}

static void end(void)
{
    refq_cache_close(cache);
    refq_store_close(store);
    (void)unlink(path);
}

typedef struct ref {
    char text[REFQ_STORE_ID_MAX + 1];
} ref;

static ref put(refq_cache *into, refq_cache_value v, const char *json, const refq_actor *who)
{
    ref r;
    refq_error err = {0};
    v.struct_size = sizeof v;
    v.json = json;
    v.len = strlen(json);
    ck_assert_msg(refq_cache_set(into, &v, who, r.text, &err) == REFQ_OK, "%s", err.text);
    return r;
}

#define PUT(json, who, ...) put(cache, (refq_cache_value){__VA_ARGS__}, (json), (who))

static json_t *get(const ref *r, refq_cache_query q, const refq_actor *who)
{
    refq_error err = {0};
    json_error_t at;
    refq_response response;
    q.struct_size = sizeof q;
    ck_assert_msg(refq_cache_get(cache, r->text, &q, who, &response, &err) == REFQ_OK, "%s",
                  err.text);
    json_t *root = json_loads(response.json, JSON_REJECT_DUPLICATES, &at);
    ck_assert_msg(root != NULL, "%s: %s", at.text, response.json);
    ck_assert_int_eq(json_is_true(json_object_get(root, "is_complete")), response.is_complete);
    refq_response_free(&response);
    return root;
}

#define GET(r, who, ...) get((r), (refq_cache_query){__VA_ARGS__}, (who))

static void expect_json(json_t *root, const char *name, const char *want)
{
    char *text = json_dumps(json_object_get(root, name), JSON_ENCODE_ANY | JSON_COMPACT);
    ck_assert_msg(text != NULL && strcmp(text, want) == 0, "%s is %s, not %s", name, text, want);
    free(text);
}

/* Nothing is told apart: not what is not there, nor why it is not for this actor. */
static void expect_hidden(const char *ref_id, const refq_actor *who)
{
    refq_error err = {0};
    refq_response response;
    char *json = NULL;
    char want[REFQ_STORE_ID_MAX + 64];
    bool there = true;
    (void)snprintf(want, sizeof want, "Invalid or inaccessible reference: %.96s", ref_id);
    ck_assert_int_eq(refq_cache_get(cache, ref_id, NULL, who, &response, &err), REFQ_ERR_NOTFOUND);
    ck_assert_str_eq(err.text, want);
    ck_assert_int_eq(refq_cache_resolve(cache, ref_id, REFQ_READ, who, &json, NULL, &err),
                     REFQ_ERR_NOTFOUND);
    ck_assert_str_eq(err.text, want);
    ck_assert_int_eq(refq_cache_exists(cache, ref_id, who, &there, &err), REFQ_OK);
    ck_assert(!there);
    ck_assert_int_eq(refq_cache_delete(cache, ref_id, who, NULL, &err), REFQ_ERR_NOTFOUND);
    ck_assert_str_eq(err.text, want);
}

/* Something in the place of an entry that is none. */
static void plant(const char *ref_id, const char *text)
{
    refq_error err = {0};
    refq_bytes bytes = {.ptr = text, .len = strlen(text)};
    ck_assert_msg(refq_store_set(store, ref_id, bytes, 0, 0, &err) == REFQ_OK, "%s", err.text);
}

/* --- Storing and reading ---------------------------------------------------------------------- */

START_TEST(a_value_comes_back_as_it_was_stored)
{
    static const char text[] = " {\"b\" : 1.50,\"a\":[ 1e2, NaN, 123456789012345678901234567890 ],"
                               "\n\"u\": \"\\ud800\" } ";
    refq_error err = {0};
    char *json = NULL;
    size_t len = 0;
    begin(_i);
    ref r = PUT(text, NULL);
    ck_assert_uint_eq(strlen(r.text), strlen("docs:") + 16);
    ck_assert_int_eq(strncmp(r.text, "docs:", 5), 0);
    ck_assert_int_eq(refq_cache_resolve(cache, r.text, REFQ_READ, NULL, &json, &len, &err), 0);
    ck_assert_uint_eq(len, strlen(text) - 2);
    ck_assert_int_eq(memcmp(json, text + 1, len), 0);
    free(json);
    end();
}
END_TEST

START_TEST(answers_are_json_for_strict_readers)
{
    begin(_i);
    ref r = PUT("[NaN, -Infinity, \"\\udc00\", 1]", NULL);
    json_t *root = GET(&r, NULL);
    expect_json(root, "preview", "[null,null,\"\xEF\xBF\xBD\",1]");
    json_decref(root);
    root = GET(&r, NULL, .full = true);
    expect_json(root, "value", "[null,null,\"\xEF\xBF\xBD\",1]");
    json_decref(root);
    end();
}
END_TEST

START_TEST(a_small_value_is_its_own_preview)
{
    begin(_i);
    ref r = PUT("{\"a\": 1}", NULL, .tool_name = "ocr", .namespace_name = "shared:x");
    json_t *root = GET(&r, NULL);
    expect_json(root, "preview", "{\"a\":1}");
    expect_json(root, "is_complete", "true");
    expect_json(root, "is_async", "false");
    expect_json(root, "status", "\"complete\"");
    expect_json(root, "cache_name", "\"docs\"");
    expect_json(root, "namespace", "\"shared:x\"");
    expect_json(root, "total_items", "1");
    expect_json(root, "page", "null");
    expect_json(root, "available_actions", "[\"get_page\",\"resolve_full\",\"pass_to_tool\"]");
    ck_assert_ptr_null(json_object_get(root, "message"));
    json_decref(root);
    end();
}
END_TEST

/* "[0, 1, 2, ..." */
static char *numbers(int n)
{
    size_t size = (size_t)n * 8 + 3;
    char *text = malloc(size);
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        at += (size_t)snprintf(text + at, size - at, "%s%d", i == 0 ? "[" : ", ", i);
    }
    (void)snprintf(text + at, size - at, "]");
    return text;
}

START_TEST(pages_together_are_the_value)
{
    char *text = numbers(1000);
    json_t *all = json_array();
    json_int_t pages = 1;
    begin(_i);
    ref r = PUT(text, NULL);
    json_t *root = GET(&r, NULL, .has_max_size = 1, .max_size = 20);
    expect_json(root, "is_complete", "false");
    expect_json(root, "total_items", "1000");
    ck_assert_ptr_nonnull(json_object_get(root, "message"));
    json_decref(root);
    for (json_int_t page = 1; page <= pages; page++) {
        root = GET(&r, NULL, .has_page = 1, .page = page, .has_page_size = 1, .page_size = 100,
                   .has_max_size = 1, .max_size = 50);
        pages = json_integer_value(json_object_get(root, "total_pages"));
        ck_assert_int_eq(json_array_extend(all, json_object_get(root, "preview")), 0);
        json_decref(root);
    }
    json_t *want = json_loads(text, 0, NULL);
    ck_assert_int_gt(pages, 10);
    ck_assert(json_equal(all, want));
    json_decref(want);
    json_decref(all);
    free(text);
    end();
}
END_TEST

static const struct {
    refq_cache_query query;
    const char *says;
} bad_queries[] = {
    {{.has_page = 1, .page = 0}, "page"},
    {{.has_page = 1, .page = -1}, "page"},
    {{.has_page_size = 1, .page_size = 0}, "page_size"},
    {{.has_max_size = 1, .max_size = -1}, "max_size"},
};

START_TEST(questions_that_make_no_sense_are_refused)
{
    begin(MEMORY);
    ref r = PUT("[1, 2]", NULL);
    refq_error err = {0};
    refq_response response;
    refq_cache_query q = bad_queries[_i].query;
    q.struct_size = sizeof q;
    ck_assert_int_eq(refq_cache_get(cache, r.text, &q, NULL, &response, &err), REFQ_ERR_INVALID);
    ck_assert_msg(strstr(err.text, bad_queries[_i].says) != NULL, "%s", err.text);
    end();
}
END_TEST

START_TEST(the_edges_of_a_value_are_empty)
{
    begin(MEMORY);
    ref r = PUT("[1, 2, 3]", NULL);
    json_t *root = GET(&r, NULL, .has_page = 1, .page = 99, .has_page_size = 1, .page_size = 2);
    expect_json(root, "preview", "[]");
    expect_json(root, "page", "99");
    expect_json(root, "total_pages", "2");
    json_decref(root);
    root = GET(&r, NULL, .has_max_size = 1, .max_size = 0);
    expect_json(root, "is_complete", "false");
    expect_json(root, "total_items", "3");
    json_decref(root);
    end();
}
END_TEST

/* A text of so many bytes; the caller frees it. */
static char *long_text(size_t len)
{
    char *text = malloc(len + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, 'a', len);
    text[0] = '"';
    text[len - 1] = '"';
    text[len] = '\0';
    return text;
}

START_TEST(a_value_of_a_hundred_megabytes_is_read_in_portions)
{
    enum { LEN = 100 * 1024 * 1024 };
    ref r;
    refq_error err = {0};
    char *text = long_text(LEN);
    begin(MEMORY);
    refq_cache_value v = {.struct_size = sizeof v, .json = text, .len = LEN};
    ck_assert_msg(refq_cache_set(cache, &v, NULL, r.text, &err) == REFQ_OK, "%s", err.text);
    free(text);
    json_t *root = GET(&r, NULL, .has_page = 1, .page = 2, .has_max_size = 1, .max_size = 100);
    expect_json(root, "original_size", "26214400"); /* tokens of four characters */
    ck_assert_uint_lt(json_string_length(json_object_get(root, "preview")), 401);
    json_decref(root);
    end();
}
END_TEST

START_TEST(a_value_that_is_too_large_is_refused)
{
    enum { LEN = 129 * 1024 * 1024 };
    ref r = {"untouched"};
    refq_error err = {0};
    char *text = long_text(LEN);
    begin(MEMORY);
    refq_cache_value v = {.struct_size = sizeof v, .json = text, .len = LEN};
    ck_assert_int_eq(refq_cache_set(cache, &v, NULL, r.text, &err), REFQ_ERR_LIMIT);
    ck_assert(err.text[0] != '\0');
    ck_assert_str_eq(r.text, "untouched");
    free(text);
    end();
}
END_TEST

static const struct {
    const char *json;
    refq_cache_value value;
    refq_err rc;
} bad_values[] = {
    {"", {0}, REFQ_ERR_INVALID},
    {"[1,]", {0}, REFQ_ERR_INVALID},
    {"1 2", {0}, REFQ_ERR_INVALID},
    {"\"\xff\"", {0}, REFQ_ERR_INVALID},
    {"1", {.namespace_name = ""}, REFQ_ERR_INVALID},
    {"1", {.namespace_name = "a\nb"}, REFQ_ERR_INVALID},
    {"1", {.namespace_name = "user:bob"}, REFQ_ERR_DENIED},
    {"1", {.namespace_name = "session:s"}, REFQ_ERR_DENIED},
    {"1", {.ttl_ms = -2}, REFQ_ERR_LIMIT},
    {"1", {.ttl_ms = INT64_MAX}, REFQ_ERR_LIMIT},
};

START_TEST(values_that_cannot_be_stored_are_refused)
{
    begin(MEMORY);
    ref r;
    refq_error err = {0};
    refq_cache_value v = bad_values[_i].value;
    v.struct_size = sizeof v;
    v.json = bad_values[_i].json;
    v.len = strlen(v.json);
    ck_assert_int_eq(refq_cache_set(cache, &v, &alice, r.text, &err), bad_values[_i].rc);
    ck_assert(err.text[0] != '\0');
    end();
}
END_TEST

START_TEST(a_value_nested_too_deep_is_refused)
{
    enum { DEEP = 10000 };
    static char text[2 * DEEP + 1];
    ref r;
    refq_error err = {0};
    begin(MEMORY);
    memset(text, '[', DEEP);
    memset(text + DEEP, ']', DEEP);
    refq_cache_value v = {.struct_size = sizeof v, .json = text, .len = sizeof text - 1};
    ck_assert_int_eq(refq_cache_set(cache, &v, NULL, r.text, &err), REFQ_ERR_LIMIT);
    end();
}
END_TEST

/* --- Lives ------------------------------------------------------------------------------------ */

static bool is_gone(const ref *r)
{
    bool there = true;
    refq_error err = {0};
    ck_assert_msg(refq_cache_exists(cache, r->text, NULL, &there, &err) == REFQ_OK, "%s", err.text);
    return !there;
}

START_TEST(a_value_lives_as_long_as_it_was_given)
{
    begin(_i);
    ref brief = PUT("1", NULL, .ttl_ms = 50);
    ref usual = PUT("2", NULL);
    ref ever = PUT("3", NULL, .ttl_ms = REFQ_FOREVER);
    ck_assert(RQT_UNTIL(is_gone(&brief), 10000));
    expect_hidden(brief.text, NULL);
    ck_assert(!is_gone(&usual));
    ck_assert(!is_gone(&ever));
    end();
}
END_TEST

/* --- Access ----------------------------------------------------------------------------------- */

START_TEST(missing_and_denied_are_the_same)
{
    begin(_i);
    refq_policy users = refq_policy_preset(REFQ_POLICY_USER_ONLY);
    refq_policy bound = refq_policy_preset(REFQ_POLICY_DEFAULT);
    bound.bound_session = "s1";
    ref of_users = PUT("\"secret\"", &alice, .policy = &users);
    ref of_alice = PUT("\"secret\"", &alice, .namespace_name = "user:alice");
    ref of_session = PUT("\"secret\"", &alice, .policy = &bound);
    expect_hidden("docs:0123456789abcdef", NULL);
    expect_hidden("", NULL);
    expect_hidden(of_users.text, &agent);
    expect_hidden(of_users.text, NULL);
    expect_hidden(of_alice.text, &bob);
    expect_hidden(of_session.text, &alice);
    refq_actor there = {.type = REFQ_ACTOR_USER, .id = "alice", .session_id = "s1"};
    json_decref(GET(&of_users, &bob));
    json_decref(GET(&of_alice, &alice));
    json_decref(GET(&of_session, &there));
    end();
}
END_TEST

START_TEST(what_may_only_be_used_is_not_shown)
{
    refq_error err = {0};
    refq_response response;
    char *json = NULL;
    bool there = false;
    begin(_i);
    refq_policy hidden = refq_policy_preset(REFQ_POLICY_EXECUTE_ONLY);
    ref r = PUT("\"secret\"", &alice, .policy = &hidden);
    ck_assert_int_eq(refq_cache_get(cache, r.text, NULL, &agent, &response, &err),
                     REFQ_ERR_NOTFOUND);
    ck_assert_int_eq(refq_cache_resolve(cache, r.text, REFQ_READ, &agent, &json, NULL, &err),
                     REFQ_ERR_NOTFOUND);
    ck_assert_int_eq(refq_cache_exists(cache, r.text, &agent, &there, &err), REFQ_OK);
    ck_assert(there);
    ck_assert_int_eq(
        refq_cache_resolve(cache, r.text, REFQ_READ | REFQ_EXECUTE, &agent, &json, NULL, &err),
        REFQ_OK);
    ck_assert_str_eq(json, "\"secret\"");
    free(json);
    end();
}
END_TEST

static refq_denial deny_all(void *arg, const refq_actor *actor, const refq_policy *policy,
                            const char *namespace_name, unsigned wanted)
{
    (void)arg;
    (void)actor;
    (void)policy;
    (void)namespace_name;
    (void)wanted;
    return REFQ_DENIAL_OTHER;
}

START_TEST(a_checker_of_ones_own_decides)
{
    refq_error err = {0};
    refq_access access = {.struct_size = sizeof access, .check = deny_all};
    refq_cache_options o = {.struct_size = sizeof o, .name = "docs", .access = &access};
    begin(MEMORY);
    ref r = PUT("1", NULL);
    refq_cache_close(cache);
    ck_assert_int_eq(refq_cache_open(store, &o, &cache, &err), REFQ_OK);
    expect_hidden(r.text, &alice);
    end();
}
END_TEST

/* --- Every path, every rule ------------------------------------------------------------------- */

static bool listed(const char *ref_id, const refq_actor *who)
{
    refq_error err = {0};
    refq_cache_list list;
    bool found = false;
    ck_assert_int_eq(refq_cache_ls(cache, NULL, who, &list, &err), REFQ_OK);
    for (size_t i = 0; i < list.n; i++) {
        found = found || strcmp(list.items[i].ref_id, ref_id) == 0;
    }
    refq_cache_list_free(&list);
    return found;
}

/* What each path lets the actor do, against what the rules say. Deleting comes last. */
static int try_paths(const char *ref_id, const refq_actor *who, unsigned may)
{
    refq_error err = {0};
    refq_response response = {0};
    char *json = NULL;
    bool there = false;
    bool knows = (may & (REFQ_READ | REFQ_EXECUTE)) != 0;
    refq_cache_query full = {.struct_size = sizeof full, .full = true};
    refq_err read = (may & REFQ_READ) != 0 ? REFQ_OK : REFQ_ERR_NOTFOUND;
    refq_err used = knows ? REFQ_OK : REFQ_ERR_NOTFOUND;
    refq_err removed = (may & REFQ_DELETE) != 0 ? REFQ_OK : used;
    ck_assert_int_eq(refq_cache_get(cache, ref_id, NULL, who, &response, &err), read);
    refq_response_free(&response);
    ck_assert_int_eq(refq_cache_get(cache, ref_id, &full, who, &response, &err), read);
    refq_response_free(&response);
    ck_assert_int_eq(refq_cache_resolve(cache, ref_id, REFQ_READ, who, &json, NULL, &err), read);
    free(json);
    json = NULL;
    ck_assert_int_eq(
        refq_cache_resolve(cache, ref_id, REFQ_READ | REFQ_EXECUTE, who, &json, NULL, &err), used);
    free(json);
    ck_assert_int_eq(refq_cache_exists(cache, ref_id, who, &there, &err), REFQ_OK);
    ck_assert_int_eq(there, knows);
    ck_assert_int_eq(listed(ref_id, who), knows);
    refq_err got = refq_cache_delete(cache, ref_id, who, NULL, &err);
    ck_assert_int_eq(got,
                     removed == REFQ_OK && (may & REFQ_DELETE) == 0 ? REFQ_ERR_DENIED : removed);
    return 7;
}

/* The rules themselves are held against the other implementation by tests/python/access_matrix.py.
 */
START_TEST(every_path_asks_the_same_rules)
{
    int cells = 0;
    refq_actor system = refq_actor_system();
    begin(MEMORY);
    for (int i = 0; i < RQT_CELL_POLICIES * RQT_CELL_NAMESPACES * RQT_CELL_ACTORS; i++) {
        refq_policy policy = rqt_cell_policy(i % RQT_CELL_POLICIES);
        const char *where = rqt_cell_namespaces[i / RQT_CELL_POLICIES % RQT_CELL_NAMESPACES];
        refq_actor who = rqt_cell_actor(i / (RQT_CELL_POLICIES * RQT_CELL_NAMESPACES));
        unsigned may = refq_access_permissions(NULL, &who, &policy, where);
        ref r = PUT("1", &system, .namespace_name = where, .policy = &policy);
        cells += try_paths(r.text, &who, may);
        refq_error err = {0};
        ck_assert_int_eq(refq_store_clear(store, NULL, NULL, &err), REFQ_OK);
    }
    ck_assert_int_gt(cells, 6000);
    end();
}
END_TEST

/* --- Removing --------------------------------------------------------------------------------- */

START_TEST(only_who_may_delete_deletes)
{
    refq_error err = {0};
    bool was = false;
    begin(_i);
    ref r = PUT("1", NULL);
    ck_assert_int_eq(refq_cache_delete(cache, r.text, &agent, &was, &err), REFQ_ERR_DENIED);
    ck_assert_int_eq(refq_cache_delete(cache, r.text, &alice, &was, &err), REFQ_OK);
    ck_assert(was);
    expect_hidden(r.text, &alice);
    end();
}
END_TEST

static refq_cache_cleared clear(refq_cache_clear_query q, const refq_actor *who)
{
    refq_error err = {0};
    refq_cache_cleared done;
    q.struct_size = sizeof q;
    ck_assert_msg(refq_cache_clear(cache, &q, who, &done, &err) == REFQ_OK, "%s", err.text);
    return done;
}

START_TEST(clearing_keeps_to_what_is_meant)
{
    begin(_i);
    refq_cache *other = open_cache("other");
    refq_cache_value plain = {.struct_size = sizeof plain};
    ref foreign = put(other, plain, "1", NULL);
    ref shared = PUT("2", NULL, .namespace_name = "team");
    ref below = PUT("3", NULL, .namespace_name = "team:red");
    ref beside = PUT("4", NULL, .namespace_name = "teams");
    ref public = PUT("5", NULL);
    refq_cache_cleared done = clear((refq_cache_clear_query){.namespace_name = "team"}, &agent);
    ck_assert_uint_eq(done.removed, 0);
    ck_assert_uint_eq(done.denied, 1);
    done = clear((refq_cache_clear_query){.namespace_name = "team"}, &alice);
    ck_assert_uint_eq(done.removed, 1);
    ck_assert(is_gone(&shared) && !is_gone(&below));
    done = clear((refq_cache_clear_query){.namespace_name = "team", .children = true}, &alice);
    ck_assert_uint_eq(done.removed, 1);
    ck_assert(is_gone(&below) && !is_gone(&beside));
    done = clear((refq_cache_clear_query){0}, &alice);
    ck_assert_uint_eq(done.removed, 2);
    ck_assert(is_gone(&public) && is_gone(&beside) && !is_gone(&foreign));
    done = clear((refq_cache_clear_query){.all_caches = true}, &alice);
    ck_assert_uint_eq(done.removed, 1);
    refq_cache_close(other);
    end();
}
END_TEST

/* --- Listing ---------------------------------------------------------------------------------- */

static size_t count(refq_cache_list_query q, const refq_actor *who, size_t *broken)
{
    size_t n = 0;
    refq_error err = {0};
    char cursor[512] = "";
    *broken = 0;
    do {
        refq_cache_list list;
        q.struct_size = sizeof q;
        q.cursor = cursor;
        ck_assert_msg(refq_cache_ls(cache, &q, who, &list, &err) == REFQ_OK, "%s", err.text);
        n += list.n;
        *broken += list.broken;
        (void)snprintf(cursor, sizeof cursor, "%s", list.next);
        refq_cache_list_free(&list);
    } while (cursor[0] != '\0');
    return n;
}

START_TEST(a_list_shows_what_the_actor_may_know_of)
{
    size_t broken = 0;
    begin(_i);
    for (int i = 0; i < 120; i++) {
        (void)PUT("[1]", &alice, .namespace_name = i % 2 == 0 ? "user:alice" : "public");
    }
    ck_assert_uint_eq(count((refq_cache_list_query){.limit = 7}, &alice, &broken), 120);
    ck_assert_uint_eq(count((refq_cache_list_query){.limit = 7}, &bob, &broken), 60);
    ck_assert_uint_eq(
        count((refq_cache_list_query){.namespace_name = "user", .children = true}, &alice, &broken),
        60);
    ck_assert_uint_eq(broken, 0);
    end();
}
END_TEST

START_TEST(a_list_tells_what_an_entry_is_about)
{
    refq_error err = {0};
    refq_cache_list list;
    begin(_i);
    refq_policy policy = refq_policy_preset(REFQ_POLICY_DEFAULT);
    policy.owner = "user:alice";
    policy.bound_session = "s1";
    refq_actor who = {.type = REFQ_ACTOR_USER, .id = "alice", .session_id = "s1"};
    ref r = PUT("{\"a\": [1, 2], \"b\": 3}", &who, .policy = &policy, .tool_name = "ocr",
                .ttl_ms = REFQ_FOREVER);
    ck_assert_int_eq(refq_cache_ls(cache, NULL, &who, &list, &err), REFQ_OK);
    ck_assert_uint_eq(list.n, 1);
    ck_assert_str_eq(list.items[0].ref_id, r.text);
    ck_assert_str_eq(list.items[0].owner, "user:alice");
    ck_assert_str_eq(list.items[0].tool_name, "ocr");
    ck_assert_str_eq(list.items[0].type, "object");
    ck_assert_int_eq(list.items[0].total_items, 2);
    ck_assert_int_eq(list.items[0].expires_at_ms, 0);
    ck_assert(list.items[0].bound);
    ck_assert_uint_eq(list.items[0].permissions, REFQ_PERM_FULL);
    refq_cache_list_free(&list);
    end();
}
END_TEST

/* What others put there, on stores that take it. */
static const char *const damage[] = {
    "garbage",
    "{}",
    "[]",
    "{\"value\": 1, \"namespace\": \"public\", \"policy\": {}, \"created_at\": 1}",
    "{\"value\": 1, \"namespace\": 7, \"policy\": {}, \"created_at\": 1, \"expires_at\": null}",
    "{\"value\": 1, \"namespace\": \"public\", \"policy\": null, \"created_at\": 1, "
    "\"expires_at\": null}",
    "{\"value\": 1, \"namespace\": \"public\", \"policy\": {\"user_permissions\": 32}, "
    "\"created_at\": 1, \"expires_at\": null}",
    "{\"value\": 1, \"namespace\": \"public\", \"policy\": {}, \"created_at\": 1, "
    "\"expires_at\": \"tomorrow\"}",
    "{\"value\": , \"namespace\": \"public\", \"policy\": {}, \"created_at\": 1, "
    "\"expires_at\": null}",
};

enum { DAMAGES = sizeof damage / sizeof damage[0] };

START_TEST(damage_hides_itself_and_nothing_else)
{
    size_t broken = 0;
    begin(_i);
    if ((refq_store_capabilities(store) & REFQ_STORE_OPAQUE) == 0) {
        end();
        return; /* it takes entries only */
    }
    ref r = PUT("1", NULL);
    for (int i = 0; i < DAMAGES; i++) {
        char id[64];
        (void)snprintf(id, sizeof id, "docs:%016x", i);
        plant(id, damage[i]);
        expect_hidden(id, &alice);
    }
    ck_assert_uint_eq(count((refq_cache_list_query){0}, &alice, &broken), 1);
    ck_assert_uint_eq(broken, DAMAGES);
    refq_cache_cleared done = clear((refq_cache_clear_query){0}, &alice);
    ck_assert_uint_eq(done.removed, 1);
    ck_assert_uint_eq(done.broken, DAMAGES);
    ck_assert(is_gone(&r));
    end();
}
END_TEST

/* Another program's entry that nobody here can hold must not take the others' away. */
START_TEST(what_is_too_large_to_be_read_hides_only_itself)
{
    refq_error err = {0};
    refq_cache_list list;
    begin(REDIS);
    (void)PUT("1", &alice);
    rqt_redis_do("SETRANGE mcp-refcache:entry:docs:0123456789abcdef 134217728 x");
    ck_assert_msg(refq_cache_ls(cache, NULL, &alice, &list, &err) == REFQ_OK, "%s", err.text);
    ck_assert_uint_eq(list.n, 1);
    ck_assert_uint_eq(list.broken, 1);
    refq_cache_list_free(&list);
    refq_cache_cleared done = clear((refq_cache_clear_query){0}, &alice);
    ck_assert_uint_eq(done.removed, 1);
    ck_assert_uint_eq(done.broken, 1);
    end();
}
END_TEST

START_TEST(entries_in_other_words_are_read)
{
    begin(REDIS);
    plant("py:0123456789abcdef",
          "{\"extra\": [1], \"metadata\": null, \"expires_at\": 99999999999, \"created_at\": 1, "
          "\"policy\": {\"unknown\": 1, \"agent_permissions\": 1.0}, \"namespace\": \"public\", "
          "\"value\": [1, 2]}");
    ref r = {"py:0123456789abcdef"};
    json_t *root = GET(&r, NULL);
    expect_json(root, "preview", "[1,2]");
    json_decref(root);
    end();
}
END_TEST

START_TEST(a_cache_needs_a_name_that_references_can_have)
{
    static const char *const names[] = {"", "1a", "a b", "a:b", "\xc3\xa9", "a.b"};
    refq_error err = {0};
    refq_cache *made = NULL;
    refq_cache_options o = {.struct_size = sizeof o, .name = names[_i]};
    open_store(MEMORY);
    ck_assert_int_eq(refq_cache_open(store, &o, &made, &err), REFQ_ERR_INVALID);
    refq_store_close(store);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("it_cache");
    TCase *each = tcase_create("each_store");
    tcase_set_timeout(each, 60);
    tcase_add_loop_test(each, a_value_comes_back_as_it_was_stored, 0, STORES);
    tcase_add_loop_test(each, answers_are_json_for_strict_readers, 0, STORES);
    tcase_add_loop_test(each, a_small_value_is_its_own_preview, 0, STORES);
    tcase_add_loop_test(each, pages_together_are_the_value, 0, STORES);
    tcase_add_loop_test(each, a_value_lives_as_long_as_it_was_given, 0, STORES);
    tcase_add_loop_test(each, missing_and_denied_are_the_same, 0, STORES);
    tcase_add_loop_test(each, what_may_only_be_used_is_not_shown, 0, STORES);
    tcase_add_loop_test(each, only_who_may_delete_deletes, 0, STORES);
    tcase_add_loop_test(each, clearing_keeps_to_what_is_meant, 0, STORES);
    tcase_add_loop_test(each, a_list_shows_what_the_actor_may_know_of, 0, STORES);
    tcase_add_loop_test(each, a_list_tells_what_an_entry_is_about, 0, STORES);
    tcase_add_loop_test(each, damage_hides_itself_and_nothing_else, 0, STORES);
    suite_add_tcase(s, each);
    TCase *bad = tcase_create("bad");
    tcase_set_timeout(bad, 60);
    tcase_add_loop_test(bad, questions_that_make_no_sense_are_refused, 0,
                        sizeof bad_queries / sizeof bad_queries[0]);
    tcase_add_loop_test(bad, values_that_cannot_be_stored_are_refused, 0,
                        sizeof bad_values / sizeof bad_values[0]);
    tcase_add_test(bad, a_value_nested_too_deep_is_refused);
    tcase_add_test(bad, the_edges_of_a_value_are_empty);
    tcase_add_test(bad, a_value_of_a_hundred_megabytes_is_read_in_portions);
    tcase_add_test(bad, a_value_that_is_too_large_is_refused);
    tcase_add_test(bad, a_checker_of_ones_own_decides);
    tcase_add_test(bad, every_path_asks_the_same_rules);
    tcase_add_test(bad, what_is_too_large_to_be_read_hides_only_itself);
    tcase_add_test(bad, entries_in_other_words_are_read);
    tcase_add_loop_test(bad, a_cache_needs_a_name_that_references_can_have, 0, 6);
    suite_add_tcase(s, bad);
    return rqt_main_redis(s, NULL);
}
