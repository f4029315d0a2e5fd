/* SPDX-License-Identifier: MIT */
/*
 * JSON as Python writes it: scanning, measuring, writing anew, and the forms
 * that strict parsers take.
 *
 * DESIGN. Texts are handed over in a heap block of exactly their size, without
 * a terminator, so that the address sanitizer sees the first byte read too far.
 * What Python makes of a text was asked of Python 3.11; tests/python asks it
 * again for thousands of random values.
 */
#include "codec/value.h"
#include "json/keys.h"
#include "json/parts.h"
#include "json/portable.h"
#include "json/pyfloat.h"
#include "json/pytext.h"
#include "json/str.h"

#include "support/main.h"

#include <check.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_OF(a)  (sizeof(a) / sizeof((a)[0]))
#define BYTES(s) (s), sizeof(s) - 1

static refq_bytes exact(const char *text, size_t len)
{
    char *copy = malloc(len != 0 ? len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, len);
    return (refq_bytes){copy, len};
}

static void release(refq_bytes b)
{
    free((void *)(uintptr_t)b.ptr);
}

typedef refq_err write_fn(refq_bytes text, rqi_buf *out, refq_error *err);

static void check_written(write_fn *write, const char *text, const char *want)
{
    refq_bytes in = exact(text, strlen(text));
    rqi_buf out = {0};
    refq_error err = {0};
    ck_assert_msg(write(in, &out, &err) == REFQ_OK, "%s: %s", text, err.text);
    ck_assert_str_eq(rqi_buf_str(&out), want);
    rqi_buf_done(&out);
    release(in);
}

/* --- Scanning --------------------------------------------------------------------------------- */

static const char *const good[] = {"null",
                                   " true ",
                                   "\t\r\n[ ]\n",
                                   "{ }",
                                   "NaN",
                                   "[Infinity,-Infinity, NaN]",
                                   "-0",
                                   "-0.0e-0",
                                   "1E+2",
                                   "1e22",
                                   "123456789012345678901234567890",
                                   "\"\"",
                                   "\"\\u00e9\\ud83d\\ude00\\ud800\"",
                                   "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
                                   "\"\x7f\xc3\xa9\xf0\x9f\x98\x80\"",
                                   "{\"a\":1,\"a\":2}",
                                   "{\"\" : [ 1 , { \"b\" : [ ] } ] }"};

START_TEST(takes_what_python_writes)
{
    refq_bytes in = exact(good[_i], strlen(good[_i]));
    refq_error err = {0};
    refq_bytes value = {NULL, 0};
    ck_assert_msg(rqi_scan_check(in, 0, &value, &err) == REFQ_OK, "%s: %s", good[_i], err.text);
    ck_assert_uint_gt(value.len, 0);
    ck_assert_ptr_null(strchr(" \t\r\n", *(const char *)value.ptr));
    ck_assert_ptr_null(strchr(" \t\r\n", ((const char *)value.ptr)[value.len - 1]));
    release(in);
}
END_TEST

struct bad {
    const char *text;
    size_t len;
    const char *says;
};

static const struct bad bad[] = {{BYTES(""), "at byte 0: the text is empty"},
                                 {BYTES("  "), "at byte 2: the text ends"},
                                 {BYTES("nul"), "at byte 0: here a value"},
                                 {BYTES("nan"), "at byte 0: here a value"},
                                 {BYTES("-Inf"), "at byte 0: here a value"},
                                 {BYTES("+1"), "at byte 0: here a value"},
                                 {BYTES("'a'"), "double quotes"},
                                 {BYTES("01"), "a zero before"},
                                 {BYTES("-"), "the text ends"},
                                 {BYTES("-a"), "at byte 1: here a digit"},
                                 {BYTES("1."), "the text ends"},
                                 {BYTES("1.]"), "at byte 2: here a digit"},
                                 {BYTES("1e"), "the text ends"},
                                 {BYTES("1e+ "), "at byte 3: here a digit"},
                                 {BYTES(".5"), "at byte 0: here a value"},
                                 {BYTES("1 2"), "at byte 2: something follows"},
                                 {BYTES("1\0"), "at byte 1: something follows"},
                                 {BYTES("["), "the text ends"},
                                 {BYTES("[1"), "the text ends"},
                                 {BYTES("[1,"), "the text ends"},
                                 {BYTES("[1,]"), "at byte 2: a comma with nothing"},
                                 {BYTES("[,1]"), "at byte 1: here a value"},
                                 {BYTES("[1 2]"), "at byte 3: here ',' or ']'"},
                                 {BYTES("[1}"), "at byte 2: here ',' or ']'"},
                                 {BYTES("{\"a\":1]"), "at byte 6: here ',' or '}'"},
                                 {BYTES("{\"a\":1,}"), "at byte 6: a comma with nothing"},
                                 {BYTES("{a:1}"), "at byte 1: here a key"},
                                 {BYTES("{1:1}"), "at byte 1: here a key"},
                                 {BYTES("{\"a\" 1}"), "at byte 5: here the ':'"},
                                 {BYTES("{\"a\""), "the text ends"},
                                 {BYTES("{\"a\":"), "the text ends"},
                                 {BYTES("{\"a\":}"), "at byte 5: here a value"},
                                 {BYTES("]"), "at byte 0: here a value"},
                                 {BYTES("\"abc"), "inside a string"},
                                 {BYTES("\"abc\\"), "at byte 4: no such escape"},
                                 {BYTES("\"\\x41\""), "at byte 1: no such escape"},
                                 {BYTES("\"\\\0\""), "at byte 1: no such escape"},
                                 {BYTES("\"\\u12g4\""), "at byte 1: no such escape"},
                                 {BYTES("\"\\u123"), "at byte 1: no such escape"},
                                 {BYTES("\"a\nb\""), "at byte 2: a control character"},
                                 {BYTES("\"abcdefghij\x01\""), "at byte 11: a control character"},
                                 {BYTES("\"ab\xff\""), "at byte 3: the text is not UTF-8"},
                                 {BYTES("\"\xc3\""), "not UTF-8"},
                                 {BYTES("\"\xed\xa0\x80\""), "not UTF-8"},
                                 {BYTES("\"\xc0\xaf\""), "not UTF-8"},
                                 {BYTES("\xef\xbb\xbf"
                                        "1"),
                                  "at byte 0: here a value"}};

START_TEST(refuses_what_is_no_json)
{
    refq_bytes in = exact(bad[_i].text, bad[_i].len);
    refq_error err = {0};
    refq_bytes value = {"", 7};
    ck_assert_int_eq(rqi_scan_check(in, 0, &value, &err), REFQ_ERR_INVALID);
    ck_assert_msg(strstr(err.text, bad[_i].says) != NULL, "%d: %s", _i, err.text);
    ck_assert_uint_eq(value.len, 7);
    size_t chars = 7;
    ck_assert_int_eq(rqi_pytext_measure(in, &chars, NULL), REFQ_ERR_INVALID);
    ck_assert_uint_eq(chars, 7);
    release(in);
}
END_TEST

/* open repeated depth times, then close as often. */
static refq_bytes nested(const char *open, const char *inner, const char *close, size_t depth)
{
    rqi_buf b = {0};
    for (size_t i = 0; i < depth; i++) {
        rqi_buf_adds(&b, open);
    }
    rqi_buf_adds(&b, inner);
    for (size_t i = 0; i < depth; i++) {
        rqi_buf_adds(&b, close);
    }
    size_t len;
    char *text = rqi_buf_take(&b, &len);
    ck_assert_ptr_nonnull(text);
    return (refq_bytes){text, len};
}

START_TEST(bounds_the_depth)
{
    refq_error err = {0};
    refq_bytes fits = nested("[", "1", "]", RQI_SCAN_DEPTH);
    refq_bytes mixed = nested("[{\"k\": ", "1", "}]", RQI_SCAN_DEPTH / 2);
    refq_bytes deep = nested("[", "1", "]", 10000);
    size_t chars;
    ck_assert_int_eq(rqi_pytext_measure(fits, &chars, &err), REFQ_OK);
    ck_assert_uint_eq(chars, fits.len);
    ck_assert_int_eq(rqi_pytext_measure(mixed, &chars, &err), REFQ_OK);
    ck_assert_uint_eq(chars, mixed.len);
    ck_assert_int_eq(rqi_scan_check(deep, 0, NULL, &err), REFQ_ERR_LIMIT);
    ck_assert_str_eq(err.text, "the JSON text is nested deeper than 1024 levels at byte 1024");
    ck_assert_int_eq(rqi_scan_check(fits, 10, NULL, &err), REFQ_ERR_LIMIT);
    release(fits);
    release(mixed);
    release(deep);
}
END_TEST

START_TEST(gives_slices_and_their_kinds)
{
    static const char text[] = " {\"a\": [1, 2.0], \"b\\n\": NaN} ";
    static const struct {
        rqi_scan_kind kind;
        const char *text;
        bool plain;
    } want[] = {{RQI_SCAN_OBJECT, "{", false},     {RQI_SCAN_KEY, "\"a\"", true},
                {RQI_SCAN_ARRAY, "[", false},      {RQI_SCAN_INT, "1", false},
                {RQI_SCAN_REAL, "2.0", false},     {RQI_SCAN_ARRAY_END, "]", false},
                {RQI_SCAN_KEY, "\"b\\n\"", false}, {RQI_SCAN_NAN, "NaN", false},
                {RQI_SCAN_OBJECT_END, "}", false}};
    rqi_scan s;
    rqi_scan_token token;
    rqi_scan_init(&s, (refq_bytes){text, strlen(text)}, 0, NULL);
    for (size_t i = 0; i < N_OF(want); i++) {
        ck_assert_int_eq(rqi_scan_next(&s, &token), want[i].kind);
        ck_assert_mem_eq(token.text.ptr, want[i].text, strlen(want[i].text));
        ck_assert_uint_eq(token.text.len, strlen(want[i].text));
        ck_assert_int_eq(token.plain, want[i].plain);
    }
    ck_assert_int_eq(rqi_scan_next(&s, &token), RQI_SCAN_DONE);
    ck_assert_int_eq(rqi_scan_next(&s, &token), RQI_SCAN_DONE);
    ck_assert_int_eq(rqi_scan_finish(&s), REFQ_OK);
}
END_TEST

/* --- Strings ---------------------------------------------------------------------------------- */

static bool equal_strings(const char *a, const char *b)
{
    return rqi_str_equal((refq_bytes){a, strlen(a)}, (refq_bytes){b, strlen(b)});
}

START_TEST(compares_what_strings_say)
{
    ck_assert(equal_strings("\"a\"", "\"\\u0061\""));
    ck_assert(equal_strings("\"/\"", "\"\\/\""));
    ck_assert(equal_strings("\"\xf0\x9f\x98\x80\"", "\"\\ud83d\\uDE00\""));
    ck_assert(equal_strings("\"\\ud800\"", "\"\\uD800\""));
    ck_assert(!equal_strings("\"\\ud800\"", "\"\\ufffd\""));
    ck_assert(!equal_strings("\"a\"", "\"ab\""));
    ck_assert(!equal_strings("\"ab\"", "\"a\""));
    ck_assert(rqi_str_is((refq_bytes){"\"v\\u0061lue\"", 12}, "value"));
    ck_assert(rqi_str_is((refq_bytes){"\"\\u00e9\"", 8}, "\xc3\xa9"));
    ck_assert(!rqi_str_is((refq_bytes){"\"value\"", 7}, "values"));
    ck_assert(!rqi_str_is((refq_bytes){"\"values\"", 8}, "value"));
    ck_assert(!rqi_str_is((refq_bytes){"\"a\\u0000\"", 9}, "a"));
}
END_TEST

START_TEST(decodes_and_counts)
{
    static const char text[] = "\"a\\n\\u0000\\u00e9\\ud83d\\ude00\\ud800x\xc3\xa9\\udc00\\ud83d\"";
    refq_bytes string = {text, strlen(text)};
    rqi_buf out = {0};
    rqi_str_decode(string, &out);
    static const char want[] =
        "a\n\0\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbdx\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd";
    ck_assert_uint_eq(out.len, sizeof want - 1);
    ck_assert_mem_eq(out.ptr, want, out.len);
    ck_assert_uint_eq(rqi_str_len(string), 10);
    rqi_buf_done(&out);
}
END_TEST

/* --- As Python writes it ---------------------------------------------------------------------- */

struct pair {
    const char *text;
    const char *want;
};

static const struct pair python[] = {
    {" [ 1 ,\t2 ] ", "[1, 2]"},
    {"{\"a\":1,\"b\":{}}", "{\"a\": 1, \"b\": {}}"},
    {"[[],{},\"\",[[]]]", "[[], {}, \"\", [[]]]"},
    {"[-0,-0.0,0.0,0,-0e5,0e999999]", "[0, -0.0, 0.0, 0, -0.0, 0.0]"},
    {"[1E2,1e22,1e16,1e15,123456789012345680.0]",
     "[100.0, 1e+22, 1e+16, 1000000000000000.0, 1.2345678901234568e+17]"},
    {"[0.0001,0.00001,1e-7,0.00012300]", "[0.0001, 1e-05, 1e-07, 0.000123]"},
    {"[0.1,0.10000000000000001,0.30000000000000004,2.50]", "[0.1, 0.1, 0.30000000000000004, 2.5]"},
    {"[5e-324,4.9e-324,2.2250738585072014e-308,1.7976931348623157e308]",
     "[5e-324, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e+308]"},
    {"[1e400,-1e400,1e-400]", "[Infinity, -Infinity, 0.0]"},
    {"[5.6843418860808015e-14,9007199254740993.0,4503599627370495.5]",
     "[5.684341886080802e-14, 9007199254740992.0, 4503599627370495.5]"},
    {"[1180591620717411303424,-1180591620717411303424]",
     "[1180591620717411303424, -1180591620717411303424]"},
    {"[NaN,Infinity,-Infinity]", "[NaN, Infinity, -Infinity]"},
    {"\"\xc3\xa9\x7f\\/\\u0041\"", "\"\\u00e9\\u007f/A\""},
    {"\"\xf0\x9f\x98\x80\\uD83D\\uDE00\"", "\"\\ud83d\\ude00\\ud83d\\ude00\""},
    {"\"\\uD83D\\u0041\\uDE00\"", "\"\\ud83dA\\ude00\""},
    {"\"\\b\\f\\n\\r\\t\\\"\\\\\\u0001\\u000a\"", "\"\\b\\f\\n\\r\\t\\\"\\\\\\u0001\\n\""},
    {"{\"a\":1,\"b\":2,\"a\":3}", "{\"a\": 3, \"b\": 2}"},
    {"{\"a\":1,\"\\u0061\":[2,3],\"a\":{}}", "{\"a\": {}}"},
    {"{\"a\":{\"x\":1,\"x\":2},\"b\":0,\"a\":{\"y\":1,\"z\":0,\"y\":[9]},\"c\":7}",
     "{\"a\": {\"y\": [9], \"z\": 0}, \"b\": 0, \"c\": 7}"},
    {"[{\"a\":1,\"a\":2},{\"a\":3,\"a\":[{\"a\":4,\"a\":5}]},6]",
     "[{\"a\": 2}, {\"a\": [{\"a\": 5}]}, 6]"},
    {"{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}",
     "{\"a\": {\"a\": {\"a\": 1}}, \"b\": {\"a\": 1}}"},
    {"{\"\\ud800\":1,\"\\ud801\":2,\"\\uD800\":3}", "{\"\\ud800\": 3, \"\\ud801\": 2}"},
};

START_TEST(writes_as_python_does)
{
    const struct pair *p = &python[_i];
    check_written(rqi_pytext_write, p->text, p->want);
    refq_bytes in = exact(p->text, strlen(p->text));
    size_t chars;
    ck_assert_int_eq(rqi_pytext_measure(in, &chars, NULL), REFQ_OK);
    ck_assert_uint_eq(chars, strlen(p->want));
    release(in);
}
END_TEST

/* The items of the outermost container, each with its size, and a range of them written. */
START_TEST(knows_the_items)
{
    static const char text[] = "{\"a\":1, \"b\":[1,2] , \"a\":\"\\u00e9\",\"c\":{}}";
    rqi_pydoc doc;
    ck_assert_int_eq(rqi_pydoc_open((refq_bytes){text, strlen(text)}, true, &doc, NULL), REFQ_OK);
    ck_assert_int_eq(doc.kind, RQI_SCAN_OBJECT);
    ck_assert_uint_eq(doc.n_items, 3);
    static const char *const want[] = {"\"a\": \"\\u00e9\"", "\"b\": [1, 2]", "\"c\": {}"};
    for (size_t i = 0; i < N_OF(want); i++) {
        rqi_buf out = {0};
        rqi_render_items(&doc, i, 1, &rqi_pytext, &out);
        ck_assert_str_eq(rqi_buf_str(&out), want[i]);
        ck_assert_uint_eq(doc.items[i].chars, strlen(want[i]));
        rqi_buf_done(&out);
    }
    rqi_buf out = {0};
    rqi_render_items(&doc, 0, 3, &rqi_pytext, &out);
    ck_assert_uint_eq(out.len + 2, doc.chars);
    rqi_buf_done(&out);
    rqi_pydoc_done(&doc);
}
END_TEST

/* A process may have a locale whose numbers have a comma. */
START_TEST(floats_whatever_the_locale)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "C.UTF-8"};
    for (size_t i = 0; i < N_OF(names) && setlocale(LC_ALL, names[i]) == NULL; i++) {
    }
    check_written(rqi_pytext_write, "[0.30000000000000004,1.5,1e-9,0.1234567890123456789]",
                  "[0.30000000000000004, 1.5, 1e-09, 0.12345678901234568]");
    (void)setlocale(LC_ALL, "C");
}
END_TEST

/* Numbers longer than any buffer on the stack. */
START_TEST(floats_of_thousands_of_digits)
{
    refq_bytes ones = nested("1", ".5", "0", 3000);
    rqi_buf b = {0};
    rqi_buf_adds(&b, "0.");
    for (int i = 0; i < 5000; i++) {
        rqi_buf_addc(&b, i < 4000 ? '0' : '7');
    }
    rqi_buf_adds(&b, "e4000");
    char out[RQI_PYFLOAT_MAX];
    size_t len = rqi_pyfloat(ones, out);
    ck_assert_mem_eq(out, "Infinity", len);
    len = rqi_pyfloat(rqi_buf_bytes(&b), out);
    ck_assert_uint_eq(len, strlen("0.7777777777777778"));
    ck_assert_mem_eq(out, "0.7777777777777778", len);
    rqi_buf_done(&b);
    release(ones);
}
END_TEST

/* Random doubles: the text names the same double, and no shorter one does. */
START_TEST(floats_are_shortest)
{
    uint64_t state = 88172645463325252U;
    for (int i = 0; i < 20000; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        double value;
        memcpy(&value, &state, sizeof value);
        if (!isfinite(value)) {
            continue;
        }
        char exactly[40];
        char out[RQI_PYFLOAT_MAX + 1];
        int n = snprintf(exactly, sizeof exactly, "%.17e", value);
        out[rqi_pyfloat((refq_bytes){exactly, (size_t)n}, out)] = '\0';
        ck_assert_msg(strtod(out, NULL) == value, "%s -> %s", exactly, out);
        char shorter[40];
        int digits = 0;
        for (const char *p = out; *p != '\0' && *p != 'e'; p++) {
            digits += *p >= (digits == 0 ? '1' : '0') && *p <= '9';
        }
        (void)snprintf(shorter, sizeof shorter, "%.*e", digits > 1 ? digits - 2 : 0, value);
        bool whole = strstr(out, ".0") != NULL; /* its last digit is there for form's sake */
        ck_assert_msg(digits == 1 || whole || strtod(shorter, NULL) != value, "%s -> %s, but %s",
                      exactly, out, shorter);
    }
}
END_TEST

/* --- Keys ------------------------------------------------------------------------------------- */

START_TEST(finds_keys_again_among_many)
{
    rqi_buf b = {0};
    rqi_buf_adds(&b, "{\"last\":0");
    for (int i = 0; i < 20000; i++) {
        rqi_buf_addf(&b, ",\"k%d\":{\"k%d\":%d}", i, i, i);
    }
    rqi_buf_adds(&b, ",\"k77\":1,\"last\":{\"last\":2}}");
    rqi_pydoc doc;
    ck_assert_int_eq(rqi_pydoc_open(rqi_buf_bytes(&b), true, &doc, NULL), REFQ_OK);
    ck_assert_uint_eq(doc.n_items, 20001);
    ck_assert_uint_eq(doc.n_moves, 4);
    rqi_buf out = {0};
    rqi_render_items(&doc, 0, 2, &rqi_pytext, &out);
    ck_assert_str_eq(rqi_buf_str(&out), "\"last\": {\"last\": 2}, \"k0\": {\"k0\": 0}");
    rqi_buf_clear(&out);
    rqi_render_value(&doc, 0, &rqi_pytext, &out);
    ck_assert_uint_eq(out.len, doc.chars);
    rqi_buf_done(&out);
    rqi_pydoc_done(&doc);
    rqi_buf_done(&b);
}
END_TEST

/* Keys that come again in every level: each part of the text is written at most once, so that this
 * ends at all. */
START_TEST(keys_again_in_every_level)
{
    refq_bytes in = nested("{\"a\":0,\"a\":", "1", "}", 1000);
    refq_bytes want = nested("{\"a\": ", "1", "}", 1000);
    rqi_buf out = {0};
    ck_assert_int_eq(rqi_pytext_write(in, &out, NULL), REFQ_OK);
    ck_assert_uint_eq(out.len, want.len);
    ck_assert_mem_eq(out.ptr, want.ptr, want.len);
    rqi_buf_done(&out);
    release(in);
    release(want);
}
END_TEST

/* --- Parts ------------------------------------------------------------------------------------ */

START_TEST(splits_containers)
{
    static const char text[] = " {\"a\": [1, [2]] , \"b\":null, \"a\" : \"x\" } ";
    static const char *const keys[] = {"a", "b", "a"};
    static const char *const values[] = {"[1, [2]]", "null", "\"x\""};
    refq_bytes in = exact(text, strlen(text));
    rqi_parts parts;
    rqi_part part;
    rqi_parts_open(&parts, in, NULL);
    ck_assert_int_eq(parts.kind, RQI_SCAN_OBJECT);
    for (size_t i = 0; i < N_OF(keys); i++) {
        ck_assert(rqi_parts_next(&parts, &part));
        ck_assert(rqi_str_is(part.key, keys[i]));
        ck_assert_uint_eq(part.value.len, strlen(values[i]));
        ck_assert_mem_eq(part.value.ptr, values[i], part.value.len);
    }
    ck_assert(!rqi_parts_next(&parts, &part));
    ck_assert_int_eq(rqi_parts_rc(&parts), REFQ_OK);
    release(in);
}
END_TEST

START_TEST(splitting_says_what_is_wrong)
{
    static const char *const texts[] = {"5", "[1,{]", "[1] 2", "", "[1,[2]"};
    for (size_t i = 0; i < N_OF(texts); i++) {
        refq_bytes in = exact(texts[i], strlen(texts[i]));
        refq_error err = {0};
        rqi_parts parts;
        rqi_part part;
        rqi_parts_open(&parts, in, &err);
        while (rqi_parts_next(&parts, &part)) {
        }
        ck_assert_int_eq(rqi_parts_rc(&parts), REFQ_ERR_INVALID);
        ck_assert_str_ne(err.text, "");
        release(in);
    }
}
END_TEST

/* --- For strict parsers ----------------------------------------------------------------------- */

static const struct pair portable[] = {
    {"[NaN, Infinity ,-Infinity]", "[null, null ,null]"},
    {" {\"a\":1, \"a\":-0} ", " {\"a\":1, \"a\":-0} "},
    {"[1e400,-1E999,1e300,1e-400]", "[null,null,1e300,1e-400]"},
    {"123456789012345678901234567890", "123456789012345678901234567890"},
    {"\"\\ud800a\\udc00\\ud83d\\ude00\\uD83D\"", "\"\\ufffda\\ufffd\\ud83d\\ude00\\ufffd\""},
    {"{\"\\ud800\" : \"\xc3\xa9\\/\"}", "{\"\\ufffd\" : \"\xc3\xa9\\/\"}"},
    {"\"NaN\"", "\"NaN\""},
};

START_TEST(portable_keeps_the_rest)
{
    check_written(rqi_portable_write, portable[_i].text, portable[_i].want);
}
END_TEST

static const struct pair strict[] = {
    {"[NaN, Infinity ,-Infinity]", "[null,null,null]"},
    {"{\"a\":1, \"b\":2, \"a\":{\"c\":1e2}}", "{\"a\":{\"c\":1e2},\"b\":2}"},
    {"[9223372036854775807,9223372036854775808,-9223372036854775808,-9223372036854775809]",
     "[9223372036854775807,\"9223372036854775808\",-9223372036854775808,\"-9223372036854775809\"]"},
    {"[1e999,\"\\ud800\"]", "[null,\"\\ufffd\"]"},
};

START_TEST(strict_is_what_jansson_loads)
{
    check_written(rqi_strict_write, strict[_i].text, strict[_i].want);
    refq_bytes in = exact(strict[_i].text, strlen(strict[_i].text));
    json_t *value = NULL;
    refq_error err = {0};
    ck_assert_msg(rqi_value_load(in, 1000, 0, &value, &err) == REFQ_OK, "%s", err.text);
    json_decref(value);
    ck_assert_int_eq(rqi_value_load(in, 3, 0, &value, &err), REFQ_ERR_LIMIT);
    release(in);
}
END_TEST

START_TEST(writing_respects_the_room)
{
    static const char text[] = "[1,\"\\u00e9\",{\"a\":1,\"a\":2}]";
    refq_bytes in = {text, strlen(text)};
    static write_fn *const writers[] = {rqi_pytext_write, rqi_portable_write, rqi_strict_write};
    for (size_t i = 0; i < N_OF(writers); i++) {
        rqi_buf out = rqi_buf_make(5);
        refq_error err = {0};
        ck_assert_int_eq(writers[i](in, &out, &err), REFQ_ERR_LIMIT);
        ck_assert_str_ne(err.text, "");
        rqi_buf_done(&out);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json");
    TCase *scan = tcase_create("scan");
    tcase_add_loop_test(scan, takes_what_python_writes, 0, N_OF(good));
    tcase_add_loop_test(scan, refuses_what_is_no_json, 0, N_OF(bad));
    tcase_add_test(scan, bounds_the_depth);
    tcase_add_test(scan, gives_slices_and_their_kinds);
    tcase_add_test(scan, compares_what_strings_say);
    tcase_add_test(scan, decodes_and_counts);
    tcase_add_test(scan, splits_containers);
    tcase_add_test(scan, splitting_says_what_is_wrong);
    suite_add_tcase(suite, scan);
    TCase *text = tcase_create("text");
    tcase_set_timeout(text, 60);
    tcase_add_loop_test(text, writes_as_python_does, 0, N_OF(python));
    tcase_add_test(text, knows_the_items);
    tcase_add_test(text, floats_whatever_the_locale);
    tcase_add_test(text, keys_again_in_every_level);
    tcase_add_loop_test(text, portable_keeps_the_rest, 0, N_OF(portable));
    tcase_add_loop_test(text, strict_is_what_jansson_loads, 0, N_OF(strict));
    tcase_add_test(text, writing_respects_the_room);
    suite_add_tcase(suite, text);
    TCase *large = tcase_create("large");
    tcase_set_timeout(large, 120);
    tcase_set_tags(large, "bulk"); /* minutes under valgrind */
    tcase_add_test(large, floats_are_shortest);
    tcase_add_test(large, finds_keys_again_among_many);
    tcase_add_test(large, floats_of_thousands_of_digits);
    suite_add_tcase(suite, large);
    return rqt_main(suite);
}
