/* SPDX-License-Identifier: MIT */
/* What `refq` shows: times, tables, the progress bar, values cut from entries, exit statuses. */
#include "cli/exit.h"
#include "cli/progress_bar.h"
#include "cli/render.h"
#include "cli/text.h"
#include "cli/value.h"
#include "support/main.h"

#include <check.h>

#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MINUTE ((int64_t)60 * 1000)

/* --- Text ------------------------------------------------------------------------------------- */

static void expect_clean(const char *given, const char *expected)
{
    rqi_buf out = {0};
    cli_text_clean(&out, given, strlen(given));
    ck_assert_str_eq(rqi_buf_str(&out), expected);
    rqi_buf_done(&out);
}

START_TEST(foreign_text_becomes_one_harmless_line)
{
    expect_clean("", "");
    expect_clean("p\xc3\xa1gina 3", "p\xc3\xa1gina 3");
    expect_clean("two\nlines\tand\rmore", "two lines and more");
    expect_clean("\x1b[31mred\x07", "?[31mred?");
    expect_clean("c1 \xc2\x9b here", "c1 ? here");
    expect_clean("a\xff\xfe z", "a\xef\xbf\xbd\xef\xbf\xbd z");
    expect_clean("bi\xe2\x80\xae\x64i \xe2\x81\xa6x\xe2\x81\xa9", "bi?di ?x?");
    expect_clean("cut \xc3", "cut \xef\xbf\xbd");
}
END_TEST

START_TEST(repair_keeps_control_characters)
{
    rqi_buf out = {0};
    cli_text_utf8(&out, "a\nb\xff", 4);
    ck_assert_str_eq(rqi_buf_str(&out), "a\nb\xef\xbf\xbd");
    rqi_buf_done(&out);
}
END_TEST

START_TEST(width_counts_columns)
{
    ck_assert_uint_eq(cli_text_width("abc", 3), 3);
    ck_assert_uint_eq(cli_text_width("p\xc3\xa1g", 4), 3);
    ck_assert_uint_eq(cli_text_width("", 0), 0);
}
END_TEST

static void expect_fit(const char *text, size_t columns, const char *expected)
{
    rqi_buf out = {0};
    cli_text_fit(&out, text, columns);
    ck_assert_str_eq(rqi_buf_str(&out), expected);
    rqi_buf_done(&out);
}

START_TEST(cut_text_ends_with_dots)
{
    expect_fit("abcdef", 6, "abcdef");
    expect_fit("abcdefg", 6, "abc...");
    expect_fit("\xc3\xa1\xc3\xa1\xc3\xa1\xc3\xa1\xc3\xa1", 4, "\xc3\xa1...");
    expect_fit("abcdef", 2, "..");
    expect_fit("abcdef", 0, "");
}
END_TEST

START_TEST(times_are_local_with_their_offset)
{
    char out[CLI_TIME_MAX];
    ck_assert_int_eq(setenv("TZ", "IST-05:30", 1), 0);
    tzset();
    ck_assert_str_eq(cli_text_time(out, 1000), "1970-01-01T05:30:01+05:30");
    ck_assert_int_eq(setenv("TZ", "UTC", 1), 0);
    tzset();
    ck_assert_str_eq(cli_text_time(out, INT64_C(1790000000000)), "2026-09-21T14:13:20+00:00");
    ck_assert_str_eq(cli_text_time(out, INT64_MAX), "292278994-08-17T07:12:55+00:00");
}
END_TEST

START_TEST(relative_times)
{
    char out[CLI_TIME_MAX];
    ck_assert_str_eq(cli_text_relative(out, 0), "now");
    ck_assert_str_eq(cli_text_relative(out, 850), "850ms ago");
    ck_assert_str_eq(cli_text_relative(out, 3 * MINUTE + 5000), "3m05s ago");
    ck_assert_str_eq(cli_text_relative(out, -4200), "in 4.2s");
    ck_assert_str_eq(cli_text_relative(out, 26 * 60 * MINUTE), "1d02h ago");
}
END_TEST

START_TEST(sizes)
{
    char out[CLI_TIME_MAX];
    ck_assert_str_eq(cli_text_size(out, 0), "0 KiB");
    ck_assert_str_eq(cli_text_size(out, 812), "812 KiB");
    ck_assert_str_eq(cli_text_size(out, 8120), "7.9 MiB");
    ck_assert_str_eq(cli_text_size(out, 3 * 1024 * 1024), "3.0 GiB");
}
END_TEST

/* --- Tables ----------------------------------------------------------------------------------- */

static void expect_table(cli_table *table, bool colour, const char *expected)
{
    rqi_buf out = {0};
    ck_assert_int_eq(cli_table_render(table, colour, &out), REFQ_OK);
    ck_assert_str_eq(rqi_buf_str(&out), expected);
    rqi_buf_done(&out);
    cli_table_done(table);
}

static const cli_column three[] = {{"NAME", false}, {"COUNT", true}, {"NOTE", false}};

START_TEST(columns_are_aligned)
{
    cli_table table = cli_table_make(three, 3);
    cli_table_add(&table, CLI_PLAIN, "a");
    cli_table_add(&table, CLI_PLAIN, "%d", 7);
    cli_table_add(&table, CLI_PLAIN, "%s", "");
    cli_table_add(&table, CLI_PLAIN, "p\xc3\xa1gina");
    cli_table_add(&table, CLI_PLAIN, "%d", 1234567);
    cli_table_add(&table, CLI_PLAIN, "x\ny");
    expect_table(&table, false,
                 "NAME      COUNT  NOTE\n"
                 "a             7  -\n"
                 "p\xc3\xa1gina  1234567  x y\n");
}
END_TEST

START_TEST(a_table_without_titles_has_no_heading)
{
    static const cli_column block[] = {{NULL, false}, {NULL, false}};
    cli_table table = cli_table_make(block, 2);
    cli_table_add(&table, CLI_BOLD, "status");
    cli_table_add(&table, CLI_GREEN, "complete");
    cli_table_add(&table, CLI_BOLD, "id");
    cli_table_add(&table, CLI_PLAIN, "x");
    expect_table(&table, false, "status  complete\nid      x\n");
}
END_TEST

START_TEST(colour_does_not_count_as_width)
{
    static const cli_column two[] = {{"A", false}, {"B", false}};
    cli_table table = cli_table_make(two, 2);
    cli_table_add(&table, CLI_RED, "no");
    cli_table_add(&table, CLI_PLAIN, "z");
    expect_table(&table, true, "\x1b[1mA\x1b[0m   \x1b[1mB\x1b[0m\n\x1b[31mno\x1b[0m  z\n");
}
END_TEST

START_TEST(a_large_table_keeps_its_rows)
{
    static const cli_column one[] = {{"N", true}};
    cli_table table = cli_table_make(one, 1);
    for (int i = 0; i < 1000; i++) {
        cli_table_add(&table, CLI_PLAIN, "%d", i);
    }
    rqi_buf out = {0};
    ck_assert_int_eq(cli_table_render(&table, false, &out), REFQ_OK);
    ck_assert_uint_eq(out.len, (size_t)1001 * 4);
    rqi_buf_done(&out);
    cli_table_done(&table);
}
END_TEST

START_TEST(a_pipe_gets_no_colour)
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    ck_assert(!cli_colour_wanted(fds[1]));
    (void)close(fds[0]);
    (void)close(fds[1]);
}
END_TEST

static const struct {
    const char *name;
    const char *good;
    const char *bad;
    bool coloured; /* with the good one; with the bad one it is the other way round */
} colour_variables[] = {
    {"NO_COLOR", "1", "", false},
    {"TERM", "xterm", "dumb", true},
};

START_TEST(variables_decide_on_colour)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(terminal, 0);
    for (size_t i = 0; i < sizeof colour_variables / sizeof colour_variables[0]; i++) {
        const char *name = colour_variables[i].name;
        ck_assert_int_eq(setenv("TERM", "xterm", 1), 0);
        ck_assert_int_eq(unsetenv("NO_COLOR"), 0);
        ck_assert(cli_colour_wanted(terminal));
        ck_assert_int_eq(setenv(name, colour_variables[i].good, 1), 0);
        ck_assert_int_eq(cli_colour_wanted(terminal), colour_variables[i].coloured);
        ck_assert_int_eq(setenv(name, colour_variables[i].bad, 1), 0);
        ck_assert_int_eq(cli_colour_wanted(terminal), !colour_variables[i].coloured);
    }
    ck_assert_int_eq(unsetenv("TERM"), 0);
    ck_assert(!cli_colour_wanted(terminal));
    (void)close(terminal);
}
END_TEST

/* --- Progress --------------------------------------------------------------------------------- */

static void expect_bar(const cli_bar *bar, size_t width, const char *expected)
{
    rqi_buf out = {0};
    cli_bar_format(&out, bar, width);
    ck_assert_str_eq(rqi_buf_str(&out), expected);
    ck_assert_uint_le(cli_text_width(rqi_buf_str(&out), out.len), width);
    rqi_buf_done(&out);
}

static const cli_bar quarter = {.status = "processing",
                                .message = "page 3",
                                .current = 3,
                                .total = 12,
                                .rate = 0.8,
                                .eta_ms = 11250,
                                .elapsed_ms = 3750};

START_TEST(a_wide_bar_shows_all)
{
    expect_bar(&quarter, 100,
               "processing   3/12   25%  [#######-----------------------]  0.8/s  ETA 11s    "
               "page 3");
}
END_TEST

START_TEST(a_narrow_bar_keeps_the_numbers)
{
    expect_bar(&quarter, 60, "processing   3/12   25%  0.8/s  ETA 11s    page 3");
    expect_bar(&quarter, 46, "processing   3/12   25%  0.8/s  ETA 11s    ...");
    expect_bar(&quarter, 20, "processing   3/12...");
    expect_bar(&quarter, 1, ".");
    expect_bar(&quarter, 0, "");
}
END_TEST

START_TEST(every_width_is_kept)
{
    for (size_t width = 0; width < 200; width++) {
        rqi_buf out = {0};
        cli_bar_format(&out, &quarter, width);
        ck_assert_uint_le(out.len, width);
        rqi_buf_done(&out);
    }
}
END_TEST

START_TEST(a_bar_without_a_total_counts)
{
    cli_bar bar = quarter;
    bar.total = 0;
    bar.eta_ms = -1;
    bar.rate = 0.05;
    expect_bar(&bar, 80, "processing  3  3.0/min  3s       page 3");
    bar.rate = 0;
    bar.current = -1;
    bar.message = "";
    bar.elapsed_ms = 3 * MINUTE + 5000;
    expect_bar(&bar, 80, "processing  3m05s");
}
END_TEST

START_TEST(more_than_all_is_all)
{
    cli_bar bar = {.status = "processing",
                   .message = "",
                   .current = 13,
                   .total = 12,
                   .eta_ms = -1,
                   .elapsed_ms = -1};
    expect_bar(&bar, 66, "processing  13/12  100%  [##############################]");
}
END_TEST

START_TEST(the_rate_counts_from_the_start_of_the_attempt)
{
    cli_meter m = {0};
    ck_assert(cli_meter_rate(&m) == 0);
    ck_assert_int_eq(cli_meter_eta(&m, 0), -1);
    cli_meter_update(&m, 1, 4, 12, 2000, 100000);
    ck_assert(cli_meter_rate(&m) == 2.0);
    ck_assert_int_eq(cli_meter_eta(&m, 100000), 4000);
    ck_assert_int_eq(cli_meter_eta(&m, 101000), 3000);
    ck_assert_int_eq(cli_meter_eta(&m, 109000), 0);
    cli_meter_update(&m, 1, 4, 12, 3000, 101000);
    ck_assert(cli_meter_rate(&m) == 2.0);
}
END_TEST

START_TEST(the_rate_starts_anew_with_an_attempt)
{
    cli_meter m = {0};
    cli_meter_update(&m, 1, 10, 12, 1000, 50000);
    cli_meter_update(&m, 2, 1, 12, 1000, 60000);
    ck_assert(cli_meter_rate(&m) == 1.0);
    cli_meter_update(&m, 2, 0, 12, 2000, 61000);
    ck_assert(cli_meter_rate(&m) == 0);
}
END_TEST

START_TEST(without_a_start_the_first_sight_is_the_base)
{
    cli_meter m = {0};
    cli_meter_update(&m, 1, 100, 0, -1, 5000);
    ck_assert(cli_meter_rate(&m) == 0);
    cli_meter_update(&m, 1, 103, 0, -1, 6000);
    ck_assert(cli_meter_rate(&m) == 3.0);
    ck_assert_int_eq(cli_meter_eta(&m, 6000), -1);
}
END_TEST

/* --- Values ----------------------------------------------------------------------------------- */

static void expect_value(const char *entry, const char *expected)
{
    rqi_buf out = {0};
    refq_error err = {0};
    ck_assert_msg(cli_value_cut(entry, strlen(entry), &out, &err) == REFQ_OK, "%s: %s", entry,
                  err.text);
    ck_assert_str_eq(rqi_buf_str(&out), expected);
    rqi_buf_done(&out);
}

START_TEST(a_leading_value_is_cut_as_it_is)
{
    expect_value("{\"value\": 1.0, \"namespace\": \"public\"}", "1.0");
    expect_value("{\"value\": NaN, \"namespace\": \"public\"}", "NaN");
    expect_value("{\"value\": \"a\", \"namespace\": \"public\"}", "\"a\"");
    expect_value("{\"value\":null}", "null");
    expect_value(" { \"value\" : [ 1 , 2 ] , \"namespace\": \"public\"}", "[ 1 , 2 ]");
    expect_value("{\"value\": {\"z\": 1, \"namespace\": {\"value\": []}}, \"namespace\": \"x\"}",
                 "{\"z\": 1, \"namespace\": {\"value\": []}}");
}
END_TEST

START_TEST(brackets_inside_strings_do_not_count)
{
    expect_value("{\"value\": \"}, \\\"namespace\\\": ]\", \"namespace\": \"public\"}",
                 "\"}, \\\"namespace\\\": ]\"");
    expect_value("{\"value\": [\"\\\\\", \"{\"], \"namespace\": \"public\"}", "[\"\\\\\", \"{\"]");
}
END_TEST

START_TEST(another_order_is_printed_compactly)
{
    expect_value("{\"namespace\": \"public\", \"value\": {\"b\": [1, 2], \"a\": null}}",
                 "{\"b\":[1,2],\"a\":null}");
    expect_value("{\"namespace\": \"public\", \"value\": \"t\"}", "\"t\"");
}
END_TEST

START_TEST(an_entry_without_a_value_is_refused)
{
    static const char *const entries[] = {
        "",
        "[]",
        "{}",
        "{\"value\"",
        "{\"value\": ",
        "{\"value\": \"a",
        "{\"value\": \"a\\",
        "5",
        "{\"value\": [1, 2",
        "{\"value\": ]}",
        "{\"namespace\": \"x\"}",
    };
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        rqi_buf out = {0};
        refq_error err = {0};
        ck_assert_int_eq(cli_value_cut(entries[i], strlen(entries[i]), &out, &err),
                         REFQ_ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(err.text, "--entry"));
        rqi_buf_done(&out);
    }
}
END_TEST

START_TEST(deep_nesting_needs_no_stack)
{
    enum { DEPTH = 1000000 };
    rqi_buf entry = {0};
    rqi_buf out = {0};
    rqi_buf_adds(&entry, "{\"value\": ");
    for (int i = 0; i < 2 * DEPTH; i++) {
        rqi_buf_addc(&entry, i < DEPTH ? '[' : ']');
    }
    rqi_buf_adds(&entry, ", \"namespace\": \"public\"}");
    ck_assert_int_eq(cli_value_cut(rqi_buf_str(&entry), entry.len, &out, NULL), REFQ_OK);
    ck_assert_uint_eq(out.len, (size_t)2 * DEPTH);
    rqi_buf_done(&entry);
    rqi_buf_done(&out);
}
END_TEST

/* --- Exit statuses ---------------------------------------------------------------------------- */

START_TEST(errors_have_their_exit_status)
{
    ck_assert_int_eq(cli_exit_code(REFQ_OK), 0);
    ck_assert_int_eq(cli_exit_code(REFQ_ERR_INVALID), 64);
    ck_assert_int_eq(cli_exit_code(REFQ_ERR_LIMIT), 65);
    ck_assert_int_eq(cli_exit_code(REFQ_ERR_NOTFOUND), 66);
    ck_assert_int_eq(cli_exit_code(REFQ_ERR_IO), 69);
    ck_assert_int_eq(cli_exit_code(REFQ_ERR_TIMEOUT), 69);
    ck_assert_int_eq(cli_exit_code(REFQ_ERR_VERSION), 69);
    ck_assert_int_eq(cli_exit_code(REFQ_ERR_FULL), 75);
    ck_assert_int_eq(cli_exit_code(REFQ_ERR_AUTH), 77);
    ck_assert_int_eq(cli_exit_code(REFQ_ERR_DENIED), 77);
    ck_assert_int_eq(cli_exit_code(REFQ_ERR_CONFLICT), 1);
}
END_TEST

START_TEST(no_error_exits_as_success)
{
    for (int e = REFQ_OK + 1; e <= REFQ_ERR_DENIED + 1; e++) {
        ck_assert_int_ne(cli_exit_code((refq_err)e), 0);
    }
}
END_TEST

static Suite *make_suite(void)
{
    const TTest *const tests[] = {
        foreign_text_becomes_one_harmless_line,
        repair_keeps_control_characters,
        width_counts_columns,
        cut_text_ends_with_dots,
        times_are_local_with_their_offset,
        relative_times,
        sizes,
        columns_are_aligned,
        a_table_without_titles_has_no_heading,
        colour_does_not_count_as_width,
        a_large_table_keeps_its_rows,
        a_pipe_gets_no_colour,
        variables_decide_on_colour,
        a_wide_bar_shows_all,
        a_narrow_bar_keeps_the_numbers,
        every_width_is_kept,
        a_bar_without_a_total_counts,
        more_than_all_is_all,
        the_rate_counts_from_the_start_of_the_attempt,
        the_rate_starts_anew_with_an_attempt,
        without_a_start_the_first_sight_is_the_base,
        a_leading_value_is_cut_as_it_is,
        brackets_inside_strings_do_not_count,
        another_order_is_printed_compactly,
        an_entry_without_a_value_is_refused,
        deep_nesting_needs_no_stack,
        errors_have_their_exit_status,
        no_error_exits_as_success,
    };
    Suite *suite = suite_create("cli_render");
    TCase *tcase = tcase_create("all");
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    return rqt_main(make_suite());
}
