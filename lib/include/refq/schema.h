/* SPDX-License-Identifier: MIT */
/*
 * JSON Schema 2020-12: is this JSON what was asked for, and if not, where not?
 *
 *     refq_schema *schema;
 *     if (refq_schema_compile(text, strlen(text), NULL, &schema, &err) != REFQ_OK) {
 *         errx(1, "%s", err.text);      // schema at /properties/pages/minimum: expected a number,
 * ...
 *     }
 *     if (refq_schema_validate(schema, args, strlen(args), &err) != REFQ_OK) {
 *         warnx("%s", err.text);        // /pages/2: expected integer, got string "x"
 *     }
 *     refq_schema_unref(schema);
 *
 * Nothing is ever fetched. docs/SCHEMA.md lists keywords, limits and deviations.
 */
#ifndef REFQ_SCHEMA_H
#define REFQ_SCHEMA_H

#include <refq/bytes.h>
#include <refq/error.h>
#include <refq/export.h>

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define REFQ_SCHEMA_MAX_BYTES      ((size_t)256 * 1024) /* of one schema text */
#define REFQ_SCHEMA_MAX_DEPTH      64                   /* of one schema text */
#define REFQ_SCHEMA_MAX_NODES      16384                /* subschemas, documents included */
#define REFQ_SCHEMA_MAX_DOCUMENTS  64
#define REFQ_SCHEMA_MAX_STEPS      ((uint64_t)10000000) /* one validation, unless told otherwise */
#define REFQ_SCHEMA_INSTANCE_BYTES ((size_t)64 * 1024 * 1024) /* of one validated text */
#define REFQ_SCHEMA_INSTANCE_DEPTH 128                        /* of one validated text */

/* A compiled schema. It never changes: any number of threads may validate with it at a time. */
typedef struct refq_schema refq_schema;

/* A schema that "$ref" may name by its URI, handed over because nothing is fetched. */
typedef struct refq_schema_document {
    const char *uri; /* absolute, without fragment */
    refq_bytes json; /* the schema's text; read only when it is referred to */
} refq_schema_document;

typedef struct refq_schema_options {
    size_t struct_size;                    /* sizeof(refq_schema_options) */
    const char *base_uri;                  /* absolute URI of a schema without "$id"; NULL = none */
    const refq_schema_document *documents; /* borrowed during the call; NULL = none */
    size_t n_documents;                    /* at most REFQ_SCHEMA_MAX_DOCUMENTS */
    bool assert_formats;                   /* true: "format" is checked where it is known */
    uint64_t max_steps;                    /* of one validation; 0 = REFQ_SCHEMA_MAX_STEPS */
} refq_schema_options;

/* Compiles a schema; options may be NULL. The caller owns one reference to *ret.
 * REFQ_ERR_INVALID for what is no valid schema, REFQ_ERR_UNSUPPORTED for what is not offered
 * (another dialect, a remote "$ref"), REFQ_ERR_LIMIT for what is too large; the text names the JSON
 * pointer in the schema. Any thread. */
REFQ_API REFQ_MUST_USE refq_err refq_schema_compile(const char *json, size_t len,
                                                    const refq_schema_options *options,
                                                    refq_schema **ret, refq_error *err);

/* Returns its argument. Any thread. */
REFQ_API refq_schema *refq_schema_ref(refq_schema *schema);

/* The last reference frees it; NULL is fine. Any thread. */
REFQ_API void refq_schema_unref(refq_schema *schema);

/* Validates one JSON text. REFQ_ERR_INVALID when it does not fit or is no JSON; the text names the
 * JSON pointer of the value, what was expected and what is there. REFQ_ERR_LIMIT when the text is
 * too large or deep, or deciding takes too many steps (as with patterns that backtrack without
 * end). Any thread. */
REFQ_API REFQ_MUST_USE refq_err refq_schema_validate(const refq_schema *schema, const char *json,
                                                     size_t len, refq_error *err);

/* One thing that is wrong with a value. All texts are borrowed until the callback returns. */
typedef struct refq_schema_violation {
    const char *instance; /* JSON pointer of the value; "" = the whole */
    const char *schema;   /* JSON pointer of the keyword in its schema document */
    const char *document; /* that document's URI; "" when it has none */
    const char *text;     /* such as: expected integer, got string "x" */
} refq_schema_violation;

/* Returns false when no more violations are wanted. Called on the validating thread. */
typedef bool (*refq_schema_on_violation)(void *arg, const refq_schema_violation *violation);

/* The same, but tells up to `max` violations (at least one) to `on`; `err` has the first of them.
 */
REFQ_API REFQ_MUST_USE refq_err refq_schema_explain(const refq_schema *schema, const char *json,
                                                    size_t len, size_t max,
                                                    refq_schema_on_violation on, void *arg,
                                                    refq_error *err);

#ifdef __cplusplus
}
#endif
#endif
