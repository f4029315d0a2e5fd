/* SPDX-License-Identifier: MIT */
/* The contract of stores on each of refq's: memory, SQLite, Redis. */
#include "support/main.h"
#include "support/proc.h"
#include "support/redis_fixture.h"

#include <refq/contract.h>

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int argument_count;
static char **arguments;

static refq_err open_url(void *arg, refq_store **ret, refq_error *err)
{
    refq_store_options o = {.struct_size = sizeof o, .url = arg};
    return refq_store_open(&o, ret, err);
}

START_TEST(memory_holds_the_contract)
{
    char url[] = "memory:";
    const refq_contract_store subject = {
        .struct_size = sizeof subject, .name = "memory", .open = open_url, .arg = url};
    ck_assert_int_eq(refq_contract_store_main(&subject, argument_count, arguments), 0);
}
END_TEST

static void spoil_redis(void *arg, const char *ref_id)
{
    (void)arg;
    rqt_redis_do("DEL mcp-refcache:entry:%s", ref_id);
    rqt_redis_do("RPUSH mcp-refcache:entry:%s x", ref_id);
}

static char folder[128];
static char database[160];

static int execute(const char *sql, const char *ref_id)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_open(database, &db);
    if (code == SQLITE_OK) {
        (void)sqlite3_busy_timeout(db, 10000);
        code = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    }
    if (code == SQLITE_OK) {
        (void)sqlite3_bind_text(stmt, 1, ref_id, -1, SQLITE_STATIC);
        code = sqlite3_step(stmt);
    }
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
    return code;
}

/* A value that would make an entry which nobody wrote. */
static void spoil_sqlite(void *arg, const char *ref_id)
{
    (void)arg;
    ck_assert_int_eq(execute("INSERT OR REPLACE INTO cache_entries VALUES (?1, "
                             "'1, \"policy\": {}', 'public', '{}', 1, NULL, '{}')",
                             ref_id),
                     SQLITE_DONE);
}

START_TEST(sqlite_holds_the_contract)
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/refq-store.XXXXXX", tmp != NULL ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(database, sizeof database, "%s/cache.db", folder);
    char url[192];
    (void)snprintf(url, sizeof url, "sqlite:%s", database);
    const refq_contract_store subject = {.struct_size = sizeof subject,
                                         .name = "sqlite",
                                         .open = open_url,
                                         .spoil = spoil_sqlite,
                                         .arg = url};
    int code = refq_contract_store_main(&subject, argument_count, arguments);
    rqt_remove_tree(folder);
    ck_assert_int_eq(code, 0);
}
END_TEST

START_TEST(redis_holds_the_contract)
{
    rqt_redis_start(NULL);
    char url[256];
    (void)snprintf(url, sizeof url, "%s", rqt_redis_url());
    const refq_contract_store subject = {.struct_size = sizeof subject,
                                         .name = "redis",
                                         .open = open_url,
                                         .spoil = spoil_redis,
                                         .arg = url};
    int code = refq_contract_store_main(&subject, argument_count, arguments);
    rqt_redis_stop();
    ck_assert_int_eq(code, 0);
}
END_TEST

int main(int argc, char **argv)
{
    argument_count = argc;
    arguments = argv;
    Suite *suite = suite_create("contract of stores");
    TCase *tc = tcase_create("stores");
    tcase_set_timeout(tc, 0); /* each of its tests has a limit */
    tcase_add_test(tc, memory_holds_the_contract);
    tcase_add_test(tc, sqlite_holds_the_contract);
    tcase_add_test(tc, redis_holds_the_contract);
    suite_add_tcase(suite, tc);
    return rqt_main(suite);
}
