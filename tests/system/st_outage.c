/* SPDX-License-Identifier: MIT */
/* The server is away for longer than a lease: nobody dies of it. */
#include "support/fleet.h"
#include "support/main.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

enum {
    WORKERS = 6,
    ROUNDS = 2,
    AWAY_MS = 4000 /* so that every worker has come to its longest pause between two attempts */
};

static const char tasks_yaml[] = "queue: docs\n"
                                 "tasks:\n"
                                 "  - {name: gate, exec: [./gate.sh], input: none}\n";

static const char gate_sh[] = "#!/bin/sh\n"
                              "echo >>started\n"
                              "while [ ! -e open ]; do sleep 0.05; done\n"
                              "echo true\n";

static const char *const options[] = {"--lease",       "1s", "--beat", "200ms",
                                      "--concurrency", "1",  NULL};

/* One line each; to be claimed is not enough, for the reply to a claim may get lost with the
 * server. */
static size_t started(void)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/started", rqt_redis_dir());
    return strlen(rqt_read(path));
}

static void take_the_server_away(void)
{
    rqt_redis_kill();
    (void)RQT_STAYS(true, AWAY_MS);
    rqt_redis_revive();
}

/* One worker finds the server again first, and gives all others one more lease. They must be back
 * by then, however long they have been looking for it. */
START_TEST(an_outage_kills_no_worker)
{
    refq_ref refs[WORKERS];
    (void)rqt_file("gate.sh", gate_sh, 1);
    const char *path = rqt_file("tasks.yaml", tasks_yaml, 0);
    for (int i = 0; i < WORKERS; i++) {
        (void)rqt_fleet_add(path, options);
        refs[i] = rqt_submit((refq_spec){.task = "gate"});
    }
    ck_assert(RQT_UNTIL(started() == WORKERS, 10000));
    for (int i = 0; i < ROUNDS; i++) {
        take_the_server_away();
        /* All are heard of again, or would have been missed. */
        (void)RQT_STAYS(rqt_redis_int("ZCARD refq:{docs}:workers") == WORKERS, 3000);
    }
    (void)rqt_file("open", "", 0);
    for (int i = 0; i < WORKERS; i++) {
        rqt_expect(&refs[i], "complete", 20000);
        ck_assert_int_eq(rqt_number(&refs[i], "deaths"), 0);
        ck_assert_int_eq(rqt_number(&refs[i], "attempt"), 1);
    }
    ck_assert_uint_eq(started(), WORKERS);
    rqt_fleet_end();
    rqt_audit(RQT_QUEUE);
}
END_TEST

static void setup(void)
{
    static const char *const durable[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};
    rqt_redis_start(durable);
}

static void teardown(void)
{
    rqt_client_end();
    rqt_redis_stop();
}

int main(void)
{
    TCase *c = tcase_create("outage");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, an_outage_kills_no_worker);
    Suite *s = suite_create("st_outage");
    suite_add_tcase(s, c);
    return rqt_main(s);
}
