/* SPDX-License-Identifier: MIT */
#include "support/access_cells.h"

#include <check.h>

static const char *const some[] = {"user:a*", "agent:*"};
static const char *const bobs[] = {"user:bob"};

refq_policy rqt_cell_policy(int number)
{
    refq_policy p = refq_policy_preset((refq_policy_kind)(number % 5));
    int variant = number / 5;
    if (variant == 1) {
        p.owner = "user:alice";
        p.owner_permissions = REFQ_EXECUTE;
    } else if (variant == 2) {
        p.allowed_actors = some;
        p.n_allowed = 2;
    } else if (variant == 3) {
        p.denied_actors = bobs;
        p.n_denied = 1;
    } else if (variant == 4) {
        p.bound_session = "s1";
    }
    return p;
}

const char *const rqt_cell_namespaces[RQT_CELL_NAMESPACES] = {"public", "user:alice", "agent:a",
                                                              "session:s1", "org:x"};

static const struct {
    const char *name; /* NULL: the system */
    const char *session;
} actors[RQT_CELL_ACTORS] = {{"agent", NULL},      {"user", NULL},       {"agent:a", "s1"},
                             {"user:alice", NULL}, {"user:alice", "s1"}, {"user:bob", "s1"},
                             {NULL, NULL}};

refq_actor rqt_cell_actor(int number)
{
    refq_actor who = refq_actor_system();
    refq_error err = {0};
    if (actors[number].name != NULL) {
        ck_assert_int_eq(refq_actor_parse(actors[number].name, actors[number].session, &who, &err),
                         REFQ_OK);
    }
    return who;
}
