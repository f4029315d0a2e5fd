/* SPDX-License-Identifier: MIT */
/* What refq-worker says about its health, and where. */
#include "listen.h"
#include "pages.h"
#include "support/main.h"

#include <check.h>
#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static refq_health well(void)
{
    refq_health h = {.state = REFQ_STATE_RUNNING,
                     .connected = true,
                     .lease_ms = 10000,
                     .slots = 4,
                     .running = 2,
                     .counters = {.claimed = 7, .done = 3, .failed = 2},
                     .queues_n = 2};
    for (size_t i = 0; i < h.queues_n; i++) {
        h.queues[i] = (refq_health_queue){.started = true, .beat_age_ms = 100, .running = 1};
        (void)snprintf(h.queues[i].queue, sizeof h.queues[i].queue, "q%zu", i);
    }
    return h;
}

static const char *page(const refq_health *h, const char *path, int status)
{
    static char text[65536];
    rqi_buf body = {0};
    const char *type = "";
    ck_assert_int_eq(rqi_page(h, path, &body, &type), status);
    (void)snprintf(text, sizeof text, "%s", rqi_buf_str(&body));
    rqi_buf_done(&body);
    return text;
}

START_TEST(a_worker_that_is_well)
{
    refq_health h = well();
    ck_assert_str_eq(page(&h, "/livez", 200), "ok\n");
    ck_assert_str_eq(page(&h, "/readyz", 200), "ok\n");
    h.state = REFQ_STATE_QUIET;
    ck_assert_str_eq(page(&h, "/readyz", 200), "ok\n");
}
END_TEST

START_TEST(a_thread_that_hangs)
{
    refq_health h = well();
    h.loop_silent_ms = RQI_HANGS_MS - 1;
    ck_assert_str_eq(page(&h, "/livez", 200), "ok\n");
    h.loop_silent_ms = RQI_HANGS_MS;
    ck_assert_str_eq(page(&h, "/livez", 503), "the worker's loop has not answered for 10000 ms\n");
    ck_assert_str_eq(page(&h, "/readyz", 503), "the worker's loop has not answered for 10000 ms\n");
    h = well();
    h.lease_late_ms = RQI_HANGS_MS;
    ck_assert_str_eq(page(&h, "/livez", 503), "the thread of the leases is late by 10000 ms\n");
}
END_TEST

START_TEST(a_worker_that_is_not_ready)
{
    refq_health h = well();
    h.connected = false;
    ck_assert_str_eq(page(&h, "/readyz", 503), "not connected to Redis\n");
    h = well();
    h.state = REFQ_STATE_DRAINING;
    ck_assert_str_eq(page(&h, "/readyz", 503), "the worker is draining\n");
    h.state = REFQ_STATE_STARTING;
    ck_assert_str_eq(page(&h, "/readyz", 503), "the worker is starting\n");
    h = well();
    h.queues[1].started = false;
    ck_assert_str_eq(page(&h, "/readyz", 503), "queue q1: not registered\n");
    h = well();
    h.queues[1].beat_age_ms = 10001;
    ck_assert_str_eq(page(&h, "/readyz", 503), "queue q1: no beat was answered for 10001 ms\n");
    ck_assert_str_eq(page(&h, "/livez", 200), "ok\n");
}
END_TEST

START_TEST(status_is_json)
{
    refq_health h = well();
    h.queues[0].stuck = 1;
    h.stuck = 1;
    json_t *json = json_loads(page(&h, "/status", 200), JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(json);
    ck_assert_str_eq(json_string_value(json_object_get(json, "state")), "running");
    ck_assert(json_is_true(json_object_get(json, "connected")));
    ck_assert_int_eq(json_integer_value(json_object_get(json, "slots")), 4);
    ck_assert_int_eq(json_integer_value(json_object_get(json, "stuck")), 1);
    json_t *counters = json_object_get(json, "counters");
    ck_assert_int_eq(json_integer_value(json_object_get(counters, "claimed")), 7);
    ck_assert_int_eq(json_integer_value(json_object_get(counters, "failed")), 2);
    json_t *queues = json_object_get(json, "queues");
    ck_assert_uint_eq(json_array_size(queues), 2);
    json_t *first = json_array_get(queues, 0);
    ck_assert_str_eq(json_string_value(json_object_get(first, "queue")), "q0");
    ck_assert_int_eq(json_integer_value(json_object_get(first, "stuck")), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(first, "beat_age_ms")), 100);
    json_decref(json);
}
END_TEST

START_TEST(other_pages_do_not_exist)
{
    refq_health h = well();
    ck_assert_str_eq(page(&h, "/", 404), "");
    ck_assert_str_eq(page(&h, "/livezz", 404), "");
}
END_TEST

/* --- Addresses -------------------------------------------------------------------------------- */

static const struct {
    const char *address;
    const char *shown; /* without the port */
} good[] = {
    {"0", "127.0.0.1:"},
    {"127.0.0.1:0", "127.0.0.1:"},
    {"0.0.0.0:0", "0.0.0.0:"},
};

START_TEST(listens)
{
    rqi_listener l;
    refq_error err;
    ck_assert_msg(rqi_listen(good[_i].address, &l, &err) == REFQ_OK, "%s", err.text);
    size_t len = strlen(good[_i].shown);
    ck_assert_int_eq(strncmp(l.shown, good[_i].shown, len), 0);
    ck_assert_int_gt(strtol(l.shown + len, NULL, 10), 0);
    rqi_listener again;
    ck_assert_int_eq(rqi_listen(l.shown, &again, &err), REFQ_ERR_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "another program listens there already"));
    rqi_listener_close(&l);
    ck_assert_int_eq(l.fd, -1);
}
END_TEST

static const struct {
    const char *address;
    const char *says;
} bad[] = {
    {"65536", "--health 65536: write PORT"},
    {"-1", "--health -1: write PORT"},
    {"", "write PORT"},
    {":9090", "--health :9090: write PORT"},
    {"localhost:9090", "with the address in numbers"},
    {"127.0.0.1", "write PORT"},
    {"127.0.0.1:", "write PORT"},
    {"127.0.0.1:http", "write PORT"},
    {"127.0.0.256:1", "write PORT"},
    {"::1:9090", "an IPv6 one in brackets"},
    {"[::1]", "write PORT"},
    {"[]:1", "write PORT"},
    {"[::1:1", "write PORT"},
    {"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:1", "write PORT"},
    {"192.0.2.1:9090", "cannot listen there"},
    {"unix:", "the path of a socket has 1 to 107 bytes"},
    {"unix:/nonexistent/socket", "cannot listen there: No such file"},
};

START_TEST(refuses_addresses)
{
    rqi_listener l;
    refq_error err = {0};
    ck_assert_int_ne(rqi_listen(bad[_i].address, &l, &err), REFQ_OK);
    ck_assert_msg(strstr(err.text, bad[_i].says) != NULL, "%s", err.text);
    ck_assert_int_eq(l.fd, -1);
}
END_TEST

START_TEST(a_socket_that_is_left_is_replaced)
{
    char folder[] = "/tmp/refq-listen-XXXXXX";
    char address[64];
    rqi_listener l;
    rqi_listener again;
    refq_error err;
    struct stat st;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(address, sizeof address, "unix:%s/s", folder);
    ck_assert_int_eq(rqi_listen(address, &l, &err), REFQ_OK);
    ck_assert_str_eq(l.shown, address);
    ck_assert_int_eq(rqi_listen(address, &again, &err), REFQ_ERR_IO); /* it is in use */
    (void)close(l.fd);                                                /* as after a crash */
    l.fd = -1;
    ck_assert_int_eq(rqi_listen(address, &again, &err), REFQ_OK);
    rqi_listener_close(&again);
    ck_assert_int_eq(stat(address + 5, &st), -1);

    FILE *f = fopen(address + 5, "w"); /* what is no socket is left alone */
    (void)fclose(f);
    ck_assert_int_eq(rqi_listen(address, &again, &err), REFQ_ERR_IO);
    ck_assert_int_eq(stat(address + 5, &st), 0);
    (void)unlink(address + 5);
    (void)rmdir(folder);
}
END_TEST

START_TEST(too_long_a_path_is_refused)
{
    char address[200];
    rqi_listener l;
    refq_error err;
    (void)snprintf(address, sizeof address, "unix:/%0*d", 150, 0);
    ck_assert_int_eq(rqi_listen(address, &l, &err), REFQ_ERR_INVALID);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ut_worker_pages");
    TCase *c = tcase_create("pages");
    tcase_add_test(c, a_worker_that_is_well);
    tcase_add_test(c, a_thread_that_hangs);
    tcase_add_test(c, a_worker_that_is_not_ready);
    tcase_add_test(c, status_is_json);
    tcase_add_test(c, other_pages_do_not_exist);
    TCase *listen_case = tcase_create("listen");
    tcase_add_loop_test(listen_case, listens, 0, sizeof good / sizeof good[0]);
    tcase_add_loop_test(listen_case, refuses_addresses, 0, sizeof bad / sizeof bad[0]);
    tcase_add_test(listen_case, a_socket_that_is_left_is_replaced);
    tcase_add_test(listen_case, too_long_a_path_is_refused);
    suite_add_tcase(s, c);
    suite_add_tcase(s, listen_case);
    return rqt_main(s);
}
