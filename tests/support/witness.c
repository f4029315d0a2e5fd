/* SPDX-License-Identifier: MIT */
#include "support/witness.h"

#include "support/fleet.h"
#include "support/pace.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *const rqt_one_slot[] = {"--lease", RQT_LEASE, "--beat",  RQT_BEAT, "--concurrency",
                                    "1",       "--grace", RQT_GRACE, NULL};
const char *const rqt_few_slots[] = {"--lease", RQT_LEASE, "--beat",  RQT_BEAT, "--concurrency",
                                     "4",       "--grace", RQT_GRACE, NULL};

const char *const rqt_calm_one[] = {"--lease", "20s",     "--beat",  RQT_BEAT, "--concurrency",
                                    "1",       "--grace", RQT_GRACE, NULL};
const char *const rqt_calm_few[] = {"--lease", "20s",     "--beat",  RQT_BEAT, "--concurrency",
                                    "4",       "--grace", RQT_GRACE, NULL};
const char *const rqt_calm_many[] = {"--lease", "20s",     "--beat",  RQT_BEAT, "--concurrency",
                                     "50",      "--grace", RQT_GRACE, NULL};

static const char tasks_yaml[] =
    "queue: docs\n"
    "tasks:\n"
    "  - {name: echo, exec: [cat]}\n"
    "  - {name: orphans, exec: [./orphans.sh], kill_grace: 1s}\n"
    "  - {name: nap, exec: [./nap.sh], input: none}\n"
    "  - {name: relay, exec: [./relay.sh], input: none}\n"
    "  - {name: gate, exec: [./gate.sh], input: none, kill_grace: 1s}\n"
    "  - {name: stubborn, exec: [./stubborn.sh], input: none, kill_grace: 1s}\n"
    "  - name: fail\n"
    "    exec: [./fail.sh]\n"
    "    max_retries: 4\n"
    "    backoff: {base: 200ms, factor: 2, cap: 1s, jitter: none}\n"
    "  - {name: long, exec: [./long.sh], kill_grace: 1s}\n"
    "  - {name: bulk, exec: [./bulk.sh], input: none, output: text}\n";

/* What `sleep` is told by this test's handlers. */
static const char *stray_mark(void)
{
    static char text[64];
    (void)snprintf(text, sizeof text, "sleep 600.%d", (int)getpid());
    return text;
}

int rqt_strays(void)
{
    return rqt_count_processes(stray_mark());
}

static void handler(const char *name, const char *body)
{
    char text[2048];
    (void)snprintf(text, sizeof text,
                   "#!/bin/sh\n"
                   "say() { echo \"$1 $REFQ_REF_ID $REFQ_ATTEMPT\" >>side; }\n"
                   "forever='%s'\n"
                   "%s",
                   stray_mark(), body);
    (void)rqt_file(name, text, 1);
}

const char *rqt_witness_config(void)
{
    handler("orphans.sh",
            "say start\n"
            "[ \"$REFQ_ATTEMPT\" = 1 ] || { say end; echo \"$REFQ_ATTEMPT\"; exit 0; }\n"
            "$forever & setsid $forever & setsid sh -c \"$forever & $forever\" &\n"
            "$forever\n"
            "say end\n");
    /* The first attempt takes longer than a server or worker is away, the others do not. */
    handler("nap.sh", "say start\n"
                      "[ \"$REFQ_ATTEMPT\" != 1 ] || sleep 1.5\n"
                      "say end\n"
                      "echo \"{\\\"attempt\\\":$REFQ_ATTEMPT}\"\n");
    handler("relay.sh", "say start\n"
                        "while [ \"$REFQ_ATTEMPT\" != 1 ] && [ ! -e open ]; do sleep 0.02; done\n"
                        "echo \"{\\\"attempt\\\":$REFQ_ATTEMPT}\"\n");
    handler("gate.sh", "say start\n"
                       "while [ ! -e open ]; do sleep 0.1; done\n"
                       "say end\n"
                       "echo true\n");
    handler("stubborn.sh", "trap '' TERM\n"
                           "say start\n"
                           "sh -c \"trap '' TERM; $forever & $forever\"\n");
    handler("fail.sh", "echo \"$(date +%s%3N)\" >>side\n"
                       "echo 'not yet' >&2\n"
                       "exit 75\n");
    handler("long.sh", "say start\n"
                       "[ \"$REFQ_ATTEMPT\" != 1 ] || exec $forever\n"
                       "say end\n"
                       "echo true\n");
    handler("bulk.sh", "say start\n"
                       "head -c 12582912 /dev/zero | tr '\\0' x\n"
                       "say end\n");
    return rqt_file("tasks.yaml", tasks_yaml, 0);
}

const char *rqt_side(void)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/side", rqt_redis_dir());
    return rqt_read(path);
}

/* Lines of the side file that start with `word`. */
int rqt_said(const char *word)
{
    int n = 0;
    size_t len = strlen(word);
    const char *line = rqt_side();
    while (line != NULL && *line != '\0') {
        n += strncmp(line, word, len) == 0 && line[len] == ' ';
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return n;
}

bool rqt_said_by(const char *word, const refq_ref *ref)
{
    char line[256];
    (void)snprintf(line, sizeof line, "%s docs:%s ", word, ref->hex);
    return strstr(rqt_side(), line) != NULL;
}

void rqt_expect_said(const char *word, int n, int budget_ms)
{
    bool met = RQT_UNTIL(rqt_said(word) == n, budget_ms);
    ck_assert_msg(met, "%d handlers said '%s', not %d", rqt_said(word), word, n);
}

pid_t rqt_runner_of(const refq_ref *ref)
{
    char id[64];
    (void)snprintf(id, sizeof id, "%s", rqt_field(ref, "worker"));
    return rqt_fleet_pid(id);
}

static void setup(void)
{
    rqt_redis_start(NULL);
}

static void teardown(void)
{
    rqt_audit(RQT_QUEUE);
    rqt_fleet_end();
    rqt_audit(RQT_QUEUE);
    bool none = RQT_UNTIL(rqt_strays() == 0, 2000);
    ck_assert_msg(none, "%d processes of handlers were left behind", rqt_strays());
    rqt_client_end();
    rqt_redis_stop();
}

TCase *rqt_witness_case(Suite *suite, const char *name)
{
    TCase *c = tcase_create(name);
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    suite_add_tcase(suite, c);
    return c;
}
