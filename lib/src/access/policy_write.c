/* SPDX-License-Identifier: MIT */
/* Policies to JSON: always all seven fields, in the order and with the separators of Python, so
 * that an entry looks the same whoever wrote it. */
#include "access/policy.h"

#include "base/error.h"

#include <string.h>

static void add_text(rqi_buf *out, const char *text)
{
    if (text == NULL) {
        rqi_buf_adds(out, "null");
    } else {
        rqi_buf_add_json(out, text, strlen(text));
    }
}

static void add_list(rqi_buf *out, const char *const *list, size_t n)
{
    if (list == NULL) {
        rqi_buf_adds(out, "null");
        return;
    }
    rqi_buf_addc(out, '[');
    for (size_t i = 0; i < n; i++) {
        rqi_buf_adds(out, i > 0 ? ", " : "");
        add_text(out, list[i]);
    }
    rqi_buf_addc(out, ']');
}

void rqi_policy_write(const refq_policy *policy, rqi_buf *out)
{
    rqi_buf_addf(out, "{\"user_permissions\": %u, \"agent_permissions\": %u, \"owner\": ",
                 policy->user_permissions, policy->agent_permissions);
    add_text(out, policy->owner);
    rqi_buf_addf(out,
                 ", \"owner_permissions\": %u, \"allowed_actors\": ", policy->owner_permissions);
    add_list(out, policy->allowed_actors, policy->n_allowed);
    rqi_buf_adds(out, ", \"denied_actors\": ");
    add_list(out, policy->denied_actors, policy->n_denied);
    rqi_buf_adds(out, ", \"bound_session\": ");
    add_text(out, policy->bound_session);
    rqi_buf_addc(out, '}');
}

static void add_key(rqi_buf *out, const char *name)
{
    rqi_buf_addf(out, "%s\"%s\": ", out->len > 1 ? ", " : "", name);
}

static void add_own_bits(rqi_buf *out, const char *name, unsigned bits, unsigned otherwise)
{
    if (bits != otherwise) {
        add_key(out, name);
        rqi_buf_addf(out, "%u", bits);
    }
}

static void add_own_list(rqi_buf *out, const char *name, const char *const *list, size_t n)
{
    if (list != NULL) {
        add_key(out, name);
        add_list(out, list, n);
    }
}

void rqi_policy_write_own(const refq_policy *p, rqi_buf *out)
{
    const refq_policy plain = refq_policy_preset(REFQ_POLICY_DEFAULT);
    rqi_buf_addc(out, '{');
    add_own_bits(out, "user_permissions", p->user_permissions, plain.user_permissions);
    add_own_bits(out, "agent_permissions", p->agent_permissions, plain.agent_permissions);
    add_own_bits(out, "owner_permissions", p->owner_permissions, plain.owner_permissions);
    add_own_list(out, "allowed_actors", p->allowed_actors, p->n_allowed);
    add_own_list(out, "denied_actors", p->denied_actors, p->n_denied);
    rqi_buf_addc(out, '}');
}

refq_err refq_policy_format(const refq_policy *policy, char **ret_json, size_t *ret_len,
                            refq_error *err)
{
    refq_err rc = rqi_policy_check(policy, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    rqi_buf out = rqi_buf_make(REFQ_POLICY_BYTES);
    rqi_policy_write(policy, &out);
    char *json = rqi_buf_take(&out, ret_len);
    if (json == NULL) {
        rqi_buf_done(&out);
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory while writing a policy");
    }
    *ret_json = json;
    return REFQ_OK;
}
