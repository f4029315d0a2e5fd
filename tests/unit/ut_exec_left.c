/* SPDX-License-Identifier: MIT */
/* Whoever dies, and however: nothing is left behind. */
#include "base/clock.h"
#include "support/exec_run.h"
#include "support/main.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- Nothing is left behind ------------------------------------------------------------------- */

static void begin_marked(struct rqt_run *run, refq_exec_def *def, const char *body)
{
    static const char *argv[] = {"./script", "{mark}", NULL};
    rqt_script("script", body, 0755);
    *def = (refq_exec_def){.argv = argv, .directory = rqt_dir};
    char args[80];
    (void)snprintf(args, sizeof args, "{\"mark\":\"%s\"}", run->mark);
    ck_assert_msg(rqt_run_start(run, def, args, 0) == REFQ_OK, "%s", rqt_error.text);
}

/* Background children in the group, out of it, and orphaned by a double fork. */
#define LITTER                                                                \
    "sleep $1 & setsid sleep $1 & (setsid sh -c \"sleep $1 & sleep $1\" &)\n" \
    "setsid sh -c \"trap '' TERM HUP; sleep $1\" &\n"

START_TEST(test_background_children_end_with_the_program)
{
    struct rqt_run run = {.mark = rqt_new_mark()};
    refq_exec_def def;
    begin_marked(&run, &def, LITTER "exec sleep $1");
    rqt_wait_marked(run.mark, 8);
    rqi_exec_cancel(run.exec);
    rqt_run_wait(&run);
    ck_assert_int_eq(run.marked, 0);

    run = (struct rqt_run){.mark = rqt_new_mark()};
    begin_marked(&run, &def, LITTER "echo 1");
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_DONE, "1");
    ck_assert_int_eq(run.marked, 0);
}
END_TEST

START_TEST(test_a_neighbour_keeps_its_daemons)
{
    struct rqt_run run = {.mark = rqt_new_mark()};
    refq_exec_def def;
    begin_marked(&run, &def, "(setsid sleep $1 &)\nexec sleep 1000");
    rqt_wait_marked(run.mark, 1);
    const char *argv[] = {"sh", "-c", "(setsid sleep 1000 &); echo 1", NULL};
    refq_exec_def other = {.argv = argv};
    for (int i = 0; i < 3; i++) {
        struct rqt_run neighbour = rqt_run_def(&other, "{}", 0);
        rqt_run_expect(&neighbour, RQI_DONE, "1");
    }
    ck_assert_int_eq(rqt_count_marked(run.mark), 1);
    rqi_exec_cancel(run.exec);
    rqt_run_wait(&run);
    ck_assert_int_eq(run.marked, 0);
}
END_TEST

START_TEST(test_stop_ends_everything)
{
    struct rqt_run run = {.mark = rqt_new_mark()};
    refq_exec_def def;
    begin_marked(&run, &def, LITTER "exec sleep $1");
    rqt_wait_marked(run.mark, 8);
    rqi_keeper_stop(rqt_keeper);
    ck_assert_int_eq(rqt_count_marked(run.mark), 0);
    ck_assert_int_eq(run.done, 0);
    rqi_exec_drop(run.exec);
    event_base_free(rqt_base);
    rqt_keeper_up();
}
END_TEST

/* A worker of its own, to be killed. Its stderr is a pipe that the rqt_keeper and minders inherit
 * and programs do not, so its end shows that they are gone. */
static _Noreturn void be_worker(const char *mark, int err_fd)
{
    (void)dup2(err_fd, 2);
    (void)close(err_fd);
    rqt_keeper_up();
    struct rqt_run run = {.mark = mark};
    struct rqt_run second = {.mark = mark};
    refq_exec_def def;
    refq_exec_def def2;
    begin_marked(&run, &def, LITTER "exec sleep $1");
    begin_marked(&second, &def2, LITTER "exec sleep $1");
    (void)event_base_dispatch(rqt_base);
    _exit(3);
}

START_TEST(test_kill_9_of_the_worker)
{
    const char *mark = rqt_new_mark();
    int fds[2];
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    pid_t worker = fork();
    if (worker == 0) {
        be_worker(mark, fds[1]);
    }
    (void)close(fds[1]);
    rqt_wait_marked(mark, 16);
    ck_assert_int_eq(kill(worker, SIGKILL), 0);
    ck_assert_int_eq(waitpid(worker, NULL, 0), worker);
    char c;
    ck_assert_int_eq(read(fds[0], &c, 1), 0);
    ck_assert_int_eq(rqt_count_marked(mark), 0);
    (void)close(fds[0]);
}
END_TEST

START_TEST(test_keeper_dies)
{
    struct rqt_run run = {.mark = rqt_new_mark()};
    refq_exec_def def;
    begin_marked(&run, &def, LITTER "exec sleep $1");
    rqt_wait_marked(run.mark, 8);
    pid_t pid = rqt_find_child(getpid(), "refq-keeper");
    ck_assert_int_gt(pid, 0);
    /* Not for the rqt_keeper: the worker decides. */
    (void)kill(pid, SIGINT);
    (void)kill(pid, SIGTERM);
    (void)kill(pid, SIGHUP);
    const char *argv[] = {"echo", "1", NULL};
    refq_exec_def other = {.argv = argv};
    struct rqt_run again = rqt_run_def(&other, "{}", 0);
    rqt_run_expect(&again, RQI_DONE, "1");

    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    rqt_run_wait(&run);
    ck_assert_int_eq(run.kind, RQI_RETRYABLE);
    ck_assert_ptr_nonnull(strstr(run.error, "looks after programs"));
    ck_assert_int_eq(run.marked, 0);
    int64_t deadline = rqi_mono_ms() + RQT_BUDGET_MS;
    int fds = rqt_count_fds();
    while (rqt_run_start(&again, &other, "{}", 0) == REFQ_OK) {
        again.done = 0;
        rqt_run_wait(&again);
        ck_assert_int_lt(rqi_mono_ms(), deadline);
    }
    ck_assert_int_eq(rqt_error.code, REFQ_ERR_CLOSED);
    ck_assert_int_eq(rqt_count_fds(), fds);
}
END_TEST

START_TEST(test_minder_dies)
{
    struct rqt_run run = {.mark = rqt_new_mark()};
    refq_exec_def def;
    begin_marked(&run, &def, LITTER "exec sleep $1");
    rqt_wait_marked(run.mark, 8);
    pid_t minder = rqt_find_child(rqt_find_child(getpid(), "refq-keeper"), "refq-minder");
    ck_assert_int_gt(minder, 0);
    ck_assert_int_eq(kill(minder, SIGKILL), 0);
    rqt_run_wait(&run);
    ck_assert_int_eq(run.kind, RQI_RETRYABLE);
    ck_assert_int_eq(run.marked, 0);
    const char *argv[] = {"echo", "1", NULL};
    refq_exec_def other = {.argv = argv};
    struct rqt_run again = rqt_run_def(&other, "{}", 0);
    rqt_run_expect(&again, RQI_DONE, "1");
}
END_TEST

/* --- Who is stopped --------------------------------------------------------------------------- */

static void stop(pid_t pid)
{
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
}

START_TEST(test_a_program_stops_its_minder)
{
    struct rqt_run run = {.mark = rqt_new_mark()};
    refq_exec_def def;
    begin_marked(&run, &def, LITTER "kill -STOP $PPID; exec sleep $1");
    rqt_wait_marked(run.mark, 8);
    rqi_exec_cancel(run.exec);
    rqt_run_wait(&run);
    ck_assert_int_eq(run.kind, RQI_CANCELLED);
    ck_assert_int_eq(run.marked, 0);
}
END_TEST

START_TEST(test_stopped_ones_do_not_hold_up_the_cancel)
{
    struct rqt_run run = {.mark = rqt_new_mark()};
    refq_exec_def def;
    begin_marked(&run, &def, LITTER "exec sleep $1");
    rqt_wait_marked(run.mark, 8);
    pid_t keeper = rqt_find_child(getpid(), "refq-keeper");
    stop(rqt_find_child(keeper, "refq-minder"));
    stop(keeper);
    rqi_exec_cancel(run.exec);
    rqt_run_wait(&run);
    ck_assert_int_eq(run.kind, RQI_CANCELLED);
    ck_assert_int_eq(run.marked, 0);
}
END_TEST

START_TEST(test_kill_9_of_the_worker_of_stopped_ones)
{
    const char *mark = rqt_new_mark();
    int fds[2];
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    pid_t worker = fork();
    if (worker == 0) {
        be_worker(mark, fds[1]);
    }
    (void)close(fds[1]);
    rqt_wait_marked(mark, 16);
    pid_t keeper = rqt_find_child(worker, "refq-keeper");
    stop(rqt_find_child(keeper, "refq-minder"));
    stop(keeper);
    ck_assert_int_eq(kill(worker, SIGKILL), 0);
    ck_assert_int_eq(waitpid(worker, NULL, 0), worker);
    char c;
    ck_assert_int_eq(read(fds[0], &c, 1), 0);
    ck_assert_int_eq(rqt_count_marked(mark), 0);
    (void)close(fds[0]);
}
END_TEST

/* --- Suite ------------------------------------------------------------------------------------ */

int main(void)
{
    Suite *suite = suite_create("exec_left");
    TCase *left = rqt_exec_case(suite, "left behind");
    tcase_add_test(left, test_background_children_end_with_the_program);
    tcase_add_test(left, test_a_neighbour_keeps_its_daemons);
    tcase_add_test(left, test_stop_ends_everything);
    tcase_add_test(left, test_kill_9_of_the_worker);
    tcase_add_test(left, test_keeper_dies);
    tcase_add_test(left, test_minder_dies);
    tcase_add_test(left, test_a_program_stops_its_minder);
    tcase_add_test(left, test_stopped_ones_do_not_hold_up_the_cancel);
    tcase_add_test(left, test_kill_9_of_the_worker_of_stopped_ones);
    return rqt_main(suite);
}
