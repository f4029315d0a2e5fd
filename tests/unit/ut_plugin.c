/* SPDX-License-Identifier: MIT */
/* Plugins: which are taken, which are refused and why, and where their tasks run. */
#include "run/definition.h"
#include "run/executor.h"
#include "run/plugin.h"
#include "support/main.h"
#include "support/wait.h"

#include <check.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct event_base *base;
static rqi_executor *executor;
static refq_handlers *handlers;
static refq_error error;
static char dir[64];
static char log_path[80];

static void setup(void)
{
    (void)snprintf(dir, sizeof dir, "%s/ut_plugin.XXXXXX", P_tmpdir);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(log_path, sizeof log_path, "%s/log", dir);
    base = event_base_new();
    ck_assert_int_eq(refq_handlers_new(&handlers, &error), REFQ_OK);
}

static void teardown(void)
{
    rqi_executor_free(executor);
    executor = NULL; /* some tests make none */
    refq_handlers_unref(handlers);
    event_base_free(base);
    (void)unlink(log_path);
    ck_assert_int_eq(rmdir(dir), 0);
}

static refq_err add(const char *path, const char *config, const refq_task_def *tasks, size_t n,
                    bool child)
{
    const refq_plugin_options o = {.struct_size = sizeof o,
                                   .path = path,
                                   .config_json = config,
                                   .tasks = tasks,
                                   .n_tasks = n,
                                   .child = child};
    return refq_handlers_add_plugin(handlers, &o, &error);
}

static void add_good(bool child)
{
    char config[100];
    (void)snprintf(config, sizeof config, "\"%s\"", log_path);
    ck_assert_msg(add(RQT_PLUGIN, config, NULL, 0, child) == REFQ_OK, "%s", error.text);
}

static const char *logged(void)
{
    static char text[200];
    FILE *f = fopen(log_path, "re");
    size_t n = f != NULL ? fread(text, 1, sizeof text - 1, f) : 0;
    text[n] = '\0';
    if (f != NULL) {
        (void)fclose(f);
    }
    return text;
}

static void start(void)
{
    const rqi_executor_options o = {.base = base, .threads = 1, .programs = true};
    ck_assert_msg(rqi_executor_new(&o, &executor, &error) == REFQ_OK, "%s", error.text);
}

/* --- Running ---------------------------------------------------------------------------------- */

static int done;

static void on_done(rqi_run *run)
{
    (void)run;
    done++;
}

static bool turn(void)
{
    (void)event_base_loop(base, EVLOOP_NONBLOCK);
    return done > 0;
}

/* The caller clears the run. */
static void run_task(rqi_run *run, const char *name)
{
    memset(run, 0, sizeof *run);
    rqi_run_init(run);
    run->handler = rqi_handlers_find(handlers, name);
    ck_assert_ptr_nonnull(run->handler);
    (void)snprintf(run->task, sizeof run->task, "%s", name);
    (void)snprintf(run->ref.queue, sizeof run->ref.queue, "docs");
    (void)snprintf(run->ref.hex, sizeof run->ref.hex, "%032d", 7);
    rqi_buf_add(&run->args, "m\x80", 2);
    run->on_done = on_done;
    done = 0;
    rqi_run_start(executor, run);
    ck_assert(RQT_UNTIL(turn(), 20000));
}

static void run_who(int *ret_init, int *ret_pid)
{
    rqi_run run;
    run_task(&run, "who");
    ck_assert_msg(run.outcome.kind == RQI_DONE, "%s", run.outcome.error);
    ck_assert_int_eq(
        sscanf(rqi_buf_str(&run.outcome.value), "{\"init\":%d,\"pid\":%d}", ret_init, ret_pid), 2);
    rqi_run_clear(&run);
}

START_TEST(runs_on_a_thread)
{
    int init = 0;
    int pid = 0;
    add_good(false);
    start();
    run_who(&init, &pid);
    ck_assert_int_eq(init, getpid());
    ck_assert_int_eq(pid, getpid());
    ck_assert_str_eq(logged(), "init\n");
    refq_handlers_unref(handlers);
    ck_assert_str_eq(logged(), "init\nfini\n");
    ck_assert_int_eq(refq_handlers_new(&handlers, &error), REFQ_OK);
}
END_TEST

START_TEST(runs_in_a_child)
{
    int init = 0;
    int pid = 0;
    add_good(true);
    ck_assert_str_eq(logged(), ""); /* nothing of it runs here */
    start();
    run_who(&init, &pid);
    ck_assert_int_ne(pid, getpid());
    ck_assert_int_eq(init, pid);
    ck_assert_str_eq(logged(), "init\nfini\n");
}
END_TEST

START_TEST(loaded_after_the_keeper_runs_in_a_child)
{
    int init = 0;
    int pid = 0;
    start();
    add_good(true);
    run_who(&init, &pid);
    ck_assert_int_ne(pid, getpid());
    ck_assert_int_eq(init, pid);
}
END_TEST

START_TEST(crashes_alone)
{
    add_good(false);
    start();
    rqi_run run;
    run_task(&run, "crash");
    ck_assert_int_eq(run.outcome.kind, RQI_CRASHED);
    ck_assert_ptr_nonnull(strstr(run.outcome.error, "the handler crashed: signal 11"));
    rqi_run_clear(&run);
}
END_TEST

START_TEST(init_fails_in_the_child)
{
    ck_assert_int_eq(add(RQT_PLUGIN, "\"fail\"", NULL, 0, true), REFQ_OK);
    start();
    rqi_run run;
    run_task(&run, "who");
    ck_assert_int_eq(run.outcome.kind, RQI_RETRYABLE);
    ck_assert_str_eq(run.outcome.error, "plugin tester: init failed: the model is missing");
    rqi_run_clear(&run);
}
END_TEST

static refq_err nothing(refq_ctx *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return REFQ_OK;
}

/* --- Adding ----------------------------------------------------------------------------------- */

START_TEST(definitions_can_be_changed)
{
    const refq_task_def change = {.struct_size = sizeof change,
                                  .name = "who",
                                  .timeout_ms = 1000,
                                  .max_retries = REFQ_NO_RETRIES,
                                  .concurrency = 3,
                                  .backoff = {.base_ms = 7, .factor = 3, .cap_ms = 70}};
    ck_assert_int_eq(add(RQT_PLUGIN, NULL, &change, 1, false), REFQ_OK);
    ck_assert_uint_eq(rqi_handlers_count(handlers), 1);
    const rqi_handler *h = rqi_handlers_at(handlers, 0);
    ck_assert_int_eq(h->def.timeout_ms, 1000);
    ck_assert_int_eq(h->def.max_retries, REFQ_NO_RETRIES);
    ck_assert_uint_eq(h->def.concurrency, 3);
    ck_assert_int_eq(h->def.backoff.base_ms, 7);
    ck_assert_str_eq(h->def.description, "says who it is");
    ck_assert(!h->def.child);
}
END_TEST

START_TEST(how_calls_behave_can_be_changed)
{
    const refq_task_def change = {.struct_size = sizeof change,
                                  .name = "who",
                                  .has_reuse = 1,
                                  .reuse = REFQ_REUSE_NONE,
                                  .has_response_format = 1,
                                  .response_format = REFQ_FORMAT_STANDARD,
                                  .owner_template = "user:{user_id}",
                                  .session_scoped = true,
                                  .policy = "public"};
    ck_assert_int_eq(add(RQT_PLUGIN, NULL, &change, 1, false), REFQ_OK);
    const refq_task_def *def = &rqi_handlers_at(handlers, 0)->def;
    ck_assert(def->has_reuse && def->reuse == REFQ_REUSE_NONE);
    ck_assert(def->has_response_format && def->response_format == REFQ_FORMAT_STANDARD);
    ck_assert_int_eq(def->max_size, 50);
    ck_assert_str_eq(def->namespace_template, "user:{user_id}");
    ck_assert_str_eq(def->owner_template, "user:{user_id}");
    ck_assert(def->session_scoped);
    ck_assert_str_eq(def->policy, "public");
    rqi_buf json = {0};
    rqi_definition_json(def, &json);
    ck_assert_ptr_nonnull(strstr(rqi_buf_str(&json),
                                 "\"max_retries\":5,\"reuse\":\"none\",\"response_format\":"
                                 "\"standard\",\"max_size\":50,\"namespace\":\"user:{user_id}\","
                                 "\"owner\":\"user:{user_id}\",\"session_scoped\":true,"
                                 "\"policy\":\"public\"}"));
    rqi_buf_done(&json);
}
END_TEST

START_TEST(a_definition_without_them_does_not_tell_of_calls)
{
    rqi_buf json = {0};
    ck_assert_int_eq(add(RQT_PLUGIN, NULL, NULL, 0, false), REFQ_OK);
    rqi_definition_json(&rqi_handlers_find(handlers, "crash")->def, &json);
    ck_assert_str_eq(rqi_buf_str(&json), "{\"name\":\"crash\",\"async_timeout_ms\":5000,"
                                         "\"timeout_ms\":0,\"max_retries\":3}");
    rqi_buf_done(&json);
}
END_TEST

/* What no call could use is refused when it is offered; `says` follows the task's name. */
static const struct {
    refq_task_def def;
    refq_err code;
    const char *says;
} unusable[] = {
    {{.has_reuse = 1, .reuse = (refq_reuse)3}, REFQ_ERR_INVALID, "reuse: 3 is no refq_reuse"},
    {{.has_response_format = 1, .response_format = (refq_format)9},
     REFQ_ERR_INVALID,
     "response_format: 9 is no refq_format"},
    {{.max_size = -1}, REFQ_ERR_LIMIT, "max_size: must be 0 to 1073741824"},
    {{.namespace_template = ""}, REFQ_ERR_INVALID, "namespace: the namespace is empty"},
    {{.owner_template = ""}, REFQ_ERR_INVALID, "owner: it is empty"},
    {{.policy = "nobody"}, REFQ_ERR_INVALID, "policy: there is no policy 'nobody'"},
    {{.policy = "{\"user_permissions\": 99}"}, REFQ_ERR_INVALID, "policy: user_permissions of"},
    {{.policy = "{\"bound_session\": \"s\"}"}, REFQ_ERR_INVALID, "policy: it has no 'bound_s"},
    {{.policy = "{\"allowed_actors\": \"a\"}"}, REFQ_ERR_INVALID, "policy: allowed_actors of the"},
    {{.policy = "{"}, REFQ_ERR_INVALID, "policy: "},
};

START_TEST(refuses_what_no_call_could_use)
{
    char wanted[200];
    refq_task_def change = unusable[_i].def;
    change.name = "who";
    ck_assert_int_eq(add(RQT_PLUGIN, NULL, &change, 1, false), unusable[_i].code);
    (void)snprintf(wanted, sizeof wanted, "task who: %s", unusable[_i].says);
    ck_assert_msg(strncmp(error.text, wanted, strlen(wanted)) == 0, "%s", error.text);
    ck_assert_uint_eq(rqi_handlers_count(handlers), 0);
}
END_TEST

START_TEST(a_definition_of_another_size_is_refused)
{
    const refq_task_def old = {.struct_size = sizeof old - 8, .name = "old"};
    ck_assert_int_eq(
        refq_handlers_add_function(handlers, &old, REFQ_RUN_THREAD, nothing, NULL, &error),
        REFQ_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "set it to sizeof(refq_task_def)"));
}
END_TEST

START_TEST(definitions_of_the_plugin)
{
    ck_assert_int_eq(add(RQT_PLUGIN, NULL, NULL, 0, false), REFQ_OK);
    ck_assert_uint_eq(rqi_handlers_count(handlers), 2);
    const rqi_handler *who = rqi_handlers_find(handlers, "who");
    ck_assert_int_eq(who->def.timeout_ms, 60000);
    ck_assert_int_eq(who->def.max_retries, 5);
    ck_assert_int_eq(who->kind, RQI_HANDLER_THREAD);
    const rqi_handler *crash = rqi_handlers_find(handlers, "crash");
    ck_assert_int_eq(crash->kind, RQI_HANDLER_INLINE);
    ck_assert(crash->def.child);
}
END_TEST

static const struct {
    const char *path;
    refq_err code;
    const char *says;
} bad[] = {
    {NULL, REFQ_ERR_INVALID, "the path of a plugin needs a slash"},
    {"libocr.so", REFQ_ERR_INVALID, "needs a slash; write ./libocr.so"},
    {"/nonexistent/libocr.so", REFQ_ERR_NOTFOUND,
     "cannot read the plugin /nonexistent/libocr.so: No such file"},
    {"/etc/passwd", REFQ_ERR_INVALID, "cannot load the plugin: /etc/passwd: "},
    {RQT_PLUGIN "_abi", REFQ_ERR_INVALID, "the plugin has ABI 2, this program needs 1"},
    {RQT_PLUGIN "_size", REFQ_ERR_INVALID, "compiled against headers of another version"},
    {RQT_PLUGIN "_task", REFQ_ERR_INVALID, "compiled against headers of another version"},
    {RQT_PLUGIN "_def", REFQ_ERR_INVALID, "task 1 of the plugin lacks a name, a handler or"},
    {RQT_PLUGIN "_twice", REFQ_ERR_CONFLICT, "the plugin has two tasks named 'who'"},
    {RQT_PLUGIN "_entry", REFQ_ERR_INVALID, "does not define refq_plugin_v1()"},
};

START_TEST(refuses)
{
    ck_assert_int_eq(add(bad[_i].path, NULL, NULL, 0, false), bad[_i].code);
    ck_assert_msg(strstr(error.text, bad[_i].says) != NULL, "%s", error.text);
    ck_assert_uint_eq(rqi_handlers_count(handlers), 0);
}
END_TEST

START_TEST(adds_all_or_none)
{
    const refq_task_def own = {.struct_size = sizeof own, .name = "crash"};
    const refq_task_def missing = {.struct_size = sizeof missing, .name = "wo"};
    const refq_task_def twice[] = {{.name = "who"}, {.name = "who"}};
    const refq_task_def wrong = {.name = "who", .timeout_ms = -1};
    char config[100];
    (void)snprintf(config, sizeof config, "\"%s\"", log_path);
    ck_assert_int_eq(
        refq_handlers_add_function(handlers, &own, REFQ_RUN_THREAD, nothing, NULL, &error),
        REFQ_OK);
    ck_assert_int_eq(add(RQT_PLUGIN, config, NULL, 0, false), REFQ_ERR_CONFLICT);
    ck_assert_str_eq(error.text, "task crash is already registered");
    ck_assert_int_eq(add(RQT_PLUGIN, config, &missing, 1, false), REFQ_ERR_NOTFOUND);
    ck_assert_str_eq(error.text, "plugin tester has no task 'wo'");
    ck_assert_int_eq(add(RQT_PLUGIN, config, twice, 2, false), REFQ_ERR_CONFLICT);
    ck_assert_int_eq(add(RQT_PLUGIN, config, &wrong, 1, false), REFQ_ERR_LIMIT);
    ck_assert_str_eq(logged(), "");
    ck_assert_int_eq(add(RQT_PLUGIN, "\"fail\"", twice, 1, false), REFQ_ERR_NOTFOUND);
    ck_assert_str_eq(error.text, "plugin tester: init failed: the model is missing");
    ck_assert_int_eq(add(RQT_PLUGIN, "{", twice, 1, false), REFQ_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "the configuration of a plugin: "));
    ck_assert_uint_eq(rqi_handlers_count(handlers), 1);
    ck_assert_int_eq(add(RQT_PLUGIN, config, twice, 1, false), REFQ_OK);
    ck_assert_uint_eq(rqi_handlers_count(handlers), 2);
}
END_TEST

/* Each registry has a state of its own. */
START_TEST(is_added_to_two_registries)
{
    refq_handlers *first = handlers;
    add_good(false);
    ck_assert_int_eq(refq_handlers_new(&handlers, &error), REFQ_OK);
    add_good(false);
    ck_assert_str_eq(logged(), "init\ninit\n");
    ck_assert_ptr_ne(rqi_handlers_at(first, 0)->arg, rqi_handlers_at(handlers, 0)->arg);
    refq_handlers_unref(first);
    ck_assert_str_eq(logged(), "init\ninit\nfini\n");
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("plugin");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, runs_on_a_thread);
    tcase_add_test(c, runs_in_a_child);
    tcase_add_test(c, loaded_after_the_keeper_runs_in_a_child);
    tcase_add_test(c, crashes_alone);
    tcase_add_test(c, init_fails_in_the_child);
    tcase_add_test(c, definitions_can_be_changed);
    tcase_add_test(c, how_calls_behave_can_be_changed);
    tcase_add_test(c, a_definition_without_them_does_not_tell_of_calls);
    tcase_add_loop_test(c, refuses_what_no_call_could_use, 0,
                        (int)(sizeof unusable / sizeof unusable[0]));
    tcase_add_test(c, a_definition_of_another_size_is_refused);
    tcase_add_test(c, definitions_of_the_plugin);
    tcase_add_loop_test(c, refuses, 0, (int)(sizeof bad / sizeof bad[0]));
    tcase_add_test(c, adds_all_or_none);
    tcase_add_test(c, is_added_to_two_registries);
    Suite *s = suite_create("plugin");
    suite_add_tcase(s, c);
    return rqt_main(s);
}
