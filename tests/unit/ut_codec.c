/* SPDX-License-Identifier: MIT */
/*
 * The codec: msgpack guard, JSON loading, arguments in both directions.
 *
 * DESIGN. Hostile bytes are always handed over in a heap block of exactly
 * their size, so that the address sanitizer sees the first byte read too far.
 * The random tests have a fixed seed: a failure repeats.
 */
#include "base/utf8.h"
#include "codec/args.h"
#include "codec/json.h"
#include "codec/mp_guard.h"
#include "support/main.h"

#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_OF(a)  (sizeof(a) / sizeof((a)[0]))
#define BYTES(s) (s), sizeof(s) - 1

static refq_bytes exact(const void *ptr, size_t len)
{
    char *copy = malloc(len != 0 ? len : 1);
    ck_assert_ptr_nonnull(copy);
    if (len != 0) {
        memcpy(copy, ptr, len);
    }
    return (refq_bytes){copy, len};
}

static void release(refq_bytes b)
{
    free((void *)(uintptr_t)b.ptr);
}

/* --- The guard -------------------------------------------------------------------------------- */

struct guard_case {
    const char *name;
    const char *ptr;
    size_t len;
    refq_err want;
    const char *says; /* a part of the error; NULL when it is fine */
};

static const struct guard_case guard_cases[] = {
    {"nil", BYTES("\xc0"), REFQ_OK, NULL},
    {"empty map", BYTES("\x80"), REFQ_OK, NULL},
    {"empty array 32", BYTES("\xdd\0\0\0\0"), REFQ_OK, NULL},
    {"nested",
     BYTES("\x82\xa1"
           "a\x93\x01\x02\x80\xa1"
           "b\xc3"),
     REFQ_OK, NULL},
    {"numbers",
     BYTES("\x9a\xcc\1\xcd\1\2\xce\1\2\3\4\xcf\1\2\3\4\5\6\7\x08\xd0\1\xd1\1\2\xd2\1\2"
           "\3\4\xd3\1\2\3\4\5\6\7\x08\xca\1\2\3\4\xcb\1\2\3\4\5\6\7\x08"),
     REFQ_OK, NULL},
    {"bin and ext", BYTES("\x93\xc4\2\xff\xfe\xd4\1\xff\xc7\3\5\1\2\3"), REFQ_OK, NULL},
    {"fixext 16", BYTES("\xd8\1zzzzzzzzzzzzzzzz"), REFQ_OK, NULL},
    {"str 8, 16, 32", BYTES("\x93\xd9\1a\xda\0\1b\xdb\0\0\0\1c"), REFQ_OK, NULL},
    {"zero byte in a string",
     BYTES("\xa3"
           "a\0b"),
     REFQ_OK, NULL},
    {"nothing", BYTES(""), REFQ_ERR_INVALID, "ends at byte 0"},
    {"reserved byte", BYTES("\x91\xc1"), REFQ_ERR_INVALID, "byte 1 is 0xc1"},
    {"reserved byte as key", BYTES("\x81\xc1\1"), REFQ_ERR_INVALID, "byte 1 is 0xc1"},
    {"trailing byte", BYTES("\xc0\xc0"), REFQ_ERR_INVALID, "1 bytes follow"},
    {"array 32 bomb", BYTES("\xdd\x01\0\0\0"), REFQ_ERR_INVALID, "claims 16777216 items"},
    {"array 32 of 2^32-1", BYTES("\xdd\xff\xff\xff\xff"), REFQ_ERR_INVALID, "4294967295 items"},
    {"map 32 bomb", BYTES("\xdf\xff\xff\xff\xff\xa1"), REFQ_ERR_INVALID, "4294967295 items"},
    {"map 16 bomb", BYTES("\xde\xff\xff"), REFQ_ERR_INVALID, "the msgpack map at byte 0 claims"},
    {"map needs two bytes an entry", BYTES("\x82\xa0\x01\xa0"), REFQ_ERR_INVALID, "claims 2 items"},
    {"inner array takes what is outer's", BYTES("\x92\x92\1\2"), REFQ_ERR_INVALID,
     "array at byte 1 claims 2 items, more than the 2 bytes"},
    {"str 32 too long",
     BYTES("\xdb\xff\xff\xff\xff"
           "abc"),
     REFQ_ERR_INVALID, "string at byte 0 is cut off at byte 8"},
    {"bin 32 too long", BYTES("\xc6\xff\xff\xff\xff"), REFQ_ERR_INVALID, "cut off at byte 5"},
    {"ext 32 too long", BYTES("\xc9\xff\xff\xff\xff\x01"), REFQ_ERR_INVALID, "cut off at byte 6"},
    {"ext without its type", BYTES("\xc7\0"), REFQ_ERR_INVALID, "cut off"},
    {"length cut off", BYTES("\xdb\0\0"), REFQ_ERR_INVALID, "string at byte 0 is cut off"},
    {"float cut off", BYTES("\xcb\0\0\0\0\0\0\0"), REFQ_ERR_INVALID, "cut off"},
    {"number key", BYTES("\x81\x01\x01"), REFQ_ERR_INVALID, "key at byte 1 is not a string"},
    {"bin key", BYTES("\x81\xc4\x01z\x01"), REFQ_ERR_INVALID, "key at byte 1 is not a string"},
    {"second key",
     BYTES("\x82\xa1"
           "a\x01\x02\x03"),
     REFQ_ERR_INVALID, "key at byte 4 is not a string"},
    {"number key after a container",
     BYTES("\x82\xa1"
           "a\x92\1\2\x02\x03"),
     REFQ_ERR_INVALID, "key at byte 6 is not a string"},
    {"lone continuation",
     BYTES("\xa2"
           "a\x80"),
     REFQ_ERR_INVALID, "string at byte 0 is not UTF-8 at byte 2"},
    {"overlong slash", BYTES("\xa2\xc0\xaf"), REFQ_ERR_INVALID, "not UTF-8 at byte 1"},
    {"surrogate", BYTES("\xa3\xed\xa0\x80"), REFQ_ERR_INVALID, "not UTF-8 at byte 1"},
    {"beyond U+10FFFF", BYTES("\xa4\xf4\x90\x80\x80"), REFQ_ERR_INVALID, "not UTF-8 at byte 1"},
    {"character split by the length", BYTES("\x92\xa1\xc3\xa1\xa9"), REFQ_ERR_INVALID,
     "not UTF-8 at byte 2"},
    {"U+10FFFF", BYTES("\xa4\xf4\x8f\xbf\xbf"), REFQ_OK, NULL},
};

static const rqi_mp_limits with_string_keys = {.string_keys = true};

START_TEST(guard_table)
{
    for (size_t i = 0; i < N_OF(guard_cases); i++) {
        const struct guard_case *c = &guard_cases[i];
        refq_error err = {0};
        refq_bytes in = exact(c->ptr, c->len);
        refq_err rc = rqi_mp_guard(in, &with_string_keys, &err);
        release(in);
        ck_assert_msg(rc == c->want, "%s: got %s (%s)", c->name, refq_strerror(rc), err.text);
        ck_assert_msg(c->says == NULL || strstr(err.text, c->says) != NULL, "%s: '%s'", c->name,
                      err.text);
    }
}
END_TEST

START_TEST(guard_takes_number_keys_unless_told)
{
    refq_bytes in = {BYTES("\x81\x01\x02")};
    ck_assert_int_eq(rqi_mp_guard(in, NULL, NULL), REFQ_OK);
    ck_assert_int_eq(rqi_mp_guard(in, &rqi_mp_limits_default, NULL), REFQ_OK);
}
END_TEST

/* n arrays in each other around a nil. */
static refq_bytes nested_arrays(size_t n)
{
    char *p = malloc(n + 1);
    ck_assert_ptr_nonnull(p);
    memset(p, 0x91, n);
    p[n] = (char)0xc0;
    return (refq_bytes){p, n + 1};
}

static refq_err guard_depth(size_t n, const rqi_mp_limits *limits, refq_error *err)
{
    refq_bytes in = nested_arrays(n);
    refq_err rc = rqi_mp_guard(in, limits, err);
    release(in);
    return rc;
}

START_TEST(guard_depth_limit)
{
    refq_error err;
    rqi_mp_limits four = {.max_depth = 4};
    rqi_mp_limits huge = {.max_depth = 1000000};
    ck_assert_int_eq(guard_depth(32, NULL, &err), REFQ_OK);
    ck_assert_int_eq(guard_depth(33, NULL, &err), REFQ_ERR_LIMIT);
    ck_assert_str_eq(err.text, "the msgpack is nested deeper than 32 levels at byte 32");
    ck_assert_int_eq(guard_depth(100000, NULL, &err), REFQ_ERR_LIMIT);
    ck_assert_int_eq(guard_depth(4, &four, &err), REFQ_OK);
    ck_assert_int_eq(guard_depth(5, &four, &err), REFQ_ERR_LIMIT);
    ck_assert_int_eq(guard_depth(33, &huge, &err), REFQ_ERR_LIMIT);
}
END_TEST

START_TEST(guard_size_and_item_limits)
{
    refq_error err;
    refq_bytes in = {BYTES("\x93\x01\x02\x03")};
    rqi_mp_limits limits = {.max_bytes = 4, .max_items = 4};
    ck_assert_int_eq(rqi_mp_guard(in, &limits, &err), REFQ_OK);
    limits.max_items = 3;
    ck_assert_int_eq(rqi_mp_guard(in, &limits, &err), REFQ_ERR_LIMIT);
    ck_assert_ptr_nonnull(strstr(err.text, "more than the 3 values"));
    limits.max_bytes = 3;
    ck_assert_int_eq(rqi_mp_guard(in, &limits, &err), REFQ_ERR_LIMIT);
    ck_assert_ptr_nonnull(strstr(err.text, "at most 3 bytes"));
}
END_TEST

/* --- JSON ------------------------------------------------------------------------------------- */

struct json_case {
    const char *name;
    const char *ptr;
    size_t len;
    refq_err want;
    const char *says;
};

static const struct json_case json_cases[] = {
    {"object", BYTES("{\"a\":[1,2.5,null,true]}"), REFQ_OK, NULL},
    {"array", BYTES(" [ ] "), REFQ_OK, NULL},
    {"zero byte escaped", BYTES("[\"a\\u0000b\"]"), REFQ_OK, NULL},
    {"brackets in a string", BYTES("[\"[[[[[[[[[[[[\\\"[[[[[[[[\\\\\"]"), REFQ_OK, NULL},
    {"pair of surrogates", BYTES("[\"\\ud83d\\ude00\"]"), REFQ_OK, NULL},
    {"largest integer", BYTES("[9223372036854775807,-9223372036854775808]"), REFQ_OK, NULL},
    {"empty", BYTES(""), REFQ_ERR_INVALID, "empty"},
    {"blank", BYTES("  \n"), REFQ_ERR_INVALID, "line"},
    {"bare value", BYTES("1"), REFQ_ERR_INVALID, "line 1 column 1"},
    {"duplicate key", BYTES("{\"a\":1,\n \"a\":2}"), REFQ_ERR_INVALID,
     "line 2 column 4: duplicate"},
    {"trailing junk", BYTES("[] x"), REFQ_ERR_INVALID, "end of file expected"},
    {"trailing comma", BYTES("[1,]"), REFQ_ERR_INVALID, "line 1"},
    {"unfinished", BYTES("{\"a\":"), REFQ_ERR_INVALID, "line 1"},
    {"unfinished string", BYTES("[\"a"), REFQ_ERR_INVALID, "line 1"},
    {"string ending in a backslash", BYTES("[\"a\\"), REFQ_ERR_INVALID, "line 1"},
    {"NaN", BYTES("[NaN]"), REFQ_ERR_INVALID, "line 1"},
    {"too big an integer", BYTES("[9223372036854775808]"), REFQ_ERR_INVALID, "too big integer"},
    {"too big a real", BYTES("[1e999]"), REFQ_ERR_INVALID, "real number overflow"},
    {"lone surrogate", BYTES("[\"\\ud83d\"]"), REFQ_ERR_INVALID, "line 1"},
    {"zero byte in a key", BYTES("{\"a\\u0000\":1}"), REFQ_ERR_INVALID, "NUL byte in object key"},
    {"raw zero byte", BYTES("[\0]"), REFQ_ERR_INVALID, "line 1"},
    {"raw newline in a string", BYTES("[\"a\nb\"]"), REFQ_ERR_INVALID, "line 1"},
    {"invalid UTF-8", BYTES("[\"ab\xff\"]"), REFQ_ERR_INVALID, "not UTF-8 at byte 4"},
    {"invalid UTF-8 outside strings", BYTES("\xc3\xa9\xc3"), REFQ_ERR_INVALID, "at byte 2"},
    {"too deep", BYTES("[[[[[[]]]]]]"), REFQ_ERR_LIMIT, "deeper than 5 levels at byte 5"},
    {"as deep as allowed", BYTES("[[[[[],[]]]],[]]"), REFQ_OK, NULL},
    {"more closed than opened", BYTES("]]]]["), REFQ_ERR_INVALID, "line 1"},
};

START_TEST(json_table)
{
    for (size_t i = 0; i < N_OF(json_cases); i++) {
        const struct json_case *c = &json_cases[i];
        refq_error err = {0};
        json_t *value = NULL;
        refq_bytes in = exact(c->ptr, c->len);
        refq_err rc = rqi_json_load(in.ptr, in.len, 64, 5, &value, &err);
        release(in);
        ck_assert_msg(rc == c->want, "%s: got %s (%s)", c->name, refq_strerror(rc), err.text);
        ck_assert_msg(c->says == NULL || strstr(err.text, c->says) != NULL, "%s: '%s'", c->name,
                      err.text);
        ck_assert_msg((value != NULL) == (rc == REFQ_OK), "%s", c->name);
        json_decref(value);
    }
}
END_TEST

START_TEST(json_limits)
{
    json_t *value = NULL;
    refq_error err;
    ck_assert_int_eq(rqi_json_load("[1]", 3, 3, 0, &value, &err), REFQ_OK);
    json_decref(value);
    ck_assert_int_eq(rqi_json_load("[1 ]", 4, 3, 0, &value, &err), REFQ_ERR_LIMIT);
    char deep[200000];
    memset(deep, '[', sizeof deep);
    ck_assert_int_eq(rqi_json_load(deep, sizeof deep, sizeof deep, 0, &value, &err),
                     REFQ_ERR_LIMIT);
    ck_assert_ptr_nonnull(strstr(err.text, "nested deeper than 32 levels"));
}
END_TEST

START_TEST(json_any_value)
{
    static const char *const texts[] = {"1", "\"x\"", "null", "true", "-0.5", "{}", "[]"};
    for (size_t i = 0; i < N_OF(texts); i++) {
        json_t *value = NULL;
        ck_assert_int_eq(rqi_json_load_any(texts[i], strlen(texts[i]), 10, 0, &value, NULL),
                         REFQ_OK);
        json_decref(value);
    }
}
END_TEST

static void check_real(double value)
{
    rqi_buf out = {0};
    ck_assert_int_eq(rqi_json_add_real(&out, value), REFQ_OK);
    const char *text = rqi_buf_str(&out);
    double back = strtod(text, NULL);
    ck_assert_msg(memcmp(&back, &value, sizeof back) == 0, "%a became %s", value, text);
    ck_assert_msg(strpbrk(text, ".eE") != NULL, "%s reads as an integer", text);
    rqi_buf_done(&out);
}

START_TEST(json_reals_round_trip)
{
    static const double values[] = {0.0,
                                    -0.0,
                                    1.0,
                                    -1.0,
                                    0.1,
                                    1.0 / 3,
                                    1e15,
                                    1e16,
                                    1e17,
                                    1e21,
                                    1e22,
                                    1e23,
                                    1.5e300,
                                    5e-324,
                                    2.2250738585072014e-308,
                                    1.7976931348623157e308,
                                    9007199254740993.0,
                                    123456789.125};
    for (size_t i = 0; i < N_OF(values); i++) {
        check_real(values[i]);
    }
    rqi_buf out = {0};
    ck_assert_int_eq(rqi_json_add_real(&out, 0.1), REFQ_OK);
    ck_assert_str_eq(rqi_buf_str(&out), "0.1");
    ck_assert_int_eq(rqi_json_add_real(&out, NAN), REFQ_ERR_INVALID);
    ck_assert_int_eq(rqi_json_add_real(&out, -INFINITY), REFQ_ERR_INVALID);
    ck_assert_str_eq(rqi_buf_str(&out), "0.1");
    rqi_buf_done(&out);
}
END_TEST

/* --- Arguments -------------------------------------------------------------------------------- */

/* In compact form already, so that the way back gives the very same text. */
static const char *const same_texts[] = {
    "{}",
    "{\"z\":1,\"a\":2,\"m\":{\"y\":[],\"b\":{}}}",
    ("{\"i\":[0,1,-1,127,128,255,256,-32,-33,-128,-129,65535,65536,-32768,-32769,4294967295,"
     "4294967296,-2147483648,-2147483649,9223372036854775807,-9223372036854775808]}"),
    "{\"f\":[0.0,-0.0,1.0,-1.5,0.1,1e100,4.94065645841247e-324,2.5e-7,1.7976931348623157e308,3.0]}",
    "{\"s\":\"a\\u0000b\\n\\t\\\"\\\\\",\"\":\"\",\"\xc3\xa9\":\"\xf0\x9f\x98\x80\"}",
    "{\"l\":[true,false,null,[[[[]]]],{\"k\":{}}]}",
    "{\"long\":\"0123456789012345678901234567890123456789\"}",
};

static void encode_ok(const char *json, size_t len, rqi_buf *out)
{
    refq_error err = {0};
    refq_bytes in = exact(json, len);
    refq_err rc = rqi_args_encode(in.ptr, in.len, out, &err);
    release(in);
    ck_assert_msg(rc == REFQ_OK, "%s", err.text);
}

static void decode_ok(const rqi_buf *packed, rqi_buf *out)
{
    refq_error err = {0};
    refq_bytes in = exact(packed->ptr, packed->len);
    refq_err rc = rqi_args_decode(in, out, &err);
    release(in);
    ck_assert_msg(rc == REFQ_OK, "%s", err.text);
}

static void check_same(const char *json)
{
    rqi_buf packed = {0};
    rqi_buf back = {0};
    encode_ok(json, strlen(json), &packed);
    decode_ok(&packed, &back);
    ck_assert_str_eq(rqi_buf_str(&back), json);
    rqi_buf_done(&packed);
    rqi_buf_done(&back);
}

START_TEST(args_round_trip)
{
    for (size_t i = 0; i < N_OF(same_texts); i++) {
        check_same(same_texts[i]);
    }
}
END_TEST

START_TEST(args_encode_form)
{
    rqi_buf out = {0};
    encode_ok(BYTES(" {\"a\" : 1.0, \"b\" : 1} "), &out);
    ck_assert_mem_eq(out.ptr,
                     "\x82\xa1"
                     "a\xcb\x3f\xf0\0\0\0\0\0\0\xa1"
                     "b\x01",
                     15);
    ck_assert_uint_eq(out.len, 15);
    rqi_buf_done(&out);
}
END_TEST

static void check_encode_fails(const char *json, size_t len, refq_err want, const char *says)
{
    refq_error err = {0};
    rqi_buf out = {0};
    rqi_buf_adds(&out, "kept");
    refq_err rc = rqi_args_encode(json, len, &out, &err);
    ck_assert_msg(rc == want, "%s: %s", refq_strerror(rc), err.text);
    ck_assert_msg(strstr(err.text, says) != NULL, "'%s' lacks '%s'", err.text, says);
    ck_assert_str_eq(rqi_buf_str(&out), "kept");
    rqi_buf_done(&out);
}

START_TEST(args_encode_refuses)
{
    check_encode_fails(BYTES("[1]"), REFQ_ERR_INVALID, "must be a JSON object");
    check_encode_fails(BYTES("7"), REFQ_ERR_INVALID, "must be a JSON object");
    check_encode_fails(BYTES(""), REFQ_ERR_INVALID, "arguments: the JSON text is empty");
    check_encode_fails(BYTES("{\"a\":1,\"a\":2}"), REFQ_ERR_INVALID, "duplicate");
    check_encode_fails(BYTES("{\"a\":18446744073709551615}"), REFQ_ERR_INVALID, "too big integer");
    check_encode_fails(BYTES("{\"a\":\"\xff\"}"), REFQ_ERR_INVALID, "UTF-8 at byte 6");
}
END_TEST

/* {"a":[[...]]} with n containers inside each other. */
static void make_deep(rqi_buf *b, size_t n)
{
    rqi_buf_adds(b, "{\"a\":");
    for (size_t i = 1; i < n; i++) {
        rqi_buf_addc(b, '[');
    }
    for (size_t i = 1; i < n; i++) {
        rqi_buf_addc(b, ']');
    }
    rqi_buf_addc(b, '}');
}

START_TEST(args_depth)
{
    rqi_buf json = {0};
    make_deep(&json, 32);
    check_same(rqi_buf_str(&json));
    rqi_buf_clear(&json);
    make_deep(&json, 33);
    check_encode_fails(json.ptr, json.len, REFQ_ERR_LIMIT, "deeper than 32 levels");
    rqi_buf_done(&json);
}
END_TEST

/* {"a":[item,item,...]} */
static void make_list(rqi_buf *b, const char *item, size_t n)
{
    rqi_buf_adds(b, "{\"a\":[");
    for (size_t i = 0; i < n; i++) {
        rqi_buf_adds(b, i > 0 ? "," : "");
        rqi_buf_adds(b, item);
    }
    rqi_buf_adds(b, "]}");
}

START_TEST(args_size)
{
    rqi_buf json = {0};
    make_list(&json, "1", 99997);
    check_same(rqi_buf_str(&json));
    rqi_buf_clear(&json);
    make_list(&json, "1", 99998);
    check_encode_fails(json.ptr, json.len, REFQ_ERR_LIMIT, "more than the 100000 values");
    rqi_buf_clear(&json);
    make_list(&json, "\"0123456789\"", 90000);
    check_encode_fails(json.ptr, json.len, REFQ_ERR_LIMIT, "at most 1048576 bytes");
    rqi_buf_done(&json);
}
END_TEST

START_TEST(args_respect_the_buffer)
{
    refq_error err;
    rqi_buf small = rqi_buf_make(8);
    ck_assert_int_eq(rqi_args_encode(BYTES("{\"a\":\"0123456789\"}"), &small, &err),
                     REFQ_ERR_LIMIT);
    ck_assert_ptr_nonnull(strstr(err.text, "do not fit into the 8 bytes"));
    ck_assert_uint_eq(small.len, 0);
    rqi_buf_clear(&small);
    refq_bytes in = {BYTES("\x81\xa1"
                           "a\xa5"
                           "01234")};
    ck_assert_int_eq(rqi_args_decode(in, &small, &err), REFQ_ERR_LIMIT);
    ck_assert_uint_eq(small.len, 0);
    rqi_buf_done(&small);
}
END_TEST

struct decode_case {
    const char *name;
    const char *ptr;
    size_t len;
    refq_err want;
    const char *says; /* the JSON, or a part of the error */
};

static const struct decode_case decode_cases[] = {
    {"largest uint64",
     BYTES("\x81\xa1"
           "a\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
     REFQ_OK, "{\"a\":18446744073709551615}"},
    {"float 32",
     BYTES("\x81\xa1"
           "a\xca\x3f\x80\0\0"),
     REFQ_OK, "{\"a\":1.0}"},
    {"wide forms of small numbers",
     BYTES("\x81\xa1"
           "a\xd3\xff\xff\xff\xff\xff\xff\xff\xff"),
     REFQ_OK, "{\"a\":-1}"},
    {"control characters",
     BYTES("\x81\xa1"
           "a\xa3\0\x1f\x7f"),
     REFQ_OK, "{\"a\":\"\\u0000\\u001f\\u007f\"}"},
    {"bin",
     BYTES("\x81\xa4"
           "data\xc4\1z"),
     REFQ_ERR_INVALID, "'data' holds binary data"},
    {"ext in an array",
     BYTES("\x81\xa1"
           "t\x91\xd6\xff\1\2\3\4"),
     REFQ_ERR_INVALID, "'t' holds a msgpack extension"},
    {"NaN",
     BYTES("\x81\xa1"
           "n\xcb\x7f\xf8\0\0\0\0\0\0"),
     REFQ_ERR_INVALID, "'n' holds NaN or an infinity"},
    {"infinity",
     BYTES("\x81\xa1"
           "n\xca\xff\x80\0\0"),
     REFQ_ERR_INVALID, "'n' holds NaN or an infinity"},
    {"array", BYTES("\x91\x01"), REFQ_ERR_INVALID, "must be a msgpack map"},
    {"nil", BYTES("\xc0"), REFQ_ERR_INVALID, "must be a msgpack map"},
    {"number key", BYTES("\x81\x01\x01"), REFQ_ERR_INVALID, "key at byte 1 is not a string"},
    {"doubled key",
     BYTES("\x83\xa1"
           "a\1\xa1"
           "b\1\xa1"
           "a\1"),
     REFQ_ERR_INVALID, "'a' holds two values"},
    {"doubled empty key", BYTES("\x82\xa0\1\xa0\1"), REFQ_ERR_INVALID, "'' holds two values"},
    {"doubled key inside",
     BYTES("\x81\xa1"
           "o\x82\xa1k\1\xa1k\2"),
     REFQ_ERR_INVALID, "'k' holds two values"},
    {"zero byte in a key",
     BYTES("\x81\xa2"
           "a\0\1"),
     REFQ_ERR_INVALID, "zero byte in its name"},
    {"escape in a key of an error", BYTES("\x81\xa3\x1b[m\xc4\0"), REFQ_ERR_INVALID, "' [m' holds"},
};

START_TEST(args_decode_table)
{
    for (size_t i = 0; i < N_OF(decode_cases); i++) {
        const struct decode_case *c = &decode_cases[i];
        refq_error err = {0};
        rqi_buf out = {0};
        refq_bytes in = exact(c->ptr, c->len);
        refq_err rc = rqi_args_decode(in, &out, &err);
        release(in);
        const char *text = rc == REFQ_OK ? rqi_buf_str(&out) : err.text;
        ck_assert_msg(rc == c->want, "%s: got %s (%s)", c->name, refq_strerror(rc), err.text);
        ck_assert_msg(strstr(text, c->says) != NULL, "%s: '%s'", c->name, text);
        ck_assert_msg(rc == REFQ_OK || out.len == 0, "%s: half a text is left", c->name);
        rqi_buf_done(&out);
    }
}
END_TEST

START_TEST(args_truncated_at_every_byte)
{
    for (size_t i = 0; i < N_OF(same_texts); i++) {
        rqi_buf packed = {0};
        rqi_buf out = {0};
        encode_ok(same_texts[i], strlen(same_texts[i]), &packed);
        for (size_t len = 0; len < packed.len; len++) {
            refq_bytes in = exact(packed.ptr, len);
            ck_assert_int_eq(rqi_args_decode(in, &out, NULL), REFQ_ERR_INVALID);
            release(in);
        }
        rqi_buf_done(&packed);
        rqi_buf_done(&out);
    }
}
END_TEST

/* --- Random damage ---------------------------------------------------------------------------- */

static uint64_t dice_state;

static uint32_t dice(uint32_t sides)
{
    dice_state ^= dice_state << 13;
    dice_state ^= dice_state >> 7;
    dice_state ^= dice_state << 17;
    return (uint32_t)(dice_state >> 32) % sides;
}

/* Overwrites, cuts or repeats a few bytes; first bytes that claim much are favoured. */
static size_t damage(unsigned char *p, size_t len, size_t cap)
{
    static const unsigned char nasty[] = {0xc1, 0xdd, 0xdf, 0xdb, 0xc6, 0xc9, 0xff, 0x00, 0x91,
                                          0x81, 0xde, 0xdc, 0xd9, 0xc4, '"',  '\\', '[',  '{'};
    for (uint32_t n = 1 + dice(4); n > 0 && len > 0; n--) {
        size_t at = dice((uint32_t)len);
        uint32_t what = dice(8);
        if (what < 3) {
            p[at] = (unsigned char)dice(256);
        } else if (what < 6) {
            p[at] = nasty[dice(N_OF(nasty))];
        } else if (what == 6) {
            len = at;
        } else if (len < cap) {
            memmove(p + at + 1, p + at, len - at);
            len++;
        }
    }
    return len;
}

/* What the guard passes, libmsgpack must take whole. */
static void check_unpacks(refq_bytes in)
{
    size_t end = 0;
    msgpack_unpacked doc;
    msgpack_unpacked_init(&doc);
    ck_assert_int_eq(msgpack_unpack_next(&doc, in.ptr, in.len, &end), MSGPACK_UNPACK_SUCCESS);
    ck_assert_uint_eq(end, in.len);
    msgpack_unpacked_destroy(&doc);
}

static unsigned one_damaged_msgpack(const rqi_buf *packed, rqi_buf *json)
{
    unsigned char p[512];
    ck_assert_uint_lt(packed->len, sizeof p);
    memcpy(p, packed->ptr, packed->len);
    refq_bytes in = exact(p, damage(p, packed->len, sizeof p));
    refq_error err = {0};
    refq_err guard = rqi_mp_guard(in, NULL, NULL);
    if (guard == REFQ_OK) {
        check_unpacks(in);
    }
    rqi_buf_clear(json);
    refq_err rc = rqi_args_decode(in, json, &err);
    ck_assert(rc != REFQ_OK || guard == REFQ_OK);
    ck_assert(rc == REFQ_OK || rc == REFQ_ERR_INVALID || rc == REFQ_ERR_LIMIT);
    ck_assert(rc == REFQ_OK || err.text[0] != '\0');
    ck_assert_uint_eq(rqi_utf8_valid(rqi_buf_str(json), json->len), json->len);
    release(in);
    return rc == REFQ_OK;
}

START_TEST(args_random_damage_to_msgpack)
{
    rqi_buf packed[N_OF(same_texts)] = {0};
    rqi_buf json = {0};
    unsigned survived = 0;
    dice_state = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < N_OF(same_texts); i++) {
        encode_ok(same_texts[i], strlen(same_texts[i]), &packed[i]);
    }
    for (unsigned i = 0; i < 200000; i++) {
        survived += one_damaged_msgpack(&packed[i % N_OF(packed)], &json);
    }
    ck_assert_uint_gt(survived, 1000); /* else the loop tests the first bytes only */
    for (size_t i = 0; i < N_OF(packed); i++) {
        rqi_buf_done(&packed[i]);
    }
    rqi_buf_done(&json);
}
END_TEST

/* Arguments that are taken come back, and what comes back is stable. */
static unsigned one_damaged_json(const char *text)
{
    unsigned char p[512];
    size_t len = strlen(text);
    ck_assert_uint_lt(len, sizeof p);
    memcpy(p, text, len);
    refq_bytes in = exact(p, damage(p, len, sizeof p));
    rqi_buf packed = {0};
    rqi_buf once = {0};
    refq_err rc = rqi_args_encode(in.ptr, in.len, &packed, NULL);
    release(in);
    if (rc == REFQ_OK) {
        decode_ok(&packed, &once);
        check_same(rqi_buf_str(&once));
    }
    rqi_buf_done(&packed);
    rqi_buf_done(&once);
    return rc == REFQ_OK;
}

START_TEST(args_random_damage_to_json)
{
    unsigned survived = 0;
    dice_state = 0xd1b54a32d192ed03u;
    for (unsigned i = 0; i < 50000; i++) {
        survived += one_damaged_json(same_texts[i % N_OF(same_texts)]);
    }
    ck_assert_uint_gt(survived, 100);
}
END_TEST

START_TEST(args_random_reals)
{
    dice_state = 0x2545f4914f6cdd1du;
    for (unsigned i = 0; i < 50000; i++) {
        uint64_t bits = (uint64_t)dice(UINT32_MAX) << 32 | dice(UINT32_MAX);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) {
            check_real(value);
        }
    }
}
END_TEST

/* --- Preview ---------------------------------------------------------------------------------- */

struct preview_case {
    const char *ptr;
    size_t len;
    size_t size;
    const char *want;
};

static const struct preview_case preview_cases[] = {
    {BYTES("{\"a\":1}"), 8, "{\"a\":1}"},
    {BYTES("{\"a\":1}"), 7, "{\"a..."},
    {BYTES("{\n\t\"a\": 1 }"), 32, "{  \"a\": 1 }"},
    {BYTES(""), 8, ""},
    {BYTES("abc"), 1, ""},
    {BYTES("abc"), 2, "."},
    {BYTES("abcd"), 4, "..."},
    {BYTES("a\0b"), 8, "a b"},
    {BYTES("ab\xc3\xa9zzz"), 7, "ab..."}, /* the cut falls inside the character */
    {BYTES("ab\xc3\xa9zzzz"), 8, "ab\xc3\xa9..."},
    {BYTES("\xf0\x9f\x98\x80\xf0\x9f\x98\x80"), 8, "\xf0\x9f\x98\x80..."},
    {BYTES("\xf0\x9f\x98\x80\xf0\x9f\x98\x80"), 7, "..."},
    {BYTES("a\xff"
           "b"),
     16, "a..."}, /* not UTF-8 */
    {BYTES("a\x1b\x7f\xc2\x9b\xe2\x80\xa8z"), 32, "a       z"},
    {BYTES("\xc2\xa0\xe2\x80\xa6"), 32, "\xc2\xa0\xe2\x80\xa6"},
};

START_TEST(preview_table)
{
    for (size_t i = 0; i < N_OF(preview_cases); i++) {
        const struct preview_case *c = &preview_cases[i];
        refq_bytes in = exact(c->ptr, c->len);
        char *out = malloc(c->size); /* exact, for the sanitizer */
        ck_assert_ptr_nonnull(out);
        rqi_args_preview(in.ptr, in.len, out, c->size);
        ck_assert_str_eq(out, c->want);
        free(out);
        release(in);
    }
    rqi_args_preview("x", 1, NULL, 0);
}
END_TEST

/* ---------------------------------------------------------------------------------------------- */

static TCase *random_case(void)
{
    TCase *tc = tcase_create("random");
    tcase_set_timeout(tc, 120);
    tcase_set_tags(tc, "bulk"); /* 300000 rounds */
    tcase_add_test(tc, args_random_damage_to_msgpack);
    tcase_add_test(tc, args_random_damage_to_json);
    tcase_add_test(tc, args_random_reals);
    return tc;
}

static TCase *args_case(void)
{
    TCase *tc = tcase_create("args");
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, args_round_trip);
    tcase_add_test(tc, args_encode_form);
    tcase_add_test(tc, args_encode_refuses);
    tcase_add_test(tc, args_depth);
    tcase_add_test(tc, args_size);
    tcase_add_test(tc, args_respect_the_buffer);
    tcase_add_test(tc, args_decode_table);
    tcase_add_test(tc, args_truncated_at_every_byte);
    tcase_add_test(tc, preview_table);
    return tc;
}

static TCase *input_case(void)
{
    TCase *tc = tcase_create("input");
    tcase_add_test(tc, guard_table);
    tcase_add_test(tc, guard_takes_number_keys_unless_told);
    tcase_add_test(tc, guard_depth_limit);
    tcase_add_test(tc, guard_size_and_item_limits);
    tcase_add_test(tc, json_table);
    tcase_add_test(tc, json_limits);
    tcase_add_test(tc, json_any_value);
    tcase_add_test(tc, json_reals_round_trip);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("codec");
    suite_add_tcase(suite, input_case());
    suite_add_tcase(suite, args_case());
    suite_add_tcase(suite, random_case());
    return rqt_main(suite);
}
