/* SPDX-License-Identifier: MIT */
#include "config/yaml_json.h"

#include "config/place.h"

#include <string.h>

static refq_err put_number(const rqi_yaml_node *node, const char *file, rqi_buf *out,
                           refq_error *err)
{
    if (rqi_yaml_scalar_number(out, node->kind, node->text)) {
        return REFQ_OK;
    }
    return rqi_fail_at(err, REFQ_ERR_LIMIT, file, node->line,
                       "JSON cannot hold the number %.40s; quote it to make it a text", node->text);
}

static refq_err put_scalar(const rqi_yaml_node *node, const char *file, rqi_buf *out,
                           refq_error *err)
{
    if (node->kind == RQI_YAML_INT || node->kind == RQI_YAML_FLOAT) {
        return put_number(node, file, out, err);
    }
    if (node->kind == RQI_YAML_TEXT) {
        rqi_buf_add_json(out, node->text, strlen(node->text));
    } else if (node->kind == RQI_YAML_NULL) {
        rqi_buf_adds(out, "null");
    } else {
        rqi_buf_adds(out, rqi_yaml_scalar_true(node->text) ? "true" : "false");
    }
    return REFQ_OK;
}

/* Recursion is bounded by RQI_YAML_MAX_DEPTH. */
static refq_err put_children(const rqi_yaml_node *node, const char *file, rqi_buf *out,
                             refq_error *err)
{
    for (const rqi_yaml_node *child = node->first; child != NULL; child = child->next) {
        if (child != node->first) {
            rqi_buf_addc(out, ',');
        }
        if (child->key != NULL) {
            rqi_buf_add_json(out, child->key, strlen(child->key));
            rqi_buf_addc(out, ':');
        }
        refq_err e = rqi_yaml_json(child, file, out, err);
        if (e != REFQ_OK) {
            return e;
        }
    }
    return REFQ_OK;
}

refq_err rqi_yaml_json(const rqi_yaml_node *node, const char *file, rqi_buf *out, refq_error *err)
{
    if (node->kind != RQI_YAML_LIST && node->kind != RQI_YAML_MAP) {
        return put_scalar(node, file, out, err);
    }
    rqi_buf_addc(out, node->kind == RQI_YAML_LIST ? '[' : '{');
    refq_err e = put_children(node, file, out, err);
    rqi_buf_addc(out, node->kind == RQI_YAML_LIST ? ']' : '}');
    return e;
}
