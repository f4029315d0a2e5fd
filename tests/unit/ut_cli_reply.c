/* SPDX-License-Identifier: MIT */
/* Responses taken apart by their text, and values laid out for people. */
#include "cli/reply.h"

#include "support/main.h"

#include <check.h>
#include <string.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

static refq_bytes bytes(const char *text)
{
    return (refq_bytes){.ptr = text, .len = strlen(text)};
}

static const struct {
    const char *value;
    const char *laid_out;
} layouts[] = {
    {"1E2", "1E2"},
    {" \"a\" ", "\"a\""},
    {"[]", "[]"},
    {"{}", "{}"},
    {"[[]]", "[\n  []\n]"},
    {"[1,NaN,123456789012345678901234567890]", "[\n  1, NaN, 123456789012345678901234567890\n]"},
    {"[1,[2],3,4]", "[\n  1,\n  [\n    2\n  ],\n  3, 4\n]"},
    {"{\"a\":1,\"b\":{\"c\":[]},\"a\":null}",
     "{\n  \"a\": 1,\n  \"b\": {\n    \"c\": []\n  },\n  \"a\": null\n}"},
    {"[{\"a\":1},{\"a\":2}]", "[\n  {\n    \"a\": 1\n  },\n  {\n    \"a\": 2\n  }\n]"},
};

START_TEST(a_value_is_laid_out_without_changing_its_parts)
{
    rqi_buf out = {0};
    cli_reply_pretty(bytes(layouts[_i].value), &out);
    ck_assert_str_eq(rqi_buf_str(&out), layouts[_i].laid_out);
    rqi_buf_done(&out);
}
END_TEST

START_TEST(many_scalars_share_lines_of_bounded_length)
{
    rqi_buf in = {0};
    rqi_buf out = {0};
    size_t lines = 0;
    rqi_buf_addc(&in, '[');
    for (int i = 0; i < 1000; i++) {
        rqi_buf_addf(&in, "%s%d", i > 0 ? "," : "", i);
    }
    rqi_buf_addc(&in, ']');
    cli_reply_pretty(rqi_buf_bytes(&in), &out);
    for (const char *at = rqi_buf_str(&out); *at != '\0'; lines++) {
        size_t len = strcspn(at, "\n");
        ck_assert_uint_le(len, 100);
        at += len + (at[len] == '\n');
    }
    ck_assert_uint_lt(lines, 80);
    rqi_buf_done(&out);
    rqi_buf_done(&in);
}
END_TEST

/* Indenting each level would make of a deep value many times its size. */
START_TEST(depth_costs_no_room)
{
    rqi_buf in = {0};
    rqi_buf out = {0};
    for (int i = 0; i < 1024; i++) {
        rqi_buf_addc(&in, '[');
    }
    for (int i = 0; i < 1024; i++) {
        rqi_buf_addc(&in, ']');
    }
    cli_reply_pretty(rqi_buf_bytes(&in), &out);
    ck_assert_uint_lt(out.len, 2048 * 70);
    rqi_buf_done(&out);
    rqi_buf_done(&in);
}
END_TEST

static const char *const rubbish[] = {"", "{", "[1,2]", "{\"ref_id\":}", "nul", "{\"ref_id\"", "7"};

START_TEST(what_is_no_response_has_no_members)
{
    rqi_buf out = {0};
    ck_assert_uint_eq(cli_reply_member(bytes(rubbish[_i]), "ref_id").len, 0);
    ck_assert_int_eq(cli_reply_number(bytes(rubbish[_i]), "ref_id", 5), 5);
    cli_reply_text(bytes(rubbish[_i]), "ref_id", &out);
    cli_reply_pretty(bytes(rubbish[_i]), &out);
    rqi_buf_done(&out);
}
END_TEST

START_TEST(members_are_read_as_what_they_are)
{
    static const char text[] =
        "{\"\\u0061\": \"x\\ny\", \"n\": -3, \"big\": 99999999999999999999999, "
        "\"r\": 1.5, \"none\": null, \"o\": {\"n\": 4}}";
    rqi_buf out = {0};
    cli_reply_text(bytes(text), "a", &out);
    cli_reply_text(bytes(text), "n", &out);
    ck_assert_str_eq(rqi_buf_str(&out), "x\ny");
    ck_assert_int_eq(cli_reply_number(bytes(text), "n", 0), -3);
    ck_assert_int_eq(cli_reply_number(bytes(text), "big", 7), 7);
    ck_assert_int_eq(cli_reply_number(bytes(text), "r", 7), 7);
    ck_assert_uint_eq(cli_reply_member(bytes(text), "none").len, 0);
    ck_assert_int_eq(cli_reply_number(cli_reply_member(bytes(text), "o"), "n", 0), 4);
    rqi_buf_done(&out);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cli_reply");
    TCase *c = tcase_create("reply");
    tcase_add_loop_test(c, a_value_is_laid_out_without_changing_its_parts, 0, (int)N_OF(layouts));
    tcase_add_test(c, many_scalars_share_lines_of_bounded_length);
    tcase_add_test(c, depth_costs_no_room);
    tcase_add_loop_test(c, what_is_no_response_has_no_members, 0, (int)N_OF(rubbish));
    tcase_add_test(c, members_are_read_as_what_they_are);
    suite_add_tcase(s, c);
    return rqt_main(s);
}
