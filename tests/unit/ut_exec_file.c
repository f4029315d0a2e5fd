/* SPDX-License-Identifier: MIT */
/* Programs that write their result to a file, in a folder of which nothing stays. That it is gone
 * is also checked after every test: the folder of the test is TMPDIR, and has to be empty. */
#include "base/clock.h"
#include "support/exec_run.h"
#include "support/main.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUT    "\"$REFQ_OUTPUT_FILE\""
#define FOLDER "\"${REFQ_OUTPUT_FILE%/*}\""

static const char *const argv[] = {"./script", "{@output}", NULL};

static refq_exec_def definition(const char *body)
{
    rqt_script("script", body, 0755);
    ck_assert_int_eq(setenv("TMPDIR", rqt_dir, 1), 0);
    return (refq_exec_def){.argv = argv, .directory = rqt_dir, .output = REFQ_OUTPUT_FILE};
}

static int count_folders(void)
{
    int n = 0;
    DIR *d = opendir(rqt_dir);
    const struct dirent *entry;
    while ((entry = readdir(d)) != NULL) {
        n += strncmp(entry->d_name, "refq-", 5) == 0;
    }
    (void)closedir(d);
    return n;
}

static struct rqt_run run_file(const char *body, size_t max)
{
    refq_exec_def def = definition(body);
    def.max_output = max;
    struct rqt_run run = rqt_run_def(&def, "{}", 0);
    ck_assert_int_eq(count_folders(), 0);
    return run;
}

static void wait_no_folders(void)
{
    int64_t deadline = rqi_mono_ms() + RQT_BUDGET_MS;
    while (count_folders() > 0) {
        ck_assert_int_lt(rqi_mono_ms(), deadline);
        rqt_turn_for(5);
    }
}

/* --- Results ---------------------------------------------------------------------------------- */

START_TEST(test_bytes_of_the_file)
{
    struct rqt_run run = run_file("echo talk; printf '\\377\\376\\0?' >" OUT, 0);
    rqt_run_expect(&run, RQI_DONE, "\"//4APw==\"");
    ck_assert_str_eq(run.tail, "talk\n");
    run = run_file("printf '\\377' >\"$1\"", 0);
    rqt_run_expect(&run, RQI_DONE, "\"/w==\"");
    run = run_file(": >" OUT, 0);
    rqt_run_expect(&run, RQI_DONE, "\"\"");
    run = run_file("head -c 5000000 /dev/zero >" OUT, 0);
    ck_assert_int_eq(run.kind, RQI_DONE);
    ck_assert_uint_eq(run.value_len, (5000000 + 2) / 3 * 4 + 2);
}
END_TEST

START_TEST(test_the_folder)
{
    struct rqt_run run = run_file(
        "cd " FOLDER "; { stat -c '%a' .; ls | wc -l; dirname \"$PWD\"; } >list; cat list >&2;"
        "mv list result",
        0);
    ck_assert_int_eq(run.kind, RQI_DONE);
    char want[100];
    (void)snprintf(want, sizeof want, "700\n1\n%s\n", rqt_dir);
    ck_assert_str_eq(run.tail, want);
}
END_TEST

START_TEST(test_no_result)
{
    static const char link[] =
        "exit 0, but the output file is not a plain file; write it in place, "
        "not as a link, a folder or a pipe";
    struct rqt_run run = run_file("exit 0", 0);
    rqt_run_expect(&run, RQI_PERMANENT,
                   "exit 0, but there is no output file; its path is in REFQ_OUTPUT_FILE and in "
                   "the placeholder {@output}");
    run = run_file("ln -s /etc/passwd " OUT, 0);
    rqt_run_expect(&run, RQI_PERMANENT, link);
    run = run_file("mkdir " OUT, 0);
    rqt_run_expect(&run, RQI_PERMANENT, link);
    run = run_file("mkfifo " OUT, 0);
    rqt_run_expect(&run, RQI_PERMANENT, link);
    run = run_file("echo 1 >" OUT "; echo bad >&2; exit 65", 0);
    rqt_run_expect(&run, RQI_PERMANENT, "exit 65: bad");
}
END_TEST

START_TEST(test_a_folder_that_was_replaced)
{
    char target[100];
    (void)snprintf(target, sizeof target, "%s/target", rqt_dir);
    ck_assert_int_eq(mkdir(target, 0700), 0);
    struct rqt_run run =
        run_file("rm -r " FOLDER "; echo 1 >target/result; ln -s \"$PWD/target\" " FOLDER, 0);
    ck_assert_int_eq(run.kind, RQI_PERMANENT);
    (void)snprintf(target, sizeof target, "%s/target/result", rqt_dir);
    ck_assert_int_eq(unlink(target), 0); /* it is still there */
    *strrchr(target, '/') = '\0';
    ck_assert_int_eq(rmdir(target), 0);
}
END_TEST

START_TEST(test_size_of_the_file)
{
    struct rqt_run run = run_file("printf 12345 >" OUT, 5);
    rqt_run_expect(&run, RQI_DONE, "\"MTIzNDU=\"");
    static const char large[] =
        "the output file exceeds the limit of 4 bytes; raise max_output or write less";
    run = run_file("printf 12345 >" OUT, 4);
    rqt_run_expect(&run, RQI_PERMANENT, large);
    run = run_file("truncate -s 1T " OUT, 4);
    rqt_run_expect(&run, RQI_PERMANENT, large);
}
END_TEST

START_TEST(test_no_place_for_the_folder)
{
    refq_exec_def def = definition("exit 0");
    ck_assert_int_eq(setenv("TMPDIR", "/nonexistent", 1), 0);
    struct rqt_run run = rqt_run_def(&def, "{}", 0);
    rqt_run_expect(&run, RQI_RETRYABLE,
                   "cannot make a folder for the output file in TMPDIR (or /tmp): No such file or "
                   "directory");
    ck_assert_int_eq(setenv("TMPDIR", "relative", 1), 0);
    def = definition("printf %.10s " OUT " >" OUT);
    ck_assert_int_eq(setenv("TMPDIR", "relative", 1), 0);
    run = rqt_run_def(&def, "{}", 0);
    rqt_run_expect(&run, RQI_DONE, "\"L3RtcC9yZWZxLQ==\""); /* /tmp/refq- */
}
END_TEST

/* --- Nothing stays ---------------------------------------------------------------------------- */

START_TEST(test_a_hostile_folder)
{
    char kept[100];
    (void)snprintf(kept, sizeof kept, "%s/kept", rqt_dir);
    ck_assert_int_eq(mkdir(kept, 0700), 0);
    struct rqt_run run = run_file(
        "here=$PWD; cd " FOLDER "; touch \"$here/kept/file\"; ln -s \"$here/kept\" link;"
        "mkdir -p a/b/c; ln -s \"$here/kept\" a/b/link; ln \"$here/kept/file\" a/hard; mkfifo a/p;"
        "mkdir -p x/y refq-1/a; touch x/y/z .hidden '-rf' \"$(printf 'new\\nline')\";"
        "chmod 0 x/y; chmod 0 x; i=0; while [ $i -lt 1300 ]; do mkdir d; cd d; i=$((i+1)); done;"
        "touch deep; cd \"$here\"; echo 1 >" OUT "; chmod 0 " FOLDER,
        0);
    ck_assert_msg(run.kind == RQI_DONE || run.kind == RQI_PERMANENT, "%s", run.error);
    (void)snprintf(kept, sizeof kept, "%s/kept/file", rqt_dir);
    ck_assert_int_eq(unlink(kept), 0);
    *strrchr(kept, '/') = '\0';
    ck_assert_int_eq(rmdir(kept), 0);
}
END_TEST

START_TEST(test_failures_leave_nothing)
{
    struct rqt_run run = run_file("echo 1 >" OUT "; kill -9 $$", 0);
    rqt_run_expect(&run, RQI_RETRYABLE, "killed by signal 9 (Killed)");
    static const char *const missing[] = {"./missing", NULL};
    refq_exec_def def = definition("exit 0");
    def.argv = missing;
    run = rqt_run_def(&def, "{}", 0);
    ck_assert_int_eq(run.kind, RQI_PERMANENT);
    ck_assert_int_eq(count_folders(), 0);
    def = definition("echo 1 >" OUT "; echo '{\"progress\":{\"current\":1}}' >&3; exec sleep 1000");
    run = (struct rqt_run){.cancel_on_progress = true};
    ck_assert_int_eq(rqt_run_start(&run, &def, "{}", 0), REFQ_OK);
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_CANCELLED, "cancelled");
    ck_assert_int_eq(count_folders(), 0);
}
END_TEST

#define STAY "echo 1 >" OUT "; echo '{\"progress\":{\"current\":1}}' >&3; exec sleep 1000"

static void begin(struct rqt_run *run, refq_exec_def *def)
{
    *def = definition(STAY);
    ck_assert_int_eq(rqt_run_start(run, def, "{}", 0), REFQ_OK);
    rqt_turn_until(&run->n_progress, 1);
    ck_assert_int_eq(count_folders(), 1);
}

START_TEST(test_minder_dies)
{
    struct rqt_run run = {0};
    refq_exec_def def;
    begin(&run, &def);
    pid_t minder = rqt_find_child(rqt_find_child(getpid(), "refq-keeper"), "refq-minder");
    ck_assert_int_gt(minder, 0);
    ck_assert_int_eq(kill(minder, SIGKILL), 0);
    rqt_run_wait(&run);
    ck_assert_int_eq(run.kind, RQI_RETRYABLE);
    ck_assert_int_eq(count_folders(), 0);
}
END_TEST

START_TEST(test_keeper_dies)
{
    struct rqt_run run = {0};
    refq_exec_def def;
    begin(&run, &def);
    pid_t keeper = rqt_find_child(getpid(), "refq-keeper");
    ck_assert_int_gt(keeper, 0);
    ck_assert_int_eq(kill(keeper, SIGKILL), 0);
    rqt_run_wait(&run);
    wait_no_folders();
}
END_TEST

START_TEST(test_stop)
{
    struct rqt_run run = {0};
    refq_exec_def def;
    begin(&run, &def);
    rqi_keeper_stop(rqt_keeper);
    ck_assert_int_eq(count_folders(), 0);
    rqi_exec_drop(run.exec);
    event_base_free(rqt_base);
    rqt_keeper_up();
}
END_TEST

static _Noreturn void be_worker(void)
{
    rqt_keeper_up();
    struct rqt_run run = {0};
    refq_exec_def def;
    begin(&run, &def);
    (void)event_base_dispatch(rqt_base);
    _exit(3);
}

START_TEST(test_kill_9_of_the_worker)
{
    pid_t worker = fork();
    if (worker == 0) {
        be_worker();
    }
    int64_t deadline = rqi_mono_ms() + RQT_BUDGET_MS;
    while (count_folders() == 0) {
        ck_assert_int_lt(rqi_mono_ms(), deadline);
        rqt_turn_for(5);
    }
    ck_assert_int_eq(kill(worker, SIGKILL), 0);
    ck_assert_int_eq(waitpid(worker, NULL, 0), worker);
    wait_no_folders();
}
END_TEST

START_TEST(test_many_results)
{
    refq_exec_def def = definition("printf '%s' \"$REFQ_REF_ID\" >" OUT);
    static struct rqt_run runs[40];
    int fds = rqt_count_fds();
    for (size_t i = 0; i < 40; i++) {
        ck_assert_int_eq(rqt_run_start(&runs[i], &def, "{}", 0), REFQ_OK);
    }
    for (size_t i = 0; i < 40; i++) {
        rqt_run_wait(&runs[i]);
        rqt_run_expect(&runs[i], RQI_DONE, "\"ZG9jczowMTIz\"");
    }
    ck_assert_int_eq(count_folders(), 0);
    ck_assert_int_eq(rqt_count_fds(), fds);
}
END_TEST

/* --- Shortage --------------------------------------------------------------------------------- */

enum { MAY_OPEN = 100, CROWD = MAY_OPEN + 1 };

/* Descriptors under way in a socket that nobody reads count for all processes of the user, and
 * those that may not have so many open can send none. */
static void crowd(int pair[2])
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(CROWD * sizeof(int))];
    } control = {0};
    struct iovec io = {.iov_base = "x", .iov_len = 1};
    struct msghdr msg = {.msg_iov = &io,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof control.space};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(CROWD * sizeof(int));
    for (size_t i = 0; i < CROWD; i++) {
        ((int *)(void *)CMSG_DATA(c))[i] = pair[0];
    }
    ck_assert_int_eq(sendmsg(pair[0], &msg, 0), 1);
}

static void uncrowd(const int pair[2])
{
    (void)close(pair[0]);
    (void)close(pair[1]);
}

/* Takes this process's right to exceed limits, and that of the keeper and its minders. */
static void take_rights(void)
{
    const struct rlimit limit = {.rlim_cur = MAY_OPEN, .rlim_max = MAY_OPEN};
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct rights[_LINUX_CAPABILITY_U32S_3];
    rqt_keeper_down();
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(syscall(SYS_capget, &header, rights), 0);
    rights[0].effective &= ~(1U << CAP_SYS_ADMIN | 1U << CAP_SYS_RESOURCE);
    ck_assert_int_eq(syscall(SYS_capset, &header, rights), 0);
    rqt_keeper_up();
}

START_TEST(test_an_order_waits_while_too_many_descriptors_are_under_way)
{
    int pair[2];
    take_rights();
    refq_exec_def def = definition("printf '%s' \"$REFQ_REF_ID\" >" OUT);
    crowd(pair);
    struct rqt_run runs[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_msg(rqt_run_start(&runs[i], &def, "{}", 0) == REFQ_OK, "%s", rqt_error.text);
    }
    rqt_turn_for(50);
    uncrowd(pair);
    for (size_t i = 0; i < 3; i++) {
        rqt_run_wait(&runs[i]);
        rqt_run_expect(&runs[i], RQI_DONE, "\"ZG9jczowMTIz\"");
    }
}
END_TEST

START_TEST(test_a_result_waits_while_too_many_descriptors_are_under_way)
{
    int pair[2];
    take_rights();
    refq_exec_def def =
        definition("echo '{\"progress\":{\"current\":1}}' >&3; printf '%s' \"$REFQ_REF_ID\" >" OUT
                   "; cat <go");
    char go[128];
    (void)snprintf(go, sizeof go, "%s/go", rqt_dir);
    ck_assert_int_eq(mkfifo(go, 0600), 0);
    struct rqt_run run = {0};
    ck_assert_msg(rqt_run_start(&run, &def, "{}", 0) == REFQ_OK, "%s", rqt_error.text);
    rqt_turn_until(&run.n_progress, 1);
    crowd(pair);
    int fd = open(go, O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    rqt_turn_for(50);
    uncrowd(pair);
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_DONE, "\"ZG9jczowMTIz\"");
}
END_TEST

/* --- Suite ------------------------------------------------------------------------------------ */

int main(void)
{
    Suite *suite = suite_create("exec_file");
    TCase *results = rqt_exec_case(suite, "results");
    tcase_add_test(results, test_bytes_of_the_file);
    tcase_add_test(results, test_the_folder);
    tcase_add_test(results, test_no_result);
    tcase_add_test(results, test_a_folder_that_was_replaced);
    tcase_add_test(results, test_size_of_the_file);
    tcase_add_test(results, test_no_place_for_the_folder);
    tcase_add_test(results, test_many_results);
    TCase *left = rqt_exec_case(suite, "nothing stays");
    tcase_add_test(left, test_a_hostile_folder);
    tcase_add_test(left, test_failures_leave_nothing);
    tcase_add_test(left, test_minder_dies);
    tcase_add_test(left, test_keeper_dies);
    tcase_add_test(left, test_stop);
    tcase_add_test(left, test_kill_9_of_the_worker);
    TCase *shortage = rqt_exec_case(suite, "shortage");
    tcase_set_tags(shortage, "native"); /* valgrind has descriptors of its own */
    tcase_add_test(shortage, test_an_order_waits_while_too_many_descriptors_are_under_way);
    tcase_add_test(shortage, test_a_result_waits_while_too_many_descriptors_are_under_way);
    return rqt_main(suite);
}
