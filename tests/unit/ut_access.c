/* SPDX-License-Identifier: MIT */
/*
 * Who may do what: actors, patterns, namespaces, the rules and what can be plugged in.
 *
 * DESIGN. That the rules are mcp-refcache's, cell by cell, is what tests/python/access_matrix.py
 * shows; here stands each rule once, and all that Python has no say in.
 */
#include "access/glob.h"
#include "support/main.h"

#include <refq/access.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

static refq_error err;

static refq_actor actor(const char *text, const char *session)
{
    refq_actor a;
    if (strcmp(text, "system:internal") == 0) {
        return refq_actor_system();
    }
    ck_assert_msg(refq_actor_parse(text, session, &a, &err) == REFQ_OK, "%s", err.text);
    return a;
}

/* n bytes of c, terminated. */
static const char *filled(char *room, char c, size_t n)
{
    memset(room, c, n);
    room[n] = '\0';
    return room;
}

/* --- Actors ----------------------------------------------------------------------------------- */

START_TEST(actors_are_read_and_written)
{
    static const struct {
        const char *text;
        refq_actor_type type;
        const char *id;
        const char *written;
    } cases[] = {
        {"user", REFQ_ACTOR_USER, NULL, "user:*"},
        {"agent", REFQ_ACTOR_AGENT, NULL, "agent:*"},
        {"agent:*", REFQ_ACTOR_AGENT, NULL, "agent:*"},
        {"user:alice", REFQ_ACTOR_USER, "alice", "user:alice"},
        {"user:a:b", REFQ_ACTOR_USER, "a:b", "user:a:b"},
        {"agent:*x", REFQ_ACTOR_AGENT, "*x", "agent:*x"},
        {"user:zo\xc3\xab", REFQ_ACTOR_USER, "zo\xc3\xab", "user:zo\xc3\xab"},
    };
    for (size_t i = 0; i < N_OF(cases); i++) {
        char out[REFQ_ACCESS_NAME_MAX + 1];
        refq_actor a = actor(cases[i].text, "s1");
        ck_assert_int_eq(a.type, cases[i].type);
        ck_assert_pstr_eq(a.id, cases[i].id);
        ck_assert_str_eq(a.session_id, "s1");
        ck_assert_str_eq(refq_actor_format(&a, out, sizeof out), cases[i].written);
    }
}
END_TEST

static const struct bad_actor {
    const char *text;
    const char *says;
} bad_actors[] = {
    {"system", "from outside"},
    {"system:internal", "from outside"},
    {"system:x", "from outside"},
    {"", "write user, agent, user:<id>"},
    {"admin:x", "'admin:x' is no actor"},
    {"User:x", "is no actor"},
    {"*:x", "is no actor"},
    {"us:x", "is no actor"},
    {"user:", "leave the id out"},
    {"user:a\nb", "control character at byte 6"},
    {"user:\xc2\x9b", "control character"},
    {"user:\x7f", "control character"},
    {"user:\xff", "not UTF-8 at byte 5"},
};

START_TEST(bad_actors_are_refused)
{
    refq_actor a = {.type = REFQ_ACTOR_USER, .id = "untouched"};
    ck_assert_int_eq(refq_actor_parse(bad_actors[_i].text, NULL, &a, &err), REFQ_ERR_INVALID);
    ck_assert_msg(strstr(err.text, bad_actors[_i].says) != NULL, "%s", err.text);
    ck_assert_str_eq(a.id, "untouched");
}
END_TEST

START_TEST(actors_have_a_length)
{
    char text[600] = "user:";
    refq_actor a;
    (void)filled(text + 5, 'x', REFQ_ACCESS_NAME_MAX - 5);
    ck_assert_int_eq(refq_actor_parse(text, NULL, &a, &err), REFQ_OK);
    (void)filled(text + 5, 'x', REFQ_ACCESS_NAME_MAX - 4);
    ck_assert_int_eq(refq_actor_parse(text, NULL, &a, &err), REFQ_ERR_LIMIT);
    char session[600];
    ck_assert_int_eq(refq_actor_parse("user", filled(session, 's', 256), &a, &err), REFQ_OK);
    ck_assert_int_eq(refq_actor_parse("user", filled(session, 's', 257), &a, &err), REFQ_ERR_LIMIT);
    ck_assert_int_eq(refq_actor_parse("user", "", &a, &err), REFQ_ERR_INVALID);
}
END_TEST

/* An actor that a program puts together itself is checked where it is used. */
START_TEST(made_up_actors_are_refused_where_they_are_used)
{
    const refq_policy policy = refq_policy_preset(REFQ_POLICY_PUBLIC);
    char id[REFQ_ACCESS_NAME_MAX + 2];
    const refq_actor bad[] = {
        {REFQ_ACTOR_USER, "*", NULL},
        {REFQ_ACTOR_USER, "", NULL},
        {REFQ_ACTOR_USER, "a", ""},
        {REFQ_ACTOR_USER, "a\001", NULL},
        {REFQ_ACTOR_USER, filled(id, 'x', 252), NULL},
        {REFQ_ACTOR_SYSTEM, "root", NULL},
        {REFQ_ACTOR_SYSTEM, "internal", "s1"},
        {(refq_actor_type)7, "a", NULL},
    };
    for (size_t i = 0; i < N_OF(bad); i++) {
        refq_err rc = refq_access_check(NULL, &bad[i], &policy, "public", REFQ_READ, NULL, &err);
        ck_assert_msg(rc == REFQ_ERR_INVALID || rc == REFQ_ERR_LIMIT, "case %zu: %d", i, rc);
        ck_assert_uint_eq(refq_access_permissions(NULL, &bad[i], &policy, "public"), 0);
    }
}
END_TEST

START_TEST(patterns_mean_actors)
{
    static const struct {
        const char *who;
        const char *pattern;
        bool matches;
    } cases[] = {
        {"user:alice", "user:alice", true},   {"user:alice", "user:*", true},
        {"user:alice", "user:a?ice", true},   {"user:alice", "user:ALICE", false},
        {"user:alice", "agent:*", false},     {"user:alice", "*:alice", false},
        {"user:alice", "*", false},           {"user:alice", "user", false},
        {"user:alice", "use:*", false},       {"user", "user:*", true},
        {"user", "user:**", false},           {"user", "user:?", false},
        {"user:a:b", "user:a:*", true},       {"user:[x]", "user:[x]", true},
        {"user:x", "user:[x]", true},         {"system:internal", "system:int*", true},
        {"system:internal", "user:*", false}, {"user:x\xff", "user:x*", false},
    };
    for (size_t i = 0; i < N_OF(cases); i++) {
        refq_actor a = {REFQ_ACTOR_USER, "x\xff", NULL};
        if (strchr(cases[i].who, '\xff') == NULL) {
            a = actor(cases[i].who, NULL);
        }
        ck_assert_msg(refq_actor_matches(&a, cases[i].pattern) == cases[i].matches, "%s %s",
                      cases[i].who, cases[i].pattern);
    }
}
END_TEST

/* --- Patterns --------------------------------------------------------------------------------- */

/* What Python's fnmatch.fnmatchcase() answers. */
static const struct glob_case {
    const char *pattern;
    const char *name;
    bool matches;
} globs[] = {
    {"", "", true},
    {"", "a", false},
    {"*", "", true},
    {"a*c*e", "abcde", true},
    {"a*c*e", "abcdef", false},
    {"*ab*ab", "abab", true},
    {"*ab*ab", "aabb", false},
    {"?", "\xe6\x97\xa5", true},
    {"?", "\xf0\x9f\x98\x80", true},
    {"??", "\xf0\x9f\x98\x80", false},
    {"?", "\n", true},
    {"?", "", false},
    {"[abc]", "b", true},
    {"[abc]", "d", false},
    {"[!abc]", "d", true},
    {"[!abc]", "a", false},
    {"[^a]", "^", true},
    {"[^a]", "b", false},
    {"[a-c]", "b", true},
    {"[a-c]", "-", false},
    {"[a-]", "-", true},
    {"[-a]", "-", true},
    {"[!-a]", "-", false},
    {"[a-c-e]", "-", true},
    {"[a-c-e]", "d", false},
    {"[--0]", ".", true},
    {"[+--/]", ",", true},
    {"[+--/]", ".", false},
    {"[]a]", "]", true},
    {"[!]a]", "]", false},
    {"[]", "[]", true},
    {"[", "[", true},
    {"[!", "[!", true},
    {"a[b", "a[b", true},
    {"[b-a]", "b", false},
    {"[b-a]", "a", false},
    {"[!b-a]", "a", true},
    {"[c-b-a]", "-", true},
    {"[c-b-a]", "b", false},
    {"\\*", "\\x", true},
    {"\\*", "*", false},
    {"[\\]", "\\", true},
    {"[\xc3\xa0-\xc3\xbf]", "\xc3\xab", true},
    {"[\xc3\xa0-\xc3\xbf]", "e", false},
};

START_TEST(globs_are_those_of_python)
{
    rqi_glob glob;
    ck_assert(rqi_glob_compile(globs[_i].pattern, &glob));
    ck_assert_msg(rqi_glob_match(&glob, globs[_i].name) == globs[_i].matches, "%s %s",
                  globs[_i].pattern, globs[_i].name);
}
END_TEST

/* A backtracking matcher would take longer than the universe. */
START_TEST(globs_take_bounded_time)
{
    rqi_glob glob;
    char pattern[REFQ_ACCESS_NAME_MAX + 1];
    char name[REFQ_ACCESS_NAME_MAX + 1];
    for (size_t i = 0; i + 1 < REFQ_ACCESS_NAME_MAX; i += 2) {
        pattern[i] = '*';
        pattern[i + 1] = 'a';
    }
    pattern[REFQ_ACCESS_NAME_MAX - 1] = 'b';
    pattern[REFQ_ACCESS_NAME_MAX] = '\0';
    ck_assert(rqi_glob_compile(pattern, &glob));
    ck_assert(!rqi_glob_match(&glob, filled(name, 'a', REFQ_ACCESS_NAME_MAX)));
}
END_TEST

START_TEST(globs_have_limits)
{
    rqi_glob glob;
    char text[REFQ_ACCESS_NAME_MAX + 2];
    ck_assert(rqi_glob_compile(filled(text, '?', REFQ_ACCESS_NAME_MAX), &glob));
    ck_assert(!rqi_glob_compile(filled(text, '?', REFQ_ACCESS_NAME_MAX + 1), &glob));
    ck_assert(!rqi_glob_compile("\xff", &glob));
    ck_assert(rqi_glob_compile("*", &glob));
    ck_assert(rqi_glob_match(&glob, filled(text, 'x', REFQ_ACCESS_NAME_MAX)));
    ck_assert(!rqi_glob_match(&glob, filled(text, 'x', REFQ_ACCESS_NAME_MAX + 1)));
    ck_assert(!rqi_glob_match(&glob, "\xc3"));
}
END_TEST

/* --- Namespaces ------------------------------------------------------------------------------- */

static const struct place {
    const char *text;
    refq_namespace_kind kind;
    const char *id;
    const char *owner;
    const char *session;
    const char *enter; /* who may, of the letters below */
} places[] = {
    {"public", REFQ_NAMESPACE_PUBLIC, NULL, NULL, NULL, "uaAcnS"},
    {"PUBLIC", REFQ_NAMESPACE_CUSTOM, NULL, NULL, NULL, "uaAcnS"},
    {"public:x", REFQ_NAMESPACE_CUSTOM, "x", NULL, NULL, "uaAcnS"},
    {"", REFQ_NAMESPACE_CUSTOM, NULL, NULL, NULL, "uaAcnS"},
    {"shared:team", REFQ_NAMESPACE_SHARED, "team", NULL, NULL, "uaAcnS"},
    {"org:acme:user:alice", REFQ_NAMESPACE_CUSTOM, "acme:user:alice", NULL, NULL, "uaAcnS"},
    {"session:s1", REFQ_NAMESPACE_SESSION, "s1", NULL, "s1", "AcS"},
    {"session", REFQ_NAMESPACE_SESSION, NULL, NULL, NULL, "S"},
    {"session:", REFQ_NAMESPACE_SESSION, "", NULL, "", "S"},
    {"user:alice", REFQ_NAMESPACE_USER, "alice", "user:alice", NULL, "aAS"},
    {"user:alice:session:1", REFQ_NAMESPACE_USER, "alice:session:1", "user:alice:session:1", NULL,
     "S"},
    {"user:", REFQ_NAMESPACE_USER, "", NULL, NULL, "S"},
    {"user", REFQ_NAMESPACE_USER, NULL, NULL, NULL, "S"},
    {"agent:claude", REFQ_NAMESPACE_AGENT, "claude", "agent:claude", NULL, "cS"},
    {"agent:alice", REFQ_NAMESPACE_AGENT, "alice", "agent:alice", NULL, "S"},
};

static const struct visitor {
    char letter;
    const char *text;
    const char *session;
} visitors[] = {
    {'u', "user", NULL},         {'a', "user:alice", NULL}, {'A', "user:alice", "s1"},
    {'c', "agent:claude", "s1"}, {'n', "agent", "s2"},      {'S', "system:internal", NULL},
};

START_TEST(namespaces_are_understood)
{
    const struct place *p = &places[_i];
    refq_namespace ns;
    ck_assert_int_eq(refq_namespace_parse(p->text, &ns, &err), REFQ_OK);
    ck_assert_int_eq(ns.kind, p->kind);
    ck_assert_uint_eq(ns.prefix.len, strcspn(p->text, ":"));
    ck_assert_pstr_eq(ns.id, p->id);
    ck_assert_pstr_eq(ns.owner, p->owner);
    ck_assert_pstr_eq(ns.session, p->session);
    for (size_t i = 0; i < N_OF(visitors); i++) {
        refq_actor who = actor(visitors[i].text, visitors[i].session);
        bool may = strchr(p->enter, visitors[i].letter) != NULL;
        ck_assert_msg(refq_namespace_admits(p->text, &who) == may, "%s %s", p->text,
                      visitors[i].text);
    }
}
END_TEST

START_TEST(namespaces_have_limits)
{
    refq_namespace ns;
    char text[REFQ_ACCESS_NAME_MAX + 2];
    ck_assert_int_eq(refq_namespace_parse(filled(text, 'n', 256), &ns, &err), REFQ_OK);
    ck_assert_int_eq(refq_namespace_parse(filled(text, 'n', 257), &ns, &err), REFQ_ERR_LIMIT);
    ck_assert_int_eq(refq_namespace_parse("a\tb", &ns, &err), REFQ_ERR_INVALID);
    ck_assert_int_eq(refq_namespace_parse("\xc0\x80", &ns, &err), REFQ_ERR_INVALID);
    ck_assert_int_eq(refq_namespace_valid("", &err), REFQ_ERR_INVALID);
    ck_assert_int_eq(refq_namespace_valid("a\tb", &err), REFQ_ERR_INVALID);
    ck_assert_int_eq(refq_namespace_valid("public", &err), REFQ_OK);
}
END_TEST

/* --- The rules -------------------------------------------------------------------------------- */

static const char *const alice[] = {"user:alice"};
static const char *const users[] = {"user:*"};
static const char *const internals[] = {"system:*"};

static const struct rule_case {
    const char *who;
    const char *session;
    refq_policy policy;
    const char *where;
    unsigned want;
    refq_denial denial;
    const char *says;
} rules[] = {
    {"user:alice",
     NULL,
     {.user_permissions = 31, .denied_actors = alice, .n_denied = 1},
     "public",
     REFQ_READ,
     REFQ_DENIAL_EXPLICIT,
     "Actor user:alice is explicitly denied"},
    {"user:alice",
     NULL,
     {.owner = "user:alice",
      .owner_permissions = 31,
      .denied_actors = users,
      .n_denied = 1,
      .allowed_actors = alice,
      .n_allowed = 1},
     "public",
     REFQ_READ,
     REFQ_DENIAL_EXPLICIT,
     "Actor user:alice is explicitly denied"},
    {"system:internal",
     NULL,
     {.denied_actors = internals, .n_denied = 1},
     "public",
     REFQ_READ,
     REFQ_DENIAL_EXPLICIT,
     "Actor system:internal is explicitly denied"},
    {"system:internal",
     NULL,
     {.bound_session = "s1"},
     "public",
     REFQ_READ,
     REFQ_DENIAL_SESSION,
     "Actor system:internal session does not match bound session"},
    {"user:alice",
     "s2",
     {.bound_session = "s1", .allowed_actors = users, .n_allowed = 1},
     "user:bob",
     REFQ_READ,
     REFQ_DENIAL_SESSION,
     "Actor user:alice session does not match bound session"},
    {"user:alice",
     "s1",
     {.bound_session = "s1", .user_permissions = 1},
     "public",
     REFQ_READ,
     REFQ_DENIAL_NONE,
     NULL},
    {"user:bob",
     NULL,
     {.user_permissions = 31, .allowed_actors = users, .n_allowed = 1},
     "user:alice",
     REFQ_READ,
     REFQ_DENIAL_NAMESPACE,
     "Actor user:bob cannot access namespace user:alice"},
    {"user:bob",
     NULL,
     {.allowed_actors = users, .n_allowed = 1},
     "public",
     REFQ_PERM_FULL,
     REFQ_DENIAL_NONE,
     NULL},
    {"user:alice",
     NULL,
     {.owner = "user:alice", .owner_permissions = 1, .user_permissions = 31},
     "public",
     REFQ_DELETE,
     REFQ_DENIAL_OWNER,
     "Owner user:alice lacks DELETE permission"},
    {"user:alice",
     NULL,
     {.owner = "user:alice", .owner_permissions = 9},
     "public",
     REFQ_READ | REFQ_DELETE,
     REFQ_DENIAL_NONE,
     NULL},
    {"agent",
     NULL,
     {.agent_permissions = 16},
     "public",
     REFQ_READ,
     REFQ_DENIAL_ROLE,
     "Agent lacks READ permission"},
    {"agent",
     NULL,
     {.agent_permissions = 1},
     "public",
     REFQ_READ | REFQ_EXECUTE,
     REFQ_DENIAL_ROLE,
     "Agent lacks READ|EXECUTE permission"},
    {"user",
     NULL,
     {.agent_permissions = 31, .user_permissions = 14},
     "public",
     REFQ_PERM_CRUD,
     REFQ_DENIAL_ROLE,
     "User lacks CRUD permission"},
    {"user",
     NULL,
     {.user_permissions = 30},
     "public",
     REFQ_PERM_FULL,
     REFQ_DENIAL_ROLE,
     "User lacks FULL permission"},
    {"system:internal",
     NULL,
     {.user_permissions = 0},
     "user:alice",
     REFQ_PERM_FULL,
     REFQ_DENIAL_NONE,
     NULL},
};

START_TEST(the_first_rule_that_applies_decides)
{
    const struct rule_case *c = &rules[_i];
    refq_actor who = actor(c->who, c->session);
    refq_denial denial = REFQ_DENIAL_OTHER;
    refq_err rc = refq_access_check(NULL, &who, &c->policy, c->where, c->want, &denial, &err);
    ck_assert_int_eq(rc, c->says != NULL ? REFQ_ERR_DENIED : REFQ_OK);
    ck_assert_str_eq(refq_denial_name(denial), refq_denial_name(c->denial));
    if (c->says != NULL) {
        ck_assert_str_eq(err.text, c->says);
        ck_assert_int_eq(err.code, REFQ_ERR_DENIED);
    }
}
END_TEST

START_TEST(what_may_be_done_is_what_a_check_allows)
{
    for (size_t i = 0; i < N_OF(rules); i++) {
        refq_actor who = actor(rules[i].who, rules[i].session);
        unsigned may = refq_access_permissions(NULL, &who, &rules[i].policy, rules[i].where);
        for (unsigned want = 1; want <= REFQ_PERM_FULL; want++) {
            refq_err rc =
                refq_access_check(NULL, &who, &rules[i].policy, rules[i].where, want, NULL, NULL);
            ck_assert_int_eq(rc, (want & ~may) == 0 ? REFQ_OK : REFQ_ERR_DENIED);
        }
    }
}
END_TEST

START_TEST(a_zeroed_policy_lets_nobody_in)
{
    const refq_policy nothing = {.struct_size = sizeof nothing};
    refq_actor user = actor("user:alice", NULL);
    refq_actor agent = {0};
    ck_assert_uint_eq(refq_access_permissions(NULL, &user, &nothing, "public"), 0);
    ck_assert_uint_eq(refq_access_permissions(NULL, &agent, &nothing, "public"), 0);
}
END_TEST

START_TEST(malformed_questions_are_never_allowed)
{
    const refq_policy fine = refq_policy_preset(REFQ_POLICY_PUBLIC);
    refq_policy broken = fine;
    broken.agent_permissions = 32;
    refq_actor who = actor("agent", NULL);
    char long_name[REFQ_ACCESS_NAME_MAX + 2];
    refq_denial denial = REFQ_DENIAL_OTHER;
    ck_assert_int_eq(refq_access_check(NULL, &who, &fine, "public", 0, &denial, &err),
                     REFQ_ERR_INVALID);
    ck_assert_int_eq(refq_access_check(NULL, &who, &fine, "public", 32, &denial, &err),
                     REFQ_ERR_INVALID);
    ck_assert_int_eq(refq_access_check(NULL, &who, &broken, "public", 1, &denial, &err),
                     REFQ_ERR_INVALID);
    ck_assert_int_eq(refq_access_check(NULL, &who, &fine, "a\nb", 1, &denial, &err),
                     REFQ_ERR_INVALID);
    ck_assert_int_eq(
        refq_access_check(NULL, &who, &fine, filled(long_name, 'x', 257), 1, &denial, &err),
        REFQ_ERR_LIMIT);
    ck_assert_int_eq(denial, REFQ_DENIAL_OTHER);
    ck_assert_uint_eq(refq_access_permissions(NULL, &who, &broken, "public"), 0);
    ck_assert_uint_eq(refq_access_permissions(NULL, &who, &fine, "a\nb"), 0);
}
END_TEST

/* Both names are long, and a character stands where they are cut. */
START_TEST(long_names_leave_the_sentence_whole)
{
    char who[REFQ_ACCESS_NAME_MAX + 1] = "user:";
    char where[REFQ_ACCESS_NAME_MAX + 1] = "user:";
    for (size_t i = 0; i < 80; i++) {
        (void)snprintf(who + strlen(who), 4, "\xe6\x97\xa5");
        (void)snprintf(where + strlen(where), 4, "\xe6\x9c\xac");
    }
    const refq_policy policy = refq_policy_preset(REFQ_POLICY_PUBLIC);
    refq_actor a = actor(who, NULL);
    ck_assert_int_eq(refq_access_check(NULL, &a, &policy, where, 1, NULL, &err), REFQ_ERR_DENIED);
    const char *middle = strstr(err.text, "\xa5... cannot access namespace user:");
    ck_assert_msg(middle != NULL, "%s", err.text);
    ck_assert_str_eq(err.text + strlen(err.text) - 4, "\xac...");
}
END_TEST

START_TEST(denials_have_names)
{
    static const char *const names[] = {"allowed",
                                        "explicit_deny",
                                        "session_mismatch",
                                        "namespace_ownership",
                                        "owner_insufficient",
                                        "role_insufficient",
                                        "denied",
                                        "denied"};
    for (size_t i = 0; i < N_OF(names); i++) {
        ck_assert_str_eq(refq_denial_name((refq_denial)i), names[i]);
    }
}
END_TEST

/* --- Plugging in ------------------------------------------------------------------------------ */

struct seen {
    refq_denial answer;
    unsigned calls;
    unsigned wanted;
    char actor[64];
    char where[64];
};

static refq_denial own_checker(void *arg, const refq_actor *who, const refq_policy *policy,
                               const char *namespace_name, unsigned wanted)
{
    struct seen *seen = arg;
    (void)policy;
    seen->calls++;
    seen->wanted = wanted;
    (void)refq_actor_format(who, seen->actor, sizeof seen->actor);
    (void)snprintf(seen->where, sizeof seen->where, "%s", namespace_name);
    return seen->answer;
}

START_TEST(a_checker_of_ones_own_decides)
{
    struct seen seen = {.answer = REFQ_DENIAL_NONE};
    const refq_access access = {
        .struct_size = sizeof access, .check = own_checker, .check_arg = &seen};
    const refq_policy nothing = {.struct_size = sizeof nothing};
    refq_actor who = actor("user:bob", NULL);
    refq_denial denial;
    ck_assert_int_eq(refq_access_check(&access, &who, &nothing, "user:alice", 9, &denial, &err),
                     REFQ_OK);
    ck_assert_int_eq(denial, REFQ_DENIAL_NONE);
    ck_assert_uint_eq(seen.calls, 1);
    ck_assert_uint_eq(seen.wanted, 9);
    ck_assert_str_eq(seen.actor, "user:bob");
    ck_assert_str_eq(seen.where, "user:alice");
    ck_assert_uint_eq(refq_access_permissions(&access, &who, &nothing, "x"), REFQ_PERM_FULL);

    const refq_policy all = refq_policy_preset(REFQ_POLICY_PUBLIC);
    seen.answer = REFQ_DENIAL_OTHER;
    ck_assert_int_eq(refq_access_check(&access, &who, &all, "public", 1, &denial, &err),
                     REFQ_ERR_DENIED);
    ck_assert_str_eq(err.text, "Actor user:bob is denied");
    ck_assert_uint_eq(refq_access_permissions(&access, &who, &all, "public"), 0);
    seen.answer = (refq_denial)99;
    ck_assert_int_eq(refq_access_check(&access, &who, &all, "public", 1, &denial, &err),
                     REFQ_ERR_DENIED);
    ck_assert_int_eq(denial, REFQ_DENIAL_OTHER);
    seen.answer = REFQ_DENIAL_ROLE;
    ck_assert_int_eq(refq_access_check(&access, &who, &all, "public", 1, &denial, &err),
                     REFQ_ERR_DENIED);
    ck_assert_str_eq(err.text, "User lacks READ permission");
}
END_TEST

START_TEST(a_checker_is_not_asked_about_nonsense)
{
    struct seen seen = {.answer = REFQ_DENIAL_NONE};
    const refq_access access = {
        .struct_size = sizeof access, .check = own_checker, .check_arg = &seen};
    const refq_policy all = refq_policy_preset(REFQ_POLICY_PUBLIC);
    refq_actor who = {REFQ_ACTOR_USER, "*", NULL};
    ck_assert_int_eq(refq_access_check(&access, &who, &all, "public", 1, NULL, &err),
                     REFQ_ERR_INVALID);
    ck_assert_uint_eq(refq_access_permissions(&access, &who, &all, "public"), 0);
    ck_assert_uint_eq(seen.calls, 0);
}
END_TEST

/* Members of the team "red" only, not even the system. */
static bool team_members(void *arg, const char *namespace_name, const refq_actor *who)
{
    ++*(unsigned *)arg;
    return strcmp(namespace_name, "shared:red") == 0 && who->id != NULL &&
           strcmp(who->id, "alice") == 0;
}

START_TEST(a_resolver_of_ones_own_opens_namespaces)
{
    unsigned calls = 0;
    const refq_access access = {
        .struct_size = sizeof access, .may_enter = team_members, .may_enter_arg = &calls};
    const refq_policy all = refq_policy_preset(REFQ_POLICY_PUBLIC);
    refq_actor in = actor("user:alice", NULL);
    refq_actor out = actor("user:bob", NULL);
    refq_actor self = refq_actor_system();
    refq_denial denial;
    ck_assert_int_eq(refq_access_check(&access, &in, &all, "shared:red", 1, &denial, &err),
                     REFQ_OK);
    ck_assert_int_eq(refq_access_check(&access, &out, &all, "shared:red", 1, &denial, &err),
                     REFQ_ERR_DENIED);
    ck_assert_int_eq(denial, REFQ_DENIAL_NAMESPACE);
    ck_assert_int_eq(refq_access_check(&access, &self, &all, "shared:red", 1, &denial, &err),
                     REFQ_ERR_DENIED);
    ck_assert_uint_eq(refq_access_permissions(&access, &in, &all, "public"), 0);
    ck_assert_uint_eq(calls, 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("access");
    TCase *tc = tcase_create("access");
    tcase_add_test(tc, actors_are_read_and_written);
    tcase_add_loop_test(tc, bad_actors_are_refused, 0, (int)N_OF(bad_actors));
    tcase_add_test(tc, actors_have_a_length);
    tcase_add_test(tc, made_up_actors_are_refused_where_they_are_used);
    tcase_add_test(tc, patterns_mean_actors);
    tcase_add_loop_test(tc, globs_are_those_of_python, 0, (int)N_OF(globs));
    tcase_add_test(tc, globs_take_bounded_time);
    tcase_add_test(tc, globs_have_limits);
    tcase_add_loop_test(tc, namespaces_are_understood, 0, (int)N_OF(places));
    tcase_add_test(tc, namespaces_have_limits);
    tcase_add_loop_test(tc, the_first_rule_that_applies_decides, 0, (int)N_OF(rules));
    tcase_add_test(tc, what_may_be_done_is_what_a_check_allows);
    tcase_add_test(tc, a_zeroed_policy_lets_nobody_in);
    tcase_add_test(tc, malformed_questions_are_never_allowed);
    tcase_add_test(tc, long_names_leave_the_sentence_whole);
    tcase_add_test(tc, denials_have_names);
    tcase_add_test(tc, a_checker_of_ones_own_decides);
    tcase_add_test(tc, a_checker_is_not_asked_about_nonsense);
    tcase_add_test(tc, a_resolver_of_ones_own_opens_namespaces);
    suite_add_tcase(suite, tc);
    return rqt_main(suite);
}
