/* SPDX-License-Identifier: MIT */
/* Calls from several server processes: shared, outlived, taken up by others. */
#include "support/fleet.h"
#include "support/main.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <check.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { SERVERS = 8 };

static const char tasks_yaml[] = "queue: docs\n"
                                 "tasks:\n"
                                 "  - {name: gate, exec: [./gate.sh], input: none}\n";

static const char gate_sh[] = "#!/bin/sh\n"
                              "echo >>started\n"
                              "while [ ! -e open ]; do sleep 0.05; done\n"
                              "echo '{\"text\": \"done\"}'\n";

static const char *const options[] = {"--lease", "2s", NULL};

/* --- Server processes ------------------------------------------------------------------------- */

static const char *out_path(int server)
{
    static char path[160];
    (void)snprintf(path, sizeof path, "%s/out-%d", rqt_redis_dir(), server);
    return path;
}

static pid_t start_server(int server, const char *patience_ms)
{
    const char *argv[] = {RQT_CALL_TOOL_PATH, rqt_redis_url(), "call", RQT_QUEUE, "gate",
                          "{\"a\": 1}",       patience_ms,     NULL};
    char err_path[192];
    (void)snprintf(err_path, sizeof err_path, "%s/err", rqt_redis_dir());
    rqt_spawn_options o = {.argv = argv, .out_path = out_path(server), .err_path = err_path};
    return rqt_spawn(&o);
}

/* What a server that has ended printed; the caller owns it. */
static json_t *printed(int server)
{
    json_error_t at;
    const char *text = rqt_read(out_path(server));
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &at);
    ck_assert_msg(root != NULL, "%s: '%s'", at.text, text);
    return root;
}

static json_t *poll_ref(const char *ref_id)
{
    json_error_t at;
    const rqt_result *r =
        rqt_run((const char *const[]){RQT_CALL_TOOL_PATH, rqt_redis_url(), "poll", ref_id, NULL});
    ck_assert_msg(r->status == 0, "%s", r->err);
    json_t *root = json_loads(r->out, JSON_REJECT_DUPLICATES, &at);
    ck_assert_msg(root != NULL, "%s: '%s'", at.text, r->out);
    return root;
}

static const char *text_of(json_t *root, const char *name)
{
    const char *text = json_string_value(json_object_get(root, name));
    return text != NULL ? text : "";
}

static bool is_status(const char *ref_id, const char *status)
{
    json_t *root = poll_ref(ref_id);
    bool is = strcmp(text_of(root, "status"), status) == 0;
    json_decref(root);
    return is;
}

/* --- The work --------------------------------------------------------------------------------- */

static size_t started(void)
{
    char path[160];
    (void)snprintf(path, sizeof path, "%s/started", rqt_redis_dir());
    return strlen(rqt_read(path));
}

static void let_it_end(void)
{
    (void)rqt_file("open", "", 0);
}

/* The one task's reference. */
static const char *the_task(void)
{
    static char ref_id[REFQ_REF_MAX + 1];
    redisReply *keys = rqt_redis("KEYS refq:{" RQT_QUEUE "}:task:*");
    ck_assert_uint_eq(keys->elements, 1);
    (void)snprintf(ref_id, sizeof ref_id, "%s:%s", RQT_QUEUE,
                   strrchr(keys->element[0]->str, ':') + 1);
    freeReplyObject(keys);
    return ref_id;
}

static bool is_offered(void)
{
    refq_texts texts = {0};
    bool there = refq_client_catalog(rqt_client(), RQT_QUEUE, "gate", &texts, NULL) == REFQ_OK;
    refq_texts_free(&texts);
    return there;
}

static void begin(void)
{
    rqt_redis_start(NULL);
    (void)rqt_file("gate.sh", gate_sh, 1);
    (void)rqt_fleet_add(rqt_file("tasks.yaml", tasks_yaml, 0), options);
    ck_assert(RQT_UNTIL(is_offered(), 10000));
}

static void end(void)
{
    rqt_client_end();
    rqt_fleet_end();
    rqt_audit(RQT_QUEUE);
    rqt_redis_stop();
}

/* --- Tests ------------------------------------------------------------------------------------ */

START_TEST(identical_calls_of_many_processes_run_once)
{
    pid_t servers[SERVERS];
    begin();
    for (int i = 0; i < SERVERS; i++) {
        servers[i] = start_server(i, "60000");
    }
    ck_assert(RQT_UNTIL(rqt_callers() == SERVERS, 20000));
    let_it_end();
    for (int i = 0; i < SERVERS; i++) {
        ck_assert_int_eq(rqt_reap(servers[i], 20000), 0);
        json_t *root = printed(i);
        ck_assert_str_eq(text_of(root, "ref_id"), the_task());
        ck_assert_str_eq(text_of(json_object_get(root, "value"), "text"), "done");
        json_decref(root);
    }
    ck_assert_uint_eq(started(), 1);
    end();
}
END_TEST

START_TEST(a_killed_servers_call_goes_on_and_another_polls_it)
{
    char ref_id[REFQ_REF_MAX + 1];
    begin();
    pid_t server = start_server(0, "60000");
    ck_assert(RQT_UNTIL(started() == 1, 20000));
    (void)kill(server, SIGKILL);
    ck_assert_int_eq(rqt_reap(server, 10000), 128 + SIGKILL);
    (void)snprintf(ref_id, sizeof ref_id, "%s", the_task());
    ck_assert(is_status(ref_id, "processing"));
    let_it_end();
    ck_assert(RQT_UNTIL(is_status(ref_id, "complete"), 20000));
    json_t *root = poll_ref(ref_id);
    ck_assert_str_eq(text_of(json_object_get(root, "preview"), "text"), "done");
    json_decref(root);
    ck_assert_uint_eq(started(), 1);
    end();
}
END_TEST

START_TEST(one_of_two_joined_servers_dies_and_the_other_is_answered)
{
    begin();
    pid_t first = start_server(0, "60000");
    ck_assert(RQT_UNTIL(started() == 1, 20000));
    pid_t second = start_server(1, "60000");
    ck_assert(RQT_UNTIL(rqt_callers() == 2, 20000));
    (void)kill(first, SIGKILL);
    ck_assert_int_eq(rqt_reap(first, 10000), 128 + SIGKILL);
    let_it_end();
    ck_assert_int_eq(rqt_reap(second, 20000), 0);
    json_t *root = printed(1);
    ck_assert_str_eq(text_of(json_object_get(root, "value"), "text"), "done");
    json_decref(root);
    ck_assert_uint_eq(started(), 1);
    end();
}
END_TEST

START_TEST(a_call_returns_in_time_and_is_taken_up_by_another_process)
{
    begin();
    pid_t server = start_server(0, "100");
    ck_assert_int_eq(rqt_reap(server, 20000), 0);
    json_t *root = printed(0);
    const char *ref_id = text_of(root, "ref_id");
    ck_assert(json_is_true(json_object_get(root, "is_async")));
    let_it_end();
    ck_assert(RQT_UNTIL(is_status(ref_id, "complete"), 20000));
    json_decref(root);
    ck_assert_uint_eq(started(), 1);
    end();
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("calls");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, identical_calls_of_many_processes_run_once);
    tcase_add_test(c, a_killed_servers_call_goes_on_and_another_polls_it);
    tcase_add_test(c, one_of_two_joined_servers_dies_and_the_other_is_answered);
    tcase_add_test(c, a_call_returns_in_time_and_is_taken_up_by_another_process);
    Suite *s = suite_create("st_calls");
    suite_add_tcase(s, c);
    return rqt_main(s);
}
