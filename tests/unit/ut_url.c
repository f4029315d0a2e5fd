/* SPDX-License-Identifier: MIT */
/* Redis URLs, their options, what the environment adds, and password files. */
#include "redis/secret.h"
#include "redis/url.h"
#include "support/main.h"
#include "support/proc.h"

#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

static char dir[64];

#define X10  "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define LONG X100 X100 X100 X100 X100 X100

#define AT(field) offsetof(rqi_url, field)

/* Each variable, a value that is taken and one that is refused. */
static const struct variable {
    const char *name;
    const char *good;
    const char *bad;
    const char *says;
    const char *url; /* NULL = what the variable says */
    size_t at;       /* where the good value turns up */
} variables[] = {
    {"REFQ_REDIS", "unix:///run/r.sock", "http://h", "is not a Redis URL", NULL, AT(shown)},
    {"REFQ_REDIS_USER", "ann", LONG, "REFQ_REDIS_USER", "redis://h", AT(login.user)},
    {"REFQ_REDIS_PASSWORD", "pw", LONG, "REFQ_REDIS_PASSWORD is", "redis://h", AT(login.password)},
    {"REFQ_REDIS_PASSWORD_FILE", "/run/p", LONG, "REFQ_REDIS_PASSWORD_FILE", "redis://h",
     AT(login.password_file)},
    {"REFQ_REDIS_CA", "/ca", LONG, "REFQ_REDIS_CA", "rediss://h", AT(tls.ca)},
    {"REFQ_REDIS_CERT", "/cert", LONG, "REFQ_REDIS_CERT", "rediss://h", AT(tls.cert)},
    {"REFQ_REDIS_KEY", "/key", LONG, "REFQ_REDIS_KEY", "rediss://h?cert=/cert", AT(tls.key)},
    {"REFQ_SENTINEL_USER", "sam", LONG, "REFQ_SENTINEL_USER", "redis+sentinel://a/m",
     AT(sentinel_login.user)},
    {"REFQ_SENTINEL_PASSWORD", "pw", LONG, "REFQ_SENTINEL_PASSWORD is", "redis+sentinel://a/m",
     AT(sentinel_login.password)},
    {"REFQ_SENTINEL_PASSWORD_FILE", "/run/p", LONG, "REFQ_SENTINEL_PASSWORD_FILE",
     "redis+sentinel://a/m", AT(sentinel_login.password_file)},
};

static void set(const char *name, const char *value)
{
    ck_assert_int_eq(setenv(name, value, 1), 0);
}

static void setup(void)
{
    for (size_t i = 0; i < N_OF(variables); i++) {
        (void)unsetenv(variables[i].name);
    }
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(dir, sizeof dir, "%s/refq-url-XXXXXX", tmp != NULL ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
    rqt_remove_tree(dir);
}

static rqi_url parse(const char *text)
{
    rqi_url url;
    refq_error err;
    ck_assert_msg(rqi_url_parse(text, &url, &err) == REFQ_OK, "%s: %s",
                  text != NULL ? text : "(environment)", err.text);
    return url;
}

static refq_error refused(const char *text, refq_err code, const char *says)
{
    rqi_url url = {.port = 4711};
    refq_error err = {0};
    refq_err got = rqi_url_parse(text, &url, &err);
    const char *shown = text != NULL ? text : "(environment)";
    ck_assert_msg(got == code, "%s: %s (%s)", shown, refq_strerror(got), err.text);
    ck_assert_msg(strstr(err.text, says) != NULL, "%s: %s", shown, err.text);
    ck_assert_msg(strstr(err.text, "s3cr3t") == NULL, "a password is shown: %s", err.text);
    ck_assert_int_eq(url.port, 4711);
    return err;
}

/* --- Forms ------------------------------------------------------------------------------------ */

#define LOGIN(u, p)                  \
    {                                \
        .user = (u), .password = (p) \
    }

static const struct good_url {
    const char *text;
    rqi_url want;
} good_urls[] = {
    {"redis://localhost", {.host = "localhost", .port = 6379, .shown = "localhost:6379"}},
    {"redis://localhost/", {.host = "localhost", .port = 6379, .shown = "localhost:6379"}},
    {"redis://192.0.2.7:7000/3",
     {.host = "192.0.2.7", .port = 7000, .db = 3, .shown = "192.0.2.7:7000"}},
    {"redis://:geheim@h",
     {.host = "h", .login = LOGIN("", "geheim"), .port = 6379, .shown = "h:6379"}},
    {"redis://bob:geheim@h:1/0",
     {.host = "h", .login = LOGIN("bob", "geheim"), .port = 1, .shown = "h:1"}},
    {"redis://bob@h", {.host = "h", .login = LOGIN("bob", ""), .port = 6379, .shown = "h:6379"}},
    {"redis://b%6fb:g%3Ahe%40%2Fim%25@h",
     {.host = "h", .login = LOGIN("bob", "g:he@/im%"), .port = 6379, .shown = "h:6379"}},
    {"redis://u:a:b@h", {.host = "h", .login = LOGIN("u", "a:b"), .port = 6379, .shown = "h:6379"}},
    {"redis://u:a@b@h", {.host = "h", .login = LOGIN("u", "a@b"), .port = 6379, .shown = "h:6379"}},
    {"redis://%41:%c3%a9@h",
     {.host = "h", .login = LOGIN("A", "\xc3\xa9"), .port = 6379, .shown = "h:6379"}},
    {"redis://[::1]", {.host = "::1", .port = 6379, .shown = "[::1]:6379"}},
    {"redis://u:p@[fe80::1]:65535/15",
     {.host = "fe80::1",
      .login = LOGIN("u", "p"),
      .port = 65535,
      .db = 15,
      .shown = "[fe80::1]:65535"}},
    {"unix:///run/redis.sock",
     {.scheme = RQI_SCHEME_UNIX, .path = "/run/redis.sock", .shown = "/run/redis.sock"}},
    {"unix:///run/redis.sock?db=2",
     {.scheme = RQI_SCHEME_UNIX, .path = "/run/redis.sock", .db = 2, .shown = "/run/redis.sock"}},
    {"unix://u:p@/run/r@1.sock",
     {.scheme = RQI_SCHEME_UNIX,
      .path = "/run/r@1.sock",
      .login = LOGIN("u", "p"),
      .shown = "/run/r@1.sock"}},
    {"", {.host = "127.0.0.1", .port = 6379, .shown = "127.0.0.1:6379"}},
    {"rediss://u:p@h:7/2",
     {.host = "h", .tls.on = true, .login = LOGIN("u", "p"), .port = 7, .db = 2, .shown = "h:7"}},
    {"redis://h?db=3", {.host = "h", .port = 6379, .db = 3, .shown = "h:6379"}},
    {"redis://h/1?db=3", {.host = "h", .port = 6379, .db = 3, .shown = "h:6379"}},
    {"redis://h/?", {.host = "h", .port = 6379, .shown = "h:6379"}},
    {"redis://u:p@h?user=ann",
     {.host = "h", .login = LOGIN("ann", "p"), .port = 6379, .shown = "h:6379"}},
    {"redis://h?password_file=%2Frun%2Fp&user=ann",
     {.host = "h",
      .login = {.user = "ann", .password_file = "/run/p"},
      .port = 6379,
      .shown = "h:6379"}},
    {"rediss://h?ca=/a&cert=/b&key=/c&server_name=n.example",
     {.host = "h",
      .port = 6379,
      .tls = {.on = true, .ca = "/a", .cert = "/b", .key = "/c", .server_name = "n.example"},
      .shown = "h:6379"}},
    {"rediss://h?cert=/both.pem",
     {.host = "h",
      .port = 6379,
      .tls = {.on = true, .cert = "/both.pem", .key = "/both.pem"},
      .shown = "h:6379"}},
    {"redis+sentinel://a/mymaster",
     {.scheme = RQI_SCHEME_SENTINEL,
      .sentinels = {{"a", 26379}},
      .sentinels_n = 1,
      .master = "mymaster",
      .shown = "'mymaster' of Sentinel a:26379"}},
    {"rediss+sentinel://u:p@a:1,[::1]:2,c/my-master.1/4?ca=/a",
     {.scheme = RQI_SCHEME_SENTINEL,
      .tls = {.on = true, .ca = "/a"},
      .login = LOGIN("u", "p"),
      .sentinels = {{"a", 1}, {"::1", 2}, {"c", 26379}},
      .sentinels_n = 3,
      .master = "my-master.1",
      .db = 4,
      .shown = "'my-master.1' of Sentinel a:1 and others"}},
};

START_TEST(good_urls_are_understood)
{
    const rqi_url *want = &good_urls[_i].want;
    rqi_url got = parse(good_urls[_i].text);
    ck_assert_int_eq(got.scheme, want->scheme);
    ck_assert_str_eq(got.host, want->host);
    ck_assert_str_eq(got.path, want->path);
    ck_assert_str_eq(got.login.user, want->login.user);
    ck_assert_str_eq(got.login.password, want->login.password);
    ck_assert_str_eq(got.login.password_file, want->login.password_file);
    ck_assert_int_eq(got.port, want->port);
    ck_assert_int_eq(got.db, want->db);
    ck_assert_str_eq(got.shown, want->shown);
    ck_assert_int_eq(got.tls.on, want->tls.on);
    ck_assert_str_eq(got.tls.ca, want->tls.ca);
    ck_assert_str_eq(got.tls.cert, want->tls.cert);
    ck_assert_str_eq(got.tls.key, want->tls.key);
    ck_assert_str_eq(got.tls.server_name, want->tls.server_name);
    ck_assert_str_eq(got.master, want->master);
    ck_assert_int_eq(got.sentinels_n, want->sentinels_n);
    for (size_t i = 0; i < want->sentinels_n; i++) {
        ck_assert_str_eq(got.sentinels[i].host, want->sentinels[i].host);
        ck_assert_int_eq(got.sentinels[i].port, want->sentinels[i].port);
    }
}
END_TEST

/* Where "s3cr3t" is part of a text, the message must not repeat it. */
static const struct bad_url {
    const char *text;
    const char *says;
} bad_urls[] = {
    {"localhost:6379", "is not a Redis URL"},
    {"http://localhost", "is not a Redis URL"},
    {"redis:localhost", "write redis://"},
    {"redis:/localhost", "write redis://"},
    {"REDIS://localhost", "is not a Redis URL"},
    {"sentinel://a/m", "redis+sentinel://"},
    {"redis://", "no usable host"},
    {"redis:///1", "no usable host"},
    {"redis://:6379", "no usable host"},
    {"redis://u:p@", "no usable host"},
    {"redis://[]", "no usable host"},
    {"redis://[::1", "unfinished [address]"},
    {"redis://[::1]x", "unfinished [address]"},
    {"redis://h:", "port"},
    {"redis://h:0", "port"},
    {"redis://h:65536", "port"},
    {"redis://h:99999999999999999999", "port"},
    {"redis://h:12x", "port"},
    {"redis://h:-1", "port"},
    {"redis://u:s3cr3t", "port"},
    {"redis://h/x", "database number"},
    {"redis://h/-1", "database number"},
    {"redis://h/1/2", "database number"},
    {"redis://h/99999999999", "database number"},
    {"redis://h/1111111111111111111111111111111111111111111", "database number"},
    {"redis://my host", "no usable host"},
    {"redis://h\n", "no usable host"},
    {"redis://u:%zz@h", "badly %-encoded"},
    {"redis://u:%4@h", "badly %-encoded"},
    {"redis://u:%@h", "badly %-encoded"},
    {"redis://u:%00@h", "badly %-encoded"},
    {"redis://u:%\x14\x11@h", "badly %-encoded"},
    {"unix://run/redis.sock", "absolute path"},
    {"unix:///", "socket path"},
    {"unix:///run/r.sock?db=x", "database number"},
    {"unix:///run/r.sock?name=x", "no option 'name'"},
    {"unix:///run/r.sock?ca=/x", "for TLS"},
    {"redsi://u:s3cr3t@h", "is not a Redis URL"},
    {"u:s3cr3t@h", "is not a Redis URL"},
    {"redis://u:s3cr3t/x@h", "%2F"},
    {"redis://u:s3cr3t?x@h", "%3F"},
    {"redis://u:s3cr3t%zz@h", "badly %-encoded"},
    /* options */
    {"redis://h?db=", "database number"},
    {"redis://h?db=-1", "database number"},
    {"redis://h?db=9999999999999999999999", "database number"},
    {"redis://h?db=1&db=2", "'db' more than once"},
    {"redis://h?user=", "'user' of the Redis URL is empty"},
    {"redis://h?user=%zz", "'user' of the Redis URL is too long or badly %-encoded"},
    {"redis://h?usr=ann", "did you mean 'user'?"},
    {"redis://h?passwordfile=/x", "did you mean 'password_file'?"},
    {"redis://h?password=s3cr3t", "no option 'password'"},
    {"redis://h?zzzzzzzzzz=1", "there are db, user, password_file, ca, cert, key, server_name"},
    {"redis://h?s3cr3t", "must be option=value"},
    {"redis://h?user", "must be option=value"},
    {"redis://h?=1", "must be option=value"},
    {"redis://h?&", "must be option=value"},
    {"redis://h?s3cr3t-very-long-name-of-an-option=1", "must be option=value"},
    {"redis://h?password_file=", "'password_file' of the Redis URL is empty"},
    {"redis://h?ca=/x", "'ca' of the Redis URL is for TLS: write rediss://"},
    {"redis://h?cert=/x", "'cert' of the Redis URL is for TLS"},
    {"redis://h?key=/x", "'key' of the Redis URL is for TLS"},
    {"redis://h?server_name=x", "'server_name' of the Redis URL is for TLS"},
    {"rediss://h?ca=", "'ca' of the Redis URL is empty"},
    {"rediss://h?cert=%0", "badly %-encoded"},
    {"rediss://h?key=/k", "no certificate; give cert="},
    {"rediss://h?server_name=", "'server_name' of the Redis URL is empty"},
    /* Sentinel */
    {"redis+sentinel://a", "needs the master's name"},
    {"redis+sentinel://a/", "needs the master's name"},
    {"redis+sentinel://a?db=1", "needs the master's name"},
    {"redis+sentinel://a/my master", "needs the master's name"},
    {"redis+sentinel:///m", "no usable host"},
    {"redis+sentinel://a,,b/m", "no usable host"},
    {"redis+sentinel://a,/m", "no usable host"},
    {"redis+sentinel://a:x/m", "port"},
    {"redis+sentinel://a/m/x", "database number"},
    {"redis+sentinel://a,b,c,d,e,f,g,h,i/m", "more than 8 Sentinels"},
    {"redis+sentinel://a/m?ca=/x", "for TLS"},
    {"redis+sentinel://u:s3cr3t/m", "port"},
};

START_TEST(bad_urls_are_refused)
{
    (void)refused(bad_urls[_i].text, REFQ_ERR_INVALID, bad_urls[_i].says);
}
END_TEST

START_TEST(overlong_urls_are_refused)
{
    static const char *const forms[][2] = {
        {"redis://", ""},        {"redis://u:", "@h"},
        {"redis://", "@h"},      {"unix:///", ""},
        {"redis://[", "]"},      {"redis://h?user=", ""},
        {"redis://h?", "=1"},    {"redis://h?password_file=", ""},
        {"rediss://h?ca=", ""},  {"rediss://h?server_name=", ""},
        {"redis://h/", ""},      {"redis+sentinel://a/", ""},
        {"rediss://h?key=", ""}, {"redis+sentinel://", "/m"},
        {"rediss://h?cert=", ""}};
    char long_part[4000];
    char url[4100];
    memset(long_part, 'x', sizeof long_part - 1);
    long_part[sizeof long_part - 1] = '\0';
    for (size_t i = 0; i < N_OF(forms); i++) {
        (void)snprintf(url, sizeof url, "%s%s%s", forms[i][0], long_part, forms[i][1]);
        (void)refused(url, REFQ_ERR_INVALID, "");
    }
}
END_TEST

/* Whether a URL gives the option. */
static bool gives(const char *url, const char *option)
{
    size_t len = strlen(option);
    for (const char *at = strchr(url, '?'); at != NULL; at = strchr(at + 1, '&')) {
        if (strncmp(at + 1, option, len) == 0 && at[1 + len] == '=') {
            return true;
        }
    }
    return false;
}

static void expect_tried(const char *option)
{
    size_t good = 0;
    size_t bad = 0;
    while (good < N_OF(good_urls) && !gives(good_urls[good].text, option)) {
        good++;
    }
    while (bad < N_OF(bad_urls) && !gives(bad_urls[bad].text, option)) {
        bad++;
    }
    ck_assert_msg(good < N_OF(good_urls), "add a good value of %s to good_urls[]", option);
    ck_assert_msg(bad < N_OF(bad_urls), "add a bad value of %s to bad_urls[]", option);
}

/* The message lists them from the table by which they are read. */
START_TEST(every_option_is_tried)
{
    static const char before[] = "there are ";
    refq_error err = refused("redis://h?zzzzzzzzzz=1", REFQ_ERR_INVALID, before);
    char *rest = strstr(err.text, before) + strlen(before);
    size_t n = 0;
    for (char *option; (option = strsep(&rest, " ")) != NULL; n++) {
        option[strcspn(option, ",")] = '\0';
        expect_tried(option);
    }
    ck_assert_uint_gt(n, 1);
}
END_TEST

/* --- Environment ------------------------------------------------------------------------------ */

START_TEST(the_environment_fills_in)
{
    set("REFQ_REDIS", "redis://env:7");
    set("REFQ_REDIS_PASSWORD", "from-env");
    set("REFQ_REDIS_USER", "ann");
    rqi_url got = parse(NULL);
    ck_assert_str_eq(got.shown, "env:7");
    ck_assert_str_eq(got.login.password, "from-env");
    ck_assert_str_eq(got.login.user, "ann");
    got = parse("redis://u:own@h");
    ck_assert_str_eq(got.login.password, "own");
    ck_assert_str_eq(got.login.user, "u");
    got = parse("redis://h?password_file=/f&user=opt");
    ck_assert_str_eq(got.login.password, "");
    ck_assert_str_eq(got.login.password_file, "/f");
    ck_assert_str_eq(got.login.user, "opt");
}
END_TEST

START_TEST(a_variable_that_is_empty_is_not_set)
{
    for (size_t i = 0; i < N_OF(variables); i++) {
        set(variables[i].name, "");
    }
    rqi_url got = parse(NULL);
    ck_assert_str_eq(got.shown, "127.0.0.1:6379");
    ck_assert_str_eq(got.login.user, "");
}
END_TEST

START_TEST(two_passwords_in_the_environment_are_one_too_many)
{
    set("REFQ_REDIS_PASSWORD", "s3cr3t");
    set("REFQ_REDIS_PASSWORD_FILE", "/run/p");
    (void)refused("redis://h", REFQ_ERR_INVALID,
                  "both REFQ_REDIS_PASSWORD and REFQ_REDIS_PASSWORD_FILE are set");
    ck_assert_str_eq(parse("redis://:own@h").login.password, "own");
}
END_TEST

/* Other programs may use TLS with the same environment. */
START_TEST(variables_of_tls_are_for_tls)
{
    set("REFQ_REDIS_CA", "/ca");
    set("REFQ_REDIS_CERT", "/cert");
    set("REFQ_REDIS_KEY", "/key");
    ck_assert_str_eq(parse("redis://h").tls.ca, "");
    rqi_url got = parse("rediss://h?ca=/other");
    ck_assert_str_eq(got.tls.ca, "/other");
    ck_assert_str_eq(got.tls.cert, "/cert");
    ck_assert_str_eq(got.tls.key, "/key");
    (void)unsetenv("REFQ_REDIS_CERT");
    (void)refused("rediss://h", REFQ_ERR_INVALID, "REFQ_REDIS_CERT");
}
END_TEST

START_TEST(variables_of_sentinel_are_for_sentinel)
{
    set("REFQ_SENTINEL_USER", "sam");
    set("REFQ_SENTINEL_PASSWORD", "pw");
    ck_assert_str_eq(parse("redis://h").sentinel_login.user, "");
    rqi_url got = parse("redis+sentinel://a/m");
    ck_assert_str_eq(got.sentinel_login.user, "sam");
    ck_assert_str_eq(got.sentinel_login.password, "pw");
    ck_assert_str_eq(got.login.user, "");
    set("REFQ_SENTINEL_PASSWORD_FILE", "/f");
    (void)refused("redis+sentinel://a/m", REFQ_ERR_INVALID, "both REFQ_SENTINEL_PASSWORD and");
}
END_TEST

START_TEST(a_good_variable_is_taken)
{
    const struct variable *v = &variables[_i];
    const char *skip = v->url == NULL ? "unix://" : "";
    set(v->name, v->good);
    rqi_url got = parse(v->url);
    ck_assert_str_eq((const char *)&got + v->at, v->good + strlen(skip));
}
END_TEST

START_TEST(a_bad_variable_is_refused)
{
    const struct variable *v = &variables[_i];
    set(v->name, v->bad);
    refq_error err = refused(v->url, v->url == NULL ? REFQ_ERR_INVALID : REFQ_ERR_LIMIT, v->says);
    ck_assert_ptr_null(strstr(err.text, X10));
}
END_TEST

/* --- Password files --------------------------------------------------------------------------- */

static const char *file_with(const char *bytes, size_t len, mode_t mode)
{
    static char path[96];
    (void)snprintf(path, sizeof path, "%s/secret", dir);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fwrite(bytes, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
    return path;
}

static rqi_login login_of(const char *path)
{
    rqi_login login = {.password = "not this one"};
    (void)snprintf(login.password_file, sizeof login.password_file, "%s", path);
    return login;
}

static void expect_password(const char *text, const char *password)
{
    char got[RQI_PASSWORD_MAX + 1];
    refq_error err;
    rqi_login login = login_of(file_with(text, strlen(text), 0600));
    ck_assert_msg(rqi_login_password(&login, got, &err) == REFQ_OK, "%s", err.text);
    ck_assert_str_eq(got, password);
}

static void expect_no_password(const char *path, const char *says)
{
    char got[RQI_PASSWORD_MAX + 1] = "untouched";
    refq_error err = {0};
    rqi_login login = login_of(path);
    ck_assert_int_eq(rqi_login_password(&login, got, &err), REFQ_ERR_AUTH);
    ck_assert_msg(strstr(err.text, says) != NULL, "wanted \"%s\" in: %s", says, err.text);
    ck_assert_ptr_null(strstr(err.text, "s3cr3t"));
    ck_assert_str_eq(got, "untouched");
}

START_TEST(the_first_line_is_the_password)
{
    expect_password("pass word", "pass word");
    expect_password("pw\n", "pw");
    expect_password("pw\r\n", "pw");
    expect_password("pw\nand a comment\n", "pw");
    expect_password(" pw ", " pw ");
}
END_TEST

START_TEST(a_login_without_a_file_has_its_own_password)
{
    char got[RQI_PASSWORD_MAX + 1];
    refq_error err;
    rqi_login login = {.password = "own"};
    ck_assert_int_eq(rqi_login_password(&login, got, &err), REFQ_OK);
    ck_assert_str_eq(got, "own");
}
END_TEST

START_TEST(bad_password_files_are_refused)
{
    expect_no_password("/nonexistent/refq", "cannot open the password file /nonexistent/refq");
    expect_no_password(dir, "no regular file");
    expect_no_password(file_with("s3cr3t", 6, 0604), "chmod o-r");
    expect_no_password(file_with("", 0, 0600), "is empty");
    expect_no_password(file_with("\ns3cr3t", 7, 0600), "is empty");
    expect_no_password(file_with("s3c\0r3t", 7, 0600), "zero byte");
}
END_TEST

START_TEST(a_password_file_has_a_limit)
{
    char text[RQI_PASSWORD_MAX + 3];
    memset(text, 'x', sizeof text);
    text[RQI_PASSWORD_MAX] = '\n';
    char want[RQI_PASSWORD_MAX + 1];
    (void)snprintf(want, sizeof want, "%.*s", RQI_PASSWORD_MAX, text);
    char got[RQI_PASSWORD_MAX + 1];
    refq_error err;
    rqi_login login = login_of(file_with(text, sizeof text, 0600));
    ck_assert_int_eq(rqi_login_password(&login, got, &err), REFQ_OK);
    ck_assert_str_eq(got, want);
    text[RQI_PASSWORD_MAX] = 'x';
    expect_no_password(file_with(text, sizeof text, 0600), "longer than 511 bytes");
}
END_TEST

START_TEST(a_fifo_does_not_hold_the_program)
{
    char path[96];
    (void)snprintf(path, sizeof path, "%s/fifo", dir);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    expect_no_password(path, "no regular file");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("url");
    TCase *tc = tcase_create("url");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, good_urls_are_understood, 0, (int)N_OF(good_urls));
    tcase_add_loop_test(tc, bad_urls_are_refused, 0, (int)N_OF(bad_urls));
    tcase_add_test(tc, overlong_urls_are_refused);
    tcase_add_test(tc, every_option_is_tried);
    tcase_add_test(tc, the_environment_fills_in);
    tcase_add_test(tc, a_variable_that_is_empty_is_not_set);
    tcase_add_test(tc, two_passwords_in_the_environment_are_one_too_many);
    tcase_add_test(tc, variables_of_tls_are_for_tls);
    tcase_add_test(tc, variables_of_sentinel_are_for_sentinel);
    tcase_add_loop_test(tc, a_good_variable_is_taken, 0, (int)N_OF(variables));
    tcase_add_loop_test(tc, a_bad_variable_is_refused, 0, (int)N_OF(variables));
    tcase_add_test(tc, the_first_line_is_the_password);
    tcase_add_test(tc, a_login_without_a_file_has_its_own_password);
    tcase_add_test(tc, bad_password_files_are_refused);
    tcase_add_test(tc, a_password_file_has_a_limit);
    tcase_add_test(tc, a_fifo_does_not_hold_the_program);
    suite_add_tcase(suite, tc);
    return rqt_main(suite);
}
