/* SPDX-License-Identifier: MIT */
#include "schema/type.h"

#include "schema/keyword.h"
#include "schema/number.h"

#include <string.h>

static const char *const names[] = {"null",   "boolean", "integer", "number",
                                    "string", "array",   "object"};

#define N_TYPES (sizeof names / sizeof names[0])

unsigned rqi_js_type_of(const json_t *value)
{
    static const unsigned bits[] = {
        [JSON_NULL] = RQI_JS_NULL,     [JSON_TRUE] = RQI_JS_BOOLEAN,
        [JSON_FALSE] = RQI_JS_BOOLEAN, [JSON_INTEGER] = RQI_JS_INTEGER | RQI_JS_NUMBER,
        [JSON_REAL] = RQI_JS_NUMBER,   [JSON_STRING] = RQI_JS_STRING,
        [JSON_ARRAY] = RQI_JS_ARRAY,   [JSON_OBJECT] = RQI_JS_OBJECT,
    };
    unsigned types = bits[json_typeof(value)];
    return rqi_js_number_is_whole(value) ? types | RQI_JS_INTEGER : types;
}

void rqi_js_type_write(rqi_buf *out, unsigned types)
{
    unsigned left = types & RQI_JS_NUMBER ? types & ~RQI_JS_INTEGER : types;
    const char *between = "";
    for (size_t i = 0; i < N_TYPES; i++) {
        if ((left >> i & 1) == 0) {
            continue;
        }
        left &= ~(1u << i);
        rqi_buf_addf(out, "%s%s", between, names[i]);
        between = (left & (left - 1)) == 0 ? " or " : ", ";
    }
}

static unsigned bit_of(const json_t *name)
{
    const char *text = json_is_string(name) ? json_string_value(name) : "";
    for (size_t i = 0; i < N_TYPES; i++) {
        if (strcmp(text, names[i]) == 0) {
            return 1u << i;
        }
    }
    return 0;
}

static refq_err compile_type(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                             rqi_js_check *ret)
{
    static const char want[] =
        "null, boolean, integer, number, string, array or object, or a list of them";
    bool is_list = json_is_array(value) && json_array_size(value) > 0;
    size_t n = is_list ? json_array_size(value) : 1;
    for (size_t i = 0; i < n; i++) {
        const json_t *name = is_list ? json_array_get(value, i) : value;
        unsigned bit = bit_of(name);
        if (bit == 0) {
            return rqi_js_compile_expected(c, site, "type", want, name);
        }
        ret->types |= bit;
    }
    return REFQ_OK;
}

static bool eval_type(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                      rqi_js_marks *marks)
{
    (void)run;
    (void)marks;
    return (rqi_js_type_of(at->value) & check->types) != 0;
}

static void explain_type(const rqi_js_check *check, const rqi_js_at *at, rqi_buf *out)
{
    (void)at;
    rqi_js_type_write(out, check->types);
}

const rqi_js_keyword rqi_js_type_keywords[] = {
    {"type", RQI_JS_VALIDATION, compile_type, eval_type, explain_type, false},
    {NULL, 0, NULL, NULL, NULL, false},
};

bool rqi_js_type_is_check(const rqi_js_check *check)
{
    return check->keyword == &rqi_js_type_keywords[0];
}
