/* SPDX-License-Identifier: MIT */
#include "schema/ref.h"

#include "schema/keyword.h"
#include "schema/resource.h"
#include "schema/uri.h"

#include <string.h>

typedef struct rqi_js_link {
    const rqi_js_node *node;
    const char
        *dynamic; /* the name that an outer resource may have, too; NULL = it is always node */
} link;

/* --- Looking up ------------------------------------------------------------------------------- */

static refq_err unknown(rqi_js_compile *c, const rqi_js_pending *p)
{
    return rqi_js_compile_fail_at(c, p->resource, p->place, REFQ_ERR_INVALID,
                                  "'%.100s' names nothing in the schema", p->text);
}

/* Follows a JSON pointer; where it leads may be no subschema of any keyword, so it is compiled now.
 */
static refq_err follow(rqi_js_compile *c, const rqi_js_pending *p, rqi_js_resource *resource,
                       const char *pointer, const rqi_js_node **ret)
{
    const json_t *value = resource->root;
    const rqi_js_place *place = resource->place;
    rqi_buf step = {0};
    while (value != NULL && rqi_js_pointer_next(&pointer, &step)) {
        rqi_js_place next = {.up = place};
        value = rqi_js_pointer_step(value, &step, &next);
        place = next.key != NULL ? rqi_js_step_key(c, place, next.key, next.key_len)
                                 : rqi_js_step_index(c, place, next.index);
        const rqi_js_node *node = value != NULL ? rqi_js_nodemap_get(&c->nodes, value) : NULL;
        resource = node != NULL ? (rqi_js_resource *)(uintptr_t)node->resource : resource;
    }
    rqi_buf_done(&step);
    if (value == NULL || *pointer != '\0') {
        return unknown(c, p);
    }
    return rqi_js_compile_node(c, resource, value, place, ret);
}

static refq_err find_fragment(rqi_js_compile *c, const rqi_js_pending *p, rqi_js_resource *resource,
                              const char *fragment)
{
    if (fragment[0] == '/' || fragment[0] == '\0') {
        p->link->dynamic = NULL;
        return follow(c, p, resource, fragment, &p->link->node);
    }
    const rqi_js_anchor *anchor = rqi_js_anchor_find(resource, fragment);
    if (anchor == NULL) {
        return unknown(c, p);
    }
    p->link->node = anchor->node;
    p->link->dynamic = p->link->dynamic != NULL && anchor->dynamic ? anchor->name : NULL;
    return REFQ_OK;
}

static refq_err find_target(rqi_js_compile *c, const rqi_js_pending *p, rqi_buf *uri,
                            rqi_buf *fragment)
{
    if (!rqi_js_uri_resolve(p->resource->uri, p->text, uri)) {
        return rqi_js_compile_fail_at(c, p->resource, p->place, REFQ_ERR_LIMIT,
                                      "the URI has more than %d bytes", RQI_JS_URI_MAX);
    }
    const char *escaped = rqi_js_uri_cut_fragment(uri);
    if (!rqi_js_uri_unescape(escaped != NULL ? escaped : "", fragment)) {
        return rqi_js_compile_fail_at(c, p->resource, p->place, REFQ_ERR_INVALID,
                                      "the URI '%.100s' has a broken %% escape", p->text);
    }
    rqi_js_resource *resource;
    refq_err rc = rqi_js_resource_find(c, rqi_buf_str(uri), &resource);
    if (rc == REFQ_OK && resource == NULL) {
        return rqi_js_compile_fail_at(
            c, p->resource, p->place, REFQ_ERR_UNSUPPORTED,
            "'%.90s' is not in this schema, and nothing is fetched; put it into \"$defs\" with "
            "that \"$id\"",
            rqi_buf_str(uri));
    }
    return rc == REFQ_OK ? find_fragment(c, p, resource, rqi_buf_str(fragment)) : rc;
}

static refq_err resolve(rqi_js_compile *c, const rqi_js_pending *p)
{
    rqi_buf uri = {0};
    rqi_buf fragment = {0};
    refq_err rc = find_target(c, p, &uri, &fragment);
    rqi_buf_done(&uri);
    rqi_buf_done(&fragment);
    return rc;
}

refq_err rqi_js_refs_resolve(rqi_js_compile *c)
{
    while (c->pending != NULL) {
        const rqi_js_pending *p = c->pending;
        c->pending = p->next;
        refq_err rc = resolve(c, p);
        if (rc != REFQ_OK) {
            return rc;
        }
    }
    return REFQ_OK;
}

/* --- Keywords --------------------------------------------------------------------------------- */

static refq_err add_pending(rqi_js_compile *c, const rqi_js_site *site, const char *keyword,
                            const char *text, link *target)
{
    rqi_js_pending *p = rqi_js_alloc(c, 1, sizeof *p);
    if (p == NULL) {
        return rqi_js_compile_nomem(c);
    }
    *p = (rqi_js_pending){.resource = site->resource, .text = text, .link = target};
    p->place = rqi_js_step_key(c, site->node->place, keyword, strlen(keyword));
    rqi_js_pending **end = c->pending != NULL ? &c->pending_end->next : &c->pending;
    *end = p;
    c->pending_end = p;
    return p->place != NULL ? REFQ_OK : rqi_js_compile_nomem(c);
}

static refq_err compile_ref(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                            rqi_js_check *ret)
{
    const char *keyword = ret->keyword->name;
    const char *text = json_string_value(value);
    if (text == NULL || strlen(text) != json_string_length(value)) {
        return rqi_js_compile_expected(c, site, keyword, "a URI as a string", value);
    }
    link *target = rqi_js_alloc(c, 1, sizeof *target);
    if (target == NULL) {
        return rqi_js_compile_nomem(c);
    }
    target->dynamic = keyword[1] == 'd' ? text : NULL;
    ret->data = target;
    return add_pending(c, site, keyword, text, target);
}

static bool eval_ref(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                     rqi_js_marks *marks)
{
    const link *target = check->data;
    return rqi_js_eval(run, target->node, at, marks);
}

/* The outermost resource that has the name decides. */
static const rqi_js_node *find_dynamic(rqi_js_run *run, const link *target)
{
    const rqi_js_node *found = target->node;
    for (const rqi_js_scope *s = run->scope; s != NULL && rqi_js_spend(run, 1); s = s->outer) {
        const rqi_js_anchor *anchor = rqi_js_anchor_find(s->resource, target->dynamic);
        if (anchor != NULL && anchor->dynamic) {
            found = anchor->node;
        }
    }
    return found;
}

static bool eval_dynamic(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                         rqi_js_marks *marks)
{
    const link *target = check->data;
    return rqi_js_eval(run, target->dynamic != NULL ? find_dynamic(run, target) : target->node, at,
                       marks);
}

static refq_err compile_defs(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                             rqi_js_check *ret)
{
    (void)ret;
    rqi_js_nodes nodes;
    return rqi_js_compile_map(c, site, "$defs", value, &nodes);
}

const rqi_js_keyword rqi_js_ref_keywords[] = {
    {"$defs", RQI_JS_CORE, compile_defs, NULL, NULL, false},
    {"$ref", RQI_JS_CORE, compile_ref, eval_ref, NULL, false},
    {"$dynamicRef", RQI_JS_CORE, compile_ref, eval_dynamic, NULL, false},
    {NULL, 0, NULL, NULL, NULL, false},
};
