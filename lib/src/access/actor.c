/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. An actor is a value of three fields, borrowed from the text it was read from, so that
 * nothing is allocated to ask a question. "system" in a text is an error, not an agent called so
 * (which is what mcp-refcache makes of it): a caller that believes to be the system should learn
 * that it is not. An id is never "" or "*": the one would make an owner "user:" that several
 * programs read differently, the other an id that reads like "everyone".
 */
#include "access/actor.h"

#include "access/glob.h"
#include "access/name.h"
#include "base/error.h"

#include <stdio.h>
#include <string.h>

#define SYSTEM_ID "internal"

static const struct {
    const char *name;
    const char *title;
} types[] = {
    [REFQ_ACTOR_AGENT] = {"agent", "Agent"},
    [REFQ_ACTOR_USER] = {"user", "User"},
    [REFQ_ACTOR_SYSTEM] = {"system", "System"},
};

#define N_TYPES (sizeof types / sizeof types[0])

/* A type that does not exist is shown, and matched, as nothing. */
static const char *type_name(const refq_actor *actor)
{
    return (size_t)actor->type < N_TYPES ? types[actor->type].name : "";
}

static const char *id_of(const refq_actor *actor)
{
    return actor->type == REFQ_ACTOR_SYSTEM ? SYSTEM_ID : actor->id;
}

const char *rqi_actor_title(const refq_actor *actor)
{
    return (size_t)actor->type < N_TYPES ? types[actor->type].title : "Nobody";
}

refq_actor refq_actor_system(void)
{
    return (refq_actor){.type = REFQ_ACTOR_SYSTEM, .id = SYSTEM_ID};
}

/* --- Checking --------------------------------------------------------------------------------- */

static refq_err check_id(const refq_actor *actor, refq_error *err)
{
    refq_err rc = rqi_name_check("the actor's id", actor->id, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    if (actor->id[0] == '\0' || strcmp(actor->id, "*") == 0) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "'%s' is no actor's id; leave the id out for an anonymous actor",
                        actor->id);
    }
    if (strlen(type_name(actor)) + 1 + strlen(actor->id) > REFQ_ACCESS_NAME_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT,
                        "the actor, written %s:<id>, is longer than %d bytes; use a shorter id",
                        type_name(actor), REFQ_ACCESS_NAME_MAX);
    }
    return REFQ_OK;
}

static refq_err check_session(const char *session_id, refq_error *err)
{
    if (session_id[0] == '\0') {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the actor's session is empty; pass none (NULL) when there is none");
    }
    return rqi_name_check("the actor's session", session_id, err);
}

static refq_err check_system(const refq_actor *actor, refq_error *err)
{
    bool named = actor->id != NULL && strcmp(actor->id, SYSTEM_ID) != 0;
    if (named || actor->session_id != NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the system actor is system:" SYSTEM_ID " and has no session; "
                        "make it with refq_actor_system()");
    }
    return REFQ_OK;
}

refq_err rqi_actor_check(const refq_actor *actor, refq_error *err)
{
    if ((size_t)actor->type >= N_TYPES) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "%u is no type of actor; use REFQ_ACTOR_USER or REFQ_ACTOR_AGENT",
                        (unsigned)actor->type);
    }
    if (actor->type == REFQ_ACTOR_SYSTEM) {
        return check_system(actor, err);
    }
    refq_err rc = actor->id != NULL ? check_id(actor, err) : REFQ_OK;
    return rc == REFQ_OK && actor->session_id != NULL ? check_session(actor->session_id, err) : rc;
}

/* --- Text ------------------------------------------------------------------------------------- */

static size_t type_of(const char *text, size_t len)
{
    size_t type = 0;
    while (type < N_TYPES &&
           (strlen(types[type].name) != len || strncmp(types[type].name, text, len) != 0)) {
        type++;
    }
    return type;
}

refq_err refq_actor_parse(const char *text, const char *session_id, refq_actor *ret,
                          refq_error *err)
{
    char shown[RQI_NAME_SHOWN];
    refq_err rc = rqi_name_check("the actor", text, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    size_t type = type_of(text, strcspn(text, ":"));
    if (type == N_TYPES) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "'%s' is no actor; write user, agent, user:<id> or agent:<id>",
                        rqi_name_shown(shown, text));
    }
    if (type == REFQ_ACTOR_SYSTEM) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "'%s': nobody can ask as the system from outside; use user:<id> or "
                        "agent:<id>",
                        rqi_name_shown(shown, text));
    }
    const char *colon = strchr(text, ':');
    bool anonymous = colon == NULL || strcmp(colon, ":*") == 0;
    refq_actor actor = {(refq_actor_type)type, anonymous ? NULL : colon + 1, session_id};
    rc = rqi_actor_check(&actor, err);
    if (rc == REFQ_OK) {
        *ret = actor;
    }
    return rc;
}

const char *refq_actor_format(const refq_actor *actor, char *out, size_t size)
{
    const char *id = id_of(actor);
    (void)snprintf(out, size, "%s:%s", type_name(actor), id != NULL ? id : "*");
    return out;
}

/* --- Patterns --------------------------------------------------------------------------------- */

static bool id_matches(const char *id, const char *pattern)
{
    if (strcmp(pattern, "*") == 0) {
        return true;
    }
    rqi_glob glob;
    return id != NULL && rqi_glob_compile(pattern, &glob) && rqi_glob_match(&glob, id);
}

static bool matches(const refq_actor *actor, const char *text, const char *pattern)
{
    if (strcmp(text, pattern) == 0) {
        return true;
    }
    size_t len = strcspn(pattern, ":");
    const char *type = type_name(actor);
    bool same = pattern[len] == ':' && strlen(type) == len && strncmp(type, pattern, len) == 0;
    return same && id_matches(id_of(actor), pattern + len + 1);
}

bool refq_actor_matches(const refq_actor *actor, const char *pattern)
{
    return rqi_actor_listed(actor, &pattern, 1);
}

bool rqi_actor_listed(const refq_actor *actor, const char *const *patterns, size_t n)
{
    char text[REFQ_ACCESS_NAME_MAX + 1];
    (void)refq_actor_format(actor, text, sizeof text);
    size_t i = 0;
    while (i < n && !matches(actor, text, patterns[i])) {
        i++;
    }
    return i < n;
}
