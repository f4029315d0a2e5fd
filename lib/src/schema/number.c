/* SPDX-License-Identifier: MIT */
#include "schema/number.h"

#include "schema/keyword.h"
#include "schema/words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define TWO_63 9223372036854775808.0

/* --- Comparing -------------------------------------------------------------------------------- */

bool rqi_js_number_is_whole(const json_t *value)
{
    if (json_is_integer(value)) {
        return true;
    }
    double d = json_real_value(value);
    return json_is_real(value) && floor(d) == d;
}

static int sign_of(double below, double above)
{
    return (below < above) - (below > above);
}

static int compare_mixed(int64_t i, double d)
{
    if (d >= TWO_63 || d < -TWO_63) {
        return d > 0 ? -1 : 1;
    }
    int64_t whole = (int64_t)d;
    if (i != whole) {
        return i < whole ? -1 : 1;
    }
    return -sign_of(0, d - (double)whole);
}

int rqi_js_number_compare(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b)) {
        int64_t x = json_integer_value(a);
        int64_t y = json_integer_value(b);
        return (x > y) - (x < y);
    }
    if (json_is_integer(a)) {
        return compare_mixed(json_integer_value(a), json_real_value(b));
    }
    if (json_is_integer(b)) {
        return -compare_mixed(json_integer_value(b), json_real_value(a));
    }
    return -sign_of(json_real_value(a), json_real_value(b));
}

bool rqi_js_number_count(const json_t *value, uint64_t *ret)
{
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *ret = (uint64_t)json_integer_value(value);
        return true;
    }
    if (!json_is_real(value) || !rqi_js_number_is_whole(value) || json_real_value(value) < 0) {
        return false;
    }
    double d = json_real_value(value);
    *ret = d < TWO_63 ? (uint64_t)d : UINT64_MAX;
    return true;
}

/* --- Multiples -------------------------------------------------------------------------------- */

/* digits * 10^exponent; the sign does not matter here. */
typedef struct decimal {
    uint64_t digits;
    int exponent;
} decimal;

static decimal normal(uint64_t digits, int exponent)
{
    while (digits != 0 && digits % 10 == 0) {
        digits /= 10;
        exponent++;
    }
    return (decimal){digits, exponent};
}

/* Fewest digits after the first that name this double. The text's decimal point is the locale's. */
static decimal decimal_of_double(double d)
{
    char text[40];
    int after = 14;
    do {
        (void)snprintf(text, sizeof text, "%.*e", after++, d);
    } while (after <= 16 && strtod(text, NULL) != d);
    uint64_t digits = 0;
    const char *p = text;
    for (; *p != '\0' && *p != 'e'; p++) {
        if (*p >= '0' && *p <= '9') {
            digits = digits * 10 + (uint64_t)(*p - '0');
        }
    }
    long exponent = *p == 'e' ? strtol(p + 1, NULL, 10) : 0;
    return normal(digits, (int)exponent - (after - 1));
}

static decimal decimal_of(const json_t *value)
{
    if (json_is_real(value)) {
        return decimal_of_double(fabs(json_real_value(value)));
    }
    int64_t i = json_integer_value(value);
    return normal(i < 0 ? 0 - (uint64_t)i : (uint64_t)i, 0);
}

static uint64_t multiply_mod(uint64_t a, uint64_t b, uint64_t m)
{
    return (uint64_t)((unsigned __int128)a * b % m);
}

static uint64_t power_mod(uint64_t base, unsigned exponent, uint64_t m)
{
    uint64_t result = 1 % m;
    for (base %= m; exponent > 0; exponent /= 2) {
        if (exponent % 2 == 1) {
            result = multiply_mod(result, base, m);
        }
        base = multiply_mod(base, base, m);
    }
    return result;
}

bool rqi_js_number_is_multiple(const json_t *value, const json_t *of)
{
    decimal a = decimal_of(value);
    decimal b = decimal_of(of);
    if (a.digits == 0) {
        return true;
    }
    /* The digits do not end in 0, so a finer value is no multiple of a coarser one. */
    if (a.exponent < b.exponent) {
        return false;
    }
    uint64_t shift = power_mod(10, (unsigned)(a.exponent - b.exponent), b.digits);
    return multiply_mod(a.digits % b.digits, shift, b.digits) == 0;
}

/* --- Keywords --------------------------------------------------------------------------------- */

static refq_err compile_bound(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                              rqi_js_check *ret)
{
    ret->value = value;
    return json_is_number(value)
               ? REFQ_OK
               : rqi_js_compile_expected(c, site, ret->keyword->name, "a number", value);
}

static refq_err compile_multiple(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                                 rqi_js_check *ret)
{
    ret->value = value;
    return json_is_number(value) && json_number_value(value) > 0
               ? REFQ_OK
               : rqi_js_compile_expected(c, site, "multipleOf", "a number above 0", value);
}

static bool eval_minimum(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                         rqi_js_marks *marks)
{
    (void)run;
    (void)marks;
    return !json_is_number(at->value) || rqi_js_number_compare(at->value, check->value) >= 0;
}

static bool eval_maximum(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                         rqi_js_marks *marks)
{
    (void)run;
    (void)marks;
    return !json_is_number(at->value) || rqi_js_number_compare(at->value, check->value) <= 0;
}

static bool eval_above(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                       rqi_js_marks *marks)
{
    (void)run;
    (void)marks;
    return !json_is_number(at->value) || rqi_js_number_compare(at->value, check->value) > 0;
}

static bool eval_below(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                       rqi_js_marks *marks)
{
    (void)run;
    (void)marks;
    return !json_is_number(at->value) || rqi_js_number_compare(at->value, check->value) < 0;
}

static bool eval_multiple(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                          rqi_js_marks *marks)
{
    (void)run;
    (void)marks;
    return !json_is_number(at->value) || rqi_js_number_is_multiple(at->value, check->value);
}

static void explain(rqi_buf *out, const char *what, const rqi_js_check *check)
{
    rqi_buf_adds(out, what);
    rqi_js_words_json(out, check->value);
}

static void explain_minimum(const rqi_js_check *check, const rqi_js_at *at, rqi_buf *out)
{
    (void)at;
    explain(out, "at least ", check);
}

static void explain_maximum(const rqi_js_check *check, const rqi_js_at *at, rqi_buf *out)
{
    (void)at;
    explain(out, "at most ", check);
}

static void explain_above(const rqi_js_check *check, const rqi_js_at *at, rqi_buf *out)
{
    (void)at;
    explain(out, "more than ", check);
}

static void explain_below(const rqi_js_check *check, const rqi_js_at *at, rqi_buf *out)
{
    (void)at;
    explain(out, "less than ", check);
}

static void explain_multiple(const rqi_js_check *check, const rqi_js_at *at, rqi_buf *out)
{
    (void)at;
    explain(out, "a multiple of ", check);
}

const rqi_js_keyword rqi_js_number_keywords[] = {
    {"minimum", RQI_JS_VALIDATION, compile_bound, eval_minimum, explain_minimum, false},
    {"maximum", RQI_JS_VALIDATION, compile_bound, eval_maximum, explain_maximum, false},
    {"exclusiveMinimum", RQI_JS_VALIDATION, compile_bound, eval_above, explain_above, false},
    {"exclusiveMaximum", RQI_JS_VALIDATION, compile_bound, eval_below, explain_below, false},
    {"multipleOf", RQI_JS_VALIDATION, compile_multiple, eval_multiple, explain_multiple, false},
    {NULL, 0, NULL, NULL, NULL, false},
};
