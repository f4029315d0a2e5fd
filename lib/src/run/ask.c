/* SPDX-License-Identifier: MIT */
/* DESIGN. What is passed on is composed anew from the two known members: others may get a meaning
 * later, and a question is shown to people, so nothing may hide in it. */
#include "run/ask.h"

#include "base/buf.h"

static int add_dump(const char *text, size_t len, void *arg)
{
    rqi_buf_add(arg, text, len);
    return 0;
}

static void compose(const json_t *question, const json_t *schema, rqi_buf *ret)
{
    rqi_buf_adds(ret, "{\"question\":");
    rqi_buf_add_json(ret, json_string_value(question), json_string_length(question));
    if (schema != NULL) {
        rqi_buf_adds(ret, ",\"schema\":");
        /* 15 digits hold every number a person writes, and do not turn 0.1 into
         * 0.10000000000000001. */
        (void)json_dump_callback(schema, add_dump, ret, JSON_COMPACT | JSON_REAL_PRECISION(15));
    }
    rqi_buf_addc(ret, '}');
}

const char *rqi_ask_read(const json_t *body, rqi_buf *ret)
{
    const json_t *question = json_is_string(body) ? body : json_object_get(body, "question");
    const json_t *schema = json_object_get(body, "schema");
    if (!json_is_string(question) || json_string_length(question) == 0) {
        return "an ask is a text, or an object with a text as its question";
    }
    if (schema != NULL && !json_is_object(schema)) {
        return "the schema of a question is an object";
    }
    *ret = rqi_buf_make(RQI_ASK_MAX);
    compose(question, schema, ret);
    if (ret->err != REFQ_OK) {
        rqi_buf_done(ret);
        return "a question has at most 8 KiB";
    }
    return NULL;
}
