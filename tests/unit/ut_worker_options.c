/* SPDX-License-Identifier: MIT */
/* The command line of refq-worker. */
#include "options.h"
#include "support/main.h"

#include <check.h>

#include <stdio.h>
#include <string.h>

#define WORDS 16

static refq_err parse(const char *const *words, rqi_options *ret, refq_error *err)
{
    char *argv[2 * RQI_OPTIONS_CONFIGS + 8] = {(char *)"refq-worker"};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++) {
        argv[argc] = (char *)words[argc - 1];
    }
    return rqi_options_parse(argc, argv, ret, err);
}

static rqi_options parse_good(const char *const *words)
{
    rqi_options o;
    refq_error err = {0};
    ck_assert_msg(parse(words, &o, &err) == REFQ_OK, "%s", err.text);
    return o;
}

static const struct {
    const char *words[WORDS];
    const char *error;
} bad[] = {
    {{NULL}, "--config FILE is missing; see --help"},
    {{"--config", ""}, "--config is empty"},
    {{"--config"}, "option '--config' needs a value; see --help"},
    {{"--config", "a", "b"}, "unexpected argument 'b'; see --help"},
    {{"--config", "a", "--confug", "b"}, "unknown option '--confug'; did you mean '--config'?"},
    {{"--config", "a", "--redis", ""}, "--redis is empty"},
    {{"--config", "a", "--prefix", ""}, "--prefix is empty"},
    {{"--config", "a", "--concurrency", "0"}, "--concurrency 0: must be 1 to 4096"},
    {{"--config", "a", "--concurrency", "4097"}, "--concurrency 4097: must be 1 to 4096"},
    {{"--config", "a", "--lease", "99ms"}, "--lease 99ms: must be 100ms to 1h"},
    {{"--config", "a", "--lease", "61m"}, "--lease 61m: must be 100ms to 1h"},
    {{"--config", "a", "--beat", "9ms"}, "--beat 9ms: must be 10ms to 30m"},
    {{"--config", "a", "--beat", "4s"},
     "--beat 4000ms: must be at most a third of the lease "
     "(10000ms)"},
    {{"--config", "a", "--grace", "25h"}, "--grace 25h: must be 0 to 24h"},
    {{"--config", "a", "--unknown-grace", "0"}, "--unknown-grace 0: must be 1ms to 24h"},
    {{"--config", "a", "--unknown-grace", "25h"}, "--unknown-grace 25h: must be 1ms to 24h"},
    {{"--config", "a", "--health", ""}, "--health is empty"},
    {{"--config", "a", "--log-level", "loud"},
     "--log-level loud: must be debug, info, warn or error"},
    {{"--config", "a", "--log-format", "xml"}, "--log-format xml: must be logfmt or json"},
};

START_TEST(refuses)
{
    rqi_options o;
    refq_error err = {0};
    ck_assert_int_ne(parse(bad[_i].words, &o, &err), REFQ_OK);
    ck_assert_str_eq(err.text, bad[_i].error);
}
END_TEST

START_TEST(takes_every_option)
{
    rqi_options o = parse_good((const char *const[]){"--config",
                                                     "a.yaml",
                                                     "--config=b.yaml",
                                                     "--redis",
                                                     "redis://x",
                                                     "--prefix",
                                                     "p",
                                                     "--concurrency",
                                                     "7",
                                                     "--lease",
                                                     "3s",
                                                     "--beat",
                                                     "1s",
                                                     "--grace",
                                                     "0",
                                                     "--unknown-grace",
                                                     "5m",
                                                     "--log-level",
                                                     "warn",
                                                     "--log-format",
                                                     "json",
                                                     "--health",
                                                     "9090",
                                                     "--check",
                                                     NULL});
    ck_assert_uint_eq(o.configs_n, 2);
    ck_assert_str_eq(o.configs[0], "a.yaml");
    ck_assert_str_eq(o.configs[1], "b.yaml");
    ck_assert_str_eq(o.redis, "redis://x");
    ck_assert_str_eq(o.prefix, "p");
    ck_assert_int_eq(o.concurrency, 7);
    ck_assert_int_eq(o.lease_ms, 3000);
    ck_assert_int_eq(o.beat_ms, 1000);
    ck_assert_int_eq(o.grace_ms, 1); /* at once */
    ck_assert_int_eq(o.unknown_grace_ms, 300000);
    ck_assert_int_eq(o.log_level, REFQ_LOG_WARN);
    ck_assert_int_eq(o.log_format, RQI_LOG_JSON);
    ck_assert_str_eq(o.health, "9090");
    ck_assert(o.check && !o.help && !o.version);
}
END_TEST

START_TEST(leaves_the_rest_alone)
{
    rqi_options o = parse_good((const char *const[]){"--config", "a", NULL});
    ck_assert_ptr_null(o.redis);
    ck_assert_ptr_null(o.prefix);
    ck_assert_ptr_null(o.health);
    ck_assert_int_eq(o.concurrency + o.lease_ms + o.beat_ms + o.grace_ms + o.unknown_grace_ms, 0);
    ck_assert_int_eq(o.log_level, REFQ_LOG_INFO);
    ck_assert_int_eq(o.log_format, RQI_LOG_LOGFMT);
    ck_assert(!o.check);
}
END_TEST

START_TEST(help_and_version_need_nothing_else)
{
    ck_assert(parse_good((const char *const[]){"--help", NULL}).help);
    ck_assert(parse_good((const char *const[]){"--version", NULL}).version);
}
END_TEST

START_TEST(files_are_counted)
{
    const char *words[2 * RQI_OPTIONS_CONFIGS + 3] = {NULL};
    rqi_options o;
    refq_error err = {0};
    for (size_t i = 0; i <= RQI_OPTIONS_CONFIGS; i++) {
        words[2 * i] = "--config";
        words[2 * i + 1] = "a";
    }
    ck_assert_int_eq(parse(words, &o, &err), REFQ_ERR_LIMIT);
    ck_assert_str_eq(err.text, "--config may be given up to 64 times");
    words[2 * RQI_OPTIONS_CONFIGS] = NULL;
    ck_assert_int_eq(parse(words, &o, &err), REFQ_OK);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ut_worker_options");
    TCase *c = tcase_create("options");
    tcase_add_loop_test(c, refuses, 0, sizeof bad / sizeof bad[0]);
    tcase_add_test(c, takes_every_option);
    tcase_add_test(c, leaves_the_rest_alone);
    tcase_add_test(c, help_and_version_need_nothing_else);
    tcase_add_test(c, files_are_counted);
    suite_add_tcase(s, c);
    return rqt_main(s);
}
