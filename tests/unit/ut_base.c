/* SPDX-License-Identifier: MIT */
/* The helpers in lib/src/base: buffers, parsing, UTF-8, log lines, errors, backoff, random, clock.
 */
#include "base/backoff.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/rand.h"
#include "base/utf8.h"
#include "support/main.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_OF(a)  (sizeof(a) / sizeof((a)[0]))
#define BYTES(s) (s), sizeof(s) - 1

/* --- buf -------------------------------------------------------------------------------------- */

START_TEST(buf_grows_and_stays_terminated)
{
    rqi_buf b = {0};
    ck_assert_str_eq(rqi_buf_str(&b), "");
    rqi_buf_add(&b, NULL, 0);
    for (int i = 0; i < 1000; i++) {
        rqi_buf_addf(&b, "%d,", i % 10);
        ck_assert_int_eq(b.ptr[b.len], '\0');
    }
    ck_assert_uint_eq(b.len, 2000);
    ck_assert_mem_eq(b.ptr + 1994, "7,8,9,", 6);
    rqi_buf_done(&b);
    ck_assert_ptr_null(b.ptr);
    rqi_buf_adds(&b, "again");
    ck_assert_str_eq(rqi_buf_str(&b), "again");
    rqi_buf_done(&b);
}
END_TEST

START_TEST(buf_limit_is_exact_and_sticky)
{
    rqi_buf b = rqi_buf_make(5);
    rqi_buf_adds(&b, "12345");
    ck_assert_int_eq(b.err, REFQ_OK);
    ck_assert_uint_le(b.cap, 6);
    rqi_buf_addc(&b, '6');
    ck_assert_int_eq(b.err, REFQ_ERR_LIMIT);
    ck_assert_ptr_null(rqi_buf_take(&b, NULL));
    rqi_buf_consume(&b, 3);
    rqi_buf_addc(&b, '7'); /* there would be room, but a part is missing already */
    ck_assert_str_eq(rqi_buf_str(&b), "45");
    rqi_buf_clear(&b);
    ck_assert_int_eq(b.err, REFQ_OK);
    rqi_buf_addf(&b, "%s", "abcde");
    ck_assert_str_eq(rqi_buf_str(&b), "abcde");
    rqi_buf_done(&b);
    ck_assert_uint_eq(b.max, 5);
}
END_TEST

START_TEST(buf_without_limit_does_not_overflow)
{
    rqi_buf b = rqi_buf_make(SIZE_MAX);
    rqi_buf_adds(&b, "x");
    ck_assert_int_eq(b.err, REFQ_OK);
    ck_assert_ptr_null(rqi_buf_reserve(&b, SIZE_MAX));
    ck_assert_int_eq(b.err, REFQ_ERR_LIMIT);
    rqi_buf_done(&b);
}
END_TEST

START_TEST(buf_consume)
{
    rqi_buf b = {0};
    rqi_buf_consume(&b, 3);
    rqi_buf_adds(&b, "abcdef");
    rqi_buf_consume(&b, 2);
    ck_assert_str_eq(rqi_buf_str(&b), "cdef");
    rqi_buf_consume(&b, 100);
    ck_assert_str_eq(rqi_buf_str(&b), "");
    rqi_buf_done(&b);
}
END_TEST

START_TEST(buf_take)
{
    rqi_buf b = {0};
    size_t len = 7;
    char *text = rqi_buf_take(&b, &len);
    ck_assert_str_eq(text, "");
    ck_assert_uint_eq(len, 0);
    free(text);
    rqi_buf_add(&b, "a\0b", 3);
    ck_assert_uint_eq(rqi_buf_bytes(&b).len, 3);
    text = rqi_buf_take(&b, &len);
    ck_assert_uint_eq(len, 3);
    ck_assert_mem_eq(text, "a\0b", 4);
    ck_assert_ptr_null(b.ptr);
    free(text);
}
END_TEST

START_TEST(buf_json_strings)
{
    rqi_buf b = {0};
    rqi_buf_add_json(&b, BYTES("a\"\\\b\f\n\r\t\x01\x7f\0\xc3\xa9/"));
    ck_assert_str_eq(rqi_buf_str(&b), "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u007f\\u0000\xc3\xa9/\"");
    rqi_buf_clear(&b);
    rqi_buf_add_json(&b, NULL, 0);
    ck_assert_str_eq(rqi_buf_str(&b), "\"\"");
    rqi_buf_done(&b);
}
END_TEST

/* --- parse ------------------------------------------------------------------------------------ */

struct parse_case {
    const char *text;
    refq_err want;
    int64_t value;
};

static const struct parse_case durations[] = {
    {"0", REFQ_OK, 0},
    {"0s", REFQ_OK, 0},
    {"250ms", REFQ_OK, 250},
    {"5s", REFQ_OK, 5000},
    {"1.5m", REFQ_OK, 90000},
    {"0.1s", REFQ_OK, 100},
    {"0.0005s", REFQ_OK, 1}, /* rounded */
    {"2h", REFQ_OK, 7200000},
    {"366d", REFQ_OK, RQI_DURATION_MAX_MS},
    {"366.1d", REFQ_ERR_LIMIT, 0},
    {"99999999999999999999ms", REFQ_ERR_LIMIT, 0},
    {"999999999999999999999ms", REFQ_ERR_INVALID, 0}, /* 21 digits */
    {"", REFQ_ERR_INVALID, 0},
    {"5", REFQ_ERR_INVALID, 0},
    {"-5s", REFQ_ERR_INVALID, 0},
    {"+5s", REFQ_ERR_INVALID, 0},
    {" 5s", REFQ_ERR_INVALID, 0},
    {"5 s", REFQ_ERR_INVALID, 0},
    {"5S", REFQ_ERR_INVALID, 0},
    {"5sec", REFQ_ERR_INVALID, 0},
    {".5s", REFQ_ERR_INVALID, 0},
    {"1.2.3s", REFQ_ERR_INVALID, 0},
    {"inf", REFQ_ERR_INVALID, 0},
    {"nan", REFQ_ERR_INVALID, 0},
    {"0x10s", REFQ_ERR_INVALID, 0},
    {"1e3s", REFQ_ERR_INVALID, 0},
};

START_TEST(parse_durations)
{
    for (size_t i = 0; i < N_OF(durations); i++) {
        const struct parse_case *c = &durations[i];
        int64_t ms = -7;
        refq_error err = {0};
        refq_err rc = rqi_parse_duration(c->text, &ms, &err);
        ck_assert_msg(rc == c->want, "'%s': %s (%s)", c->text, refq_strerror(rc), err.text);
        int64_t want = rc == REFQ_OK ? c->value : -7;
        ck_assert_msg(ms == want, "'%s' gave %lld", c->text, (long long)ms);
        ck_assert_msg((err.text[0] != '\0') == (rc != REFQ_OK), "'%s': '%s'", c->text, err.text);
    }
    refq_error err;
    int64_t ms;
    ck_assert_int_eq(rqi_parse_duration("7", &ms, &err), REFQ_ERR_INVALID);
    ck_assert_str_eq(err.text, "'7' needs a unit: ms, s, m, h or d (for example 7s)");
}
END_TEST

static const struct parse_case sizes[] = {
    {"0", REFQ_OK, 0},
    {"4096", REFQ_OK, 4096},
    {"10B", REFQ_OK, 10},
    {"64KiB", REFQ_OK, 65536},
    {"64K", REFQ_OK, 65536},
    {"1.5M", REFQ_OK, 1572864},
    {"16MiB", REFQ_OK, 16777216},
    {"2G", REFQ_OK, 2147483648},
    {"1000000G", REFQ_ERR_LIMIT, 0},
    {"", REFQ_ERR_INVALID, 0},
    {"-1", REFQ_ERR_INVALID, 0},
    {"64kb", REFQ_ERR_INVALID, 0},
    {"K", REFQ_ERR_INVALID, 0},
    {"1 K", REFQ_ERR_INVALID, 0},
};

START_TEST(parse_sizes)
{
    for (size_t i = 0; i < N_OF(sizes); i++) {
        size_t bytes = 7;
        refq_err rc = rqi_parse_size(sizes[i].text, &bytes, NULL);
        ck_assert_msg(rc == sizes[i].want, "'%s': %s", sizes[i].text, refq_strerror(rc));
        size_t want = rc == REFQ_OK ? (size_t)sizes[i].value : 7;
        ck_assert_msg(bytes == want, "'%s' gave %zu", sizes[i].text, bytes);
    }
}
END_TEST

static const struct parse_case ints[] = {
    {"0", REFQ_OK, 0},
    {"-0", REFQ_OK, 0},
    {"007", REFQ_OK, 7},
    {"9223372036854775807", REFQ_OK, INT64_MAX},
    {"-9223372036854775808", REFQ_OK, INT64_MIN},
    {"9223372036854775808", REFQ_ERR_LIMIT, 0},
    {"-99999999999999999999999999999999999999999999", REFQ_ERR_LIMIT, 0},
    {"", REFQ_ERR_INVALID, 0},
    {"-", REFQ_ERR_INVALID, 0},
    {"--1", REFQ_ERR_INVALID, 0},
    {"+1", REFQ_ERR_INVALID, 0},
    {" 1", REFQ_ERR_INVALID, 0},
    {"1 ", REFQ_ERR_INVALID, 0},
    {"1.0", REFQ_ERR_INVALID, 0},
    {"0x1", REFQ_ERR_INVALID, 0},
};

START_TEST(parse_ints)
{
    for (size_t i = 0; i < N_OF(ints); i++) {
        int64_t value = 7;
        refq_err rc = rqi_parse_int(ints[i].text, INT64_MIN, INT64_MAX, &value, NULL);
        ck_assert_msg(rc == ints[i].want, "'%s': %s", ints[i].text, refq_strerror(rc));
        ck_assert_int_eq(value, rc == REFQ_OK ? ints[i].value : 7);
    }
    int64_t value;
    refq_error err;
    ck_assert_int_eq(rqi_parse_int("1", 1, 5, &value, &err), REFQ_OK);
    ck_assert_int_eq(rqi_parse_int("5", 1, 5, &value, &err), REFQ_OK);
    ck_assert_int_eq(rqi_parse_int("6", 1, 5, &value, &err), REFQ_ERR_LIMIT);
    ck_assert_str_eq(err.text, "6 is out of range; allowed are 1 to 5");
}
END_TEST

START_TEST(format_durations)
{
    static const struct {
        int64_t ms;
        const char *want;
    } cases[] = {
        {-1, "-"},           {0, "0ms"},         {850, "850ms"},      {999, "999ms"},
        {4200, "4.2s"},      {59999, "59.9s"},   {60000, "1m00s"},    {185000, "3m05s"},
        {3599999, "59m59s"}, {7800000, "2h10m"}, {86400000, "1d00h"}, {273600000, "3d04h"},
    };
    char out[32];
    for (size_t i = 0; i < N_OF(cases); i++) {
        ck_assert_str_eq(rqi_format_duration(out, sizeof out, cases[i].ms), cases[i].want);
    }
    ck_assert_str_eq(rqi_format_duration(out, 4, 185000), "3m0");
}
END_TEST

START_TEST(nearest_name)
{
    static const char *const names[] = {"ocr_pdf", "render", "a"};
    ck_assert_uint_eq(rqi_edit_distance("", ""), 0);
    ck_assert_uint_eq(rqi_edit_distance("", "abc"), 3);
    ck_assert_uint_eq(rqi_edit_distance("kitten", "sitting"), 3);
    ck_assert_str_eq(rqi_nearest("orc_pdf", names, N_OF(names)), "ocr_pdf");
    ck_assert_str_eq(rqi_nearest("rendr", names, N_OF(names)), "render");
    ck_assert_ptr_null(rqi_nearest("something", names, N_OF(names)));
    ck_assert_ptr_null(rqi_nearest("", names, N_OF(names)));
    ck_assert_ptr_null(rqi_nearest("x", NULL, 0));
    char huge[1000];
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    ck_assert_ptr_null(rqi_nearest(huge, names, N_OF(names)));
}
END_TEST

/* --- utf8 ------------------------------------------------------------------------------------- */

struct utf8_case {
    const char *ptr;
    size_t len;
    size_t valid;
};

static const struct utf8_case utf8_cases[] = {
    {BYTES(""), 0},
    {BYTES("abc\0def"), 7},
    {BYTES("\xc2\x80\xdf\xbf"), 4},
    {BYTES("\xe0\xa0\x80\xef\xbf\xbf"), 6},
    {BYTES("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), 8},
    {BYTES("\xed\x9f\xbf\xee\x80\x80"), 6}, /* around the surrogates */
    {BYTES("a\x80"), 1},
    {BYTES("\xc0\x80"), 0},
    {BYTES("\xc1\xbf"), 0},
    {BYTES("\xe0\x9f\xbf"), 0},
    {BYTES("\xf0\x8f\xbf\xbf"), 0},
    {BYTES("\xed\xa0\x80"), 0},
    {BYTES("\xed\xbf\xbf"), 0},
    {BYTES("\xf4\x90\x80\x80"), 0},
    {BYTES("\xf5\x80\x80\x80"), 0},
    {BYTES("\xff"), 0},
    {BYTES("ab\xc3"), 2},
    {BYTES("ab\xe2\x82"), 2},
    {BYTES("ab\xf0\x9f\x98"), 2},
    {BYTES("\xc3\xc3\xa9"), 0},
};

START_TEST(utf8_valid_prefix)
{
    for (size_t i = 0; i < N_OF(utf8_cases); i++) {
        const struct utf8_case *c = &utf8_cases[i];
        char *copy = malloc(c->len + (c->len == 0));
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, c->ptr, c->len);
        size_t valid = rqi_utf8_valid(copy, c->len);
        ck_assert_msg(valid == c->valid, "case %zu: %zu", i, valid);
        free(copy);
    }
}
END_TEST

START_TEST(utf8_cut_at_boundaries)
{
    static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (size_t max = 0; max < N_OF(want); max++) {
        ck_assert_uint_eq(rqi_utf8_cut(text, sizeof text - 1, max), want[max]);
    }
    ck_assert_uint_eq(rqi_utf8_cut("\x80\x80\x80", 3, 2), 0);
}
END_TEST

/* --- log -------------------------------------------------------------------------------------- */

struct seen {
    int lines;
    refq_log_level level;
    char text[2048];
};

static void on_line(void *arg, refq_log_level level, const char *line)
{
    struct seen *seen = arg;
    seen->lines++;
    seen->level = level;
    (void)snprintf(seen->text, sizeof seen->text, "%s", line);
}

START_TEST(log_levels)
{
    struct seen seen = {0};
    refq_logger log = {.fn = on_line, .arg = &seen, .level = REFQ_LOG_WARN};
    rqi_log(NULL, REFQ_LOG_ERROR, "event=x");
    rqi_log(&(refq_logger){0}, REFQ_LOG_ERROR, "event=x");
    rqi_log(&log, REFQ_LOG_INFO, "event=x");
    ck_assert_int_eq(seen.lines, 0);
    ck_assert_int_eq(rqi_log_on(&log, REFQ_LOG_INFO), 0);
    rqi_log(&log, REFQ_LOG_ERROR, "event=%s n=%d", "x", 3);
    ck_assert_int_eq(seen.lines, 1);
    ck_assert_int_eq(seen.level, REFQ_LOG_ERROR);
    ck_assert_str_eq(seen.text, "event=x n=3");
    rqi_log(&log, REFQ_LOG_WARN, "%2000s", "x");
    ck_assert_uint_eq(strlen(seen.text), 1023);
}
END_TEST

START_TEST(log_quote)
{
    static const struct {
        size_t size;
        const char *text;
        const char *want;
    } cases[] = {
        {32, "plain", "plain"},
        {32, "", "\"\""},
        {32, "a b", "\"a b\""},
        {32, "a=b", "\"a=b\""},
        {32, "a\"\\\n\x1b", "\"a\\\"\\\\\\n\\x1b\""},
        {32, "\xc3\xa9", "\xc3\xa9"},
        {8, "1234567", "1234567"},
        {8, "12345678", "\"12...\""},
        {8, "a b c d", "\"a ...\""},
        {9, "a\n\n\n", "\"a\\n...\""},
        {9, "1\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", "\"1\xc3\xa9...\""},
        {8, "1\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", "\"1...\""},
        {10, "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80...\""},
        {8, "\xf0\x9f\x98\x80\xf0\x9f\x98\x80", "\"...\""},
        {7, "too small a buffer", ""},
    };
    for (size_t i = 0; i < N_OF(cases); i++) {
        char *out = malloc(cases[i].size); /* exact, for the sanitizer */
        ck_assert_ptr_nonnull(out);
        ck_assert_str_eq(rqi_log_quote(out, cases[i].size, cases[i].text), cases[i].want);
        free(out);
    }
}
END_TEST

/* --- error ------------------------------------------------------------------------------------ */

START_TEST(error_names)
{
    for (int code = REFQ_OK; code <= REFQ_ERR_DENIED; code++) {
        ck_assert_str_ne(refq_strerror((refq_err)code), "unknown");
    }
    ck_assert_str_eq(refq_strerror(REFQ_ERR_TIMEOUT), "timeout");
    ck_assert_str_eq(refq_strerror((refq_err)999), "unknown");
    ck_assert_int_eq(refq_err_retryable((refq_err)999), 0);
    ck_assert_int_eq(refq_err_retryable(REFQ_OK), 0);
    ck_assert_int_eq(refq_err_retryable(REFQ_ERR_CLOSED), 1);
    ck_assert_int_eq(refq_err_retryable(REFQ_ERR_INVALID), 0);
    ck_assert_int_eq(refq_err_retryable(REFQ_ERR_DENIED), 0);
}
END_TEST

START_TEST(error_texts)
{
    refq_error err;
    ck_assert_int_eq(rqi_fail(NULL, REFQ_ERR_IO, "x"), REFQ_ERR_IO);
    ck_assert_int_eq(rqi_fail_in(NULL, REFQ_ERR_IO, "x"), REFQ_ERR_IO);
    ck_assert_int_eq(rqi_fail(&err, REFQ_ERR_IO, "no %s", "way"), REFQ_ERR_IO);
    ck_assert_int_eq(rqi_fail_in(&err, REFQ_ERR_PROTO, "file %d", 3), REFQ_ERR_PROTO);
    ck_assert_int_eq(err.code, REFQ_ERR_PROTO);
    ck_assert_str_eq(err.text, "file 3: no way");
    (void)rqi_fail(&err, REFQ_ERR_IO, "%500s", "x");
    (void)rqi_fail_in(&err, REFQ_ERR_IO, "%500s", "y");
    ck_assert_uint_eq(strlen(err.text), 120 + 2 + 130);
}
END_TEST

/* --- backoff ---------------------------------------------------------------------------------- */

START_TEST(backoff_bounds)
{
    refq_backoff b = {.base_ms = 1000, .factor = 2, .cap_ms = 60000, .no_jitter = true};
    static const int64_t want[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    for (unsigned n = 0; n < N_OF(want); n++) {
        ck_assert_int_eq(rqi_backoff_bound(&b, n), want[n]);
        ck_assert_int_eq(rqi_backoff_delay(&b, n), want[n]);
    }
    ck_assert_int_eq(rqi_backoff_bound(&b, UINT32_MAX), 60000);
    b.factor = 1;
    ck_assert_int_eq(rqi_backoff_bound(&b, UINT32_MAX), 1000);
    b.base_ms = 90000;
    ck_assert_int_eq(rqi_backoff_bound(&b, 0), 60000);
    b.factor = 1e308;
    b.base_ms = 1;
    b.cap_ms = RQI_DURATION_MAX_MS;
    ck_assert_int_eq(rqi_backoff_bound(&b, 1000), RQI_DURATION_MAX_MS);
}
END_TEST

START_TEST(backoff_jitter_fills_the_range)
{
    refq_backoff b = {.base_ms = 4, .factor = 2, .cap_ms = 60000};
    unsigned hits[5] = {0};
    for (int i = 0; i < 2000; i++) {
        int64_t ms = rqi_backoff_delay(&b, 0);
        ck_assert_int_ge(ms, 0);
        ck_assert_int_le(ms, 4);
        hits[ms]++;
    }
    for (size_t i = 0; i < N_OF(hits); i++) {
        ck_assert_uint_gt(hits[i], 200); /* 400 expected; 200 is eleven sigma away */
    }
    b.cap_ms = b.base_ms = 0;
    ck_assert_int_eq(rqi_backoff_delay(&b, 3), 0);
}
END_TEST

/* --- rand and clock --------------------------------------------------------------------------- */

START_TEST(rand_hex_and_below)
{
    char a[2 * 40 + 1];
    char b[2 * 40 + 1];
    ck_assert_int_eq(rqi_rand_init(NULL), REFQ_OK);
    ck_assert_int_eq(rqi_rand_init(NULL), REFQ_OK);
    rqi_rand_hex(a, 40);
    rqi_rand_hex(b, 40);
    ck_assert_uint_eq(strlen(a), 80);
    ck_assert_uint_eq(strspn(a, "0123456789abcdef"), 80);
    ck_assert_str_ne(a, b);
    rqi_rand_hex(a, 0);
    ck_assert_str_eq(a, "");
    ck_assert_uint_eq(rqi_rand_below(0), 0);
    ck_assert_uint_eq(rqi_rand_below(1), 0);
    for (int i = 0; i < 1000; i++) {
        ck_assert_uint_lt(rqi_rand_below(7), 7);
    }
}
END_TEST

START_TEST(clock_units)
{
    int64_t before = rqi_mono_us();
    int64_t ms = rqi_mono_ms();
    int64_t after = rqi_mono_us();
    ck_assert_int_le(before / 1000, ms);
    ck_assert_int_le(ms, after / 1000);
    ck_assert_int_gt(rqi_wall_ms(), INT64_C(1600000000000)); /* 2020, in ms */
    ck_assert_int_lt(rqi_wall_ms(), INT64_C(16000000000000));
}
END_TEST

/* ---------------------------------------------------------------------------------------------- */

static TCase *buf_case(void)
{
    TCase *tc = tcase_create("buf");
    tcase_add_test(tc, buf_grows_and_stays_terminated);
    tcase_add_test(tc, buf_limit_is_exact_and_sticky);
    tcase_add_test(tc, buf_without_limit_does_not_overflow);
    tcase_add_test(tc, buf_consume);
    tcase_add_test(tc, buf_take);
    tcase_add_test(tc, buf_json_strings);
    return tc;
}

static TCase *text_case(void)
{
    TCase *tc = tcase_create("text");
    tcase_add_test(tc, parse_durations);
    tcase_add_test(tc, parse_sizes);
    tcase_add_test(tc, parse_ints);
    tcase_add_test(tc, format_durations);
    tcase_add_test(tc, nearest_name);
    tcase_add_test(tc, utf8_valid_prefix);
    tcase_add_test(tc, utf8_cut_at_boundaries);
    tcase_add_test(tc, log_levels);
    tcase_add_test(tc, log_quote);
    tcase_add_test(tc, error_names);
    tcase_add_test(tc, error_texts);
    return tc;
}

static TCase *chance_case(void)
{
    TCase *tc = tcase_create("chance and time");
    tcase_add_test(tc, backoff_bounds);
    tcase_add_test(tc, backoff_jitter_fills_the_range);
    tcase_add_test(tc, rand_hex_and_below);
    tcase_add_test(tc, clock_units);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("base");
    suite_add_tcase(suite, buf_case());
    suite_add_tcase(suite, text_case());
    suite_add_tcase(suite, chance_case());
    return rqt_main(suite);
}
