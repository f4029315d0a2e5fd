/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. What the validator says about a value quotes it, and who reads the
 * error of a task may not be one who may read the value. So only three things
 * are told: where in the arguments, as far as these are the caller's own; which
 * keyword of the schema, which is public; and of which type the value is.
 */
#include "inputs/resolver_state.h"

#include "entry/read.h"
#include "json/parts.h"
#include "json/str.h"

#include <refq/schema.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POINTER_MAX 300 /* bytes of a pointer that are shown */

/* --- Pointers --------------------------------------------------------------------------------- */

/* One step of a JSON pointer, without its escapes. */
struct step {
    char *name; /* owned */
    size_t len;
    const char *end; /* in the pointer */
};

static bool next_step(const char *pointer, struct step *ret)
{
    if (*pointer != '/') {
        return false;
    }
    size_t len = strcspn(pointer + 1, "/");
    *ret = (struct step){.name = malloc(len + 1), .end = pointer + 1 + len};
    if (ret->name == NULL) {
        return false;
    }
    for (const char *p = pointer + 1; p < ret->end; p++) {
        bool escape = *p == '~' && p + 1 < ret->end;
        p += escape;
        ret->name[ret->len++] = !escape ? *p : *p == '1' ? '/' : '~';
    }
    ret->name[ret->len] = '\0';
    return true;
}

static bool is_named(const rqi_part *part, const char *name)
{
    return part->key.len > 0 && rqi_str_is(part->key, name);
}

/* The part of a container that a step leads to. */
static bool take_step(refq_bytes text, const struct step *step, rqi_part *ret)
{
    rqi_parts parts;
    bool found = false;
    rqi_parts_open(&parts, text, NULL);
    bool array = parts.kind == RQI_SCAN_ARRAY;
    unsigned long long i = 0;
    unsigned long long wanted = strtoull(step->name, NULL, 10);
    while (!found && rqi_parts_next(&parts, ret)) {
        found = array ? i++ == wanted : is_named(ret, step->name);
    }
    return found;
}

/* --- Saying ----------------------------------------------------------------------------------- */

struct violation {
    rqi_resolver *r;
    bool told;
};

/* The reference that stands at this place of the arguments; NULL when none does. */
static const rqi_input_node *input_at(const rqi_resolver *r, refq_bytes place)
{
    const rqi_input_value *args = &r->nodes[0]->value;
    size_t at = (size_t)((const char *)place.ptr - args->text.ptr);
    for (size_t i = 0; i < args->n; i++) {
        const rqi_input_node *in = r->nodes[args->holes[i].node];
        if (args->holes[i].at == at && in->kind == RQI_INPUT_VALUE) {
            return in;
        }
    }
    return NULL;
}

/* How much of a pointer is the caller's own, and the reference in whose value the rest lies. */
static size_t own_part(const rqi_resolver *r, const char *pointer, const rqi_input_node **ret_in)
{
    struct step step;
    refq_bytes at = rqi_buf_bytes(&r->nodes[0]->value.text);
    const char *p = pointer;
    *ret_in = NULL;
    while (*ret_in == NULL && next_step(p, &step)) {
        rqi_part part;
        bool found = take_step(at, &step, &part);
        free(step.name);
        if (!found) {
            break;
        }
        at = part.value;
        p = step.end;
        *ret_in = input_at(r, at);
    }
    return (size_t)(p - pointer);
}

static const char *type_at(const rqi_resolver *r, const char *pointer)
{
    struct step step;
    rqi_part part = {.value = rqi_buf_bytes(&r->out), .kind = RQI_SCAN_OBJECT};
    bool found = true;
    for (const char *p = pointer; found && next_step(p, &step); p = step.end) {
        found = take_step(part.value, &step, &part);
        free(step.name);
    }
    return found ? rqi_entry_type(part.kind) : "value";
}

static bool on_violation(void *arg, const refq_schema_violation *violation)
{
    struct violation *v = arg;
    const rqi_input_node *in = NULL;
    size_t own = own_part(v->r, violation->instance, &in);
    v->told = true;
    (void)rqi_resolver_fail(
        v->r, REFQ_ERR_INVALID,
        "arguments of %s: %.*s%s%s%s: expected what the input schema says at %.*s, got %s",
        v->r->task, (int)(own < POINTER_MAX ? own : POINTER_MAX), violation->instance,
        in != NULL ? " (in the value of " : "", in != NULL ? in->ref_id : "", in != NULL ? ")" : "",
        POINTER_MAX, violation->schema, type_at(v->r, violation->instance));
    return false;
}

static refq_err compile(rqi_resolver *r, refq_schema **ret)
{
    refq_error why = {0};
    const refq_schema_options options = {.struct_size = sizeof options,
                                         .max_steps = RQI_INPUT_STEPS};
    refq_err rc = refq_schema_compile(r->schema, strlen(r->schema), &options, ret, &why);
    return rc == REFQ_OK ? rc
                         : rqi_resolver_fail(r, rc, "the input schema of %s cannot be used: %s",
                                             r->task, why.text);
}

refq_err rqi_resolver_fit(rqi_resolver *r)
{
    refq_schema *schema = NULL;
    struct violation v = {.r = r};
    refq_err rc = r->schema != NULL ? compile(r, &schema) : REFQ_OK;
    if (schema == NULL) {
        return rc;
    }
    rc = refq_schema_explain(schema, rqi_buf_str(&r->out), r->out.len, 1, on_violation, &v, NULL);
    refq_schema_unref(schema);
    if (rc != REFQ_OK && !v.told) {
        (void)rqi_resolver_fail(r, rc,
                                "arguments of %s: they cannot be held against the input "
                                "schema: %s",
                                r->task, refq_strerror(rc));
    }
    return rc;
}
