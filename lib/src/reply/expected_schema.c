/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. An agent that gets a reference instead of a value plans its next step
 * by what the value will look like: the type, the members of an object with
 * their types, an example and a sentence. All of it is taken from the task's
 * output_schema; what that does not say is null.
 */
#include "reply/async.h"

#include "codec/json.h"

#include <string.h>

enum { FIELDS_MAX = 64 };

/* "string", or "integer | null" for an alternative; "any" when nothing is said. */
static void add_type(const json_t *schema, rqi_buf *out)
{
    const json_t *type = json_object_get(schema, "type");
    rqi_buf text = {0};
    size_t i = 0;
    json_t *one = NULL;
    json_array_foreach(type, i, one)
    {
        rqi_buf_addf(&text, "%s%s", i > 0 ? " | " : "",
                     json_is_string(one) ? json_string_value(one) : "any");
    }
    if (text.len == 0) {
        rqi_buf_adds(&text, json_is_string(type) ? json_string_value(type) : "any");
    }
    rqi_buf_add_json(out, rqi_buf_str(&text), text.len);
    rqi_buf_done(&text);
}

static void add_fields(json_t *schema, rqi_buf *out)
{
    const char *name = NULL;
    json_t *field = NULL;
    json_t *properties = json_object_get(schema, "properties");
    if (json_object_size(properties) == 0) {
        rqi_buf_adds(out, "null");
        return;
    }
    size_t n = 0;
    json_object_foreach(properties, name, field)
    {
        if (n == FIELDS_MAX) {
            break;
        }
        rqi_buf_adds(out, n++ == 0 ? "{" : ", ");
        rqi_buf_add_json(out, name, strlen(name));
        rqi_buf_adds(out, ": ");
        add_type(field, out);
    }
    rqi_buf_addc(out, '}');
}

static void add_json_or_null(const json_t *value, rqi_buf *out)
{
    char *text = value != NULL ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    rqi_buf_adds(out, text != NULL ? text : "null");
    free(text);
}

void rqi_expected_schema_add(const char *output_schema, rqi_buf *out)
{
    json_t *schema = NULL;
    if (output_schema == NULL ||
        rqi_json_load_any(output_schema, strlen(output_schema), 1 << 20, 0, &schema, NULL) !=
            REFQ_OK ||
        !json_is_object(schema)) {
        json_decref(schema);
        rqi_buf_adds(out, "null");
        return;
    }
    const json_t *description = json_object_get(schema, "description");
    rqi_buf_adds(out, "{\"return_type\": ");
    add_type(schema, out);
    rqi_buf_adds(out, ", \"fields\": ");
    add_fields(schema, out);
    rqi_buf_adds(out, ", \"example\": ");
    add_json_or_null(json_array_get(json_object_get(schema, "examples"), 0), out);
    rqi_buf_adds(out, ", \"description\": ");
    add_json_or_null(json_is_string(description) ? description : NULL, out);
    rqi_buf_addc(out, '}');
    json_decref(schema);
}
