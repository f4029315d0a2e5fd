/* SPDX-License-Identifier: MIT */
/* The command line of refq-worker. */
#include "options.h"
#include "support/main.h"

#include <check.h>

#include <stdio.h>
#include <stdlib.h>
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
    {{"--config", "a", "--check=x"}, "option '--check=x' takes no value; see --help"},
    {{"--help=all"}, "option '--help=all' takes no value; see --help"},
    {{"--vers=1"}, "option '--vers=1' takes no value; see --help"},
    {{"--version=1"}, "option '--version=1' takes no value; see --help"},
};

START_TEST(refuses)
{
    rqi_options o;
    refq_error err = {0};
    ck_assert_int_ne(parse(bad[_i].words, &o, &err), REFQ_OK);
    ck_assert_str_eq(err.text, bad[_i].error);
}
END_TEST

static const char *const every[] = {"--config",
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
                                    NULL};

START_TEST(takes_every_option)
{
    rqi_options o = parse_good(every);
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

/* Whether one of the words gives the option, alone or with its value joined to it. */
static bool gives(const char *const *words, const char *option)
{
    size_t len = strlen(option);
    for (; *words != NULL; words++) {
        if (strncmp(*words, option, len) == 0 && ((*words)[len] == '\0' || (*words)[len] == '=')) {
            return true;
        }
    }
    return false;
}

/* The message tells which of the words is refused. */
static bool is_refused(const char *option)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *named = strstr(bad[i].error, option);
        if (gives(bad[i].words, option) && named != NULL &&
            strchr(" '=", named[strlen(option)]) != NULL) {
            return true;
        }
    }
    return false;
}

static void expect_tried(const char *option)
{
    static const char *const alone[] = {"--help", "--version", NULL};
    ck_assert_msg(is_refused(option), "add a bad value of %s to bad[]", option);
    ck_assert_msg(gives(every, option) || gives(alone, option), "add %s to every[]", option);
}

/* --help comes from the table of options itself. */
START_TEST(every_option_is_tried)
{
    char *help = NULL;
    size_t size = 0;
    int n = 0;
    FILE *out = open_memstream(&help, &size);
    ck_assert_ptr_nonnull(out);
    rqi_options_help(out);
    ck_assert_int_eq(fclose(out), 0);
    for (char *at = help; (at = strstr(at, "\n  --")) != NULL; n++) {
        char option[32];
        at += 3;
        (void)snprintf(option, sizeof option, "%.*s", (int)strcspn(at, " \n"), at);
        expect_tried(option);
    }
    ck_assert_int_gt(n, 0);
    free(help);
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
    tcase_add_test(c, every_option_is_tried);
    tcase_add_test(c, files_are_counted);
    suite_add_tcase(s, c);
    return rqt_main(s);
}
