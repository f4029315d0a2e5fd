/* SPDX-License-Identifier: MIT */
/* DESIGN. Recursive, because values are never deeper than REFQ_SCHEMA_INSTANCE_DEPTH. The hash is
 * not a secret one: values made to collide cost comparisons, and comparisons cost steps. */
#include "schema/equal.h"

#include "schema/number.h"

#include <string.h>

#define BYTES_A_STEP 64

static bool spend(rqi_js_run *run, uint64_t bytes)
{
    return run == NULL || rqi_js_spend(run, 1 + bytes / BYTES_A_STEP);
}

static bool equal_arrays(rqi_js_run *run, const json_t *a, const json_t *b)
{
    size_t n = json_array_size(a);
    bool same = n == json_array_size(b);
    for (size_t i = 0; same && i < n; i++) {
        same = rqi_js_equal(run, json_array_get(a, i), json_array_get(b, i));
    }
    return same;
}

static bool equal_objects(rqi_js_run *run, const json_t *a, const json_t *b)
{
    json_t *object = (json_t *)(uintptr_t)a;
    bool same = json_object_size(a) == json_object_size(b);
    void *iter = json_object_iter(object);
    while (same && iter != NULL) {
        const json_t *other =
            json_object_getn(b, json_object_iter_key(iter), json_object_iter_key_len(iter));
        same = other != NULL && rqi_js_equal(run, json_object_iter_value(iter), other);
        iter = json_object_iter_next(object, iter);
    }
    return same;
}

static bool equal_strings(rqi_js_run *run, const json_t *a, const json_t *b)
{
    size_t len = json_string_length(a);
    return len == json_string_length(b) && spend(run, len) &&
           memcmp(json_string_value(a), json_string_value(b), len) == 0;
}

bool rqi_js_equal(rqi_js_run *run, const json_t *a, const json_t *b)
{
    if (!spend(run, 0)) {
        return false;
    }
    if (json_is_number(a) && json_is_number(b)) {
        return rqi_js_number_compare(a, b) == 0;
    }
    if (json_typeof(a) != json_typeof(b)) {
        return false;
    }
    switch (json_typeof(a)) {
    case JSON_STRING: return equal_strings(run, a, b);
    case JSON_ARRAY: return equal_arrays(run, a, b);
    case JSON_OBJECT: return equal_objects(run, a, b);
    default: return true;
    }
}

/* --- Hashing ---------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h)
{
    h ^= h >> 33;
    h *= UINT64_C(0xff51afd7ed558ccd);
    h ^= h >> 33;
    h *= UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

static uint64_t hash_bytes(const char *bytes, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    }
    return mix(h ^ len);
}

static uint64_t hash_number(const json_t *value)
{
    double d = json_real_value(value);
    if (json_is_real(value) && (!rqi_js_number_is_whole(value) || d >= 9223372036854775808.0 ||
                                d < -9223372036854775808.0)) {
        uint64_t bits;
        memcpy(&bits, &d, sizeof bits);
        return mix(bits + 2);
    }
    int64_t i = json_is_real(value) ? (int64_t)d : json_integer_value(value);
    return mix((uint64_t)i + 1);
}

static uint64_t hash_array(rqi_js_run *run, const json_t *value)
{
    uint64_t h = 11;
    for (size_t i = 0; i < json_array_size(value); i++) {
        h = mix(h + rqi_js_hash(run, json_array_get(value, i)));
    }
    return h;
}

/* A sum, for the order of members does not matter. */
static uint64_t hash_object(rqi_js_run *run, const json_t *value)
{
    json_t *object = (json_t *)(uintptr_t)value;
    uint64_t h = 13;
    void *iter = json_object_iter(object);
    while (iter != NULL) {
        size_t len = json_object_iter_key_len(iter);
        uint64_t key = hash_bytes(json_object_iter_key(iter), len);
        if (!spend(run, len)) {
            return 0;
        }
        h += mix(key + 3 * rqi_js_hash(run, json_object_iter_value(iter)));
        iter = json_object_iter_next(object, iter);
    }
    return mix(h);
}

uint64_t rqi_js_hash(rqi_js_run *run, const json_t *value)
{
    if (!spend(run, json_is_string(value) ? json_string_length(value) : 0)) {
        return 0;
    }
    switch (json_typeof(value)) {
    case JSON_STRING: return hash_bytes(json_string_value(value), json_string_length(value));
    case JSON_INTEGER:
    case JSON_REAL: return hash_number(value);
    case JSON_ARRAY: return hash_array(run, value);
    case JSON_OBJECT: return hash_object(run, value);
    default: return mix((uint64_t)json_typeof(value) + 100);
    }
}
