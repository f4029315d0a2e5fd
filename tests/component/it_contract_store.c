/* SPDX-License-Identifier: MIT */
/* The contract of stores on each of refq's: memory, SQLite, Redis. */
#include "support/proc.h"
#include "support/redis_fixture.h"

#include <refq/contract.h>

#include <check.h>
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
    tcase_add_test(tc, redis_holds_the_contract);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
