/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Whoever has the password of a Redis can read all of it with redis-cli,
 * so --as is no protection: it is how a person sees what an agent or a user
 * would see. That is why there is no way to ask as the system, and why the
 * default is the library's own, an agent nobody knows, who may do the least.
 */
#include "cache_open.h"

#include "exit.h"
#include "queue.h"

#include "access/strict.h"
#include "base/error.h"
#include "base/parse.h"

#include <string.h>

/* --- Readers ---------------------------------------------------------------------------------- */

static refq_err take_text(const char *text, void *target, refq_err code)
{
    if (code == REFQ_OK) {
        *(const char **)target = text;
    }
    return code;
}

refq_err cli_read_actor(const char *text, void *target, refq_error *err)
{
    refq_actor actor;
    return take_text(text, target, refq_actor_parse(text, NULL, &actor, err));
}

refq_err cli_read_session(const char *text, void *target, refq_error *err)
{
    refq_actor actor;
    return take_text(text, target, refq_actor_parse("agent", text, &actor, err));
}

refq_err cli_read_space(const char *text, void *target, refq_error *err)
{
    return take_text(text, target, refq_namespace_valid(text, err));
}

refq_err cli_read_owner(const char *text, void *target, refq_error *err)
{
    return take_text(text, target, rqi_strict_owner(text, err));
}

/* The preset, or the JSON, that the text is. */
static refq_err read_policy(const char *text, refq_policy **ret, refq_error *err)
{
    refq_policy preset;
    if (text != NULL && text[strspn(text, " \t\r\n")] == '{') {
        return rqi_strict_policy(text, true, ret, err);
    }
    refq_err code = refq_policy_named(text != NULL ? text : "default", &preset, err);
    return code == REFQ_OK ? refq_policy_copy(&preset, ret, err) : code;
}

refq_err cli_read_policy(const char *text, void *target, refq_error *err)
{
    refq_policy *policy = NULL;
    refq_err code = read_policy(text, &policy, err);
    refq_policy_free(policy);
    return take_text(text, target, code);
}

refq_err cli_read_ttl(const char *text, void *target, refq_error *err)
{
    cli_number ttl = {.given = true, .value = REFQ_FOREVER};
    if (strcmp(text, "forever") != 0) {
        refq_err code = rqi_parse_duration(text, &ttl.value, err);
        if (code != REFQ_OK) {
            return code;
        }
        if (ttl.value < 1) {
            return rqi_fail(err, REFQ_ERR_LIMIT, "'%.40s' is too short; at least 1ms, or forever",
                            text);
        }
    }
    *(cli_number *)target = ttl;
    return REFQ_OK;
}

/* --- Who and how ------------------------------------------------------------------------------ */

refq_actor cli_who_actor(const cli_who *who)
{
    refq_actor actor = {0};
    const char *as = who->as != NULL ? who->as : "agent";
    return refq_actor_parse(as, who->session, &actor, NULL) == REFQ_OK ? actor : (refq_actor){0};
}

/* As a shell takes it for one word. */
static void add_option(rqi_buf *out, const char *name, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/@";
    if (text == NULL) {
        return;
    }
    rqi_buf_addf(out, " --%s ", name);
    if (text[0] != '\0' && text[strspn(text, plain)] == '\0') {
        rqi_buf_adds(out, text);
        return;
    }
    rqi_buf_addc(out, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            rqi_buf_adds(out, "'\\''");
        } else {
            rqi_buf_addc(out, *text);
        }
    }
    rqi_buf_addc(out, '\'');
}

void cli_who_words(const cli_who *who, const char *store, rqi_buf *out)
{
    add_option(out, "as", who->as);
    add_option(out, "session", who->session);
    add_option(out, "store", store);
}

bool cli_who_may_enter(const cli_who *who, const char *space)
{
    refq_actor actor = cli_who_actor(who);
    return refq_namespace_admits(space, &actor);
}

refq_identity cli_who_identity(const cli_who *who)
{
    refq_actor actor = cli_who_actor(who);
    return (refq_identity){.struct_size = sizeof(refq_identity),
                           .user_id = actor.type == REFQ_ACTOR_USER ? actor.id : NULL,
                           .agent_id = actor.type == REFQ_ACTOR_AGENT ? actor.id : NULL,
                           .session_id = who->session};
}

int cli_policy_make(const char *text, const char *owner, const char *bound_session,
                    refq_policy **ret)
{
    refq_policy *read = NULL;
    refq_error err = {0};
    refq_err code = read_policy(text, &read, &err);
    if (code == REFQ_OK) {
        refq_policy policy = *read;
        bool twice = (owner != NULL && policy.owner != NULL) ||
                     (bound_session != NULL && policy.bound_session != NULL);
        if (twice) {
            refq_policy_free(read);
            return cli_fail_as(EX_USAGE, "--policy: its %s is also an option; say it once",
                               owner != NULL && policy.owner != NULL ? "owner" : "bound_session");
        }
        policy.owner = owner != NULL ? owner : policy.owner;
        policy.bound_session = bound_session != NULL ? bound_session : policy.bound_session;
        code = refq_policy_copy(&policy, ret, &err);
    }
    refq_policy_free(read);
    return code == REFQ_OK ? EX_OK : cli_fail_as(EX_USAGE, "--policy: %s", err.text);
}

/* --- The cache -------------------------------------------------------------------------------- */

int cli_cache_pick(const char *given, const char **ret)
{
    return cli_queue_pick(given, ret);
}

static int open_store(const cli_common *common, const char *url, unsigned flags, refq_store **ret)
{
    refq_error err = {0};
    refq_store_options options = {.struct_size = sizeof options,
                                  .url = url != NULL ? url : common->redis,
                                  .existing = (flags & CLI_CACHE_NEW) == 0};
    if (url != NULL && (strcmp(url, "memory:") == 0 || strcmp(url, "sqlite::memory:") == 0)) {
        return cli_fail_as(EX_USAGE, "--store: what is stored in %s is gone when this command ends",
                           url);
    }
    if (refq_store_open(&options, ret, &err) == REFQ_OK) {
        return EX_OK;
    }
    return err.code == REFQ_ERR_NOTFOUND
               ? cli_fail_as(EX_NOINPUT, "--store: %s; refq cache set makes one", err.text)
               : cli_fail(&err);
}

int cli_cache_open(const cli_common *common, const char *store, const char *name, unsigned flags,
                   cli_cache *ret)
{
    refq_error err = {0};
    *ret = (cli_cache){0};
    bool tasks = (flags & CLI_CACHE_TASKS) != 0;
    int code = tasks && store == NULL ? cli_connect(common, &ret->client) : EX_OK;
    code = code == EX_OK ? open_store(common, store, flags, &ret->store) : code;
    if (code != EX_OK) {
        return code;
    }
    refq_cache_options options = {
        .struct_size = sizeof options, .name = name, .client = ret->client};
    refq_err rc = refq_cache_open(ret->store, &options, &ret->cache, &err);
    return rc == REFQ_OK ? EX_OK : cli_fail(&err);
}

void cli_cache_close(cli_cache *c)
{
    refq_cache_close(c->cache);
    refq_store_close(c->store);
    refq_client_close(c->client);
    *c = (cli_cache){0};
}

int cli_cache_fail(const refq_error *err)
{
    if (err->code == REFQ_ERR_NOTFOUND) {
        return cli_fail_as(EX_NOINPUT,
                           "%s (it does not exist, has expired, or is not for whom "
                           "--as and --session say)",
                           err->text);
    }
    if (err->code == REFQ_ERR_DENIED) {
        return cli_fail_as(EX_NOPERM, "%s (--as and --session say who asks)", err->text);
    }
    return cli_fail(err);
}
