/* SPDX-License-Identifier: MIT */
/* A schema, a line end, a value: both from outside. Whatever they are, it ends within its steps;
 * the texts are clean; asking for more violations finds the same first one. The first byte chooses.
 */
#include "fuzz/fz.h"

#include "base/utf8.h"

#include <refq/schema.h>

#include <stdlib.h>
#include <string.h>

#define STEPS 20000
#define MAX   3

static const char part[] = "{\"$dynamicAnchor\":\"n\",\"type\":[\"object\",\"array\",\"null\"],"
                           "\"additionalProperties\":{\"$dynamicRef\":\"#n\"}}";
static const refq_schema_document documents[] = {{"http://example.com/n", {part, sizeof part - 1}}};

struct told {
    size_t n;
    char *first;
};

static void check_text(const char *text)
{
    size_t n = strlen(text);
    RQT_HOLDS(n > 0 && rqi_utf8_valid(text, n) == n);
    for (size_t i = 0; i < n; i++) {
        RQT_HOLDS((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
    }
}

static bool tell(void *arg, const refq_schema_violation *v)
{
    struct told *told = arg;
    check_text(v->text);
    RQT_HOLDS(v->instance[0] == '\0' || v->instance[0] == '/');
    RQT_HOLDS(v->schema[0] == '\0' || v->schema[0] == '/');
    if (told->n++ == 0) {
        told->first = strdup(v->text);
    }
    return true;
}

static void check_value(const refq_schema *schema, const char *json, size_t len)
{
    refq_error one = {0};
    refq_error several = {0};
    struct told told = {0};
    refq_err rc = refq_schema_validate(schema, json, len, &one);
    refq_err again = refq_schema_explain(schema, json, len, MAX, tell, &told, &several);
    RQT_HOLDS(rc == again && told.n <= MAX);
    RQT_HOLDS(rc == REFQ_OK || rc == REFQ_ERR_INVALID || rc == REFQ_ERR_LIMIT);
    if (rc != REFQ_OK) {
        check_text(one.text);
    }
    if (told.n > 0) {
        RQT_HOLDS(rc == REFQ_ERR_INVALID && told.first != NULL);
        RQT_HOLDS(strcmp(one.text, several.text) == 0);
    }
    free(told.first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t manner = rqt_fz_byte(&data, &size);
    char *text = rqt_fz_text(data, size);
    const char *end = memchr(text, '\n', size);
    size_t len = end != NULL ? (size_t)(end - text) : size;
    const refq_schema_options options = {.struct_size = sizeof options,
                                         .documents = documents,
                                         .n_documents = 1,
                                         .base_uri = manner & 1 ? "http://example.com/s" : NULL,
                                         .assert_formats = (manner & 2) != 0,
                                         .max_steps = STEPS};
    refq_schema *schema = NULL;
    refq_error err = {0};
    if (refq_schema_compile(text, len, &options, &schema, &err) != REFQ_OK) {
        check_text(err.text);
        RQT_HOLDS(schema == NULL);
    } else if (end != NULL) {
        char *json = rqt_fz_text(data + len + 1, size - len - 1);
        check_value(schema, json, size - len - 1);
        free(json);
    }
    refq_schema_unref(schema);
    free(text);
    return 0;
}
