/* SPDX-License-Identifier: MIT */
/* Lines of logfmt as JSON. */
#include "logjson.h"
#include "logger.h"
#include "support/main.h"

#include <check.h>
#include <jansson.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HEAD "{\"ts\":\"T\",\"level\":\"info\""

static const struct {
    const char *line;
    const char *fields; /* what follows the head */
} lines[] = {
    {"", ""},
    {"event=started slots=2", ",\"event\":\"started\",\"slots\":2"},
    {"event=x   gap=1 ", ",\"event\":\"x\",\"gap\":1"},
    {"n=0 m=-5 o=007 p=-0 q=1.5 r=", ",\"n\":0,\"m\":-5,\"o\":\"007\",\"p\":\"-0\",\"q\":\"1.5\""
                                     ",\"r\":\"\""},
    {"n=999999999999999 m=1000000000000000", ",\"n\":999999999999999,\"m\":\"1000000000000000\""},
    {"task=5 message=7 attempt=3", ",\"task\":\"5\",\"message\":\"7\",\"attempt\":3"},
    {"error=\"a \\\"b\\\" \\\\ c\\nd \\x1b \\q\" n=1",
     ",\"error\":\"a \\\"b\\\" \\\\ c\\nd \\u001b \\\\q\",\"n\":1"},
    {"error=\"cut off", ",\"error\":\"cut off\""},
    {"error=\"cut off\\", ",\"error\":\"cut off\\\\\""},
    {"error=\"cut off\\x1", ",\"error\":\"cut off\\\\x1\""},
    {"high=\"\\xff\"", ",\"high\":\"\\\\xff\""},
    {"alone event=x", ",\"alone\":true,\"event\":\"x\""},
    {"=lonely event=x", ",\"event\":\"x\""},
    {"ts=1 level=2 a=1 a=2", ",\"a\":1"},
    {"file=gr\xc3\xbc\xc3\x9f"
     "e",
     ",\"file\":\"gr\xc3\xbc\xc3\x9f"
     "e\""},
};

START_TEST(fields_become_members)
{
    char out[RQI_LOGJSON_MAX];
    char wanted[RQI_LOGJSON_MAX];
    size_t len = rqi_logjson(out, "T", "info", lines[_i].line);
    (void)snprintf(wanted, sizeof wanted, HEAD "%s}\n", lines[_i].fields);
    ck_assert_uint_eq(len, strlen(wanted));
    ck_assert_msg(memcmp(out, wanted, len) == 0, "%.*s", (int)len, out);
    json_t *json = json_loadb(out, len, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(json);
    json_decref(json);
}
END_TEST

static json_t *parse_cut(const char *line)
{
    char out[RQI_LOGJSON_MAX];
    size_t len = rqi_logjson(out, "T", "info", line);
    ck_assert_int_eq(out[len - 1], '\n');
    json_t *json = json_loadb(out, len, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(json != NULL, "%.*s", (int)len, out);
    ck_assert(json_is_true(json_object_get(json, "cut")));
    return json;
}

START_TEST(what_does_not_fit_is_left_out)
{
    char line[4096] = "event=x error=\"";
    size_t len = strlen(line);
    while (len + 5 < sizeof line) {
        len += (size_t)snprintf(line + len, sizeof line - len, "\\x01");
    }
    json_t *json = parse_cut(line);
    ck_assert_str_eq(json_string_value(json_object_get(json, "event")), "x");
    ck_assert_ptr_null(json_object_get(json, "error"));
    json_decref(json);
}
END_TEST

START_TEST(fields_are_counted)
{
    char line[2048] = "";
    size_t len = 0;
    for (int i = 0; i < 200; i++) {
        len += (size_t)snprintf(line + len, sizeof line - len, "f%d=1 ", i);
    }
    json_t *json = parse_cut(line);
    ck_assert_uint_le(json_object_size(json), 65);
    ck_assert_ptr_nonnull(json_object_get(json, "f61"));
    json_decref(json);
}
END_TEST

/* What arrives on file descriptor 2. */
static const char *logged(rqi_log_format format, const char *line)
{
    static char out[8192];
    int pipes[2];
    int saved = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe(pipes), 0);
    ck_assert_int_eq(dup2(pipes[1], STDERR_FILENO), STDERR_FILENO);
    refq_logger log = rqi_logger_make(format, REFQ_LOG_INFO);
    log.fn(log.arg, REFQ_LOG_WARN, line);
    (void)dup2(saved, STDERR_FILENO);
    (void)close(saved);
    (void)close(pipes[1]);
    ssize_t n = read(pipes[0], out, sizeof out - 1);
    (void)close(pipes[0]);
    out[n > 0 ? n : 0] = '\0';
    return out;
}

/* Digits are shown as 9. */
static const char *digits_hidden(const char *text)
{
    static char out[8192];
    (void)snprintf(out, sizeof out, "%s", text);
    for (char *at = out; *at != '\0'; at++) {
        *at = *at >= '0' && *at <= '9' ? '9' : *at;
    }
    return out;
}

START_TEST(time_and_level_come_first)
{
    ck_assert_str_eq(digits_hidden(logged(RQI_LOG_LOGFMT, "event=x n=5")),
                     "ts=9999-99-99T99:99:99.999Z level=warn event=x n=9\n");
    ck_assert_str_eq(
        digits_hidden(logged(RQI_LOG_JSON, "event=x n=5")),
        "{\"ts\":\"9999-99-99T99:99:99.999Z\",\"level\":\"warn\",\"event\":\"x\",\"n\":9}\n");
}
END_TEST

START_TEST(lines_are_clean_and_whole)
{
    char line[4096];
    memset(line, 'a', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    line[0] = '\x1b';
    line[1] = '\xff';
    for (int format = 0; rqi_logger_formats[format] != NULL; format++) {
        const char *out = logged((rqi_log_format)format, line);
        ck_assert_ptr_eq(strchr(out, '\n'), out + strlen(out) - 1);
        ck_assert_ptr_null(strpbrk(out, "\x1b\xff"));
        ck_assert_uint_lt(strlen(out), 4096);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ut_worker_log");
    TCase *c = tcase_create("log");
    tcase_add_loop_test(c, fields_become_members, 0, sizeof lines / sizeof lines[0]);
    tcase_add_test(c, what_does_not_fit_is_left_out);
    tcase_add_test(c, fields_are_counted);
    tcase_add_test(c, time_and_level_come_first);
    tcase_add_test(c, lines_are_clean_and_whole);
    suite_add_tcase(s, c);
    return rqt_main(s);
}
