/* SPDX-License-Identifier: MIT */
/*
 * Who may do what with a cached value.
 *
 *     refq_actor who;
 *     if (refq_actor_parse("user:alice", "session-7", &who, &err) != REFQ_OK ||
 *         refq_access_check(NULL, &who, policy, "user:alice", REFQ_READ, NULL, &err) != REFQ_OK) {
 *         errx(1, "%s", err.text);
 *     }
 *
 * The rules, the policy's JSON and the reasons are those of mcp-refcache, so that both read each
 * other's entries; docs/CACHE.md, section Access, lists where refq is stricter.
 *
 * All texts are UTF-8 without control characters and at most REFQ_ACCESS_NAME_MAX bytes long.
 * Pointers in the structs below are borrowed: they must live as long as the struct is used. Every
 * function here may be called from any thread; none keeps what it was given.
 */
#ifndef REFQ_ACCESS_H
#define REFQ_ACCESS_H

#include <refq/bytes.h>
#include <refq/error.h>
#include <refq/export.h>
#include <refq/task.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define REFQ_ACCESS_NAME_MAX \
    256 /* bytes of a namespace, an actor ("type:id"), a session, a pattern */

/* --- Permissions ------------------------------------------------------------------------------ */

#define REFQ_READ      1U  /* see the value */
#define REFQ_WRITE     2U  /* store under the name */
#define REFQ_UPDATE    4U  /* change what is stored */
#define REFQ_DELETE    8U  /* remove it */
#define REFQ_EXECUTE   16U /* let a task compute with it, unseen */
#define REFQ_PERM_NONE 0U
#define REFQ_PERM_CRUD 15U
#define REFQ_PERM_FULL 31U

/* --- Actors ----------------------------------------------------------------------------------- */

typedef enum refq_actor_type {
    REFQ_ACTOR_AGENT = 0, /* so that a zeroed refq_actor is the anonymous agent */
    REFQ_ACTOR_USER,
    REFQ_ACTOR_SYSTEM
} refq_actor_type;

/* A zeroed one is an agent that nobody knows. */
typedef struct refq_actor {
    refq_actor_type type;
    const char *id;         /* NULL = anonymous; never "" or "*" */
    const char *session_id; /* NULL = none; never "" */
} refq_actor;

/* Reads "user:alice", "agent:*" (anonymous), "user" or "agent" (anonymous, too). session_id may be
 * NULL. *ret borrows from both texts. REFQ_ERR_INVALID, REFQ_ERR_LIMIT. "system" and
 * "system:internal" are refused: a text comes from outside, and there nobody is the system. */
REFQ_API REFQ_MUST_USE refq_err refq_actor_parse(const char *text, const char *session_id,
                                                 refq_actor *ret, refq_error *err);

/* The program itself, "system:internal": has no session and may do everything that a deny list, a
 * bound session or a pluggable rule does not forbid. */
REFQ_API refq_actor refq_actor_system(void);

/* Writes "type:id", "type:*" when anonymous, cut to size (REFQ_ACCESS_NAME_MAX + 1 always suffices
 * for an actor that may be used). Returns out. */
REFQ_API const char *refq_actor_format(const refq_actor *actor, char *out, size_t size);

/* True when a pattern of an allow or deny list means the actor: "type:" and a shell pattern of the
 * id (* ? [seq] [!seq]; a backslash is only itself; an unclosed [ too). "type:*" alone means
 * anonymous ones as well. A pattern that equals the actor's text always matches. */
REFQ_API bool refq_actor_matches(const refq_actor *actor, const char *pattern);

/* --- Policies --------------------------------------------------------------------------------- */

/* Who may do what with one value. A zeroed one lets nobody but the system do anything: begin with a
 * preset. */
typedef struct refq_policy {
    size_t struct_size;                /* sizeof(refq_policy) */
    unsigned user_permissions;         /* REFQ_READ ... */
    unsigned agent_permissions;        /* the same */
    const char *owner;                 /* "user:alice"; NULL = none */
    unsigned owner_permissions;        /* what the owner may, instead of what its role may */
    const char *const *allowed_actors; /* patterns: these may do anything; NULL = null in JSON */
    size_t n_allowed;                  /* at most REFQ_POLICY_PATTERNS */
    const char *const *denied_actors;  /* patterns: these may do nothing, whoever they are */
    size_t n_denied;                   /* at most REFQ_POLICY_PATTERNS */
    const char *bound_session;         /* only this session may; NULL = any */
} refq_policy;

#define REFQ_POLICY_PATTERNS 1024        /* in each list */
#define REFQ_POLICY_BYTES    (64 * 1024) /* of a policy's JSON */

typedef enum refq_policy_kind {
    REFQ_POLICY_DEFAULT = 0,  /* users all, agents READ and EXECUTE */
    REFQ_POLICY_PUBLIC,       /* everyone all */
    REFQ_POLICY_USER_ONLY,    /* users all, agents nothing */
    REFQ_POLICY_EXECUTE_ONLY, /* users all, agents EXECUTE: private computation */
    REFQ_POLICY_READ_ONLY     /* everyone READ */
} refq_policy_kind;

/* A preset: no owner, no lists, no session. A kind that does not exist gives a policy that lets
 * nobody do anything. */
REFQ_API refq_policy refq_policy_preset(refq_policy_kind kind);

/* The preset called default, public, user_only, execute_only or read_only. REFQ_ERR_NOTFOUND. */
REFQ_API REFQ_MUST_USE refq_err refq_policy_named(const char *name, refq_policy *ret,
                                                  refq_error *err);

/* Reads a policy's JSON (an object; "{}" is the default policy; what is missing has its default;
 * unknown keys are ignored). Free *ret with refq_policy_free(). REFQ_ERR_INVALID names the field
 * and what it holds; REFQ_ERR_LIMIT, REFQ_ERR_NOMEM. */
REFQ_API REFQ_MUST_USE refq_err refq_policy_parse(const char *json, size_t len, refq_policy **ret,
                                                  refq_error *err);

/* Writes all seven fields as Python's json.dumps lays them out. *ret_json is terminated; free() it.
 * ret_len may be NULL. REFQ_ERR_INVALID or REFQ_ERR_LIMIT for what must not be stored. */
REFQ_API REFQ_MUST_USE refq_err refq_policy_format(const refq_policy *policy, char **ret_json,
                                                   size_t *ret_len, refq_error *err);

/* A copy that borrows nothing; free it with refq_policy_free(). Refuses what refq_policy_format()
 * would refuse. */
REFQ_API REFQ_MUST_USE refq_err refq_policy_copy(const refq_policy *policy, refq_policy **ret,
                                                 refq_error *err);

/* For policies of refq_policy_parse() and refq_policy_copy(). NULL is fine. */
REFQ_API void refq_policy_free(refq_policy *policy);

/* --- Namespaces ------------------------------------------------------------------------------- */

typedef enum refq_namespace_kind {
    REFQ_NAMESPACE_CUSTOM = 0, /* no rule of its own: everyone */
    REFQ_NAMESPACE_PUBLIC,     /* exactly "public": everyone */
    REFQ_NAMESPACE_SESSION,    /* "session:<id>": actors of this session */
    REFQ_NAMESPACE_USER,       /* "user:<id>": this user */
    REFQ_NAMESPACE_AGENT,      /* "agent:<id>": this agent */
    REFQ_NAMESPACE_SHARED      /* "shared:<group>": everyone, until a resolver knows groups */
} refq_namespace_kind;

/* A namespace taken apart; borrows from its text. */
typedef struct refq_namespace {
    refq_namespace_kind kind;
    refq_bytes prefix;   /* up to the first colon, or all of it */
    const char *id;      /* behind the first colon; NULL when there is none */
    const char *owner;   /* "user:<id>", "agent:<id>"; NULL = none. Grants nothing */
    const char *session; /* the session it asks for; NULL = none */
} refq_namespace;

/* REFQ_ERR_LIMIT or REFQ_ERR_INVALID when it is too long or holds what a name must not. An empty
 * one is custom: entries of others may have it. */
REFQ_API REFQ_MUST_USE refq_err refq_namespace_parse(const char *text, refq_namespace *ret,
                                                     refq_error *err);

/* Whether something may be stored there: as above, and not empty. */
REFQ_API REFQ_MUST_USE refq_err refq_namespace_valid(const char *text, refq_error *err);

/* The built-in rule of namespaces (the table above; the system may enter all). */
REFQ_API bool refq_namespace_admits(const char *text, const refq_actor *actor);

/* --- Checking --------------------------------------------------------------------------------- */

/* Why not. The first four and ROLE are the order of the rules. */
typedef enum refq_denial {
    REFQ_DENIAL_NONE = 0,  /* allowed */
    REFQ_DENIAL_EXPLICIT,  /* the deny list has the actor */
    REFQ_DENIAL_SESSION,   /* bound to another session */
    REFQ_DENIAL_NAMESPACE, /* the namespace is not open to the actor */
    REFQ_DENIAL_OWNER,     /* the owner itself lacks the permission */
    REFQ_DENIAL_ROLE,      /* users, or agents, lack it */
    REFQ_DENIAL_OTHER      /* a checker's own reason */
} refq_denial;

/* "explicit_deny", "session_mismatch", "namespace_ownership", "owner_insufficient",
 * "role_insufficient", "denied"; "allowed" for none. Constant, never NULL. For logs and audits: an
 * agent is better told that there is no such reference. */
REFQ_API const char *refq_denial_name(refq_denial denial);

/* Decides instead of the built-in rules; wanted is never 0, and all its bits must be allowed.
 * Called on the thread that asks, possibly on several at once. Any value that is not
 * REFQ_DENIAL_NONE denies. */
typedef refq_denial (*refq_checker)(void *arg, const refq_actor *actor, const refq_policy *policy,
                                    const char *namespace_name, unsigned wanted);

/* Decides instead of refq_namespace_admits(), for every actor, the system too. */
typedef bool (*refq_namespace_resolver)(void *arg, const char *namespace_name,
                                        const refq_actor *actor);

/* What is pluggable. All NULL (or no refq_access at all) = the built-in rules. */
typedef struct refq_access {
    size_t struct_size;                /* sizeof(refq_access) */
    refq_checker check;                /* NULL = built in; else the resolver is not asked */
    void *check_arg;                   /* borrowed; handed to check */
    refq_namespace_resolver may_enter; /* NULL = refq_namespace_admits() */
    void *may_enter_arg;               /* borrowed; handed to may_enter */
} refq_access;

/* May the actor do all of wanted (REFQ_READ | ..., not 0)? access may be NULL. REFQ_OK when it may;
 * REFQ_ERR_DENIED when not, with the reason in *ret_denial (may be NULL; also set when allowed) and
 * in err. Anything malformed, in the actor, policy or namespace, is REFQ_ERR_INVALID or
 * REFQ_ERR_LIMIT: never taken for allowed. */
REFQ_API REFQ_MUST_USE refq_err refq_access_check(const refq_access *access,
                                                  const refq_actor *actor,
                                                  const refq_policy *policy,
                                                  const char *namespace_name, unsigned wanted,
                                                  refq_denial *ret_denial, refq_error *err);

/* All that refq_access_check() would allow, as bits; 0 for anything malformed. An actor of the
 * allow list has REFQ_PERM_FULL. */
REFQ_API unsigned refq_access_permissions(const refq_access *access, const refq_actor *actor,
                                          const refq_policy *policy, const char *namespace_name);

/* --- Callers ---------------------------------------------------------------------------------- */

typedef struct refq_identity_value {
    const char *name;  /* [A-Za-z_][A-Za-z0-9_]*, none of the names below */
    const char *value; /* NULL or "" = not known */
} refq_identity_value;

/* Who the caller is, as the server's own authentication found out; never from a task's arguments.
 * NULL or "" = not known; "anonymous" is nobody, "nosession" no session. */
typedef struct refq_identity {
    size_t struct_size; /* sizeof(refq_identity) */
    const char *session_id;
    const char *client_id;
    const char *request_id;
    const char *user_id;
    const char *org_id;
    const char *tenant_id;
    const char *agent_id;
    const refq_identity_value *extra; /* such as role; may be NULL */
    size_t n_extra;                   /* at most REFQ_IDENTITY_EXTRA */
} refq_identity;

#define REFQ_IDENTITY_EXTRA 64

/* Replaces each {name} of a template by the identity's value, once: values are not expanded again.
 * A value that is not known becomes anonymous (user_id, agent_id), default (org_id, tenant_id),
 * nosession (session_id) or unknown (all others). In a value, : % * and control characters become
 * %3A, %25, %2A and so on, so that it can neither forge a level of a namespace nor mean everyone.
 * Braces around anything else stay. identity may be NULL. out is terminated; REFQ_ERR_LIMIT when
 * size bytes do not suffice (REFQ_ACCESS_NAME_MAX + 1 is the most that is useful). */
REFQ_API REFQ_MUST_USE refq_err refq_template_expand(const char *text,
                                                     const refq_identity *identity, char *out,
                                                     size_t size, refq_error *err);

/* What a task's author says about whose its values are. */
typedef struct refq_caller_rule {
    size_t struct_size;             /* sizeof(refq_caller_rule) */
    const char *namespace_template; /* such as "user:{user_id}"; NULL = namespace_name */
    const char *namespace_name;     /* when there is no template; NULL = "public" */
    const char *owner_template;     /* NULL = the owner the policy has */
    bool session_scoped;            /* bind values to the caller's session, when it has one;
                                       refq_call() refuses a call that has none */
    const refq_policy *policy;      /* NULL = the cache's default */
    refq_actor actor;               /* who asks when the identity names nobody; zeroed = an agent */
} refq_caller_rule;

/* Who asks, where the value goes and under which policy. Owns all it points to. */
typedef struct refq_caller refq_caller;

/* Puts rule and identity together; rule, identity and default_policy may be NULL. The actor is the
 * identity's user, else its agent, else rule->actor; it has the identity's session. Ids and the
 * session are escaped as in templates, so that an actor can enter the namespace made for it.
 * Free *ret with refq_caller_free(). */
REFQ_API REFQ_MUST_USE refq_err refq_caller_make(const refq_caller_rule *rule,
                                                 const refq_identity *identity,
                                                 const refq_policy *default_policy,
                                                 refq_caller **ret, refq_error *err);

/* Borrowed from the caller. */
REFQ_API const refq_actor *refq_caller_actor(const refq_caller *caller);
REFQ_API const char *refq_caller_namespace(const refq_caller *caller);
REFQ_API const refq_policy *refq_caller_policy(const refq_caller *caller);

/* The same as what a task is submitted with (task.h). Its texts are borrowed from the caller. */
REFQ_API void refq_caller_scope(const refq_caller *caller, refq_scope *ret);

/* NULL is fine. */
REFQ_API void refq_caller_free(refq_caller *caller);

#ifdef __cplusplus
}
#endif
#endif
