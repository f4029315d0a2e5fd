/* SPDX-License-Identifier: MIT */
/* What the service manager's variables come to, each with a good and a bad value. */
#include "notify.h"
#include "support/main.h"
#include "support/proc.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char dir[64];
static char own_pid[24];
static struct sockaddr_un manager = {.sun_family = AF_UNIX};
static int listener = -1;

/* %socket and %pid stand for the manager's socket and this process. */
static const struct variable {
    const char *name;
    const char *good;
    const char *bad;
    refq_err refused; /* REFQ_OK: the bad one only switches the watchdog off */
} variables[] = {
    {"NOTIFY_SOCKET", "%socket", "relative", REFQ_ERR_INVALID},
    {"WATCHDOG_USEC", "10000", "9999", REFQ_OK},
    {"WATCHDOG_PID", "%pid", "0", REFQ_OK},
};

static const char *meant(const char *value)
{
    return strcmp(value, "%socket") == 0 ? manager.sun_path
           : strcmp(value, "%pid") == 0  ? own_pid
                                         : value;
}

static void set(const char *name, const char *value)
{
    ck_assert_int_eq(setenv(name, meant(value), 1), 0);
}

static void setup(void)
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(dir, sizeof dir, "%s/refq-notify-XXXXXX", tmp != NULL ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(own_pid, sizeof own_pid, "%d", (int)getpid());
    (void)snprintf(manager.sun_path, sizeof manager.sun_path, "%s/notify", dir);
    listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (const struct sockaddr *)&manager, sizeof manager), 0);
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        set(variables[i].name, variables[i].good);
    }
}

static void teardown(void)
{
    rqi_notify_close();
    (void)close(listener);
    rqt_remove_tree(dir);
}

START_TEST(good_values_are_taken)
{
    char heard[16] = "";
    refq_error err = {0};
    ck_assert_msg(rqi_notify_open(&err) == REFQ_OK, "%s", err.text);
    ck_assert_int_eq(rqi_notify_watchdog_us(), 10000);
    rqi_notify_send("READY=1");
    ck_assert_int_eq(recv(listener, heard, sizeof heard - 1, 0), 7);
    ck_assert_str_eq(heard, "READY=1");
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        ck_assert_ptr_null(getenv(variables[i].name)); /* nothing that is started gets them */
    }
}
END_TEST

START_TEST(a_bad_value_is_not)
{
    const struct variable *v = &variables[_i];
    refq_error err = {0};
    set(v->name, v->bad);
    ck_assert_int_eq(rqi_notify_open(&err), v->refused);
    ck_assert_int_eq(rqi_notify_watchdog_us(), 0);
    ck_assert(v->refused == REFQ_OK || strstr(err.text, v->name) != NULL);
}
END_TEST

/* The process of another: not an error, its watchdog is none of ours. */
START_TEST(a_watchdog_of_another_process_is_not_ours)
{
    refq_error err = {0};
    set("WATCHDOG_PID", "1");
    ck_assert_int_eq(rqi_notify_open(&err), REFQ_OK);
    ck_assert_int_eq(rqi_notify_watchdog_us(), 0);
}
END_TEST

START_TEST(without_the_variables_nobody_listens)
{
    refq_error err = {0};
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        ck_assert_int_eq(unsetenv(variables[i].name), 0);
    }
    ck_assert_int_eq(rqi_notify_open(&err), REFQ_OK);
    ck_assert_int_eq(rqi_notify_watchdog_us(), 0);
    rqi_notify_send("READY=1");
    char heard[16];
    ck_assert_int_eq(recv(listener, heard, sizeof heard, 0), -1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ut_worker_notify");
    TCase *c = tcase_create("notify");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, good_values_are_taken);
    tcase_add_loop_test(c, a_bad_value_is_not, 0, sizeof variables / sizeof variables[0]);
    tcase_add_test(c, a_watchdog_of_another_process_is_not_ours);
    tcase_add_test(c, without_the_variables_nobody_listens);
    suite_add_tcase(s, c);
    return rqt_main(s);
}
