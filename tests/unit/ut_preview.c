/* SPDX-License-Identifier: MIT */
/*
 * Previews: measures, sample, paginate, truncate, and the tokenizer.
 *
 * DESIGN. The golden vectors are results of mcp-refcache 0.2.1; tests/python
 * compares thousands of random values with it. Where pages differ from its on
 * purpose, because it loses the items that exceed the budget, the case says so.
 */
#include "base/buf.h"
#include "preview/bpe_split.h"

#include "support/main.h"

#include <refq/preview.h>

#include <check.h>
#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_OF(a)   (sizeof(a) / sizeof((a)[0]))
#define TEXT(s)   ((refq_bytes){(s), strlen(s)})
#define NO_BUDGET (-1)
#define IN_CHARS                     \
    {                                \
        .unit = REFQ_UNIT_CHARACTERS \
    }
#define BIG_BUDGET 1000000000

static refq_preview *make(refq_bytes value, const refq_preview_options *options)
{
    refq_preview *p = NULL;
    refq_error err = {0};
    ck_assert_msg(refq_preview_make(value, options, &p, &err) == REFQ_OK, "%s", err.text);
    ck_assert_uint_eq(strlen(p->json), p->len);
    return p;
}

/* [0, 1, ... n-1] */
static rqi_buf range(int n)
{
    rqi_buf b = {0};
    for (int i = 0; i < n; i++) {
        rqi_buf_addf(&b, "%s%d", i != 0 ? ", " : "[", i);
    }
    rqi_buf_adds(&b, "]");
    return b;
}

/* before, text n times, after. */
static rqi_buf repeated(const char *before, const char *text, int n, const char *after)
{
    rqi_buf b = {0};
    rqi_buf_adds(&b, before);
    for (int i = 0; i < n; i++) {
        rqi_buf_adds(&b, text);
    }
    rqi_buf_adds(&b, after);
    return b;
}

static rqi_buf keys(int n, const char *name)
{
    rqi_buf b = {0};
    for (int i = 0; i < n; i++) {
        rqi_buf_addf(&b, "%s\"%s%d\": %d", i != 0 ? ", " : "{", name, i, i);
    }
    rqi_buf_adds(&b, "}");
    return b;
}

/* --- Golden vectors --------------------------------------------------------------------------- */

static refq_preview *sample(refq_bytes value, int64_t budget, refq_unit unit)
{
    refq_preview_options o = {
        .struct_size = sizeof o, .measure = {.unit = unit}, .has_max_size = 1, .max_size = budget};
    return make(value, &o);
}

static void check_sizes(const refq_preview *p, int64_t original, int64_t size, int64_t total,
                        int64_t sampled)
{
    ck_assert_int_eq(p->original_size, original);
    ck_assert_int_eq(p->preview_size, size);
    ck_assert_int_eq(p->total_items, total);
    ck_assert_int_eq(p->sampled_items, sampled);
}

START_TEST(golden_samples_of_ranges)
{
    static const struct {
        int n;
        int64_t budget;
        refq_unit unit;
        const char *json;
        int64_t original;
        int64_t size;
        int64_t sampled;
    } vectors[] = {
        {100, 50, REFQ_UNIT_CHARACTERS, "[0, 8, 16, 25, 33, 41, 50, 58, 66, 74, 82, 91, 99]", 390,
         50, 13},
        {100, 30, REFQ_UNIT_CHARACTERS, "[0, 16, 33, 50, 66, 82, 99]", 390, 27, 7},
        {100, 20, REFQ_UNIT_TOKENS,
         "[0, 5, 10, 16, 21, 26, 31, 36, 42, 47, 52, 57, 63, 68, 73, 78, 83, 89, 94, 99]", 98, 20,
         20},
        {1000, 100, REFQ_UNIT_CHARACTERS,
         "[0, 53, 105, 158, 210, 263, 315, 368, 421, 473, 526, 578, 631, 684, 736, 789, 841, 894, "
         "946, 999]",
         4890, 97, 20},
        {6, 9, REFQ_UNIT_CHARACTERS, "[0, 2, 5]", 18, 9, 3},
        {4, 9, REFQ_UNIT_CHARACTERS, "[0, 2, 3]", 12, 9, 3},
    };
    for (size_t i = 0; i < N_OF(vectors); i++) {
        rqi_buf value = range(vectors[i].n);
        refq_preview *p = sample(rqi_buf_bytes(&value), vectors[i].budget, vectors[i].unit);
        ck_assert_str_eq(p->json, vectors[i].json);
        ck_assert_int_eq(p->strategy, REFQ_PREVIEW_SAMPLE);
        check_sizes(p, vectors[i].original, vectors[i].size, vectors[i].n, vectors[i].sampled);
        ck_assert_int_eq(p->page, 0);
        ck_assert_int_eq(p->total_pages, 0);
        ck_assert(!p->complete);
        refq_preview_free(p);
        rqi_buf_done(&value);
    }
}
END_TEST

START_TEST(golden_sample_of_an_object)
{
    rqi_buf value = keys(20, "key_");
    refq_preview *p = sample(rqi_buf_bytes(&value), 60, REFQ_UNIT_CHARACTERS);
    ck_assert_str_eq(p->json, "{\"key_0\": 0, \"key_6\": 6, \"key_13\": 13, \"key_19\": 19}");
    check_sizes(p, 260, 52, 20, 4);
    refq_preview_free(p);
    rqi_buf_done(&value);
}
END_TEST

START_TEST(golden_samples_of_strings)
{
    rqi_buf value = repeated("\"", "a", 100, "\"");
    refq_preview *p = sample(rqi_buf_bytes(&value), 20, REFQ_UNIT_CHARACTERS);
    ck_assert_str_eq(p->json, "\"aaaaaaaaaaaaaaa...\"");
    ck_assert_int_eq(p->strategy, REFQ_PREVIEW_TRUNCATE);
    check_sizes(p, 102, 20, 100, 15);
    refq_preview_free(p);
    rqi_buf_done(&value);

    value = repeated("\"", "\xc3\xa9", 20, "\"");
    p = sample(rqi_buf_bytes(&value), 40, REFQ_UNIT_CHARACTERS);
    ck_assert_str_eq(p->json, "\"\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9...\"");
    check_sizes(p, 122, 35, 20, 5);
    refq_preview_free(p);
    rqi_buf_done(&value);
}
END_TEST

/* At least one item is shown, even when it is too large. */
START_TEST(golden_sample_of_a_large_first_item)
{
    rqi_buf value = repeated("[\"", "x", 500, "\", 1, 2]");
    rqi_buf want = repeated("[\"", "x", 500, "\"]");
    refq_preview *p = sample(rqi_buf_bytes(&value), 20, REFQ_UNIT_CHARACTERS);
    ck_assert_str_eq(p->json, rqi_buf_str(&want));
    check_sizes(p, 510, 504, 3, 1);
    refq_preview_free(p);
    rqi_buf_done(&value);
    rqi_buf_done(&want);
}
END_TEST

START_TEST(golden_sample_of_a_scalar)
{
    refq_preview *p = sample(TEXT("null"), 3, REFQ_UNIT_CHARACTERS);
    ck_assert_str_eq(p->json, "\"...\"");
    ck_assert_int_eq(p->strategy, REFQ_PREVIEW_TRUNCATE);
    check_sizes(p, 4, 5, 4, 0);
    ck_assert(!p->complete);
    refq_preview_free(p);

    p = sample(TEXT(" 1E2 "), 5, REFQ_UNIT_CHARACTERS);
    ck_assert_str_eq(p->json, "100.0");
    ck_assert_int_eq(p->strategy, REFQ_PREVIEW_SAMPLE);
    check_sizes(p, 5, 5, -1, -1);
    ck_assert(p->complete);
    refq_preview_free(p);
}
END_TEST

START_TEST(golden_truncate)
{
    rqi_buf value = range(100);
    refq_preview_options o = {.struct_size = sizeof o,
                              .strategy = REFQ_PREVIEW_TRUNCATE,
                              .measure = IN_CHARS,
                              .has_max_size = 1,
                              .max_size = 20};
    refq_preview *p = make(rqi_buf_bytes(&value), &o);
    ck_assert_str_eq(p->json, "\"[0, 1, 2, 3, 4,...\"");
    check_sizes(p, 392, 20, 100, 15);
    refq_preview_free(p);
    rqi_buf_done(&value);

    /* What fits is still text when it was none. */
    p = make(TEXT("{\"a\": \"b\"}"), &o);
    ck_assert_str_eq(p->json, "\"{\\\"a\\\": \\\"b\\\"}\"");
    check_sizes(p, 16, 16, 1, 1);
    ck_assert(!p->complete);
    refq_preview_free(p);

    p = make(TEXT("\"short\""), &o);
    ck_assert_str_eq(p->json, "\"short\"");
    ck_assert(p->complete);
    refq_preview_free(p);
}
END_TEST

static refq_preview *page(refq_bytes value, int64_t number, int64_t size, int64_t budget)
{
    refq_preview_options o = {.struct_size = sizeof o,
                              .measure = IN_CHARS,
                              .has_max_size = budget != NO_BUDGET,
                              .max_size = budget,
                              .has_page = 1,
                              .page = number,
                              .has_page_size = size != 0,
                              .page_size = size};
    return make(value, &o);
}

static void check_page(const refq_preview *p, const char *json, int64_t size, int64_t number,
                       int64_t pages)
{
    ck_assert_str_eq(p->json, json);
    ck_assert_int_eq(p->strategy, REFQ_PREVIEW_PAGINATE);
    ck_assert_int_eq(p->preview_size, size);
    ck_assert_int_eq(p->page, number);
    ck_assert_int_eq(p->total_pages, pages);
}

START_TEST(golden_pages)
{
    rqi_buf value = range(100);
    refq_preview *p = page(rqi_buf_bytes(&value), 99, 10, 40);
    check_page(p, "[]", 2, 99, 10);
    refq_preview_free(p);
    /* mcp-refcache has 10..14 here, and 15..19 nowhere; its page 1 lacks 6..9. */
    p = page(rqi_buf_bytes(&value), 2, 10, 20);
    check_page(p, "[6, 7, 8, 9, 10, 11]", 20, 2, 20);
    refq_preview_free(p);
    rqi_buf_done(&value);

    value = keys(7, "k");
    p = page(rqi_buf_bytes(&value), 2, 3, 1000);
    check_page(p, "{\"k3\": 3, \"k4\": 4, \"k5\": 5}", 27, 2, 3);
    refq_preview_free(p);
    rqi_buf_done(&value);

    /* mcp-refcache has [] here, and two empty pages in all; five strings are five pages. */
    value = repeated("[", "\"aaaaaaaaaaaaaaaaaaaa\",", 4, "\"aaaaaaaaaaaaaaaaaaaa\"]");
    p = page(rqi_buf_bytes(&value), 5, 3, 5);
    check_page(p, "[\"aaaaaaaaaaaaaaaaaaaa\"]", 24, 5, 5);
    refq_preview_free(p);
    rqi_buf_done(&value);
}
END_TEST

/* --- Pages ------------------------------------------------------------------------------------ */

static size_t count_words(void *arg, const char *text, size_t len)
{
    (void)arg;
    size_t words = len != 0;
    for (size_t i = 0; i < len; i++) {
        words += text[i] == ' ';
    }
    return words;
}

/* The inner texts of all pages, joined, are the inner text of the value. */
static void check_lossless(refq_bytes value, const char *want, const refq_measure *measure,
                           int64_t budget, int64_t size)
{
    refq_preview_options o = {.struct_size = sizeof o,
                              .strategy = REFQ_PREVIEW_PAGINATE,
                              .measure = *measure,
                              .has_max_size = 1,
                              .max_size = budget,
                              .has_page = 1,
                              .page = 1,
                              .has_page_size = size != 0,
                              .page_size = size};
    bool string = *want == '"';
    rqi_buf all = {0};
    int64_t pages = 1;
    for (; o.page <= pages; o.page++) {
        refq_preview *p = make(value, &o);
        pages = p->total_pages;
        ck_assert(p->preview_size <= budget || p->sampled_items == 1);
        ck_assert(size == 0 || p->sampled_items <= size);
        rqi_buf_adds(&all, o.page > 1 && !string ? ", " : "");
        rqi_buf_add(&all, p->json + 1, p->len - 2);
        refq_preview_free(p);
    }
    ck_assert_uint_eq(all.len, strlen(want) - 2);
    ck_assert_mem_eq(rqi_buf_str(&all), want + 1, all.len);
    rqi_buf_done(&all);
}

START_TEST(pages_are_lossless)
{
    static const char *const values[] = {
        "[1, \"a long text of many characters\", [2, 3, {\"a\": 4}], null, \"\", 5.5, [], {}]",
        "{\"a\": 1, \"b\": \"a long text of many characters\", \"c\": [1, 2, 3], \"d\": null}",
        "\"some words, \\u00e9\\ud83d\\ude00 and \\\"quotes\\\" \\\\ and more words\\n\\n\"",
        "[1]",
        "\"x\"",
    };
    static const refq_measure measures[] = {
        IN_CHARS, {REFQ_UNIT_TOKENS, NULL, NULL}, {REFQ_UNIT_TOKENS, count_words, NULL}};
    static const int64_t budgets[] = {0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 1000};
    static const int64_t sizes[] = {0, 1, 2, 3, 1000};
    for (size_t i = 0; i < N_OF(values) * N_OF(measures) * N_OF(budgets) * N_OF(sizes); i++) {
        size_t k = i;
        const char *value = values[k % N_OF(values)];
        k /= N_OF(values);
        const refq_measure *measure = &measures[k % N_OF(measures)];
        k /= N_OF(measures);
        check_lossless(TEXT(value), value, measure, budgets[k % N_OF(budgets)],
                       sizes[k / N_OF(budgets)]);
    }
}
END_TEST

START_TEST(pages_of_what_is_empty)
{
    static const char *const values[] = {"[]", "{}", "\"\""};
    for (size_t i = 0; i < N_OF(values); i++) {
        bool string = *values[i] == '"';
        refq_preview *p = page(TEXT(values[i]), 1, 0, NO_BUDGET);
        check_page(p, values[i], 2, 1, string);
        ck_assert_int_eq(p->total_items, 0);
        ck_assert(p->complete);
        refq_preview_free(p);
        p = page(TEXT(values[i]), 2, 0, NO_BUDGET);
        check_page(p, values[i], 2, 2, string);
        refq_preview_free(p);
    }
}
END_TEST

/* A number cannot be divided: it is one page, whatever the budget. */
START_TEST(pages_of_scalars)
{
    refq_preview *p = page(TEXT("1180591620717411303424"), 7, 0, 3);
    check_page(p, "1180591620717411303424", 22, 1, 1);
    ck_assert_int_eq(p->total_items, 1);
    ck_assert(p->complete);
    refq_preview_free(p);
}
END_TEST

START_TEST(pages_have_twenty_items_if_not_told)
{
    rqi_buf value = range(50);
    refq_preview *p = page(rqi_buf_bytes(&value), 3, 0, NO_BUDGET);
    check_page(p, "[40, 41, 42, 43, 44, 45, 46, 47, 48, 49]", 40, 3, 3);
    ck_assert(!p->complete);
    refq_preview_free(p);
    refq_preview_options o = {.struct_size = sizeof o, .strategy = REFQ_PREVIEW_PAGINATE};
    p = make(rqi_buf_bytes(&value), &o);
    ck_assert_int_eq(p->page, 1);
    ck_assert_int_eq(p->sampled_items, REFQ_PREVIEW_PAGE_SIZE);
    refq_preview_free(p);
    rqi_buf_done(&value);
}
END_TEST

START_TEST(truncate_knows_no_pages)
{
    refq_preview_options o = {
        .struct_size = sizeof o, .strategy = REFQ_PREVIEW_TRUNCATE, .has_page = 1, .page = 2};
    refq_preview *p = make(TEXT("[1]"), &o);
    ck_assert_int_eq(p->strategy, REFQ_PREVIEW_TRUNCATE);
    ck_assert_int_eq(p->page, 0);
    refq_preview_free(p);
}
END_TEST

/* Ten megabytes: the first and the last page, walked over without measuring anything again. */
START_TEST(pages_of_a_large_value)
{
    rqi_buf value = {0};
    int n = 0;
    rqi_buf_adds(&value, "[");
    for (; value.len < 10 << 20; n++) {
        rqi_buf_addf(&value, "{\"id\":%d,\"name\":\"name \\u00e9 %d\"},", n, n);
    }
    rqi_buf_adds(&value, "\"last\"]");
    refq_preview *p = page(rqi_buf_bytes(&value), 1, 2, NO_BUDGET);
    check_page(
        p, "[{\"id\": 0, \"name\": \"name \\u00e9 0\"}, {\"id\": 1, \"name\": \"name \\u00e9 1\"}]",
        72, 1, (n + 2) / 2);
    int64_t pages = p->total_pages;
    refq_preview_free(p);
    p = page(rqi_buf_bytes(&value), pages, 2, NO_BUDGET);
    ck_assert_ptr_nonnull(strstr(p->json, "\"last\"]"));
    ck_assert_int_eq(p->page, pages);
    ck_assert_int_eq(p->total_items, n + 1);
    refq_preview_free(p);
    p = page(rqi_buf_bytes(&value), 2, BIG_BUDGET, 1000);
    ck_assert(p->preview_size <= 1000 && p->preview_size > 900);
    refq_preview_free(p);
    rqi_buf_done(&value);
}
END_TEST

/* --- Values that strict parsers refuse -------------------------------------------------------- */

START_TEST(previews_are_portable)
{
    static const struct {
        const char *value;
        const char *json;
        int64_t size;
    } cases[] = {
        {"[NaN,Infinity,1e999]", "[null, null, null]", 25},
        {"\"\\ud800\"", "\"\\ufffd\"", 8},
        {"{\"\\udc00\":1180591620717411303424}", "{\"\\ufffd\": 1180591620717411303424}", 34},
        {"\"\xf0\x9f\x98\x80\x7f\"", "\"\\ud83d\\ude00\\u007f\"", 20},
        {"{\"a\":1,\"a\":2}", "{\"a\": 2}", 8},
        {"[-0,1e22,-0.0]", "[0, 1e+22, -0.0]", 16},
    };
    for (size_t i = 0; i < N_OF(cases); i++) {
        refq_preview *p = sample(TEXT(cases[i].value), 100, REFQ_UNIT_CHARACTERS);
        ck_assert_str_eq(p->json, cases[i].json);
        ck_assert_int_eq(p->preview_size, cases[i].size);
        ck_assert(p->complete);
        refq_preview_free(p);
    }
}
END_TEST

/* A pair of surrogates is one character and is never cut apart. */
START_TEST(cuts_between_characters)
{
    refq_bytes value = TEXT("\"\\ud83d\\ude00\\ud83d\\ude00\\ud83d\\ude00\"");
    for (int64_t budget = 0; budget < 40; budget++) {
        refq_preview *p = sample(value, budget, REFQ_UNIT_CHARACTERS);
        int64_t fits = budget >= 38 ? 3 : budget >= 29 ? 2 : budget >= 17 ? 1 : 0;
        ck_assert_int_eq(p->sampled_items, fits);
        ck_assert_ptr_null(strstr(p->json, "fffd"));
        refq_preview_free(p);
    }
}
END_TEST

/* --- Errors ----------------------------------------------------------------------------------- */

START_TEST(refuses_senseless_options)
{
    static const struct {
        refq_preview_options o;
        const char *says;
    } cases[] = {
        {{.struct_size = 4}, "struct_size"},
        {{.struct_size = sizeof(refq_preview_options), .has_page = 1}, "page is 0"},
        {{.struct_size = sizeof(refq_preview_options), .has_page = 1, .page = -1}, "page is -1"},
        {{.struct_size = sizeof(refq_preview_options), .has_page_size = 1}, "page_size is 0"},
        {{.struct_size = sizeof(refq_preview_options), .has_page_size = 1, .page_size = -20},
         "page_size is -20"},
        {{.struct_size = sizeof(refq_preview_options), .has_max_size = 1, .max_size = -1},
         "max_size is -1"},
        {{.struct_size = sizeof(refq_preview_options), .strategy = (refq_preview_strategy)3},
         "strategy 3"},
        {{.struct_size = sizeof(refq_preview_options), .measure = {.unit = (refq_unit)2}},
         "unit 2"},
    };
    for (size_t i = 0; i < N_OF(cases); i++) {
        refq_preview *p = NULL;
        refq_error err = {0};
        ck_assert_int_eq(refq_preview_make(TEXT("[1]"), &cases[i].o, &p, &err), REFQ_ERR_INVALID);
        ck_assert_msg(strstr(err.text, cases[i].says) != NULL, "%s", err.text);
        ck_assert_ptr_null(p);
    }
}
END_TEST

START_TEST(refuses_what_is_no_value)
{
    refq_preview *p = NULL;
    refq_error err = {0};
    int64_t size = 7;
    ck_assert_int_eq(refq_preview_make(TEXT("[1,]"), NULL, &p, &err), REFQ_ERR_INVALID);
    ck_assert_str_eq(err.text, "not valid JSON at byte 2: a comma with nothing behind it");
    ck_assert_int_eq(refq_preview_measure(TEXT(""), NULL, &size, &err), REFQ_ERR_INVALID);
    rqi_buf deep = repeated("", "[", 10000, "");
    ck_assert_int_eq(refq_preview_make(rqi_buf_bytes(&deep), NULL, &p, &err), REFQ_ERR_LIMIT);
    ck_assert_ptr_nonnull(strstr(err.text, "nested deeper than 1024"));
    ck_assert_ptr_null(p);
    ck_assert_int_eq(size, 7);
    rqi_buf_done(&deep);
}
END_TEST

static size_t refuse_to_count(void *arg, const char *text, size_t len)
{
    (void)text;
    int *left = arg;
    return (*left)-- > 0 ? len : SIZE_MAX;
}

/* Whenever a tokenizer fails, the preview fails with it. */
START_TEST(tells_that_a_tokenizer_failed)
{
    rqi_buf value = range(100);
    static const refq_preview_strategy all[] = {REFQ_PREVIEW_SAMPLE, REFQ_PREVIEW_PAGINATE,
                                                REFQ_PREVIEW_TRUNCATE};
    for (int i = 0; i < 12; i++) {
        int left = i / 3;
        refq_preview_options o = {
            .struct_size = sizeof o,
            .strategy = all[i % 3],
            .measure = {.tokenizer = refuse_to_count, .arg = &left},
            .has_max_size = 1,
            .max_size = 20,
        };
        refq_preview *p = NULL;
        refq_error err = {0};
        ck_assert_int_eq(refq_preview_make(rqi_buf_bytes(&value), &o, &p, &err),
                         REFQ_ERR_UNSUPPORTED);
        ck_assert_ptr_null(p);
    }
    rqi_buf_done(&value);
}
END_TEST

START_TEST(measures)
{
    int64_t size;
    ck_assert_int_eq(refq_preview_measure(TEXT("[1,2]"), NULL, &size, NULL), REFQ_OK);
    ck_assert_int_eq(size, 2);
    refq_measure m = IN_CHARS;
    ck_assert_int_eq(refq_preview_measure(TEXT("[1,2]"), &m, &size, NULL), REFQ_OK);
    ck_assert_int_eq(size, 6);
    m = (refq_measure){REFQ_UNIT_TOKENS, count_words, NULL};
    ck_assert_int_eq(refq_preview_measure(TEXT("[1,2]"), &m, &size, NULL), REFQ_OK);
    ck_assert_int_eq(size, 2);
    ck_assert_str_eq(refq_preview_strategy_name(REFQ_PREVIEW_PAGINATE), "paginate");
    refq_preview_free(NULL);
}
END_TEST

/* --- Byte pair encoding ----------------------------------------------------------------------- */

/* Pieces of a text, as the pattern separates them, with | between. */
static void check_pieces(refq_bpe_pattern pattern, const char *want)
{
    rqi_buf text = {0};
    rqi_buf pieces = {0};
    for (const char *p = want; *p != '\0'; p++) {
        if (*p != '|') {
            rqi_buf_addc(&text, *p);
        }
    }
    for (size_t at = 0; at < text.len;) {
        size_t n = rqi_bpe_split(pattern, text.ptr + at, text.len - at);
        rqi_buf_adds(&pieces, at != 0 ? "|" : "");
        rqi_buf_add(&pieces, text.ptr + at, n);
        at += n;
    }
    ck_assert_str_eq(rqi_buf_str(&pieces), want);
    rqi_buf_done(&text);
    rqi_buf_done(&pieces);
}

START_TEST(splits_like_tiktoken)
{
    check_pieces(REFQ_BPE_O200K, "The| HTMLParser's|  | it's| |123|456|!?//\n");
    check_pieces(REFQ_BPE_CL100K, "The| HTMLParser|'s|  | it|'s| |123|456|!?//\n\n");
    check_pieces(REFQ_BPE_O200K, "{\"|key|\":| [|1|,| |2|],| \"\\|u|00|e|9|\"}");
    check_pieces(REFQ_BPE_CL100K, "ABCdef|'s");
}
END_TEST

/* A rank file of the single bytes and these tokens, in this order. */
static void write_ranks(char *path, const char *const *tokens, size_t n, const char *more)
{
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    FILE *f = fdopen(fd, "w");
    char base64[64];
    for (size_t i = 0; i < 256 + n; i++) {
        unsigned char byte = (unsigned char)i;
        const char *token = i < 256 ? (const char *)&byte : tokens[i - 256];
        size_t len = i < 256 ? 1 : strlen(token);
        (void)sodium_bin2base64(base64, sizeof base64, (const unsigned char *)token, len,
                                sodium_base64_VARIANT_ORIGINAL);
        (void)fprintf(f, "%s %zu\n", base64, i);
    }
    (void)fputs(more, f);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(counts_tokens)
{
    static const char *const tokens[] = {"ab", "abab", "cd", "bc", "aa", "aaaa"};
    static const struct {
        const char *text;
        size_t tokens;
    } cases[] = {{"", 0},     {"a", 1},      {"ab", 1},      {"abc", 2},    {"abcd", 2},
                 {"xbcd", 3}, {"ababab", 2}, {"aaaaaaa", 3}, {"abab 1", 3}, {"zz", 2}};
    char path[] = "/tmp/rqt_ranks_XXXXXX";
    write_ranks(path, tokens, N_OF(tokens), "");
    refq_bpe *bpe = NULL;
    refq_error err = {0};
    ck_assert_msg(refq_bpe_open(path, REFQ_BPE_CL100K, &bpe, &err) == REFQ_OK, "%s", err.text);
    for (size_t i = 0; i < N_OF(cases); i++) {
        ck_assert_uint_eq(refq_bpe_count(bpe, cases[i].text, strlen(cases[i].text)),
                          cases[i].tokens);
    }
    /* One piece of a million bytes. */
    rqi_buf large = repeated("", "a", 1000000, "");
    ck_assert_uint_eq(refq_bpe_count(bpe, large.ptr, large.len), 250000);
    rqi_buf_done(&large);
    refq_bpe_free(bpe);
    refq_bpe_free(NULL);
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(refuses_bad_rank_files)
{
    static const struct {
        const char *more;
        const char *says;
    } cases[] = {{"YWI=\n", "line 258: not a token"},      {"YWI= x\n", "line 258: not a token"},
                 {"YWI= 4294967295\n", "line 258: not a"}, {"Y!I= 300\n", "line 258: not base64"},
                 {" 300\n", "line 258: not base64"},       {"YQ== 300\n", "line 258: this token"}};
    static const char *const tokens[] = {"ab"};
    for (size_t i = 0; i < N_OF(cases); i++) {
        char path[] = "/tmp/rqt_ranks_XXXXXX";
        write_ranks(path, tokens, 1, cases[i].more);
        refq_bpe *bpe = NULL;
        refq_error err = {0};
        ck_assert_int_eq(refq_bpe_open(path, REFQ_BPE_O200K, &bpe, &err), REFQ_ERR_INVALID);
        ck_assert_msg(strstr(err.text, cases[i].says) != NULL, "%s", err.text);
        ck_assert_ptr_nonnull(strstr(err.text, path));
        ck_assert_ptr_null(bpe);
        ck_assert_int_eq(unlink(path), 0);
    }
    refq_bpe *bpe = NULL;
    refq_error err = {0};
    ck_assert_int_eq(refq_bpe_open("/nonexistent/ranks", REFQ_BPE_O200K, &bpe, &err), REFQ_ERR_IO);
    ck_assert_int_eq(refq_bpe_open("/dev/null", REFQ_BPE_O200K, &bpe, &err), REFQ_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "0x00 has no rank"));
    ck_assert_int_eq(refq_bpe_open("/dev/null", (refq_bpe_pattern)2, &bpe, &err), REFQ_ERR_INVALID);
}
END_TEST

/* --- Threads ---------------------------------------------------------------------------------- */

static void *preview_often(void *arg)
{
    refq_bpe *bpe = arg;
    rqi_buf value = range(300);
    refq_preview_options o = {.struct_size = sizeof o,
                              .measure = {.tokenizer = refq_bpe_count, .arg = bpe},
                              .has_max_size = 1,
                              .max_size = 50};
    for (int i = 0; i < 20; i++) {
        refq_preview *p = make(rqi_buf_bytes(&value), &o);
        ck_assert_int_le(p->preview_size, 50);
        refq_preview_free(p);
    }
    rqi_buf_done(&value);
    return NULL;
}

START_TEST(threads_share_a_tokenizer)
{
    char path[] = "/tmp/rqt_ranks_XXXXXX";
    static const char *const tokens[] = {", ", "10", "20"};
    write_ranks(path, tokens, N_OF(tokens), "");
    refq_bpe *bpe = NULL;
    ck_assert_int_eq(refq_bpe_open(path, REFQ_BPE_O200K, &bpe, NULL), REFQ_OK);
    pthread_t threads[4];
    for (size_t i = 0; i < N_OF(threads); i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, preview_often, bpe), 0);
    }
    for (size_t i = 0; i < N_OF(threads); i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    refq_bpe_free(bpe);
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("preview");
    TCase *golden = tcase_create("golden");
    tcase_add_test(golden, golden_samples_of_ranges);
    tcase_add_test(golden, golden_sample_of_an_object);
    tcase_add_test(golden, golden_samples_of_strings);
    tcase_add_test(golden, golden_sample_of_a_large_first_item);
    tcase_add_test(golden, golden_sample_of_a_scalar);
    tcase_add_test(golden, golden_truncate);
    tcase_add_test(golden, golden_pages);
    suite_add_tcase(suite, golden);
    TCase *preview = tcase_create("preview");
    tcase_set_timeout(preview, 120);
    tcase_add_test(preview, pages_of_what_is_empty);
    tcase_add_test(preview, pages_of_scalars);
    tcase_add_test(preview, pages_have_twenty_items_if_not_told);
    tcase_add_test(preview, truncate_knows_no_pages);
    tcase_add_test(preview, previews_are_portable);
    tcase_add_test(preview, cuts_between_characters);
    tcase_add_test(preview, refuses_senseless_options);
    tcase_add_test(preview, refuses_what_is_no_value);
    tcase_add_test(preview, tells_that_a_tokenizer_failed);
    tcase_add_test(preview, measures);
    suite_add_tcase(suite, preview);
    TCase *bpe = tcase_create("bpe");
    tcase_set_timeout(bpe, 120);
    tcase_add_test(bpe, splits_like_tiktoken);
    suite_add_tcase(suite, bpe);
    TCase *threads = tcase_create("threads");
    tcase_set_timeout(threads, 120);
    tcase_set_tags(threads, "native"); /* valgrind runs one at a time */
    tcase_add_test(threads, threads_share_a_tokenizer);
    suite_add_tcase(suite, threads);
    TCase *large = tcase_create("large");
    tcase_set_timeout(large, 120);
    tcase_set_tags(large, "bulk"); /* minutes under valgrind */
    tcase_add_test(large, pages_of_a_large_value);
    tcase_add_test(large, counts_tokens);
    tcase_add_test(large, refuses_bad_rank_files);
    tcase_add_test(large, pages_are_lossless);
    suite_add_tcase(suite, large);
    return rqt_main(suite);
}
