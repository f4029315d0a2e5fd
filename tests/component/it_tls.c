/* SPDX-License-Identifier: MIT */
/*
 * TLS to a real redis-server: who is believed, what is said when somebody is not, and that nothing
 * else differs from a plain connection.
 *
 * DESIGN. The server listens on a unix socket for the test's own orders, on a TLS port and on a
 * plain one. Its certificate is changed by CONFIG SET. What redis-server never does (ending half a
 * connection) is done by a small TLS server in a child process.
 */
#include "support/certs.h"
#include "support/conn_loop.h"
#include "support/fake_redis.h"
#include "support/fleet.h"
#include "support/main.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"

#include <check.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>

#define BIG_BYTES ((size_t)20 * 1024 * 1024)

static int tls_port, plain_port;

static const char *url_of(const char *scheme, const char *host, int port, const char *options)
{
    static char text[1024];
    (void)snprintf(text, sizeof text, "%s://%s:%d/?%s", scheme, host, port, options);
    return text;
}

static const char *ca_option(const char *ca)
{
    static char text[256];
    (void)snprintf(text, sizeof text, "ca=%s", rqt_cert_path(ca));
    return text;
}

static const char *good_url(void)
{
    return url_of("rediss", "127.0.0.1", tls_port, ca_option("ca.pem"));
}

/* "ca=..&cert=..&key=.." */
static const char *with_client(const char *name)
{
    static char text[700];
    char cert[64];
    char key[64];
    (void)snprintf(cert, sizeof cert, "%s.pem", name);
    (void)snprintf(key, sizeof key, "%s.key", name);
    (void)snprintf(text, sizeof text, "ca=%s&cert=%s&key=%s", rqt_cert_path("ca.pem"),
                   rqt_cert_path(cert), rqt_cert_path(key));
    return text;
}

/* The server shows this certificate from now on. */
static void show(const char *name)
{
    char cert[64];
    char key[64];
    (void)snprintf(cert, sizeof cert, "%s.pem", name);
    (void)snprintf(key, sizeof key, "%s.key", name);
    rqt_redis_do("CONFIG SET tls-cert-file %s tls-key-file %s", rqt_cert_path(cert),
                 rqt_cert_path(key));
}

static void setup(void)
{
    static const char *const names[] = {"REFQ_REDIS_CA", "REFQ_REDIS_CERT", "REFQ_REDIS_KEY",
                                        "REFQ_REDIS", "REFQ_REDIS_PASSWORD"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)unsetenv(names[i]);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    rqt_redis_clean();
    rqt_loop_begin();
    show("server");
    rqt_redis_do("CONFIG SET tls-auth-clients no tls-protocols %s", "TLSv1.2 TLSv1.3");
}

static void teardown(void)
{
    rqt_loop_end();
    rqt_client_end();
}

static void expect_refusal(const char *url, refq_err code, const char *phrase)
{
    rqt_answer a = {0};
    rqt_open(url);
    rqt_ask(&a, 0, "PING", NULL);
    rqt_expect_error(&a, code, phrase);
    ck_assert_int_eq(a.calls, 1);
    rqt_close();
}

/* --- Who is believed -------------------------------------------------------------------------- */

START_TEST(names_and_addresses_in_the_certificate_are_good)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    for (size_t i = 0; i < 2; i++) {
        rqt_open(url_of("rediss", hosts[i], tls_port, ca_option("ca.pem")));
        rqt_ping();
        rqt_close();
    }
}
END_TEST

START_TEST(the_environment_names_the_files)
{
    rqt_redis_do("CONFIG SET tls-auth-clients yes");
    ck_assert_int_eq(setenv("REFQ_REDIS_CA", rqt_cert_path("ca.pem"), 1), 0);
    ck_assert_int_eq(setenv("REFQ_REDIS_CERT", rqt_cert_path("client.pem"), 1), 0);
    ck_assert_int_eq(setenv("REFQ_REDIS_KEY", rqt_cert_path("client.key"), 1), 0);
    rqt_open(url_of("rediss", "127.0.0.1", tls_port, ""));
    rqt_ping();
}
END_TEST

START_TEST(an_unknown_ca_is_refused)
{
    expect_refusal(url_of("rediss", "127.0.0.1", tls_port, ca_option("other-ca.pem")),
                   REFQ_ERR_AUTH, "comes from a CA that is not known here; name the file");
}
END_TEST

START_TEST(without_a_ca_the_systems_are_asked)
{
    expect_refusal(url_of("rediss", "127.0.0.1", tls_port, ""), REFQ_ERR_AUTH, "REFQ_REDIS_CA");
}
END_TEST

START_TEST(an_expired_certificate_is_refused)
{
    show("expired");
    expect_refusal(good_url(), REFQ_ERR_AUTH, "has expired on 20");
}
END_TEST

START_TEST(another_name_is_refused_and_told)
{
    show("elsewhere");
    expect_refusal(good_url(), REFQ_ERR_AUTH,
                   "is for elsewhere.example, 192.0.2.9, not for 127.0.0.1");
    expect_refusal(url_of("rediss", "localhost", tls_port, ca_option("ca.pem")), REFQ_ERR_AUTH,
                   "not for localhost");
}
END_TEST

START_TEST(a_certificate_without_names_is_refused)
{
    show("nameless");
    expect_refusal(good_url(), REFQ_ERR_AUTH, "is for no name at all, not for 127.0.0.1");
}
END_TEST

START_TEST(server_name_says_what_to_expect)
{
    char options[400];
    show("elsewhere");
    (void)snprintf(options, sizeof options, "%s&server_name=elsewhere.example",
                   ca_option("ca.pem"));
    rqt_open(url_of("rediss", "127.0.0.1", tls_port, options));
    rqt_ping();
    rqt_close();
    show("server");
    expect_refusal(url_of("rediss", "127.0.0.1", tls_port, options), REFQ_ERR_AUTH,
                   "not for elsewhere.example");
}
END_TEST

/* A wildcard stands for a whole label only. */
START_TEST(wildcards_are_for_whole_labels)
{
    char options[400];
    show("wildcard");
    (void)snprintf(options, sizeof options, "%s&server_name=db.prod.example", ca_option("ca.pem"));
    rqt_open(url_of("rediss", "127.0.0.1", tls_port, options));
    rqt_ping();
    rqt_close();
    (void)snprintf(options, sizeof options, "%s&server_name=db1.test.example", ca_option("ca.pem"));
    expect_refusal(url_of("rediss", "127.0.0.1", tls_port, options), REFQ_ERR_AUTH,
                   "not for db1.test.example");
}
END_TEST

/* --- Mutual TLS ------------------------------------------------------------------------------- */

static const char *const protocols[] = {"TLSv1.2", "TLSv1.3"};

START_TEST(a_client_certificate_opens_the_door)
{
    rqt_redis_do("CONFIG SET tls-auth-clients yes tls-protocols %s", protocols[_i]);
    rqt_open(url_of("rediss", "127.0.0.1", tls_port, with_client("client")));
    rqt_ping();
}
END_TEST

START_TEST(a_missing_client_certificate_is_asked_for)
{
    rqt_redis_do("CONFIG SET tls-auth-clients yes tls-protocols %s", protocols[_i]);
    expect_refusal(good_url(), REFQ_ERR_AUTH, "wants a client certificate; give cert= and key=");
}
END_TEST

START_TEST(a_foreign_client_certificate_is_refused)
{
    rqt_redis_do("CONFIG SET tls-auth-clients yes tls-protocols %s", protocols[_i]);
    rqt_answer a = {0};
    rqt_open(url_of("rediss", "127.0.0.1", tls_port, with_client("stranger")));
    rqt_ask(&a, 0, "PING", NULL);
    ck_assert(RQT_RUN_UNTIL(a.calls > 0, 10000));
    ck_assert_msg(a.code == REFQ_ERR_AUTH, "%s", a.error);
    ck_assert_msg(strstr(a.error, "client certificate") != NULL, "%s", a.error);
}
END_TEST

START_TEST(bad_files_are_named)
{
    static const struct {
        const char *option;
        const char *file;
        const char *says;
    } cases[] = {
        {"ca", "missing.pem", "cannot use the CA file"},
        {"ca", "client.key", "cannot use the CA file"},
        {"cert", "missing.pem", "cannot use the client certificate"},
        {"cert", "client.key", "cannot use the client certificate"},
        {"key", "missing.key", "cannot use the private key"},
        {"key", "client.pem", "cannot use the private key"},
        {"key", "stranger.key", "cannot use the private key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char options[600];
        bool key = strcmp(cases[i].option, "key") == 0;
        (void)snprintf(options, sizeof options, "%s=%s%s%s", cases[i].option,
                       rqt_cert_path(cases[i].file), key ? "&cert=" : "",
                       key ? rqt_cert_path("client.pem") : "");
        rqt_answer a = {0};
        rqt_open(url_of("rediss", "127.0.0.1", tls_port, options));
        rqt_ask(&a, 0, "PING", NULL);
        rqt_expect_error(&a, REFQ_ERR_AUTH, cases[i].says);
        ck_assert_msg(strstr(a.error, cases[i].file) != NULL, "%s", a.error);
        rqt_close();
    }
}
END_TEST

/* --- Mix-ups ---------------------------------------------------------------------------------- */

START_TEST(tls_to_a_plain_server_is_told)
{
    rqt_answer a = {0};
    rqt_open_with(url_of("rediss", "127.0.0.1", plain_port, ca_option("ca.pem")), 500, false);
    rqt_ask(&a, 5000, "PING", NULL);
    ck_assert(RQT_RUN_UNTIL(a.calls > 0, 10000));
    ck_assert_msg(strstr(a.error, "write redis:// instead of rediss://") != NULL, "%s", a.error);
    ck_assert_int_eq(a.code, REFQ_ERR_TIMEOUT);
}
END_TEST

START_TEST(an_answer_that_is_no_tls_is_told)
{
    static const rqt_step script[] = {
        {RQT_EXPECT, "\x16"}, {RQT_SEND, "-ERR unknown command\r\n"}, {RQT_DRAIN, NULL}};
    rqt_fake_start(RQT_FAKE_TCP, script, RQT_STEPS(script));
    char url[300];
    (void)snprintf(url, sizeof url, "rediss%s?%s", strstr(rqt_fake_url(), "://"),
                   ca_option("ca.pem"));
    expect_refusal(url, REFQ_ERR_PROTO, "does not speak TLS");
    rqt_fake_stop();
}
END_TEST

START_TEST(plain_to_a_tls_server_is_told)
{
    rqt_answer a = {0};
    rqt_open(url_of("redis", "127.0.0.1", tls_port, ""));
    rqt_ask(&a, 0, "PING", NULL);
    ck_assert(RQT_RUN_UNTIL(a.calls > 0, 10000));
    ck_assert_msg(strstr(a.error, "write rediss://") != NULL, "%s", a.error);
}
END_TEST

START_TEST(a_connection_that_is_refused_says_so)
{
    expect_refusal(url_of("rediss", "127.0.0.1", rqt_free_port(), ca_option("ca.pem")), REFQ_ERR_IO,
                   "Connection refused");
}
END_TEST

/* --- Going on --------------------------------------------------------------------------------- */

static void start_server(void);

/* On a server of its own: what a test starts ends with it. */
START_TEST(a_server_that_was_killed_is_found_again)
{
    rqt_answer during = {0};
    start_server();
    rqt_open(good_url());
    rqt_ping();
    rqt_redis_restart(SIGKILL);
    rqt_ask(&during, 10000, "PING", NULL);
    ck_assert(RQT_RUN_UNTIL(during.calls > 0, 10000));
    ck_assert(RQT_RUN_UNTIL(rqt_ups == 2, 10000));
    ck_assert_int_eq(rqt_downs, 1);
    rqt_ping();
    rqt_redis_stop();
}
END_TEST

START_TEST(a_shutdown_ends_the_connection_cleanly)
{
    rqt_open(good_url());
    rqt_ping();
    rqt_redis_do("CLIENT KILL TYPE normal SKIPME yes");
    ck_assert(RQT_RUN_UNTIL(rqt_ups == 2, 10000));
    rqt_ping();
}
END_TEST

/* Files are read anew for each connection. */
START_TEST(a_renewed_ca_is_used_without_a_restart)
{
    char options[300];
    rqt_answer a = {0};
    (void)rename(rqt_cert_path("other-ca.pem"), rqt_cert_path("rotated.pem"));
    (void)snprintf(options, sizeof options, "ca=%s", rqt_cert_path("rotated.pem"));
    rqt_open(url_of("rediss", "127.0.0.1", tls_port, options));
    rqt_ask(&a, 0, "PING", NULL);
    rqt_expect_error(&a, REFQ_ERR_AUTH, "CA");
    ck_assert_int_eq(link(rqt_cert_path("ca.pem"), rqt_cert_path("new.pem")), 0);
    ck_assert_int_eq(rename(rqt_cert_path("rotated.pem"), rqt_cert_path("other-ca.pem")), 0);
    ck_assert_int_eq(rename(rqt_cert_path("new.pem"), rqt_cert_path("rotated.pem")), 0);
    ck_assert(RQT_RUN_UNTIL(rqt_ups == 1, 10000));
    rqt_ping();
}
END_TEST

/* --- Large values ----------------------------------------------------------------------------- */

struct big {
    const char *want;
    size_t got;
    int calls;
    bool same;
};

static void on_big(void *arg, const refq_error *err, const redisReply *reply)
{
    struct big *b = arg;
    b->calls++;
    ck_assert_msg(err == NULL, "%s", err != NULL ? err->text : "");
    b->got = (size_t)reply->len;
    b->same = b->got == BIG_BYTES && memcmp(reply->str, b->want, BIG_BYTES) == 0;
}

START_TEST(a_large_value_goes_there_and_back)
{
    rqi_cmd cmd = {0};
    rqt_answer set = {0};
    char *value = malloc(BIG_BYTES);
    ck_assert_ptr_nonnull(value);
    for (size_t i = 0; i < BIG_BYTES; i++) {
        value[i] = (char)(i * 2654435761U >> 24);
    }
    struct big got = {.want = value};
    rqt_open(good_url());
    rqi_cmd_adds(&cmd, "SET");
    rqi_cmd_adds(&cmd, "big");
    rqi_cmd_add(&cmd, value, BIG_BYTES);
    rqi_conn_send(rqt_conn, &cmd, 60000, rqt_on_reply, &set);
    rqi_cmd_clear(&cmd);
    rqi_cmd_adds(&cmd, "GET");
    rqi_cmd_adds(&cmd, "big");
    rqi_conn_send(rqt_conn, &cmd, 60000, on_big, &got);
    rqi_cmd_done(&cmd);
    ck_assert(RQT_RUN_UNTIL(set.calls == 1 && got.calls == 1, 60000));
    ck_assert_str_eq(set.text, "OK");
    ck_assert_msg(got.same, "%zu bytes came back", got.got);
    free(value);
}
END_TEST

/* --- Half an end ------------------------------------------------------------------------------ */

static int listen_on(int *ret_port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof addr;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, len), 0);
    ck_assert_int_eq(listen(fd, 8), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *ret_port = ntohs(addr.sin_port);
    return fd;
}

/* Answers the greeting, then ends its own direction only: with TLS's goodbye, or without. */
static void serve_half(int fd, bool goodbye)
{
    char buf[512];
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    (void)SSL_CTX_use_certificate_file(ctx, rqt_cert_path("server.pem"), SSL_FILETYPE_PEM);
    (void)SSL_CTX_use_PrivateKey_file(ctx, rqt_cert_path("server.key"), SSL_FILETYPE_PEM);
    for (;;) {
        int one = accept(fd, NULL, NULL);
        SSL *ssl = SSL_new(ctx);
        (void)SSL_set_fd(ssl, one);
        if (SSL_accept(ssl) != 1 || SSL_read(ssl, buf, sizeof buf) <= 0) {
            _exit(1);
        }
        (void)SSL_write(ssl, "+OK\r\n", 5);
        if (goodbye) {
            (void)SSL_shutdown(ssl);
        } else {
            (void)shutdown(one, SHUT_WR);
        }
    }
}

START_TEST(half_an_end_is_an_end)
{
    int port = 0;
    int fd = listen_on(&port);
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve_half(fd, _i == 0);
    }
    (void)close(fd);
    rqt_open(url_of("rediss", "127.0.0.1", port, ca_option("ca.pem")));
    ck_assert(RQT_RUN_UNTIL(rqt_ups >= 2 && rqt_downs >= 2, 10000));
    rqt_close();
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}
END_TEST

/* --- End to end ------------------------------------------------------------------------------- */

START_TEST(a_worker_and_the_command_line_meet_over_tls)
{
    rqt_redis_do("CONFIG SET tls-auth-clients yes");
    rqt_redis_do("ACL SETUSER ann reset on >s3cr3t-pw ~* &* +@all");
    char url[1024];
    char secret[300];
    (void)snprintf(secret, sizeof secret, "%s", rqt_file("pw", "s3cr3t-pw\n", 0));
    (void)snprintf(url, sizeof url, "rediss://ann@127.0.0.1:%d?%s&password_file=%s", tls_port,
                   with_client("client"), secret);
    const char *options[] = {"--redis", url, "--log-level", "debug", NULL};
    pid_t pid = rqt_fleet_add(rqt_file("tls.yaml",
                                       "queue: docs\ntasks:\n  - name: shout\n"
                                       "    exec: [tr, a-z, A-Z]\n    output: text\n",
                                       0),
                              options);
    const rqt_result *r = RQT_REFQ("submit", "shout", "-q", "docs", "--args", "{\"word\":\"tls\"}",
                                   "--wait=20s", "--redis", url);
    ck_assert_msg(r->status == 0, "%d %s%s", r->status, r->out, r->err);
    ck_assert_msg(strstr(r->out, "TLS") != NULL, "%s", r->out);
    ck_assert_ptr_null(strstr(rqt_worker_log(pid), "s3cr3t-pw"));
    ck_assert_ptr_null(strstr(r->err, "s3cr3t-pw"));
    rqt_fleet_end();
    rqt_redis_do("ACL DELUSER ann");
    rqt_audit("docs");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("it_tls");
    TCase *c = tcase_create("tls");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 90);
    tcase_add_test(c, names_and_addresses_in_the_certificate_are_good);
    tcase_add_test(c, the_environment_names_the_files);
    tcase_add_test(c, an_unknown_ca_is_refused);
    tcase_add_test(c, without_a_ca_the_systems_are_asked);
    tcase_add_test(c, an_expired_certificate_is_refused);
    tcase_add_test(c, another_name_is_refused_and_told);
    tcase_add_test(c, a_certificate_without_names_is_refused);
    tcase_add_test(c, server_name_says_what_to_expect);
    tcase_add_test(c, wildcards_are_for_whole_labels);
    tcase_add_loop_test(c, a_client_certificate_opens_the_door, 0, 2);
    tcase_add_loop_test(c, a_missing_client_certificate_is_asked_for, 0, 2);
    tcase_add_loop_test(c, a_foreign_client_certificate_is_refused, 0, 2);
    tcase_add_test(c, bad_files_are_named);
    tcase_add_test(c, tls_to_a_plain_server_is_told);
    tcase_add_test(c, an_answer_that_is_no_tls_is_told);
    tcase_add_test(c, plain_to_a_tls_server_is_told);
    tcase_add_test(c, a_connection_that_is_refused_says_so);
    tcase_add_test(c, a_server_that_was_killed_is_found_again);
    tcase_add_test(c, a_shutdown_ends_the_connection_cleanly);
    tcase_add_test(c, a_renewed_ca_is_used_without_a_restart);
    tcase_add_test(c, a_large_value_goes_there_and_back);
    tcase_add_loop_test(c, half_an_end_is_an_end, 0, 2);
    tcase_add_test(c, a_worker_and_the_command_line_meet_over_tls);
    suite_add_tcase(s, c);
    return s;
}

static void start_server(void)
{
    static char ports[2][16];
    tls_port = rqt_free_port();
    plain_port = rqt_free_port();
    (void)snprintf(ports[0], sizeof ports[0], "%d", tls_port);
    (void)snprintf(ports[1], sizeof ports[1], "%d", plain_port);
    rqt_redis_start((const char *const[]){
        "--port", ports[1], "--bind", "127.0.0.1", "--tls-port", ports[0], "--tls-cert-file",
        rqt_cert_path("server.pem"), "--tls-key-file", rqt_cert_path("server.key"),
        "--tls-ca-cert-file", rqt_cert_path("ca.pem"), "--tls-auth-clients", "no", NULL});
}

int main(void)
{
    rqt_certs_begin();
    rqt_cert("server", "ca", "DNS:localhost,IP:127.0.0.1", 30);
    rqt_cert("elsewhere", "ca", "DNS:elsewhere.example,IP:192.0.2.9", 30);
    rqt_cert("wildcard", "ca", "DNS:*.prod.example,DNS:db*.test.example", 30);
    rqt_cert("nameless", "ca", NULL, 30);
    rqt_cert("expired", "ca", "DNS:localhost,IP:127.0.0.1", -2);
    rqt_cert("client", "ca", NULL, 30);
    rqt_cert("stranger", "other-ca", NULL, 30);
    start_server();
    int status = rqt_main(suite());
    rqt_redis_stop();
    rqt_certs_end();
    return status;
}
