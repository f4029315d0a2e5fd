/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Schemas, a namespace, an owner and a policy are checked by the code that checks
 * them when a task is offered, one by one, so that the error has their line.
 */
#include "config/config_call.h"

#include "base/error.h"
#include "config/config.h"
#include "config/place.h"
#include "run/call_def.h"

const char *const rqi_reuse_words[] = {[REFQ_REUSE_NONE] = "none",
                                       [REFQ_REUSE_IN_FLIGHT] = "in_flight",
                                       [REFQ_REUSE_RESULT] = "result",
                                       NULL};
const char *const rqi_format_words[] = {[REFQ_FORMAT_STANDARD] = "standard",
                                        [REFQ_FORMAT_MINIMAL] = "minimal",
                                        [REFQ_FORMAT_FULL] = "full",
                                        NULL};

/* rqi_read_word() stores an unsigned. */
_Static_assert(sizeof(refq_reuse) == sizeof(unsigned), "enum size");
_Static_assert(sizeof(refq_format) == sizeof(unsigned), "enum size");

refq_err rqi_read_reuse(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                        void *target)
{
    ((rqi_config_task *)target)->def.has_reuse = 1;
    return rqi_read_word(r, key, node, target);
}

refq_err rqi_read_format(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                         void *target)
{
    ((rqi_config_task *)target)->def.has_response_format = 1;
    return rqi_read_word(r, key, node, target);
}

refq_err rqi_read_max_size(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                           void *target)
{
    rqi_key plain = *key;
    plain.offset = 0;
    unsigned size = 0;
    refq_err e = rqi_read_count(r, &plain, node, &size);
    ((rqi_config_task *)target)->def.max_size = size;
    return e;
}

/* Whether the definition would be taken with this one thing in it. */
static refq_err check(const rqi_reading *r, const rqi_yaml_node *node, const refq_task_def *def)
{
    refq_error inner;
    refq_err e = rqi_call_def_check(def, &inner);
    return e == REFQ_OK ? e : rqi_fail_at(r->err, e, r->file, node->line, "%s", inner.text);
}

refq_err rqi_read_input_schema(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                               void *target)
{
    const rqi_config_task *task = target;
    refq_err e = rqi_read_schema(r, key, node, target);
    const refq_task_def def = {.input_schema = task->def.input_schema};
    return e == REFQ_OK ? check(r, node, &def) : e;
}

refq_err rqi_read_output_schema(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                                void *target)
{
    const rqi_config_task *task = target;
    refq_err e = rqi_read_schema(r, key, node, target);
    const refq_task_def def = {.output_schema = task->def.output_schema};
    return e == REFQ_OK ? check(r, node, &def) : e;
}

refq_err rqi_read_namespace(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                            void *target)
{
    const rqi_config_task *task = target;
    refq_err e = rqi_read_text(r, key, node, target);
    const refq_task_def def = {.namespace_template = task->def.namespace_template};
    return e == REFQ_OK ? check(r, node, &def) : e;
}

refq_err rqi_read_owner(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                        void *target)
{
    const rqi_config_task *task = target;
    refq_err e = rqi_read_text(r, key, node, target);
    const refq_task_def def = {.owner_template = task->def.owner_template};
    return e == REFQ_OK ? check(r, node, &def) : e;
}

/* The name of a preset, or a map. */
refq_err rqi_read_policy(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                         void *target)
{
    const rqi_config_task *task = target;
    refq_err e = node->kind == RQI_YAML_MAP ? rqi_read_schema(r, key, node, target)
                                            : rqi_read_text(r, key, node, target);
    const refq_task_def def = {.policy = task->def.policy};
    return e == REFQ_OK ? check(r, node, &def) : e;
}
