/* SPDX-License-Identifier: MIT */
/* The contract of backends on the redis backend: a worker on a thread, a redis-server of its own.
 */
#include "support/main.h"
#include "support/redis_fixture.h"
#include "support/worker_thread.h"

#include <refq/contract.h>
#include <refq/work.h>

#include <check.h>

static struct {
    const refq_contract_setup *setup;
    refq_worker *worker;
    rqt_worker_thread thread;
} fleet;

static refq_err start(void *arg, const refq_contract_setup *setup, refq_error *err)
{
    (void)arg;
    refq_worker_options o = {.struct_size = sizeof o,
                             .redis = rqt_redis_url(),
                             .concurrency = setup->slots,
                             .lease_ms = 2000,
                             .log = setup->log};
    fleet.setup = setup;
    refq_err rc = refq_worker_new(&o, &fleet.worker, err);
    if (rc == REFQ_OK) {
        rc = refq_worker_serve(fleet.worker, setup->queue, setup->handlers, err);
    }
    if (rc != REFQ_OK) {
        refq_worker_free(fleet.worker);
        return rc;
    }
    rqt_worker_thread_start(&fleet.thread, fleet.worker);
    return REFQ_OK;
}

static refq_err make_backend(struct event_base *base, void *arg, refq_backend **ret,
                             refq_error *err)
{
    (void)arg;
    refq_redis_options o = {
        .struct_size = sizeof o, .url = rqt_redis_url(), .log = fleet.setup->log};
    return refq_backend_redis_new(base, &o, ret, err);
}

/* What a test leaves in Redis must be in order, too. */
static void stop(void *arg)
{
    (void)arg;
    (void)rqt_worker_thread_stop(&fleet.thread);
    refq_worker_free(fleet.worker);
    rqt_audit(fleet.setup->queue);
}

/* The fixture's checks need a running test of Check, so the whole contract is one. */
static int argument_count;
static char **arguments;

START_TEST(the_contract_holds)
{
    static const refq_contract_subject subject = {.struct_size = sizeof subject,
                                                  .name = "redis",
                                                  .start = start,
                                                  .backend = make_backend,
                                                  .stop = stop};
    rqt_redis_start(NULL);
    int code = refq_contract_main(&subject, argument_count, arguments);
    rqt_redis_stop();
    ck_assert_int_eq(code, 0);
}
END_TEST

int main(int argc, char **argv)
{
    argument_count = argc;
    arguments = argv;
    Suite *suite = suite_create("contract");
    TCase *tc = tcase_create("redis");
    tcase_set_timeout(tc, 0); /* each of its tests has a limit */
    tcase_add_test(tc, the_contract_holds);
    suite_add_tcase(suite, tc);
    return rqt_main(suite);
}
