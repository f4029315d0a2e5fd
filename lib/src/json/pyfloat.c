/* SPDX-License-Identifier: MIT */
#include "json/pyfloat.h"

#include <assert.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAFE_DIGITS 15 /* so many digits come back from a double as they went in */
#define MOST_DIGITS 17 /* so many always name one double */

static_assert(SAFE_DIGITS == DBL_DIG && MOST_DIGITS == DBL_DECIMAL_DIG, "doubles are IEEE 754's");

/* 0.d1d2d3... times ten to the power of point. */
struct decimal {
    bool negative;
    char digits[MOST_DIGITS];
    int n_digits; /* without zeros at either end; 0 is zero itself */
    int point;
};

/* --- Layout ----------------------------------------------------------------------------------- */

static char *put(char *out, const char *text, int len)
{
    memcpy(out, text, (size_t)len);
    return out + len;
}

static char *put_zeros(char *out, int n)
{
    memset(out, '0', (size_t)n);
    return out + n;
}

static char *lay_out_exponent(const struct decimal *d, char *p)
{
    *p++ = d->digits[0];
    if (d->n_digits > 1) {
        *p++ = '.';
        p = put(p, d->digits + 1, d->n_digits - 1);
    }
    int exponent = d->point - 1;
    return p + snprintf(p, 8, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent) % 1000);
}

static char *lay_out_plain(const struct decimal *d, char *p)
{
    if (d->point <= 0) {
        p = put_zeros(put(p, "0.", 2), -d->point);
        return put(p, d->digits, d->n_digits);
    }
    if (d->n_digits <= d->point) {
        p = put_zeros(put(p, d->digits, d->n_digits), d->point - d->n_digits);
        return put(p, ".0", 2);
    }
    p = put(put(p, d->digits, d->point), ".", 1);
    return put(p, d->digits + d->point, d->n_digits - d->point);
}

static size_t lay_out(const struct decimal *d, char out[RQI_PYFLOAT_MAX])
{
    char *p = out;
    if (d->negative) {
        *p++ = '-';
    }
    if (d->n_digits == 0) {
        return (size_t)(put(p, "0.0", 3) - out);
    }
    bool plain = d->point > -4 && d->point <= 16;
    return (size_t)((plain ? lay_out_plain(d, p) : lay_out_exponent(d, p)) - out);
}

/* --- Text to digits --------------------------------------------------------------------------- */

/* The digits before an exponent; false when there are more than most. */
static bool read_digits(const char *p, const char *end, int most, struct decimal *d)
{
    bool fraction = false;
    int zeros = 0; /* between the last digit that was kept and here */
    for (; p < end; p++) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        bool leading = d->n_digits == 0 && *p == '0';
        d->point += leading ? -fraction : !fraction;
        if (*p == '0') {
            zeros += !leading;
            continue;
        }
        if (zeros >= most - d->n_digits) {
            return false;
        }
        (void)put_zeros(d->digits + d->n_digits, zeros);
        d->n_digits += zeros;
        d->digits[d->n_digits++] = *p;
        zeros = 0;
    }
    return true;
}

/* Takes a number's text apart; false when it has more digits than most or a long exponent. */
static bool take_apart(const char *p, size_t len, int most, struct decimal *ret)
{
    const char *end = p + len;
    struct decimal d = {.negative = *p == '-'};
    p += d.negative;
    const char *mark = p;
    while (mark < end && (*mark | 0x20) != 'e') {
        mark++;
    }
    if (end - mark > 6 || !read_digits(p, mark, most, &d)) {
        return false;
    }
    if (mark < end) {
        char exponent[8] = "";
        (void)put(exponent, mark + 1, (int)(end - mark - 1));
        d.point += (int)strtol(exponent, NULL, 10);
    }
    *ret = d;
    return true;
}

/* --- Doubles ---------------------------------------------------------------------------------- */

/* glibc has this locale ready made: nothing is allocated, nothing to free. */
static locale_t enter_c_locale(void)
{
    return uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0));
}

/* strtod() wants a terminated text. */
bool rqi_pyfloat_read(refq_bytes number, double *ret)
{
    char small[512];
    char *text = number.len < sizeof small ? small : malloc(number.len + 1);
    if (text == NULL) {
        return false;
    }
    memcpy(text, number.ptr, number.len);
    text[number.len] = '\0';
    locale_t before = enter_c_locale();
    *ret = strtod(text, NULL);
    (void)uselocale(before);
    if (text != small) {
        free(text);
    }
    return true;
}

/* The number that follows in the last digit; false when there is a carry to the front. */
static bool count_up(char *text)
{
    char *p = strchr(text, 'e');
    while (--p > text && (*p == '9' || *p == '.')) {
        *p = *p == '9' ? '0' : *p;
    }
    if (*p < '0' || *p >= '9') {
        return false;
    }
    ++*p;
    return true;
}

/* So many digits, where they suffice. Next to a power of two there is twice as much room above it
 * as below: there the nearest decimal can fail where the one above it does not. */
static bool suffices(double value, int digits, char text[RQI_PYFLOAT_MAX])
{
    (void)snprintf(text, RQI_PYFLOAT_MAX, "%.*e", digits - 1, value);
    if (strtod(text, NULL) == value) {
        return true;
    }
    int exponent;
    bool power_of_two = fabs(frexp(value, &exponent)) == 0.5;
    return power_of_two && count_up(text) && strtod(text, NULL) == value;
}

static void print_shortest(double value, char text[RQI_PYFLOAT_MAX])
{
    locale_t before = enter_c_locale();
    int digits = fabs(value) < DBL_MIN ? 1 : SAFE_DIGITS;
    while (!suffices(value, digits, text) && digits < MOST_DIGITS) {
        digits++;
    }
    (void)uselocale(before);
}

size_t rqi_pyfloat(refq_bytes number, char out[RQI_PYFLOAT_MAX])
{
    struct decimal d;
    bool is_short = take_apart(number.ptr, number.len, SAFE_DIGITS, &d);
    if (is_short && d.point > DBL_MIN_10_EXP + SAFE_DIGITS && d.point < DBL_MAX_10_EXP) {
        return lay_out(&d, out);
    }
    double value;
    if (!rqi_pyfloat_read(number, &value)) {
        return 0;
    }
    if (isinf(value)) {
        const char *name = value < 0 ? "-Infinity" : "Infinity";
        return (size_t)(put(out, name, (int)strlen(name)) - out);
    }
    if (value == 0) {
        d = (struct decimal){.negative = signbit(value) != 0};
        return lay_out(&d, out);
    }
    char text[RQI_PYFLOAT_MAX];
    print_shortest(value, text);
    (void)take_apart(text, strlen(text), MOST_DIGITS, &d);
    return lay_out(&d, out);
}
