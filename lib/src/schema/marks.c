/* SPDX-License-Identifier: MIT */
#include "schema/marks.h"

#include <stdlib.h>

#define BITS 64

static size_t words_of(size_t n)
{
    return n / BITS + 1;
}

static size_t count_of(const json_t *value)
{
    return json_is_object(value) ? json_object_size(value) : json_array_size(value);
}

static uint64_t *bits_of(rqi_js_marks *marks)
{
    return marks->many != NULL ? marks->many : &marks->few;
}

bool rqi_js_marks_init(rqi_js_marks *marks, const json_t *value)
{
    *marks = (rqi_js_marks){.n = count_of(value)};
    if (marks->n < BITS) {
        return true;
    }
    marks->many = calloc(words_of(marks->n), sizeof *marks->many);
    return marks->many != NULL;
}

void rqi_js_marks_done(rqi_js_marks *marks)
{
    free(marks->many);
}

uint64_t rqi_js_marks_cost(const json_t *value)
{
    return words_of(count_of(value));
}

void rqi_js_marks_set(rqi_js_marks *marks, size_t i)
{
    if (marks != NULL) {
        bits_of(marks)[i / BITS] |= UINT64_C(1) << (i % BITS);
    }
}

void rqi_js_marks_fill(rqi_js_marks *marks, size_t n)
{
    if (marks == NULL) {
        return;
    }
    for (size_t word = 0; word < n / BITS; word++) {
        bits_of(marks)[word] = UINT64_MAX;
    }
    bits_of(marks)[n / BITS] |= (UINT64_C(1) << (n % BITS)) - 1;
}

void rqi_js_marks_merge(rqi_js_marks *marks, const rqi_js_marks *from)
{
    if (marks == NULL) {
        return;
    }
    const uint64_t *bits = from->many != NULL ? from->many : &from->few;
    for (size_t word = 0; word < words_of(from->n); word++) {
        bits_of(marks)[word] |= bits[word];
    }
}

bool rqi_js_marks_has(const rqi_js_marks *marks, size_t i)
{
    const uint64_t *bits = marks->many != NULL ? marks->many : &marks->few;
    return (bits[i / BITS] >> (i % BITS) & 1) != 0;
}
