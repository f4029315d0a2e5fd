/* SPDX-License-Identifier: MIT */
#include "run/definition.h"

#include "run/call_def.h"

#include <string.h>

static void add_member(rqi_buf *out, const char *name, const char *json)
{
    if (json != NULL) {
        rqi_buf_addf(out, ",\"%s\":", name);
        rqi_buf_adds(out, json);
    }
}

void rqi_definition_json(const refq_task_def *def, rqi_buf *out)
{
    rqi_buf_addf(out, "{\"name\":\"%s\"", def->name);
    if (def->description != NULL) {
        rqi_buf_adds(out, ",\"description\":");
        rqi_buf_add_json(out, def->description, strlen(def->description));
    }
    add_member(out, "input_schema", def->input_schema);
    add_member(out, "output_schema", def->output_schema);
    rqi_buf_addf(out, ",\"async_timeout_ms\":%lld,\"timeout_ms\":%lld,\"max_retries\":%d",
                 (long long)def->async_timeout_ms, (long long)def->timeout_ms,
                 def->max_retries == REFQ_NO_RETRIES ? 0 : def->max_retries);
    rqi_call_def_json(def, out);
    rqi_buf_addc(out, '}');
}
