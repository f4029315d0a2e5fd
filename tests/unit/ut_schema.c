/* SPDX-License-Identifier: MIT */
/*
 * JSON Schema: what fits, what does not and what is said about it; schemas that are wrong; schemas,
 * patterns and values made to cost too much; one schema and many threads.
 *
 * DESIGN. The official suite (tests/python/schema_suite.py) holds what the keywords mean. Here is
 * what it does not know: the texts, the limits, and what refq refuses.
 */
#include "base/buf.h"
#include "base/utf8.h"
#include "schema/number.h"
#include "schema/uri.h"
#include "support/main.h"

#include <refq/schema.h>

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

static refq_schema *compile_with(const char *text, const refq_schema_options *options)
{
    refq_schema *schema = NULL;
    refq_error err = {0};
    refq_err rc = refq_schema_compile(text, strlen(text), options, &schema, &err);
    ck_assert_msg(rc == REFQ_OK, "%s\n%s", text, err.text);
    return schema;
}

static refq_err validate(const refq_schema *schema, const char *json, refq_error *err)
{
    return refq_schema_validate(schema, json, strlen(json), err);
}

/* --- What fits and what is said --------------------------------------------------------------- */

struct value_case {
    const char *schema;
    const char *good;
    const char *bad;
    const char *says; /* about the bad one; the whole text */
};

static const struct value_case value_cases[] = {
    {"{\"type\":\"integer\"}", "1.0", "\"x\"", "(root): expected integer, got string \"x\""},
    {"{\"type\":[\"string\",\"null\"]}", "null", "5",
     "(root): expected null or string, got integer 5"},
    {"{\"type\":[\"integer\",\"number\"]}", "1.5", "true",
     "(root): expected number, got boolean true"},
    {"{\"properties\":{\"pages\":{\"items\":{\"type\":\"integer\"}}}}", "{\"pages\":[1,2,3]}",
     "{\"pages\":[1,2,\"x\"]}", "/pages/2: expected integer, got string \"x\""},
    {"{\"properties\":{\"a/b~c\":{\"type\":\"null\"}}}", "{\"a/b~c\":null}", "{\"a/b~c\":1.5}",
     "/a~1b~0c: expected null, got number 1.5"},
    {"{\"const\":{\"a\":[1,2.0]}}", "{\"a\":[1.0,2]}", "{\"a\":[1,3]}",
     "(root): expected an object of 1 member, got object of 1 member"},
    {"{\"const\":\"on\"}", "\"on\"", "\"off\"", "(root): expected \"on\", got string \"off\""},
    {"{\"enum\":[1,\"a\",null]}", "1.0", "2",
     "(root): expected one of 1, \"a\", null, got integer 2"},
    {"{\"enum\":[false]}", "false", "0", "(root): expected false, got integer 0"},
    {"{\"enum\":[1,2,3,4,5,6,7,8,9]}", "9", "10",
     "(root): expected one of 1, 2, 3, 4, 5, 6, 7, 8, ..., got integer 10"},
    {"{\"minimum\":5}", "5", "4.5", "(root): expected at least 5, got number 4.5"},
    {"{\"maximum\":5.5}", "5", "6", "(root): expected at most 5.5, got integer 6"},
    {"{\"exclusiveMinimum\":9007199254740992}", "9007199254740993", "9007199254740992.0",
     "(root): expected more than 9007199254740992, got integer 9007199254740992.0"},
    {"{\"exclusiveMaximum\":0}", "-1", "-0.0", "(root): expected less than 0, got integer -0.0"},
    {"{\"multipleOf\":0.01}", "4.35", "4.355",
     "(root): expected a multiple of 0.01, got number 4.355"},
    {"{\"minLength\":2}", "\"\u00e9\u00e9\"", "\"\u00e9\"",
     "(root): expected at least 2 characters, got string \"\u00e9\""},
    {"{\"maxLength\":1}", "\"\U0001f600\"", "\"ab\"",
     "(root): expected at most 1 character, got string \"ab\""},
    {"{\"pattern\":\"^[a-z]+$\"}", "\"abc\"", "\"abc\\n\"",
     "(root): expected a match of the pattern \"^[a-z]+$\", got string \"abc\\n\""},
    {"{\"minItems\":1}", "[1]", "[]", "(root): expected at least 1 item, got array of 0 items"},
    {"{\"maxItems\":1}", "[1]", "[1,2]", "(root): expected at most 1 item, got array of 2 items"},
    {"{\"uniqueItems\":true}", "[1,\"1\",true,[1],{\"a\":1}]",
     "[{\"a\":1,\"b\":2},0,{\"b\":2,\"a\":1.0}]",
     "(root): expected no two equal items, got the same at 0 and 2"},
    {"{\"required\":[\"path\"]}", "{\"path\":1}", "{}",
     "(root): expected a member \"path\", which is missing"},
    {"{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1,\"b\":1}", "{\"a\":1}",
     "(root): expected a member \"b\" beside \"a\", which is missing"},
    {"{\"dependencies\":{\"a\":[\"b\"],\"c\":{\"maxProperties\":1}}}", "{\"c\":1}", "{\"a\":1}",
     "(root): expected a member \"b\" beside \"a\", which is missing"},
    {"{\"minProperties\":1}", "{\"a\":1}", "{}",
     "(root): expected at least 1 member, got object of 0 members"},
    {"{\"maxProperties\":0}", "{}", "{\"a\":1}",
     "(root): expected at most 0 members, got object of 1 member"},
    {"{\"properties\":{\"pages\":true},\"additionalProperties\":false}", "{\"pages\":1}",
     "{\"page\":1}", "/page: expected no member \"page\"; did you mean \"pages\"?"},
    {"{\"patternProperties\":{\"^x-\":{\"type\":\"string\"}}}", "{\"x-a\":\"\",\"y\":1}",
     "{\"x-a\":1}", "/x-a: expected string, got integer 1"},
    {"{\"additionalProperties\":{\"type\":\"string\"}}", "{\"a\":\"\"}", "{\"a\":1}",
     "/a: expected string, got integer 1"},
    {"{\"propertyNames\":{\"maxLength\":2}}", "{\"ab\":1}", "{\"abc\":1}",
     "/abc: expected at most 2 characters, got the name \"abc\""},
    {"{\"dependentSchemas\":{\"a\":{\"required\":[\"b\"]}}}", "{\"a\":1,\"b\":1}", "{\"a\":1}",
     "(root): expected a member \"b\", which is missing"},
    {"{\"prefixItems\":[{\"type\":\"string\"}],\"items\":false}", "[\"a\"]", "[\"a\",1]",
     "/1: expected no item here, got integer 1"},
    {"{\"contains\":{\"type\":\"integer\"},\"maxContains\":1}", "[\"a\",1]", "[1,2,\"a\"]",
     "(root): expected at most 1 item that fit the schema of 'contains', got 2 among 3"},
    {"{\"allOf\":[{\"type\":\"object\"},{\"required\":[\"a\"]}]}", "{\"a\":1}", "[]",
     "(root): expected object, got array of 0 items"},
    {"{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "null", "5",
     "(root): expected null or string, got integer 5"},
    {"{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"string\",\"minLength\":3}]}", "\"abc\"", "\"ab\"",
     "(root): expected at least 3 characters, got string \"ab\" (the nearest of 2 alternatives)"},
    {"{\"anyOf\":[{\"type\":\"null\"},{\"properties\":{\"a\":{\"type\":\"null\"}}}]}",
     "{\"a\":null}", "{\"a\":1}",
     "(root): fits none of 2 alternatives; the nearest fails at /a: expected null, got integer 1"},
    {"{\"oneOf\":[{\"minimum\":1},{\"maximum\":5}]}", "7", "3",
     "(root): expected exactly one of 2 alternatives to fit, but numbers 1 and 2 both do"},
    {"{\"not\":{\"type\":\"string\"}}", "1", "\"a\"",
     "(root): expected something that does not fit the schema of 'not', got string \"a\""},
    {"{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\"]},\"else\":{\"required\":[\"c\"]"
     "}}",
     "{\"c\":1}", "{\"a\":1}", "(root): expected a member \"b\", which is missing"},
    {"{\"properties\":{\"a\":true},\"unevaluatedProperties\":false}", "{\"a\":1}", "{\"b\":1}",
     "/b: expected no such member, got integer 1"},
    {"{\"prefixItems\":[true],\"unevaluatedItems\":{\"type\":\"null\"}}", "[1,null]", "[1,2]",
     "/1: expected null, got integer 2"},
    {"{\"$defs\":{\"n\":{\"type\":\"null\"}},\"items\":{\"$ref\":\"#/$defs/n\"}}", "[null]", "[1]",
     "/0: expected null, got integer 1"},
    {"{\"$ref\":\"https://json-schema.org/draft/2020-12/schema\"}", "{\"minLength\":1}",
     "{\"minLength\":-1}", "/minLength: expected at least 0, got integer -1"},
    {"{\"definitions\":{\"n\":{\"type\":\"null\"}},\"$schema\":\"http://json-schema.org/draft-07/"
     "schema#\","
     "\"items\":{\"$ref\":\"#/definitions/n\"}}",
     "[null]", "[1]", "/0: expected null, got integer 1"},
    {"{\"format\":\"date\",\"contentEncoding\":\"base64\"}", "\"no date\"", "[", NULL},
    {"{\"type\":\"string\"}", "\"a\"", "\"01234567890123456789012345678901234567890123456789",
     NULL},
    {"true", "1", "1 2", NULL},
};

START_TEST(values)
{
    const struct value_case *v = &value_cases[_i];
    refq_schema *schema = compile_with(v->schema, NULL);
    refq_error err = {0};
    ck_assert_msg(validate(schema, v->good, &err) == REFQ_OK, "%s: %s", v->schema, err.text);
    ck_assert_int_eq(validate(schema, v->bad, &err), REFQ_ERR_INVALID);
    ck_assert_int_eq(err.code, REFQ_ERR_INVALID);
    if (v->says != NULL) {
        ck_assert_str_eq(err.text, v->says);
    }
    refq_schema_unref(schema);
}
END_TEST

START_TEST(texts_are_bounded_and_one_line)
{
    char value[6000];
    int n = snprintf(value, sizeof value, "{\"\\u0001%0500d\":{\"a\":\"%05000d\"}}", 1, 2);
    ck_assert_int_lt(n, (int)sizeof value);
    refq_schema *schema = compile_with(
        "{\"additionalProperties\":{\"additionalProperties\":{\"type\":\"null\"}}}", NULL);
    refq_error err = {0};
    ck_assert_int_eq(validate(schema, value, &err), REFQ_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "/a: expected null, got string \"000"));
    for (const char *p = err.text; *p != '\0'; p++) {
        ck_assert_int_ge((unsigned char)*p, ' ');
    }
    refq_schema_unref(schema);
}
END_TEST

/* A precision may cut a character in two; a name may hold what no terminal should see. */
START_TEST(errors_of_schemas_are_clean)
{
    rqi_buf text = {0};
    refq_schema *schema = NULL;
    refq_error err = {0};
    rqi_buf_adds(&text, "{\"$ref\":\"http://a\x7f/");
    for (int i = 0; i < 200; i++) {
        rqi_buf_adds(&text, i % 7 == 0 ? "a" : "\u20ac");
    }
    rqi_buf_adds(&text, "\"}");
    ck_assert_int_eq(refq_schema_compile(text.ptr, text.len, NULL, &schema, &err),
                     REFQ_ERR_UNSUPPORTED);
    ck_assert_uint_eq(rqi_utf8_valid(err.text, strlen(err.text)), strlen(err.text));
    ck_assert_ptr_null(strchr(err.text, 0x7f));
    rqi_buf_done(&text);
}
END_TEST

/* --- Several violations ----------------------------------------------------------------------- */

struct told {
    char texts[8][200];
    size_t n;
    size_t enough;
};

static bool tell(void *arg, const refq_schema_violation *v)
{
    struct told *told = arg;
    ck_assert_uint_lt(told->n, N_OF(told->texts));
    (void)snprintf(told->texts[told->n++], sizeof told->texts[0], "%s|%s|%s|%s", v->instance,
                   v->schema, v->document, v->text);
    return told->n != told->enough;
}

static void explain(const char *schema_text, const char *json, size_t max, struct told *told)
{
    refq_error err = {0};
    refq_schema *schema = compile_with(schema_text, NULL);
    ck_assert_int_eq(refq_schema_explain(schema, json, strlen(json), max, tell, told, &err),
                     REFQ_ERR_INVALID);
    refq_schema_unref(schema);
}

static const char form[] =
    "{\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":3},\"b\":{\"$ref\":\"#/$defs/s\"}},"
    "\"required\":[\"c\",\"d\"],\"unevaluatedProperties\":false,"
    "\"$defs\":{\"s\":{\"type\":\"string\"}}}";

START_TEST(all_violations)
{
    struct told told = {.enough = 99};
    explain(form, "{\"b\":1,\"a\":2.5}", 9, &told);
    ck_assert_uint_eq(told.n, 5);
    ck_assert_str_eq(told.texts[0], "|/required||expected a member \"c\", which is missing");
    ck_assert_str_eq(told.texts[1], "|/required||expected a member \"d\", which is missing");
    ck_assert_str_eq(told.texts[2], "/b|/$defs/s/type||expected string, got integer 1");
    ck_assert_str_eq(told.texts[3], "/a|/properties/a/type||expected integer, got number 2.5");
    ck_assert_str_eq(told.texts[4],
                     "/a|/properties/a/minimum||expected at least 3, got number 2.5");
}
END_TEST

START_TEST(as_many_as_wanted)
{
    struct told told = {.enough = 99};
    explain(form, "{\"b\":1,\"a\":2.5}", 2, &told);
    ck_assert_uint_eq(told.n, 2);
    told = (struct told){.enough = 1};
    explain(form, "{\"b\":1,\"a\":2.5}", 5, &told);
    ck_assert_uint_eq(told.n, 1);
}
END_TEST

START_TEST(the_document_is_named)
{
    struct told told = {.enough = 99};
    explain("{\"$ref\":\"https://json-schema.org/draft/2020-12/meta/validation\"}", "{\"type\":5}",
            1, &told);
    ck_assert_uint_eq(told.n, 1);
    ck_assert_ptr_nonnull(
        strstr(told.texts[0], "/type|/properties/type/anyOf|https://json-schema"));
}
END_TEST

/* --- Schemas that are wrong ------------------------------------------------------------------- */

struct schema_case {
    const char *schema;
    refq_err want;
    const char *says; /* a part of it */
};

static const struct schema_case schema_cases[] = {
    {"{", REFQ_ERR_INVALID, "schema: not valid JSON"},
    {"", REFQ_ERR_INVALID, "empty"},
    {"5", REFQ_ERR_INVALID, "schema: expected a schema: an object, true or false, found integer 5"},
    {"{\"properties\":{\"x\":{\"minimum\":\"a\"}}}", REFQ_ERR_INVALID,
     "schema at /properties/x/minimum: expected a number, found string \"a\""},
    {"{\"type\":\"strin\"}", REFQ_ERR_INVALID, "schema at /type: expected null, boolean"},
    {"{\"type\":[]}", REFQ_ERR_INVALID, "found array of 0 items"},
    {"{\"enum\":5}", REFQ_ERR_INVALID, "schema at /enum"},
    {"{\"multipleOf\":0}", REFQ_ERR_INVALID, "a number above 0"},
    {"{\"minLength\":-1}", REFQ_ERR_INVALID, "schema at /minLength: expected a whole number"},
    {"{\"maxItems\":1.5}", REFQ_ERR_INVALID, "found number 1.5"},
    {"{\"uniqueItems\":1}", REFQ_ERR_INVALID, "true or false"},
    {"{\"required\":\"a\"}", REFQ_ERR_INVALID, "schema at /required: expected an array of names"},
    {"{\"required\":[1]}", REFQ_ERR_INVALID, "schema at /required: expected an array of names"},
    {"{\"dependentRequired\":{\"a\":1}}", REFQ_ERR_INVALID, "schema at /dependentRequired"},
    {"{\"dependencies\":{\"a\":1}}", REFQ_ERR_INVALID, "schema at /dependencies/a"},
    {"{\"properties\":[]}", REFQ_ERR_INVALID, "schema at /properties: expected an object"},
    {"{\"patternProperties\":{\"(\":true}}", REFQ_ERR_INVALID,
     "schema at /patternProperties: the pattern '('"},
    {"{\"pattern\":\"a++\"}", REFQ_ERR_INVALID, "wrong at byte 2"},
    {"{\"pattern\":1}", REFQ_ERR_INVALID, "regular expression"},
    {"{\"allOf\":[]}", REFQ_ERR_INVALID, "at least one"},
    {"{\"anyOf\":[{\"not\":3}]}", REFQ_ERR_INVALID, "schema at /anyOf/0/not: expected a schema"},
    {"{\"items\":[true]}", REFQ_ERR_INVALID, "write 'prefixItems'"},
    {"{\"format\":1}", REFQ_ERR_INVALID, "schema at /format"},
    {"{\"$id\":5}", REFQ_ERR_INVALID, "schema at /$id"},
    {"{\"$id\":\"http://a/b#c\"}", REFQ_ERR_INVALID, "without a fragment"},
    {"{\"$id\":\"http://a/b\",\"$defs\":{\"x\":{\"$id\":\"b\"}}}", REFQ_ERR_INVALID,
     "another schema has"},
    {"{\"$anchor\":\"1a\"}", REFQ_ERR_INVALID, "schema at /$anchor"},
    {"{\"$anchor\":\"a\",\"$defs\":{\"x\":{\"$anchor\":\"a\"}}}", REFQ_ERR_INVALID,
     "schema at /$defs/x/$anchor: the name 'a' is taken"},
    {"{\"$ref\":\"#/$defs/x\"}", REFQ_ERR_INVALID, "schema at /$ref: '#/$defs/x' names nothing"},
    {"{\"$ref\":\"#x\"}", REFQ_ERR_INVALID, "names nothing"},
    {"{\"$ref\":\"#/%zz\"}", REFQ_ERR_INVALID, "broken % escape"},
    {"{\"$ref\":5}", REFQ_ERR_INVALID, "schema at /$ref: expected a URI"},
    {"{\"$ref\":\"#/$defs/x\",\"$defs\":{\"x\":{\"const\":{\"type\":1}}}}", REFQ_OK, NULL},
    {"{\"$ref\":\"#/const\",\"const\":{\"type\":1}}", REFQ_ERR_INVALID, "schema at /const/type"},
    {"{\"$ref\":\"https://example.com/s.json\"}", REFQ_ERR_UNSUPPORTED, "nothing is fetched"},
    {"{\"$schema\":\"http://json-schema.org/draft-04/schema#\"}", REFQ_ERR_UNSUPPORTED,
     "schema at /$schema: the dialect"},
    {"{\"$schema\":5}", REFQ_ERR_INVALID, "schema at /$schema"},
    {"{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"additionalItems\":false}",
     REFQ_ERR_UNSUPPORTED, "schema at /additionalItems: draft-07"},
    {"{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"$ref\":\"#\",\"minimum\":1}",
     REFQ_ERR_UNSUPPORTED, "beside \"$ref\""},
    {"{\"$schema\":\"https://json-schema.org/draft/2019-09/schema\",\"$recursiveRef\":\"#\"}",
     REFQ_ERR_UNSUPPORTED, "$dynamicRef"},
    {"{\"a\":1,\"a\":2}", REFQ_ERR_INVALID, "duplicate"},
    {"{\"anything\":{\"type\":5},\"x-order\":[1]}", REFQ_OK, NULL},
};

START_TEST(schemas)
{
    const struct schema_case *s = &schema_cases[_i];
    refq_schema *schema = NULL;
    refq_error err = {0};
    refq_err rc = refq_schema_compile(s->schema, strlen(s->schema), NULL, &schema, &err);
    ck_assert_msg(rc == s->want, "%s: %d %s", s->schema, rc, err.text);
    if (s->says != NULL) {
        ck_assert_ptr_null(schema);
        ck_assert_msg(strstr(err.text, s->says) != NULL, "%s", err.text);
    }
    refq_schema_unref(schema);
}
END_TEST

/* --- Options ---------------------------------------------------------------------------------- */

START_TEST(documents_handed_over)
{
    static const char name[] = "{\"$defs\":{\"first\":{\"type\":\"string\"}}}";
    const refq_schema_document documents[] = {{"http://example.com/name", {name, sizeof name - 1}}};
    refq_schema_options options = {
        .struct_size = sizeof options, .documents = documents, .n_documents = 1};
    refq_schema *schema =
        compile_with("{\"items\":{\"$ref\":\"http://example.com/name#/$defs/first\"}}", &options);
    refq_error err = {0};
    ck_assert_int_eq(validate(schema, "[\"a\"]", &err), REFQ_OK);
    ck_assert_int_eq(validate(schema, "[1]", &err), REFQ_ERR_INVALID);
    refq_schema_unref(schema);
    options.base_uri = "http://example.com/other";
    schema = compile_with("{\"$ref\":\"name\"}", &options);
    refq_schema_unref(schema);
}
END_TEST

START_TEST(a_document_that_is_wrong)
{
    static const char broken[] = "{\"type\":5}";
    const refq_schema_document documents[] = {
        {"http://example.com/b", {broken, sizeof broken - 1}}};
    refq_schema_options options = {
        .struct_size = sizeof options, .documents = documents, .n_documents = 1};
    refq_schema *schema = NULL;
    refq_error err = {0};
    const char text[] = "{\"$ref\":\"http://example.com/b\"}";
    ck_assert_int_eq(refq_schema_compile(text, sizeof text - 1, &options, &schema, &err),
                     REFQ_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "schema http://example.com/b at /type: expected"));
    /* Nobody refers to it, so nobody reads it. */
    schema = compile_with("true", &options);
    refq_schema_unref(schema);
}
END_TEST

START_TEST(options_that_are_wrong)
{
    const refq_schema_document relative[] = {{"name", {"true", 4}}};
    refq_schema_options many = {.struct_size = sizeof many, .n_documents = 65};
    refq_schema_options bad[] = {
        {.struct_size = 1},
        many,
        {.struct_size = sizeof bad[0], .base_uri = "name"},
        {.struct_size = sizeof bad[0], .documents = relative, .n_documents = 1},
    };
    for (size_t i = 0; i < N_OF(bad); i++) {
        refq_schema *schema = NULL;
        refq_error err = {0};
        ck_assert_int_ne(refq_schema_compile("true", 4, &bad[i], &schema, &err), REFQ_OK);
        ck_assert_ptr_null(schema);
        ck_assert_str_ne(err.text, "");
    }
}
END_TEST

START_TEST(formats_when_asked)
{
    refq_schema_options options = {.struct_size = sizeof options, .assert_formats = true};
    refq_schema *schema = compile_with("{\"format\":\"date\"}", &options);
    refq_error err = {0};
    ck_assert_int_eq(validate(schema, "\"2024-02-29\"", &err), REFQ_OK);
    ck_assert_int_eq(validate(schema, "\"2023-02-29\"", &err), REFQ_ERR_INVALID);
    ck_assert_str_eq(err.text,
                     "(root): expected a text in the format 'date', got string \"2023-02-29\"");
    refq_schema_unref(schema);
    schema = compile_with("{\"format\":\"unheard-of\"}", &options);
    ck_assert_int_eq(validate(schema, "\"\"", &err), REFQ_OK);
    refq_schema_unref(schema);
}
END_TEST

/* --- What costs too much ---------------------------------------------------------------------- */

struct hostile_case {
    const char *schema;
    const char *json;
    const char *says;
};

static const struct hostile_case hostile_cases[] = {
    {"{\"$ref\":\"#\"}", "1", "without end"},
    {"{\"allOf\":[{\"$ref\":\"#/$defs/a\"}],\"$defs\":{\"a\":{\"anyOf\":[{\"$ref\":\"#\"}]}}}", "1",
     "without end"},
    {"{\"$dynamicAnchor\":\"m\",\"not\":{\"$dynamicRef\":\"#m\"}}", "1", "without end"},
    {"{\"pattern\":\"^(a+)+$\"}", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"", "too expensive"},
    {"{\"pattern\":\"^(([a-z])+.)+[A-Z]([a-z])+$\"}", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
     "too expensive"},
};

START_TEST(hostile)
{
    const struct hostile_case *h = &hostile_cases[_i];
    refq_schema *schema = compile_with(h->schema, NULL);
    refq_error err = {0};
    ck_assert_int_eq(validate(schema, h->json, &err), REFQ_ERR_LIMIT);
    ck_assert_msg(strstr(err.text, h->says) != NULL, "%s", err.text);
    refq_schema_unref(schema);
}
END_TEST

/* Each level asks for the next one twice: 2^30 evaluations. */
START_TEST(a_ref_bomb)
{
    rqi_buf text = {0};
    rqi_buf_adds(&text, "{\"$ref\":\"#/$defs/0\",\"$defs\":{");
    for (int i = 0; i < 30; i++) {
        rqi_buf_addf(&text,
                     "\"%d\":{\"allOf\":[{\"$ref\":\"#/$defs/%d\"},{\"$ref\":\"#/$defs/%d\"}]},", i,
                     i + 1, i + 1);
    }
    rqi_buf_adds(&text, "\"30\":{\"type\":\"integer\"}}}");
    refq_schema *schema = compile_with(rqi_buf_str(&text), NULL);
    refq_error err = {0};
    ck_assert_int_eq(validate(schema, "1", &err), REFQ_ERR_LIMIT);
    ck_assert_ptr_nonnull(strstr(err.text, "more steps than allowed"));
    ck_assert_int_eq(validate(schema, "\"a\"", &err), REFQ_ERR_INVALID);
    refq_schema_unref(schema);
    rqi_buf_done(&text);
}
END_TEST

/* Alternatives that all fail, each of them made of such: the reason cannot be found in time. */
START_TEST(a_bomb_of_reasons)
{
    rqi_buf text = {0};
    rqi_buf_adds(&text, "{\"$ref\":\"#/$defs/0\",\"$defs\":{");
    for (int i = 0; i < 12; i++) {
        rqi_buf_addf(&text,
                     "\"%d\":{\"anyOf\":[{\"$ref\":\"#/$defs/%d\"},{\"$ref\":\"#/$defs/%d\"}]},", i,
                     i + 1, i + 1);
    }
    rqi_buf_adds(&text, "\"12\":{\"type\":\"integer\"}}}");
    const refq_schema_options options = {.struct_size = sizeof options, .max_steps = 100000};
    refq_schema *schema = compile_with(rqi_buf_str(&text), &options);
    refq_error err = {0};
    ck_assert_int_eq(validate(schema, "\"a\"", &err), REFQ_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "takes too long"));
    refq_schema_unref(schema);
    rqi_buf_done(&text);
}
END_TEST

/* A possessive loop from each start: PCRE2's own limits do not see the distance. */
START_TEST(a_quadratic_pattern)
{
    size_t n = (size_t)1 << 20;
    char *json = malloc(n + 3);
    ck_assert_ptr_nonnull(json);
    memset(json, 'a', n + 2);
    json[0] = json[n + 1] = '"';
    json[n + 2] = '\0';
    refq_schema *schema = compile_with("{\"pattern\":\"[a-z]*[0-9]\"}", NULL);
    refq_error err = {0};
    ck_assert_int_eq(refq_schema_validate(schema, json, n + 2, &err), REFQ_ERR_LIMIT);
    refq_schema_unref(schema);
    schema = compile_with("{\"pattern\":\"^[a-z]*$\",\"maxLength\":1048576}", NULL);
    ck_assert_int_eq(refq_schema_validate(schema, json, n + 2, &err), REFQ_OK);
    refq_schema_unref(schema);
    free(json);
}
END_TEST

static char *many(const char *before, const char *each, int n, const char *after)
{
    rqi_buf text = {0};
    rqi_buf_adds(&text, before);
    for (int i = 0; i < n; i++) {
        rqi_buf_addf(&text, "%s%s", i > 0 ? "," : "", each);
    }
    rqi_buf_adds(&text, after);
    char *taken = rqi_buf_take(&text, NULL);
    ck_assert_ptr_nonnull(taken);
    return taken;
}

/* Not quadratic: 200 000 numbers within the usual number of steps. */
START_TEST(many_unique_items)
{
    rqi_buf text = {0};
    for (int i = 0; i < 200000; i++) {
        rqi_buf_addf(&text, "%c%d", i == 0 ? '[' : ',', i);
    }
    rqi_buf_adds(&text, "]");
    refq_schema *schema = compile_with("{\"uniqueItems\":true}", NULL);
    refq_error err = {0};
    ck_assert_int_eq(refq_schema_validate(schema, text.ptr, text.len, &err), REFQ_OK);
    text.len--;
    rqi_buf_adds(&text, ",7.0]");
    ck_assert_int_eq(refq_schema_validate(schema, text.ptr, text.len, &err), REFQ_ERR_INVALID);
    ck_assert_str_eq(err.text, "(root): expected no two equal items, got the same at 7 and 200000");
    refq_schema_unref(schema);
    rqi_buf_done(&text);
}
END_TEST

static void refuse_schema(char *text, refq_err want, const char *says)
{
    refq_schema *schema = NULL;
    refq_error err = {0};
    ck_assert_int_eq(refq_schema_compile(text, strlen(text), NULL, &schema, &err), want);
    ck_assert_msg(strstr(err.text, says) != NULL, "%s", err.text);
    free(text);
}

static char *nested(const char *open, int n, const char *middle, const char *close)
{
    rqi_buf text = {0};
    for (int i = 0; i < n; i++) {
        rqi_buf_adds(&text, open);
    }
    rqi_buf_adds(&text, middle);
    for (int i = 0; i < n; i++) {
        rqi_buf_adds(&text, close);
    }
    char *taken = rqi_buf_take(&text, NULL);
    ck_assert_ptr_nonnull(taken);
    return taken;
}

START_TEST(schemas_that_are_too_large)
{
    refuse_schema(many("{\"allOf\":[", "true", 20000, "]}"), REFQ_ERR_LIMIT, "16384 subschemas");
    refuse_schema(many("{\"enum\":[", "\"0123456789\"", 30000, "]}"), REFQ_ERR_LIMIT,
                  "262144 bytes");
    refuse_schema(many("{\"anyOf\":[", "{\"pattern\":\"(?:ab){999}\"}", 200, "]}"), REFQ_ERR_LIMIT,
                  "patterns together");
    refuse_schema(nested("{\"not\":", 65, "true", "}"), REFQ_ERR_LIMIT, "nested deeper than 64");
}
END_TEST

START_TEST(long_pattern)
{
    char *a = nested("a", 4097, "", "");
    rqi_buf text = {0};
    rqi_buf_addf(&text, "{\"pattern\":\"%s\"}", a);
    free(a);
    refuse_schema(rqi_buf_take(&text, NULL), REFQ_ERR_LIMIT, "at most 4096");
}
END_TEST

START_TEST(values_that_are_too_deep)
{
    refq_schema *schema = compile_with("{\"items\":{\"$ref\":\"#\"}}", NULL);
    refq_error err = {0};
    char *fits = nested("[", REFQ_SCHEMA_INSTANCE_DEPTH, "", "]");
    ck_assert_msg(validate(schema, fits, &err) == REFQ_OK, "%s", err.text);
    free(fits);
    char *deep = nested("[", REFQ_SCHEMA_INSTANCE_DEPTH + 1, "", "]");
    ck_assert_int_eq(validate(schema, deep, &err), REFQ_ERR_LIMIT);
    free(deep);
    refq_schema_unref(schema);
}
END_TEST

/* --- Parts ------------------------------------------------------------------------------------ */

struct multiple_case {
    const char *value;
    const char *of;
    bool is;
};

static const struct multiple_case multiple_cases[] = {
    {"0", "0.01", true},
    {"4.35", "0.01", true},
    {"19.99", "0.01", true},
    {"0.0075", "0.0001", true},
    {"0.00751", "0.0001", false},
    {"1.1", "0.1", true},
    {"-1.1", "0.1", true},
    {"1e308", "0.123456789", false},
    {"1e308", "0.5", true},
    {"9007199254740993", "3", true},
    {"9007199254740993", "2", false},
    {"9223372036854775807", "7", true},
    {"-9223372036854775808", "1024", true},
    {"100", "1e2", true},
    {"150", "1e2", false},
    {"1e-300", "1e-301", true},
    {"1e-301", "1e-300", false},
    {"0.3", "0.1", true},
    {"1e22", "7", false},
    {"7e22", "7", true},
    {"12.5", "2.5", true},
    {"3", "1.5", true},
};

START_TEST(multiples)
{
    const struct multiple_case *m = &multiple_cases[_i];
    json_t *value = json_loads(m->value, JSON_DECODE_ANY, NULL);
    json_t *of = json_loads(m->of, JSON_DECODE_ANY, NULL);
    ck_assert_msg(rqi_js_number_is_multiple(value, of) == m->is, "%s of %s", m->value, m->of);
    json_decref(value);
    json_decref(of);
}
END_TEST

struct uri_case {
    const char *base;
    const char *ref;
    const char *want;
};

/* Examples of RFC 3986, 5.4, among others. */
static const struct uri_case uri_cases[] = {
    {"http://a/b/c/d;p?q", "g:h", "g:h"},
    {"http://a/b/c/d;p?q", "g", "http://a/b/c/g"},
    {"http://a/b/c/d;p?q", "./g/", "http://a/b/c/g/"},
    {"http://a/b/c/d;p?q", "/g", "http://a/g"},
    {"http://a/b/c/d;p?q", "//g", "http://g"},
    {"http://a/b/c/d;p?q", "?y", "http://a/b/c/d;p?y"},
    {"http://a/b/c/d;p?q", "#s", "http://a/b/c/d;p?q#s"},
    {"http://a/b/c/d;p?q", "", "http://a/b/c/d;p?q"},
    {"http://a/b/c/d;p?q", ".", "http://a/b/c/"},
    {"http://a/b/c/d;p?q", "..", "http://a/b/"},
    {"http://a/b/c/d;p?q", "../../g", "http://a/g"},
    {"http://a/b/c/d;p?q", "../../../g", "http://a/g"},
    {"http://a/b/c/d;p?q", "/./g", "http://a/g"},
    {"http://a/b/c/d;p?q", "g;x=1/../y", "http://a/b/c/y"},
    {"http://a", "g", "http://a/g"},
    {"", "g", "g"},
    {"urn:uuid:1", "#a", "urn:uuid:1#a"},
};

START_TEST(uris)
{
    const struct uri_case *u = &uri_cases[_i];
    rqi_buf out = {0};
    ck_assert(rqi_js_uri_resolve(u->base, u->ref, &out));
    ck_assert_str_eq(rqi_buf_str(&out), u->want);
    rqi_buf_done(&out);
}
END_TEST

struct pattern_case {
    const char *pattern;
    const char *json; /* of a text that matches; NULL: the pattern is refused */
    const char *other;
};

static const struct pattern_case pattern_cases[] = {
    {"^\\\\s$", "\"\\ufeff\"", "\"a\""},
    {"^[\\\\s-]$", "\"-\"", "\"a\""},
    {"^[\\\\S]$", "\"a\"", "\"\\u2003\""},
    {"^[\\\\s\\\\S]$", "\"\\n\"", "\"\""},
    {"^.$", "\"\\u0085\"", "\"\\u2028\""},
    {"^[[:alpha:]]+$", "\"[]\"", "\"b\""},
    {"^a{,2}$", "\"a{,2}\"", "\"aa\""},
    {"^a{2}$", "\"aa\"", "\"a\""},
    {"^a{1,2}?b{$", "\"aab{\"", "\"aaab{\""},
    {"^\\\\v$", "\"\\u000b\"", "\"\\n\""},
    {"^\\\\u0041\\\\x42$", "\"AB\"", "\"ab\""},
    {"^\\\\ud83d\\\\ude00$", "\"\U0001f600\"", "\"a\""},
    {"^\\\\u{1F600}$", "\"\U0001f600\"", "\"a\""},
    {"^\\\\p{Letter}+$", "\"\u00e9\"", "\"1\""},
    {"^\\\\p{Script=Greek}$", "\"\u03b1\"", "\"a\""},
    {"^\\\\d$", "\"1\"", "\"\u0661\""},
    {"^(?:a|(b))\\\\1$", "\"a\"", "\"ba\""},
    {"^[^]$", "\"\\n\"", "\"\""},
    {"^(?<x>a)\\\\k<x>$", "\"aa\"", "\"ab\""},
    {"(?<!a)b", "\"cb\"", "\"ab\""},
    {"a$", "\"a\"", "\"a\\n\""},
    {"^\\\\cJ\\\\0$", "\"\\n\\u0000\"", "\"\""},
    {"(*UTF)a", NULL, NULL},
    {"(?i)a", NULL, NULL},
    {"(?#x)", NULL, NULL},
    {"(?R)", NULL, NULL},
    {"(?C1)", NULL, NULL},
    {"a*+", NULL, NULL},
    {"\\\\Aa\\\\Z", NULL, NULL},
    {"\\\\Q(\\\\E", NULL, NULL},
    {"\\\\p", NULL, NULL},
    {"\\\\ud83d", NULL, NULL},
    {"\\\\u12", NULL, NULL},
    {"\\\\u{110000}", NULL, NULL},
    {"\\\\xz", NULL, NULL},
    {"\\\\c1", NULL, NULL},
    {"\\\\01", NULL, NULL},
    {"[b-a]", NULL, NULL},
    {"(", NULL, NULL},
    {"a\\\\", NULL, NULL},
};

START_TEST(patterns)
{
    const struct pattern_case *p = &pattern_cases[_i];
    char text[128];
    (void)snprintf(text, sizeof text, "{\"pattern\":\"%s\"}", p->pattern);
    refq_schema *schema = NULL;
    refq_error err = {0};
    refq_err rc = refq_schema_compile(text, strlen(text), NULL, &schema, &err);
    if (p->json == NULL) {
        ck_assert_int_eq(rc, REFQ_ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(err.text, "schema at /pattern: the pattern"));
        return;
    }
    ck_assert_msg(rc == REFQ_OK, "%s", err.text);
    ck_assert_msg(validate(schema, p->json, &err) == REFQ_OK, "%s: %s", text, err.text);
    ck_assert_int_eq(validate(schema, p->other, &err), REFQ_ERR_INVALID);
    refq_schema_unref(schema);
}
END_TEST

/* --- Threads ---------------------------------------------------------------------------------- */

static void *use(void *arg)
{
    refq_schema *schema = arg;
    refq_error err = {0};
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(validate(schema, "{\"a\":\"xyz\",\"b\":[1,2],\"c\":\"on\"}", &err),
                         REFQ_OK);
        ck_assert_int_eq(validate(schema, "{\"a\":\"xyz\",\"b\":[1,1],\"c\":\"up\"}", &err),
                         REFQ_ERR_INVALID);
    }
    refq_schema_unref(schema);
    return NULL;
}

START_TEST(many_threads)
{
    refq_schema *schema = compile_with(
        "{\"properties\":{\"a\":{\"pattern\":\"^[x-z]+$\"},\"b\":{\"uniqueItems\":true},"
        "\"c\":{\"enum\":[\"on\",\"off\"]}},\"unevaluatedProperties\":false}",
        NULL);
    pthread_t threads[4];
    for (size_t i = 0; i < N_OF(threads); i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, use, refq_schema_ref(schema)), 0);
    }
    refq_schema_unref(schema);
    for (size_t i = 0; i < N_OF(threads); i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("schema");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, values, 0, (int)N_OF(value_cases));
    tcase_add_test(tc, texts_are_bounded_and_one_line);
    tcase_add_test(tc, errors_of_schemas_are_clean);
    tcase_add_test(tc, all_violations);
    tcase_add_test(tc, as_many_as_wanted);
    tcase_add_test(tc, the_document_is_named);
    tcase_add_loop_test(tc, schemas, 0, (int)N_OF(schema_cases));
    tcase_add_test(tc, documents_handed_over);
    tcase_add_test(tc, a_document_that_is_wrong);
    tcase_add_test(tc, options_that_are_wrong);
    tcase_add_test(tc, formats_when_asked);
    tcase_add_test(tc, values_that_are_too_deep);
    tcase_add_loop_test(tc, multiples, 0, (int)N_OF(multiple_cases));
    tcase_add_loop_test(tc, uris, 0, (int)N_OF(uri_cases));
    tcase_add_loop_test(tc, patterns, 0, (int)N_OF(pattern_cases));
    Suite *suite = suite_create("ut_schema");
    suite_add_tcase(suite, tc);
    TCase *large = tcase_create("large");
    tcase_set_timeout(large, 60);
    tcase_set_tags(large, "bulk"); /* bounded in steps, which valgrind makes minutes of */
    tcase_add_loop_test(large, hostile, 0, (int)N_OF(hostile_cases));
    tcase_add_test(large, a_ref_bomb);
    tcase_add_test(large, a_bomb_of_reasons);
    tcase_add_test(large, a_quadratic_pattern);
    tcase_add_test(large, many_unique_items);
    tcase_add_test(large, schemas_that_are_too_large);
    tcase_add_test(large, long_pattern);
    tcase_add_test(large, many_threads);
    suite_add_tcase(suite, large);
    return rqt_main(suite);
}
