/* SPDX-License-Identifier: MIT */
/* What a program says while it runs: fd 3 and stderr. */
#include "run/exec_def.h"
#include "run/lines.h"
#include "run/progress.h"
#include "run/scrape.h"
#include "run/tail.h"
#include "run/text.h"
#include "support/exec_run.h"
#include "support/main.h"
#include "support/wait.h"

#include <stdio.h>
#include <string.h>

/* --- Progress --------------------------------------------------------------------------------- */

START_TEST(test_progress)
{
    rqt_script("script",
               "echo '{\"progress\":{\"current\":3,\"total\":12,\"message\":\"page 3\"}}' >&3\n"
               "echo '{\"tell\":\"what?\"}' >&3; echo nonsense >&3\n"
               "echo '{\"progress\":{\"current\":-1}}' >&3\n"
               "head -c 100000 /dev/zero >&3; echo >&3\n"
               "printf '{\"progress\":{\"current\":4}}\\n{\"progress\":' >&3; exec 3>&-; echo 1",
               0755);
    const char *argv[] = {"./script", NULL};
    refq_exec_def def = {.argv = argv, .directory = rqt_dir};
    struct rqt_run run = {0};
    ck_assert_int_eq(rqt_run_start(&run, &def, "{}", 0), REFQ_OK);
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_DONE, "1");
    ck_assert_int_eq(run.n_progress, 2);
    ck_assert_int_eq(run.current, 4);
    ck_assert_int_eq(run.total, 0);
    ck_assert_str_eq(run.message, "(none)");
    ck_assert_int_eq(run.n_debug, 4);
}
END_TEST

static bool parse_progress(const char *line, rqi_progress *ret)
{
    json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    bool good = rqi_progress_read(json_object_get(json, "progress"), ret);
    json_decref(json);
    return good;
}

START_TEST(test_progress_lines)
{
    rqi_progress p;
    static const char good[] = "{\"progress\":{\"current\":3,\"total\":12,\"message\":\"page 3\"}}";
    ck_assert(parse_progress(good, &p));
    ck_assert_int_eq(p.current, 3);
    ck_assert_int_eq(p.total, 12);
    ck_assert_str_eq(p.message, "page 3");
    static const char *const bad[] = {"",
                                      "{}",
                                      "[]",
                                      "{\"progress\":3}",
                                      "{\"progress\":{}}",
                                      "{\"progress\":{\"current\":1.5}}",
                                      "{\"progress\":{\"current\":\"1\"}}",
                                      "{\"progress\":{\"current\":1,\"total\":-1}}",
                                      "{\"progress\":{\"current\":1,\"message\":1}}",
                                      "{\"progress\":{\"current\":1,\"current\":2}}",
                                      "{\"progress\":{\"current\":99999999999999999999}}",
                                      NULL};
    for (size_t i = 0; bad[i] != NULL; i++) {
        ck_assert_msg(!parse_progress(bad[i], &p), "%s", bad[i]);
    }
    char line[256];
    (void)snprintf(line, sizeof line,
                   "{\"progress\":{\"current\":1,\"message\":\"%063d\303\274\"}}", 0);
    ck_assert(parse_progress(line, &p));
    ck_assert_uint_eq(strlen(p.message), 63);
}
END_TEST

static void collect_line(void *arg, const char *line, size_t len)
{
    (void)len;
    rqi_buf_addf(arg, "<%s>", line != NULL ? line : "long");
}

START_TEST(test_lines)
{
    rqi_lines lines = {0};
    rqi_buf seen = {0};
    static char many[RQI_LINE_MAX + 1];
    memset(many, 'x', sizeof many);
    rqi_lines_add(&lines, "ab", 2, collect_line, &seen);
    rqi_lines_add(&lines, "c\n\nd", 4, collect_line, &seen);
    rqi_lines_add(&lines, many, sizeof many, collect_line, &seen);
    rqi_lines_add(&lines, "x\ne\n", 4, collect_line, &seen);
    ck_assert_str_eq(rqi_buf_str(&seen), "<abc><><long><e>");
    rqi_lines_done(&lines);
    rqi_buf_done(&seen);
}
END_TEST

START_TEST(test_tail_and_text)
{
    rqi_tail tail = {0};
    char text[] = "\303\274\303\274";
    for (size_t i = 0; i < RQI_TAIL_DEFAULT; i++) {
        rqi_tail_add(&tail, text + 1, 2);
    }
    rqi_buf out = rqi_tail_take(&tail);
    ck_assert_uint_gt(out.len, RQI_TAIL_DEFAULT - 4);
    ck_assert_int_ne(out.ptr[0], '?');
    rqi_buf_done(&out);
    out = rqi_tail_take(&tail);
    ck_assert_uint_eq(out.len, 0);
    char mixed[] = "a\377\0b\303";
    rqi_text_clean(mixed, sizeof mixed - 1);
    ck_assert_str_eq(mixed, "a??b?");
    rqi_text_clean(mixed, 0);
    rqi_outcome outcome = {0};
    rqi_outcome_fail(&outcome, RQI_PERMANENT, "%0*d\303\274\303\274", RQI_ERROR_MAX - 2, 1);
    ck_assert_uint_eq(strlen(outcome.error), RQI_ERROR_MAX - 2);
    rqi_outcome_done(&outcome);
}
END_TEST

/* --- A pattern on stderr ---------------------------------------------------------------------- */

static void note_scraped(void *arg, int64_t current, int64_t total)
{
    rqi_buf_addf(arg, "%lld/%lld ", (long long)current, (long long)total);
}

/* What a pattern finds in text that comes in pieces of `piece` bytes. */
static void expect_scraped(const char *pattern, const char *text, size_t piece, const char *want)
{
    rqi_scrape *scrape = NULL;
    rqi_buf seen = {0};
    ck_assert_msg(rqi_scrape_new(pattern, &scrape, &rqt_error) == REFQ_OK, "%s", rqt_error.text);
    size_t len = strlen(text);
    for (size_t at = 0; at < len; at += piece) {
        size_t n = len - at < piece ? len - at : piece;
        rqi_scrape_add(scrape, text + at, n, note_scraped, &seen);
    }
    ck_assert_msg(strcmp(rqi_buf_str(&seen), want) == 0, "%s in '%s': %s", pattern, text,
                  rqi_buf_str(&seen));
    rqi_scrape_free(scrape);
    rqi_buf_done(&seen);
}

START_TEST(test_pattern_finds)
{
    static const char pages[] = "page ([0-9]+) of ([0-9]+)";
    expect_scraped(pages, "page 1 of 12\npage 2 of 12\nother\n", 1, "1/12 2/12 ");
    expect_scraped(pages, "page 1 of 12\npage 2 of 12\nother\n", 1000, "2/12 ");
    expect_scraped(pages, "page 1 of 12\npage 2 of 12\nother\n", 20, "1/12 2/12 ");
    expect_scraped(pages, "page 1 of 12", 1, "");
    expect_scraped("([0-9.]+)%", "\r 5.9%\r45.25%\r100%\r101%\r", 1, "5/100 45/100 100/100 ");
    expect_scraped("([0-9.]+)%", "1.2.3%\n.5%\n%\n", 1, "");
    expect_scraped("(.*)%", "12x%\n", 1, "");
    expect_scraped("([0-9]+)/([0-9.]+)", "3.9/4.5\n1/2\n", 4, "9/4 1/2 ");
    expect_scraped("([0-9]+)(/[0-9]+)?$", "3\n4/5\n", 2, "3/0 ");
    expect_scraped("([0-9]+)", "9999999999999999999\n", 1, "");
    expect_scraped("(ab|cd) ([0-9]+)", "ab 5\n", 1, "");
    expect_scraped("(?<done>\\d+) (?:of|\\\\|/) (?<all>\\d+)", "3 of 4\n", 1, "3/4 ");
    expect_scraped("(\\d+)(?:/(\\d+))?(a)?(b)?", "done: 4\n7/9ab\n", 1, "4/0 7/9 ");
    expect_scraped("(\\d+)|done in (\\d+)", "done in 4\n", 1, "");
    expect_scraped("(?=(\\d+)%)", "4%\n\377\0015%\n", 1, "4/100 5/100 ");
}
END_TEST

START_TEST(test_pattern_with_hostile_lines)
{
    static char text[3 * RQI_SCRAPE_LINE_MAX];
    memset(text, '7', sizeof text - 1);
    expect_scraped("([0-9])%", text, 1000, "");
    (void)snprintf(text + sizeof text - 20, 20, "5%%\n8%%\n");
    expect_scraped("([0-9])%", text, 1000, "8/100 ");
    expect_scraped("([0-9])%", text, sizeof text, "8/100 ");
    memset(text, '\n', sizeof text - 1);
    memcpy(text, "5%", 2);
    /* Of a chunk with more lines only the newest ones are looked at. */
    expect_scraped("([0-9])%", text, sizeof text, "");
    expect_scraped("([0-9])%", text, 10, "5/100 ");
    rqi_scrape *scrape = NULL;
    rqi_buf seen = {0};
    ck_assert_int_eq(rqi_scrape_new("([0-9])%", &scrape, &rqt_error), REFQ_OK);
    rqi_scrape_add(scrape, "\0005%\n\000\n", 6, note_scraped, &seen);
    ck_assert_str_eq(rqi_buf_str(&seen), "5/100 ");
    rqi_scrape_free(scrape);
    rqi_buf_done(&seen);
}
END_TEST

static bool found_after(rqi_scrape *scrape, rqi_buf *seen)
{
    rqi_scrape_add(scrape, "5%\n", 3, note_scraped, seen);
    return seen->len > 0;
}

/* Patterns that would take for ever, on a line on which they do: they are given up, and what comes
 * later is found. */
START_TEST(test_pattern_that_backtracks)
{
    static const char *const patterns[] = {
        "^(?:(a*)*)*[bc]",
        "^(a|aa)+$",
        "^((a+)+)+[bc]",
        "(a*)\\1\\1\\1\\1[bc]",
        "^(a?){200}a{200}[bc]",
        "(a*a*a*a*a*a*a*a*a*)[bc]",
        "(?=(.*.*.*.*.*[bc]))",
        "(a(?R)?a(?R)?)[bc]",
        "(|||||||||||||||||||||||){5,}[bc]",
        "((a{0,9}){2,9}){5,}[bc]",
        "(a*|b*|c*|d*)*(a*|b*|c*|d*)*[bc]",
        "(?<=(a|b|c|d)(a|b|c|d))(a*)*[bc]",
    };
    static char line[RQI_SCRAPE_LINE_MAX];
    memset(line, 'a', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        char pattern[300];
        (void)snprintf(pattern, sizeof pattern, "(?|([0-9])%%|%s)", patterns[i]);
        rqi_scrape *scrape = NULL;
        rqi_buf seen = {0};
        ck_assert_msg(rqi_scrape_new(pattern, &scrape, &rqt_error) == REFQ_OK, "%s",
                      rqt_error.text);
        for (int n = 0; n < 100; n++) {
            rqi_scrape_add(scrape, line, sizeof line, note_scraped, &seen);
        }
        ck_assert_msg(seen.len == 0, "%s: %s", pattern, rqi_buf_str(&seen));
        ck_assert_msg(RQT_UNTIL(found_after(scrape, &seen), 10000), "%s", pattern);
        rqi_scrape_free(scrape);
        rqi_buf_done(&seen);
    }
}
END_TEST

START_TEST(test_pattern_check)
{
    static const struct {
        const char *pattern;
        refq_err code;
        const char *says;
    } bad[] = {
        {"([0-9]+", REFQ_ERR_INVALID, "is not a regular expression: missing closing parenthesis"},
        {"[0-9]+%", REFQ_ERR_INVALID, "has no group; write for example page ([0-9]+) of"},
        {"", REFQ_ERR_INVALID, "has no group"},
        {"(?:[0-9]+)%", REFQ_ERR_INVALID, "has no group"},
        {"(((a{1,250}){1,250}){1,250})", REFQ_ERR_INVALID, "too large"},
        {"(a{99999999999999999999})", REFQ_ERR_INVALID, "too big"},
        {"(*UTF)([0-9]+)", REFQ_ERR_INVALID, "not a regular expression"},
        {"(\\C)", REFQ_ERR_INVALID, "not a regular expression"},
        {"\\\\1 ([0-9]{1,3})\\", REFQ_ERR_INVALID, "\\ at end of pattern (byte 17)"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(rqi_scrape_check(bad[i].pattern, &rqt_error), bad[i].code);
        ck_assert_msg(strstr(rqt_error.text, bad[i].says) != NULL, "%s", rqt_error.text);
    }
    char pattern[300];
    (void)snprintf(pattern, sizeof pattern, "(%0255d)", 0);
    ck_assert_int_eq(rqi_scrape_check(pattern, &rqt_error), REFQ_ERR_LIMIT);
    memset(pattern, '(', 60);
    memset(pattern + 60, ')', 60);
    pattern[120] = '\0';
    ck_assert_int_eq(rqi_scrape_check(pattern, &rqt_error), REFQ_ERR_INVALID);
    const char *argv[] = {"true", NULL};
    refq_exec_def def = {.argv = argv, .progress = "("};
    ck_assert_int_eq(rqi_exec_def_check(&def, &rqt_error), REFQ_ERR_INVALID);
}
END_TEST

START_TEST(test_progress_of_stderr)
{
    rqt_script("script", "printf 'begin\\n10%%\\r' >&2; printf '55.5%%\\rend' >&2; echo 1", 0755);
    const char *argv[] = {"./script", NULL};
    refq_exec_def def = {.argv = argv, .directory = rqt_dir, .progress = "([0-9.]+)%"};
    struct rqt_run run = rqt_run_def(&def, "{}", 0);
    rqt_run_expect(&run, RQI_DONE, "1");
    ck_assert_int_ge(run.n_progress, 1);
    ck_assert_int_eq(run.current, 55);
    ck_assert_int_eq(run.total, 100);
    ck_assert_str_eq(run.message, "(none)");
    ck_assert_str_eq(run.tail, "begin\n10%\r55.5%\rend");
}
END_TEST

/* --- Suite ------------------------------------------------------------------------------------ */

int main(void)
{
    Suite *suite = suite_create("exec_progress");
    TCase *progress = rqt_exec_case(suite, "progress");
    tcase_add_test(progress, test_progress);
    tcase_add_test(progress, test_progress_lines);
    tcase_add_test(progress, test_lines);
    tcase_add_test(progress, test_tail_and_text);
    TCase *pattern = rqt_exec_case(suite, "pattern");
    tcase_add_test(pattern, test_pattern_finds);
    tcase_add_test(pattern, test_pattern_with_hostile_lines);
    tcase_add_test(pattern, test_pattern_check);
    tcase_add_test(pattern, test_progress_of_stderr);
    TCase *budget = rqt_exec_case(suite, "budget");
    tcase_set_tags(budget, "native"); /* all of it is used up, a hundred times */
    tcase_add_test(budget, test_pattern_that_backtracks);
    return rqt_main(suite);
}
