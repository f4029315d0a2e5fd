/* SPDX-License-Identifier: MIT */
/*
 * Validates by the line, for test suites in other languages.
 *
 *   schema_tool [--formats] [--documents FILE]
 *
 * Each line of stdin is {"schema": ..., "data": ...}; its answer is one line: {"result": "valid"},
 * or "invalid" or "error" with a "text". FILE is a JSON object: URI -> schema that may be referred
 * to. A schema equal to the line's before is not compiled again.
 */
#include "codec/json.h"

#include <refq/schema.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINE      ((size_t)16 * 1024 * 1024)
#define MAX_DOCUMENTS REFQ_SCHEMA_MAX_DOCUMENTS

static refq_schema_document documents[MAX_DOCUMENTS];
static refq_schema_options options = {.struct_size = sizeof options, .documents = documents};

static refq_schema *schema; /* of the line before */
static char *schema_text;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "schema_tool: %s: %s\n", what, why);
    exit(1);
}

static void load_documents(const char *path)
{
    json_error_t why;
    json_t *all = json_load_file(path, 0, &why);
    const char *uri;
    json_t *document;
    if (all == NULL) {
        die(path, why.text);
    }
    json_object_foreach(all, uri, document)
    {
        char *text = json_dumps(document, JSON_ENCODE_ANY);
        if (options.n_documents == MAX_DOCUMENTS || text == NULL) {
            die(path, "too many documents");
        }
        documents[options.n_documents++] =
            (refq_schema_document){strdup(uri), {text, strlen(text)}};
    }
    json_decref(all);
}

static void answer(const char *result, const char *text)
{
    json_t *line = json_pack("{s:s, s:s}", "result", result, "text", text);
    char *dumped = json_dumps(line, JSON_COMPACT);
    if (dumped == NULL || puts(dumped) == EOF || fflush(stdout) != 0) {
        die("stdout", "cannot write");
    }
    free(dumped);
    json_decref(line);
}

static refq_err use_schema(const json_t *json, refq_error *err)
{
    char *text = json_dumps(json, JSON_ENCODE_ANY);
    if (text == NULL) {
        die("a schema", "out of memory");
    }
    if (schema_text != NULL && strcmp(text, schema_text) == 0 && schema != NULL) {
        free(text);
        return REFQ_OK;
    }
    free(schema_text);
    schema_text = text;
    refq_schema_unref(schema);
    schema = NULL;
    return refq_schema_compile(text, strlen(text), &options, &schema, err);
}

static void do_line(const char *line, size_t len)
{
    refq_error err = {0};
    json_t *pair;
    if (rqi_json_load(line, len, MAX_LINE, 1024, &pair, &err) != REFQ_OK) {
        answer("error", err.text);
        return;
    }
    if (use_schema(json_object_get(pair, "schema"), &err) != REFQ_OK) {
        answer("error", err.text);
        json_decref(pair);
        return;
    }
    char *data = json_dumps(json_object_get(pair, "data"), JSON_ENCODE_ANY);
    refq_err rc = refq_schema_validate(schema, data, strlen(data), &err);
    answer(rc == REFQ_OK ? "valid" : rc == REFQ_ERR_INVALID ? "invalid" : "error", err.text);
    free(data);
    json_decref(pair);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--formats") == 0) {
            options.assert_formats = true;
        } else if (strcmp(argv[i], "--documents") == 0 && i + 1 < argc) {
            load_documents(argv[++i]);
        } else {
            die(argv[i], "usage: schema_tool [--formats] [--documents FILE]");
        }
    }
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    while ((len = getline(&line, &cap, stdin)) > 0) {
        do_line(line, (size_t)len);
    }
    free(line);
    free(schema_text);
    refq_schema_unref(schema);
    for (size_t i = 0; i < options.n_documents; i++) {
        free((void *)(uintptr_t)documents[i].uri);
        free((void *)(uintptr_t)documents[i].json.ptr);
    }
    return 0;
}
