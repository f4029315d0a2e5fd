/* SPDX-License-Identifier: MIT */
/*
 * Access: the first byte chooses what the rest is.
 *
 * DESIGN. What must hold: a policy that is taken is written as JSON that gives the same text again,
 * and never with a permission beyond 31; a pattern (up to the first newline) agrees with a matcher
 * that tries everything, on names short enough for that; an actor, a namespace and an expanded
 * template that are taken are names of bounded length, and no value of an identity adds a level.
 */
#include "fuzz/fz.h"

#include "access/glob.h"

#include <refq/access.h>

#include <stdlib.h>
#include <string.h>

/* --- Policies --------------------------------------------------------------------------------- */

static char *written(const refq_policy *policy, size_t *ret_len)
{
    char *json = NULL;
    RQT_HOLDS(refq_policy_format(policy, &json, ret_len, NULL) == REFQ_OK);
    RQT_HOLDS(strlen(json) == *ret_len && *ret_len <= REFQ_POLICY_BYTES);
    return json;
}

static void check_policy(const char *text, size_t size)
{
    refq_error err = {0};
    refq_policy *policy = NULL;
    if (refq_policy_parse(text, size, &policy, &err) != REFQ_OK) {
        RQT_HOLDS(policy == NULL && err.text[0] != '\0');
        return;
    }
    RQT_HOLDS(policy->user_permissions <= REFQ_PERM_FULL);
    RQT_HOLDS(policy->agent_permissions <= REFQ_PERM_FULL);
    RQT_HOLDS(policy->owner_permissions <= REFQ_PERM_FULL);
    size_t len;
    char *json = written(policy, &len);
    refq_policy *again = NULL;
    RQT_HOLDS(refq_policy_parse(json, len, &again, &err) == REFQ_OK);
    size_t len2;
    char *json2 = written(again, &len2);
    RQT_HOLDS(strcmp(json, json2) == 0);
    const refq_actor alice = {REFQ_ACTOR_USER, "alice", NULL};
    RQT_HOLDS(refq_access_permissions(NULL, &alice, policy, "public") ==
              refq_access_permissions(NULL, &alice, again, "public"));
    free(json);
    free(json2);
    refq_policy_free(policy);
    refq_policy_free(again);
}

/* --- Patterns --------------------------------------------------------------------------------- */

#define NAME_MAX_TRIED 8
#define STARS_TRIED    4

static bool tried(const rqi_glob *glob, size_t part, const char *name)
{
    if (part == glob->n) {
        return *name == '\0';
    }
    const rqi_glob_part *p = &glob->parts[part];
    if (p->star) {
        return tried(glob, part + 1, name) || (*name != '\0' && tried(glob, part, name + 1));
    }
    return *name != '\0' && rqi_glob_has(glob, p, (unsigned char)*name) &&
           tried(glob, part + 1, name + 1);
}

static bool can_be_tried(const rqi_glob *glob, const char *name)
{
    size_t stars = 0;
    for (size_t i = 0; i < glob->n; i++) {
        stars += glob->parts[i].star;
    }
    size_t len = strlen(name);
    bool ascii = true;
    for (size_t i = 0; i < len; i++) {
        ascii = ascii && (unsigned char)name[i] < 0x80;
    }
    return ascii && len <= NAME_MAX_TRIED && stars <= STARS_TRIED;
}

static void check_glob(char *text)
{
    static rqi_glob glob;
    size_t len = strcspn(text, "\n");
    const char *name = text[len] == '\n' ? text + len + 1 : text + len;
    text[len] = '\0';
    if (!rqi_glob_compile(text, &glob)) {
        return;
    }
    RQT_HOLDS(glob.n <= len && glob.n_ranges <= len);
    bool matches = rqi_glob_match(&glob, name);
    RQT_HOLDS(!can_be_tried(&glob, name) || matches == tried(&glob, 0, name));
    if (text[strcspn(text, "*?[")] == '\0') {
        RQT_HOLDS(matches == (strcmp(text, name) == 0));
    }
}

/* --- Names ------------------------------------------------------------------------------------ */

static void check_names(const char *text)
{
    char out[REFQ_ACCESS_NAME_MAX + 1];
    refq_error err = {0};
    refq_actor who;
    refq_namespace ns;
    if (refq_actor_parse(text, NULL, &who, &err) == REFQ_OK) {
        RQT_HOLDS(who.type != REFQ_ACTOR_SYSTEM);
        refq_actor again;
        RQT_HOLDS(refq_actor_parse(refq_actor_format(&who, out, sizeof out), NULL, &again, &err) ==
                  REFQ_OK);
        RQT_HOLDS(again.type == who.type && (again.id == NULL) == (who.id == NULL));
        RQT_HOLDS(refq_actor_matches(&who, out));
    }
    if (refq_namespace_parse(text, &ns, &err) == REFQ_OK) {
        RQT_HOLDS(ns.prefix.len <= strlen(text) && strlen(text) <= REFQ_ACCESS_NAME_MAX);
    }
    const refq_identity me = {.struct_size = sizeof me, .user_id = "me"};
    if (refq_template_expand(text, &me, out, sizeof out, &err) == REFQ_OK) {
        RQT_HOLDS(refq_namespace_parse(out, &ns, &err) == REFQ_OK);
    }
    const refq_identity value = {.struct_size = sizeof value, .user_id = text};
    if (refq_template_expand("user:{user_id}", &value, out, sizeof out, &err) == REFQ_OK) {
        RQT_HOLDS(strchr(out + 5, ':') == NULL && strchr(out, '*') == NULL);
        RQT_HOLDS(refq_namespace_parse(out, &ns, &err) == REFQ_OK && ns.owner == out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t what = rqt_fz_byte(&data, &size);
    char *text = rqt_fz_text(data, size);
    if (what == 'p') {
        check_policy(text, size);
    } else if (what == 'g') {
        check_glob(text);
    } else {
        check_names(text);
    }
    free(text);
    return 0;
}
