/* SPDX-License-Identifier: MIT */
/* What a program can find out about the worker that runs it. */
#include "support/main.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <check.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SECRET_NAME "RQT_SECRET" /* any variable will do: those of Redis would be used */
#define SECRET      "not-for-programs"

/* Its own environment, and those of the minder, the keeper and the worker above it. */
#define SCRIPT                                                     \
    "pid=$$\n"                                                     \
    "for who in program minder keeper worker; do\n"                \
    "  echo $who $(sed 's/.*(//; s/).*//' /proc/$pid/stat)\n"      \
    "  tr '\\0' '\\n' </proc/$pid/environ && echo $who was read\n" \
    "  pid=$(sed 's/.*) . //; s/ .*//' /proc/$pid/stat)\n"         \
    "done 2>/dev/null\n"                                           \
    "true\n"

START_TEST(programs_cannot_read_the_environment_of_the_worker)
{
    rqt_redis_clean();
    (void)rqt_file("look.sh", "#!/bin/sh\n" SCRIPT, 0755);
    const char *path = rqt_file("secrets.yaml",
                                "queue: docs\n"
                                "tasks:\n  - {name: look, input: none, output: text, "
                                "exec: [./look.sh]}\n",
                                0);
    pid_t worker = rqt_worker(path, NULL);
    refq_ref ref = rqt_submit((refq_spec){.task = "look"});
    rqt_expect(&ref, "complete", 10000);
    const char *entry = rqt_entry(&ref);
    ck_assert_msg(strstr(entry, "worker refq-worker") != NULL, "%s", entry);
    ck_assert_ptr_nonnull(strstr(entry, "program was read"));
    ck_assert_msg(strstr(entry, SECRET) == NULL, "%s", entry);
    ck_assert_int_eq(rqt_worker_stop(worker), 0);
    rqt_client_end();
}
END_TEST

/* Starts over with a secret in what the kernel shows as the environment, and without the rights of
 * root to see everything. */
static void begin_with_a_secret(char **argv)
{
    static const int rights[] = {CAP_SYS_PTRACE, CAP_PERFMON, CAP_SYS_ADMIN};
    if (getenv(SECRET_NAME) != NULL) {
        return;
    }
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++) {
        (void)prctl(PR_CAPBSET_DROP, rights[i], 0, 0, 0); /* others have none to drop */
    }
    (void)setenv(SECRET_NAME, SECRET, 1);
    (void)execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    (void)argc;
    begin_with_a_secret(argv);
    TCase *c = tcase_create("secrets");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, programs_cannot_read_the_environment_of_the_worker);
    Suite *s = suite_create("st_worker_secrets");
    suite_add_tcase(s, c);
    return rqt_main_redis(s, NULL);
}
