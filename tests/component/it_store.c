/* SPDX-License-Identifier: MIT */
/* What is particular to each store; what is common to them is its contract. */
#include "support/fake_redis.h"
#include "support/main.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/wait.h"

#include <refq/store.h>

#include <check.h>
#include <linux/capability.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1024 * 1024)
#define ENTRY(expires)                                                                       \
    "{\"value\": 1, \"namespace\": \"public\", \"policy\": {}, \"created_at\": 1700000000, " \
    "\"expires_at\": " expires ", \"metadata\": {}}"

static refq_error err;
static char folder[128];

static void make_folder(void)
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/refq-store.XXXXXX", tmp != NULL ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
    rqt_remove_tree(folder);
}

static refq_err try_open(const char *url, refq_store **ret)
{
    refq_store_options o = {.struct_size = sizeof o, .url = url, .timeout_ms = 2000};
    err = (refq_error){.code = REFQ_OK};
    return refq_store_open(&o, ret, &err);
}

static refq_store *open_store(const char *url)
{
    refq_store *store = NULL;
    ck_assert_msg(try_open(url, &store) == REFQ_OK, "%s", err.text);
    return store;
}

/* "sqlite:<folder>/name"; valid until the next call. */
static const char *url_of(const char *name)
{
    static char url[256];
    (void)snprintf(url, sizeof url, "sqlite:%s/%s", folder, name);
    return url;
}

static const char *path_of(const char *name)
{
    return url_of(name) + strlen("sqlite:");
}

static refq_err put(refq_store *store, const char *ref_id, const char *text)
{
    return refq_store_set(store, ref_id, (refq_bytes){text, strlen(text)}, 0, 0, &err);
}

/* An entry of so many bytes; the caller frees it. */
static char *large_entry(size_t len)
{
    static const char head[] = "{\"value\": \"";
    static const char tail[] = "\", \"namespace\": \"public\", \"policy\": {}, \"created_at\": "
                               "1.5, \"expires_at\": null, \"metadata\": {}}";
    char *text = malloc(len + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', len);
    memcpy(text, head, sizeof head - 1);
    memcpy(text + len - (sizeof tail - 1), tail, sizeof tail);
    return text;
}

#define ck_ok(call) ck_assert_msg((call) == REFQ_OK, "%s", err.text)
#define ck_refused(call, code_, words)                                                          \
    do {                                                                                        \
        refq_err got_ = (call);                                                                 \
        ck_assert_msg(got_ == (code_), "%s: %s", refq_strerror(got_), err.text);                \
        ck_assert_msg(strstr(err.text, (words)) != NULL, "'%s' lacks '%s'", err.text, (words)); \
    } while (0)

static size_t count(refq_store *store)
{
    refq_store_stat stat = {.struct_size = sizeof stat};
    ck_ok(refq_store_count(store, &stat, &err));
    ck_assert(!stat.partial);
    return (size_t)stat.entries;
}

/* --- Which store ------------------------------------------------------------------------------ */

START_TEST(a_url_says_which_store)
{
    refq_store *store = open_store("memory:");
    ck_assert_str_eq(refq_store_name(store), "memory");
    refq_store_close(store);
    store = open_store("sqlite::memory:");
    ck_assert_str_eq(refq_store_name(store), "sqlite");
    ck_ok(put(store, "a:1", ENTRY("null")));
    ck_assert_uint_eq(count(store), 1);
    refq_store_close(store);
    store = open_store("redis://127.0.0.1:1");
    ck_assert_str_eq(refq_store_name(store), "redis");
    refq_store_close(store);
}
END_TEST

START_TEST(other_urls_are_refused_without_telling_secrets)
{
    refq_store *store = NULL;
    static const char *const bad[] = {"",   "memory", "file:/x",     "http://u:secret@h",
                                      "/x", "sqlite", "redis:secret"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_refused(try_open(bad[i], &store), REFQ_ERR_INVALID, "sqlite:PATH");
        ck_assert_ptr_null(strstr(err.text, "secret"));
    }
    ck_refused(try_open("memory:x", &store), REFQ_ERR_INVALID, "alone");
    ck_assert_ptr_null(store);
}
END_TEST

/* --- Memory ----------------------------------------------------------------------------------- */

START_TEST(memory_is_bounded)
{
    refq_store *store = NULL;
    refq_store_options o = {.struct_size = sizeof o, .url = "memory:", .max_bytes = 20000};
    static char text[9000];
    refq_bytes bytes = {text, sizeof text};
    ck_ok(refq_store_open(&o, &store, &err));
    ck_ok(refq_store_set(store, "a:1", bytes, 0, 0, &err));
    ck_ok(refq_store_set(store, "a:2", bytes, 0, 0, &err));
    ck_refused(refq_store_set(store, "a:3", bytes, 0, 0, &err), REFQ_ERR_FULL, "max_bytes");
    ck_ok(refq_store_set(store, "a:2", bytes, 0, 0, &err)); /* its own place is free */
    ck_ok(refq_store_delete(store, "a:1", NULL, &err));
    ck_ok(refq_store_set(store, "a:3", bytes, 0, 0, &err));
    refq_store_close(store);
}
END_TEST

START_TEST(what_has_expired_makes_room_in_memory)
{
    refq_store *store = NULL;
    refq_store_options o = {.struct_size = sizeof o, .url = "memory:", .max_bytes = 20000};
    static char text[9000];
    refq_bytes bytes = {text, sizeof text};
    ck_ok(refq_store_open(&o, &store, &err));
    ck_ok(refq_store_set(store, "a:1", bytes, 20, 0, &err));
    ck_ok(refq_store_set(store, "a:2", bytes, 20, 0, &err));
    ck_assert(RQT_UNTIL(refq_store_set(store, "a:3", bytes, 0, 0, &err) == REFQ_OK, 5000));
    ck_assert(RQT_UNTIL(refq_store_set(store, "a:4", bytes, 0, 0, &err) == REFQ_OK, 5000));
    ck_assert_uint_eq(count(store), 2);
    refq_store_close(store);
}
END_TEST

START_TEST(memory_forgets_what_nobody_asks_for)
{
    refq_store *store = open_store("memory:");
    refq_store_stat stat = {.struct_size = sizeof stat};
    refq_bytes bytes = {"x", 1};
    for (int i = 0; i < 5000; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "a:%d", i);
        ck_ok(refq_store_set(store, id, bytes, 1, 0, &err));
    }
    ck_assert(
        RQT_UNTIL(refq_store_count(store, &stat, &err) == REFQ_OK && stat.entries == 0, 5000));
    ck_assert_int_eq(stat.bytes, 0);
    refq_store_close(store);
}
END_TEST

/* --- SQLite: the file ------------------------------------------------------------------------- */

/* In the order in which they are asked, the last one first. */
static const struct {
    const char *name;
    const char *good;
    const char *bad;
    const char *file; /* where the database is with the good one */
} variables[] = {
    {"HOME", "home", "letter", "home/.cache/mcp-refcache/cache.db"},
    {"XDG_CACHE_HOME", "xdg", "letter", "xdg/mcp-refcache/cache.db"},
    {"MCP_REFCACHE_DB_PATH", "named.db", "letter/x.db", "named.db"},
};

static void write_letter(void)
{
    FILE *f = fopen(path_of("letter"), "w");
    ck_assert_ptr_nonnull(f);
    for (int i = 0; i < 500; i++) {
        ck_assert_int_gt(fprintf(f, "Dear reader, this is no database.\n"), 0);
    }
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(the_path_comes_from_the_environment)
{
    refq_store *store = NULL;
    struct stat st;
    ck_assert_int_eq(unsetenv("MCP_REFCACHE_DB_PATH") | unsetenv("XDG_CACHE_HOME"), 0);
    write_letter();
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        ck_assert_int_eq(setenv(variables[i].name, path_of(variables[i].bad), 1), 0);
        ck_refused(try_open("sqlite:", &store), REFQ_ERR_IO, "letter");
        ck_assert_int_eq(setenv(variables[i].name, path_of(variables[i].good), 1), 0);
        refq_store_close(open_store("sqlite:"));
        ck_assert_int_eq(stat(path_of(variables[i].file), &st), 0);
        ck_assert_uint_eq(st.st_mode & 0777, 0600);
    }
    refq_store_close(open_store(url_of("a/b/said.db")));
    ck_assert_int_eq(stat(path_of("a/b/said.db"), &st), 0);
}
END_TEST

START_TEST(without_any_path_it_says_so)
{
    refq_store *store = NULL;
    ck_assert_int_eq(
        unsetenv("MCP_REFCACHE_DB_PATH") | unsetenv("XDG_CACHE_HOME") | unsetenv("HOME"), 0);
    ck_refused(try_open("sqlite:", &store), REFQ_ERR_INVALID, "write sqlite:/path");
}
END_TEST

/* The file `name`, after these statements by another program. */
static void execute(const char *name, const char *sql)
{
    sqlite3 *db = NULL;
    char *why = NULL;
    ck_assert_int_eq(sqlite3_open(path_of(name), &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &why) == SQLITE_OK, "%s", why);
    (void)sqlite3_close(db);
}

START_TEST(what_is_no_database_is_left_alone)
{
    refq_store *store = NULL;
    write_letter();
    ck_refused(try_open(url_of("letter"), &store), REFQ_ERR_PROTO, "something else");
    ck_assert_int_eq(strncmp(rqt_read(path_of("letter")), "Dear reader", 11), 0);
    ck_refused(try_open(url_of(""), &store), REFQ_ERR_IO, "look whether it is a file");
    ck_refused(try_open(url_of("letter/below.db"), &store), REFQ_ERR_IO, "letter");
}
END_TEST

START_TEST(another_schema_is_refused)
{
    refq_store *store = NULL;
    execute("new", "PRAGMA user_version = 7; CREATE TABLE t (x)");
    ck_refused(try_open(url_of("new"), &store), REFQ_ERR_VERSION, "schema version 7");
    execute("other", "CREATE TABLE cache_entries (key TEXT PRIMARY KEY, namespace TEXT, "
                     "expires_at REAL, blob BLOB)");
    ck_refused(try_open(url_of("other"), &store), REFQ_ERR_VERSION, "another table");
}
END_TEST

START_TEST(what_a_file_wants_to_run_is_not_run)
{
    refq_store *store = open_store(url_of("db"));
    refq_store_close(store);
    execute("db", "CREATE TABLE seen (key TEXT); CREATE TRIGGER spy AFTER INSERT ON cache_entries "
                  "BEGIN INSERT INTO seen VALUES (new.key); END");
    store = open_store(url_of("db"));
    ck_ok(put(store, "a:1", ENTRY("null")));
    refq_store_close(store);
    execute("db", "CREATE TABLE proof (n INTEGER CHECK (n = 0)); "
                  "INSERT INTO proof SELECT count(*) FROM seen");
}
END_TEST

/* In a process without root's right to write everywhere. */
static int read_only_child(void)
{
    refq_store *store = NULL;
    char *text = NULL;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
    if (syscall(SYS_capset, &header, none) != 0) {
        return 10;
    }
    if (try_open(url_of("db"), &store) != REFQ_OK) {
        return 11;
    }
    if (refq_store_get(store, "a:1", &text, NULL, &err) != REFQ_OK) {
        return 12;
    }
    free(text);
    if (put(store, "a:2", ENTRY("null")) != REFQ_ERR_AUTH ||
        strstr(err.text, "may not write") == NULL) {
        return 13;
    }
    refq_store_close(store);
    return try_open(url_of("missing"), &store) == REFQ_OK ? 14 : 0;
}

START_TEST(a_file_that_may_only_be_read_is_read)
{
    int status = -1;
    refq_store *store = open_store(url_of("db"));
    ck_ok(put(store, "a:1", ENTRY("null")));
    refq_store_close(store);
    execute("db", "PRAGMA journal_mode = DELETE"); /* a log needs a folder to write to */
    ck_assert_int_eq(chmod(path_of("db"), 0444), 0);
    ck_assert_int_eq(chmod(folder, 0555), 0);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(read_only_child());
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(chmod(folder, 0700), 0);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

START_TEST(a_full_file_says_so_and_goes_on)
{
    refq_store *store = NULL;
    refq_store_options o = {.struct_size = sizeof o, .url = url_of("db"), .max_bytes = 200 * 1024};
    ck_ok(refq_store_open(&o, &store, &err));
    char *text = large_entry(38000);
    refq_err rc = REFQ_OK;
    int n = 0;
    while (rc == REFQ_OK && n < 100) {
        char id[32];
        (void)snprintf(id, sizeof id, "a:%d", n++);
        rc = put(store, id, text);
    }
    ck_assert_int_gt(n, 2);
    ck_refused(rc, REFQ_ERR_FULL, "max_bytes");
    ck_ok(refq_store_delete(store, "a:0", NULL, &err));
    ck_ok(put(store, "a:1", ENTRY("null")));
    free(text);
    refq_store_close(store);
}
END_TEST

START_TEST(one_that_others_keep_locked_ends_in_a_timeout)
{
    sqlite3 *db = NULL;
    refq_store *store = NULL;
    refq_store_options o = {.struct_size = sizeof o, .url = url_of("db"), .timeout_ms = 50};
    ck_ok(refq_store_open(&o, &store, &err));
    ck_assert_int_eq(sqlite3_open(path_of("db"), &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ck_refused(put(store, "a:1", ENTRY("null")), REFQ_ERR_TIMEOUT, "keeps it locked");
    ck_refused(refq_store_delete(store, "a:1", NULL, &err), REFQ_ERR_TIMEOUT, "keeps it locked");
    ck_assert_int_eq(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    ck_ok(put(store, "a:1", ENTRY("null")));
    (void)sqlite3_close(db);
    refq_store_close(store);
}
END_TEST

/* --- SQLite: entries -------------------------------------------------------------------------- */

START_TEST(what_is_no_entry_is_refused)
{
    static const struct {
        const char *text;
        const char *words;
    } bad[] = {
        {"", "empty"},
        {"x", "byte"},
        {"[]", "missing"},
        {"[1]", "no column"},
        {"{}", "\"value\" of an entry is missing"},
        {"{\"value\": 1", "byte"},
        {ENTRY("null") "x", "byte"},
        {ENTRY("\"soon\""), "\"expires_at\" of an entry is of another kind"},
        {ENTRY("1e999"), "too large"},
        {"{\"value\": 1, \"extra\": 2}", "\"extra\""},
        {"{\"value\": 1, \"namespace\": 2, \"policy\": {}, \"created_at\": 1, \"expires_at\": 1}",
         "\"namespace\" of an entry is of another kind; it has to be a string"},
        {"{\"value\": 1, \"namespace\": \"\\ud800\", \"policy\": {}, \"created_at\": 1, "
         "\"expires_at\": 1}",
         "not Unicode"},
        {"{\"value\": 1, \"namespace\": \"p\", \"policy\": null, \"created_at\": 1, "
         "\"expires_at\": 1}",
         "\"policy\""},
    };
    refq_store *store = open_store("sqlite::memory:");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_refused(put(store, "a:1", bad[i].text), REFQ_ERR_INVALID, bad[i].words);
    }
    ck_assert_uint_eq(count(store), 0);
    refq_store_close(store);
}
END_TEST

static void ck_becomes(refq_store *store, const char *text, const char *want)
{
    char *got = NULL;
    ck_ok(put(store, "a:1", text));
    ck_ok(refq_store_get(store, "a:1", &got, NULL, &err));
    ck_assert_str_eq(got, want);
    free(got);
}

START_TEST(other_spellings_of_an_entry_are_taken)
{
    refq_store *store = open_store("sqlite::memory:");
    ck_becomes(store,
               " { \"expires_at\":null,\"created_at\":1700000000.1234567,\"policy\":{ },"
               "\"namespace\":\"h\\u00e9\\n\\u0000\",\"\\u0076alue\":[ 1,2 ],\"value\":[ 3 ]}\n",
               "{\"value\": [ 3 ], \"namespace\": \"h\xc3\xa9\\n\\u0000\", \"policy\": { }, "
               "\"created_at\": 1700000000.1234567, \"expires_at\": null, \"metadata\": {}}");
    ck_becomes(store, ENTRY("9007199254740993"),
               "{\"value\": 1, \"namespace\": \"public\", \"policy\": {}, \"created_at\": "
               "1700000000.0, \"expires_at\": 9007199254740992.0, \"metadata\": {}}");
    ck_becomes(store, ENTRY("1e300"),
               "{\"value\": 1, \"namespace\": \"public\", \"policy\": {}, \"created_at\": "
               "1700000000.0, \"expires_at\": 1e+300, \"metadata\": {}}");
    refq_store_close(store);
}
END_TEST

START_TEST(rows_of_other_programs_are_checked)
{
    static const struct {
        const char *values;
        const char *words;
    } bad[] = {
        {"'{', 'n', '{}', 1, NULL, '{}'", "value_json is no JSON"},
        {"'1, \"a\": 2', 'n', '{}', 1, NULL, '{}'", "value_json"},
        {"'1', 'n', '[]', 1, NULL, '{}'", "policy_json is no JSON object"},
        {"'1', 'n', '{}', 1, NULL, '1'", "metadata_json"},
        {"'1', 'n', '{}', 'x', NULL, '{}'", "times are no numbers"},
        {"'1', 'n', '{}', 1, 'x', '{}'", "times are no numbers"},
        {"'', 'n', '{}', 1, NULL, '{}'", "value_json"},
        {"'1', CAST(X'ff' AS TEXT), '{}', 1, NULL, '{}'", "namespace is no UTF-8"},
        {"X'ff', 'n', '{}', 1, NULL, '{}'", "value_json"},
    };
    refq_store *store = open_store(url_of("db"));
    refq_store_page page = {0};
    refq_store_query q = {.struct_size = sizeof q, .texts = true};
    char *text = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char sql[256];
        (void)snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO cache_entries VALUES ('a:1', %s)",
                       bad[i].values);
        execute("db", sql);
        ck_refused(refq_store_get(store, "a:1", &text, NULL, &err), REFQ_ERR_PROTO, bad[i].words);
        ck_ok(refq_store_scan(store, &q, &page, &err));
        ck_assert_uint_eq(page.n, 0);
        ck_assert_uint_eq(page.skipped, 1);
        refq_store_page_free(&page);
    }
    ck_assert_ptr_null(text);
    execute("db", "INSERT INTO cache_entries VALUES (X'00', '1', 'n', '{}', 1, NULL, '{}'), "
                  "('', '1', 'n', '{}', 1, NULL, '{}'), "
                  "('a:2', '1', 'n', '{}', 1, NULL, '{}')");
    q.texts = false;
    ck_ok(refq_store_scan(store, &q, &page, &err));
    ck_assert_uint_eq(page.n, 2);
    ck_assert_uint_eq(page.skipped, 1); /* a blob; an empty key stands before all cursors */
    refq_store_page_free(&page);
    refq_store_close(store);
}
END_TEST

START_TEST(rows_that_are_over_are_removed_in_the_end)
{
    refq_store *store = open_store(url_of("db"));
    ck_ok(put(store, "a:over", ENTRY("1700000001")));
    char *text = NULL;
    ck_refused(refq_store_get(store, "a:over", &text, NULL, &err), REFQ_ERR_NOTFOUND, "a:over");
    ck_assert_uint_eq(count(store), 1);
    for (int i = 0; i < 300; i++) {
        ck_ok(put(store, "a:1", ENTRY("null")));
    }
    ck_assert_uint_eq(count(store), 1);
    execute("db", "CREATE TABLE proof (n INTEGER CHECK (n = 0)); INSERT INTO proof SELECT count(*) "
                  "FROM cache_entries WHERE key = 'a:over'");
    refq_store_close(store);
}
END_TEST

/* --- Redis ------------------------------------------------------------------------------------ */

START_TEST(redis_keeps_it_as_long_as_it_says)
{
    refq_store *store = open_store(rqt_redis_url());
    refq_bytes bytes = {"{}", 2};
    ck_ok(refq_store_set(store, "a:1", bytes, 10000, 0, &err));
    long long left = rqt_redis_int("PTTL mcp-refcache:entry:a:1");
    ck_assert_int_ge(left, 10000);
    ck_assert_int_le(left, 13000);
    ck_ok(refq_store_set(store, "a:1", bytes, 0, 0, &err));
    ck_assert_int_eq(rqt_redis_int("PTTL mcp-refcache:entry:a:1"), -1);
    ck_ok(refq_store_set(store, "a:2", bytes, 5, REFQ_STORE_IF_ABSENT, &err));
    ck_assert_int_gt(rqt_redis_int("PTTL mcp-refcache:entry:a:2"), 0);
    refq_store_close(store);
}
END_TEST

START_TEST(prefixes_keep_stores_apart)
{
    refq_store *one = NULL;
    refq_store_options o = {
        .struct_size = sizeof o, .url = rqt_redis_url(), .prefix = "tests:[*]:"};
    ck_ok(refq_store_open(&o, &one, &err));
    refq_store *other = open_store(rqt_redis_url());
    size_t n = 0;
    ck_ok(put(one, "a:1", "1"));
    ck_ok(put(other, "a:1", "2"));
    rqt_redis_do("SET tests:x:a:1 3");
    ck_assert_str_eq(rqt_redis_str("GET tests:[*]:a:1"), "1");
    ck_assert_uint_eq(count(one), 1);
    ck_ok(refq_store_clear(one, NULL, &n, &err));
    ck_assert_uint_eq(n, 1);
    ck_assert_uint_eq(count(other), 1);
    refq_store_close(one);
    refq_store_close(other);
    o.prefix = "";
    ck_refused(refq_store_open(&o, &one, &err), REFQ_ERR_INVALID, "prefix");
}
END_TEST

START_TEST(keys_of_others_harm_no_list)
{
    refq_store *store = open_store(rqt_redis_url());
    refq_store_page page = {0};
    ck_ok(put(store, "a:1", "1"));
    rqt_redis_do("RPUSH mcp-refcache:entry:a:list x");
    rqt_redis_do("SET mcp-refcache:entry:%b x", "a:\xff", (size_t)3);
    rqt_redis_do("SET mcp-refcache:entry:%b x", "a:\0b", (size_t)4);
    rqt_redis_do("SET mcp-refcache:entry: x");
    rqt_redis_do("SET mcp-refcache:entry:a:empty %b", "", (size_t)0);
    char key[400];
    memset(key, 'x', sizeof key);
    rqt_redis_do("SET mcp-refcache:entry:%b x", key, sizeof key);
    refq_store_query q = {.struct_size = sizeof q, .limit = 1000};
    for (int texts = 0; texts < 2; texts++) {
        q.texts = texts == 1;
        ck_ok(refq_store_scan(store, &q, &page, &err));
        ck_assert_uint_eq(page.n, 1);
        ck_assert_str_eq(page.items[0].ref_id, "a:1");
        ck_assert_uint_eq(page.skipped, 5);
        ck_assert_str_eq(page.next, "");
        refq_store_page_free(&page);
    }
    q.cursor = "a:1";
    ck_refused(refq_store_scan(store, &q, &page, &err), REFQ_ERR_INVALID, "no cursor");
    refq_store_close(store);
}
END_TEST

START_TEST(a_text_too_large_to_read_is_refused)
{
    refq_store *store = open_store(rqt_redis_url());
    refq_store_page page = {0};
    refq_store_query q = {.struct_size = sizeof q, .texts = true};
    refq_store_item items[2];
    const char *ids[] = {"a:huge", "a:1"};
    char *text = NULL;
    char last[32];
    (void)snprintf(last, sizeof last, "%zu", REFQ_STORE_ENTRY_MAX);
    rqt_redis_do("SETRANGE mcp-refcache:entry:a:huge %s x", last);
    ck_ok(put(store, "a:1", "1"));
    ck_refused(refq_store_get(store, "a:huge", &text, NULL, &err), REFQ_ERR_LIMIT, "134217729");
    ck_ok(refq_store_get_many(store, ids, 2, items, &err));
    ck_assert_ptr_null(items[0].text);
    ck_assert_uint_eq(items[0].len, REFQ_STORE_ENTRY_MAX + 1);
    ck_assert_str_eq(items[1].text, "1");
    refq_store_items_free(items, 2);
    ck_ok(refq_store_scan(store, &q, &page, &err));
    ck_assert_uint_eq(page.n, 2);
    ck_assert_str_eq(page.items[0].ref_id, "a:1");
    ck_assert_str_eq(page.items[0].text, "1");
    ck_assert_ptr_null(page.items[1].text);
    refq_store_page_free(&page);
    refq_store_close(store);
}
END_TEST

START_TEST(many_large_ones_are_too_much_at_once)
{
    refq_store *store = open_store(rqt_redis_url());
    refq_store_item items[3];
    const char *ids[] = {"a:1", "a:2", "a:3"};
    for (int i = 0; i < 3; i++) {
        rqt_redis_do("SETRANGE mcp-refcache:entry:%s 94371840 x", ids[i]);
    }
    ck_refused(refq_store_get_many(store, ids, 3, items, &err), REFQ_ERR_LIMIT, "ask for fewer");
    ck_ok(refq_store_delete(store, "a:3", NULL, &err));
    ck_ok(refq_store_get_many(store, ids, 1, items, &err));
    ck_assert_uint_eq(items[0].len, 94371841);
    refq_store_items_free(items, 1);
    refq_store_close(store);
}
END_TEST

START_TEST(redis_may_come_back)
{
    refq_store *store = open_store(rqt_redis_url());
    char *text = NULL;
    ck_ok(put(store, "a:1", "1"));
    rqt_redis_kill();
    ck_assert_int_ne(refq_store_get(store, "a:1", &text, NULL, &err), REFQ_OK);
    ck_assert(refq_err_retryable(err.code));
    rqt_redis_revive();
    ck_assert(RQT_UNTIL(put(store, "a:2", "2") == REFQ_OK, 10000));
    ck_refused(refq_store_get(store, "a:1", &text, NULL, &err), REFQ_ERR_NOTFOUND, "a:1");
    refq_store_close(store);
}
END_TEST

START_TEST(a_full_redis_says_so)
{
    refq_store *store = open_store(rqt_redis_url());
    ck_ok(put(store, "a:1", "1"));
    rqt_redis_do("CONFIG SET maxmemory 1");
    ck_refused(put(store, "a:2", "2"), REFQ_ERR_FULL, "maxmemory");
    bool there = false;
    ck_ok(refq_store_delete(store, "a:1", &there, &err));
    ck_assert(there);
    rqt_redis_do("CONFIG SET maxmemory 0");
    refq_store_close(store);
}
END_TEST

START_TEST(nobody_there_is_an_error_at_once)
{
    char url[64];
    char *text = NULL;
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", rqt_free_port());
    refq_store *store = open_store(url);
    ck_refused(refq_store_ping(store, &err), REFQ_ERR_IO, "127.0.0.1");
    ck_refused(refq_store_get(store, "a:1", &text, NULL, &err), REFQ_ERR_IO, "127.0.0.1");
    ck_refused(put(store, "a:1", "1"), REFQ_ERR_IO, "127.0.0.1");
    refq_store_close(store);
}
END_TEST

static void ck_unexpected(refq_store *store, refq_err rc)
{
    ck_assert_msg(rc == REFQ_ERR_PROTO, "%s: %s", refq_strerror(rc), err.text);
    refq_store_close(store);
}

START_TEST(odd_answers_are_errors)
{
    static const rqt_step script[] = {
        {RQT_EXPECT, "SETNAME"},  {RQT_SEND, "+OK\r\n"},
        {RQT_EXPECT, "SCAN"},     {RQT_SEND, "*2\r\n$1\r\nx\r\n*0\r\n"},
        {RQT_EXPECT, "SCAN"},     {RQT_SEND, "*0\r\n"},
        {RQT_EXPECT, "GETRANGE"}, {RQT_SEND, "*0\r\n"},
        {RQT_DRAIN, NULL},
    };
    rqt_fake_start(RQT_FAKE_UNIX, script, RQT_STEPS(script));
    refq_store *store = open_store(rqt_fake_url());
    refq_store_page page = {0};
    char *text = NULL;
    ck_assert_int_eq(refq_store_scan(store, NULL, &page, &err), REFQ_ERR_PROTO);
    ck_assert_int_eq(refq_store_scan(store, NULL, &page, &err), REFQ_ERR_PROTO);
    ck_unexpected(store, refq_store_get(store, "a:1", &text, NULL, &err));
    ck_assert_ptr_null(text);
    rqt_fake_stop();
}
END_TEST

/* --- Processes, sizes ------------------------------------------------------------------------- */

/* Ten programs at the same time, each with fifty entries. */
static void ck_processes(const char *url)
{
    pid_t pids[10];
    for (int i = 0; i < 10; i++) {
        char line[512];
        char name[32];
        (void)snprintf(name, sizeof name, "in-%d", i);
        (void)snprintf(line, sizeof line,
                       "{\"op\":\"set\",\"ref_id\":\"many:%d\",\"times\":50,\"text\":\"{\\\"value"
                       "\\\": %d, \\\"namespace\\\": \\\"public\\\", \\\"policy\\\": {}, "
                       "\\\"created_at\\\": 1, \\\"expires_at\\\": null}\"}\n",
                       i, i);
        const char *argv[] = {RQT_STORE_TOOL, url, NULL};
        rqt_spawn_options o = {.argv = argv,
                               .in_path = rqt_file(name, line, 0),
                               .out_path = path_of("out"),
                               .err_path = path_of("out")};
        pids[i] = rqt_spawn(&o);
    }
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(rqt_reap(pids[i], 60000), 0);
    }
    ck_assert_ptr_null(strstr(rqt_read(path_of("out")), "false"));
    refq_store *store = open_store(url);
    ck_assert_uint_eq(count(store), 500);
    size_t n = 0;
    ck_ok(refq_store_clear(store, "many", &n, &err));
    ck_assert_uint_eq(n, 500);
    refq_store_close(store);
}

START_TEST(ten_processes_make_five_hundred_in_sqlite)
{
    char url[256];
    (void)snprintf(url, sizeof url, "%s", url_of("db"));
    ck_processes(url);
}
END_TEST

START_TEST(ten_processes_make_five_hundred_in_redis)
{
    ck_processes(rqt_redis_url());
}
END_TEST

static void ck_hundred_megabytes(const char *url)
{
    size_t len = 100 * MIB;
    size_t got_len = 0;
    char *got = NULL;
    char *text = large_entry(len);
    refq_store_options o = {.struct_size = sizeof o, .url = url, .timeout_ms = 60000};
    refq_store *store = NULL;
    ck_ok(refq_store_open(&o, &store, &err));
    ck_ok(refq_store_set(store, "a:1", (refq_bytes){text, len}, 0, 0, &err));
    ck_ok(refq_store_get(store, "a:1", &got, &got_len, &err));
    ck_assert_uint_eq(got_len, len);
    ck_assert(memcmp(got, text, len + 1) == 0);
    free(got);
    free(text);
    ck_ok(refq_store_delete(store, "a:1", NULL, &err));
    refq_store_close(store);
}

START_TEST(a_hundred_megabytes_go_through)
{
    char url[256];
    ck_hundred_megabytes("memory:");
    (void)snprintf(url, sizeof url, "%s", url_of("db"));
    ck_hundred_megabytes(url);
    ck_hundred_megabytes(rqt_redis_url());
}
END_TEST

/* --- All of them ------------------------------------------------------------------------------ */

static void add_plain(Suite *s)
{
    TCase *tc = tcase_create("plain");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_url_says_which_store);
    tcase_add_test(tc, other_urls_are_refused_without_telling_secrets);
    tcase_add_test(tc, memory_is_bounded);
    tcase_add_test(tc, what_has_expired_makes_room_in_memory);
    tcase_add_test(tc, memory_forgets_what_nobody_asks_for);
    tcase_add_test(tc, without_any_path_it_says_so);
    tcase_add_test(tc, what_is_no_entry_is_refused);
    tcase_add_test(tc, other_spellings_of_an_entry_are_taken);
    tcase_add_test(tc, nobody_there_is_an_error_at_once);
    tcase_add_test(tc, odd_answers_are_errors);
    suite_add_tcase(s, tc);
}

static void add_files(Suite *s)
{
    TCase *tc = tcase_create("files");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_test(tc, the_path_comes_from_the_environment);
    tcase_add_test(tc, what_is_no_database_is_left_alone);
    tcase_add_test(tc, another_schema_is_refused);
    tcase_add_test(tc, what_a_file_wants_to_run_is_not_run);
    tcase_add_test(tc, a_file_that_may_only_be_read_is_read);
    tcase_add_test(tc, a_full_file_says_so_and_goes_on);
    tcase_add_test(tc, one_that_others_keep_locked_ends_in_a_timeout);
    tcase_add_test(tc, rows_of_other_programs_are_checked);
    tcase_add_test(tc, rows_that_are_over_are_removed_in_the_end);
    suite_add_tcase(s, tc);
}

static void add_redis(Suite *s)
{
    TCase *tc = tcase_create("redis");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_checked_fixture(tc, rqt_redis_clean, NULL);
    tcase_add_test(tc, redis_keeps_it_as_long_as_it_says);
    tcase_add_test(tc, prefixes_keep_stores_apart);
    tcase_add_test(tc, keys_of_others_harm_no_list);
    tcase_add_test(tc, a_text_too_large_to_read_is_refused);
    tcase_add_test(tc, a_full_redis_says_so);
    tcase_add_test(tc, ten_processes_make_five_hundred_in_sqlite);
    tcase_add_test(tc, ten_processes_make_five_hundred_in_redis);
    tcase_add_test(tc, redis_may_come_back); /* the last: the new server ends with its test */
    suite_add_tcase(s, tc);
}

static void add_bulk(Suite *s)
{
    TCase *tc = tcase_create("bulk");
    tcase_set_timeout(tc, 120);
    tcase_set_tags(tc, "bulk");
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_checked_fixture(tc, rqt_redis_clean, NULL);
    tcase_add_test(tc, many_large_ones_are_too_much_at_once);
    tcase_add_test(tc, a_hundred_megabytes_go_through);
    suite_add_tcase(s, tc);
}

int main(void)
{
    Suite *s = suite_create("it_store");
    add_plain(s);
    add_files(s);
    add_bulk(s);
    add_redis(s);
    (void)signal(SIGPIPE, SIG_IGN);
    return rqt_main_redis(s, NULL);
}
