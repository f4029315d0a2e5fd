/* SPDX-License-Identifier: MIT */
/*
 * Namespaces: what their text says about who may enter.
 *
 * DESIGN. Only the part before the first colon has a meaning; all that follows is one id, colons
 * included. So "org:acme:user:bob" is a custom namespace without a rule, as it is in mcp-refcache:
 * a second meaning for deeper levels would let each of the two programs open what the other one
 * keeps shut. Who needs such levels plugs in a resolver. A bare "user", "agent" or "session" has no
 * id that anyone could have, so nobody but the system may enter.
 */
#include "access/name.h"
#include "base/error.h"

#include <string.h>

static const struct {
    const char *prefix;
    refq_namespace_kind kind;
} kinds[] = {
    {"session", REFQ_NAMESPACE_SESSION},
    {"user", REFQ_NAMESPACE_USER},
    {"agent", REFQ_NAMESPACE_AGENT},
    {"shared", REFQ_NAMESPACE_SHARED},
};

static refq_namespace_kind kind_of(const char *text, size_t prefix_len)
{
    if (strcmp(text, "public") == 0) {
        return REFQ_NAMESPACE_PUBLIC;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strlen(kinds[i].prefix) == prefix_len &&
            strncmp(kinds[i].prefix, text, prefix_len) == 0) {
            return kinds[i].kind;
        }
    }
    return REFQ_NAMESPACE_CUSTOM;
}

static refq_namespace split(const char *text)
{
    size_t len = strcspn(text, ":");
    const char *id = text[len] == ':' ? text + len + 1 : NULL;
    refq_namespace ns = {.kind = kind_of(text, len), .prefix = {text, len}, .id = id};
    bool owned = ns.kind == REFQ_NAMESPACE_USER || ns.kind == REFQ_NAMESPACE_AGENT;
    ns.owner = owned && id != NULL && id[0] != '\0' ? text : NULL;
    ns.session = ns.kind == REFQ_NAMESPACE_SESSION ? id : NULL;
    return ns;
}

refq_err refq_namespace_parse(const char *text, refq_namespace *ret, refq_error *err)
{
    refq_err rc = rqi_name_check("the namespace", text, err);
    if (rc == REFQ_OK) {
        *ret = split(text);
    }
    return rc;
}

refq_err refq_namespace_valid(const char *text, refq_error *err)
{
    if (text[0] == '\0') {
        return rqi_fail(err, REFQ_ERR_INVALID, "the namespace is empty; use 'public' for everyone");
    }
    return rqi_name_check("the namespace", text, err);
}

static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

bool refq_namespace_admits(const char *text, const refq_actor *actor)
{
    if (actor->type == REFQ_ACTOR_SYSTEM) {
        return true;
    }
    refq_namespace ns = split(text);
    switch (ns.kind) {
    case REFQ_NAMESPACE_SESSION: return same(ns.id, actor->session_id);
    case REFQ_NAMESPACE_USER: return actor->type == REFQ_ACTOR_USER && same(ns.id, actor->id);
    case REFQ_NAMESPACE_AGENT: return actor->type == REFQ_ACTOR_AGENT && same(ns.id, actor->id);
    case REFQ_NAMESPACE_PUBLIC:
    case REFQ_NAMESPACE_SHARED:
    case REFQ_NAMESPACE_CUSTOM: break;
    }
    return true;
}
