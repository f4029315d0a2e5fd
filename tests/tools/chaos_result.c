/* SPDX-License-Identifier: MIT */
#include "tools/chaos_result.h"

#include "support/history.h"

#include <inttypes.h>
#include <jansson.h>

rqt_chaos_args rqt_chaos_args_read(const char *json)
{
    json_t *root = json_loads(json, 0, NULL);
    rqt_chaos_args args = {
        .ms = json_integer_value(json_object_get(root, "ms")),
        .fail = json_integer_value(json_object_get(root, "fail")),
        .bytes = json_integer_value(json_object_get(root, "bytes")),
        .permanent = json_is_true(json_object_get(root, "permanent")),
    };
    json_decref(root);
    return args;
}

void rqt_chaos_done(int history, const char *ref, unsigned attempt, const char *fence,
                    int64_t bytes, rqi_buf *out)
{
    rqi_buf_addf(out, "{\"ref\":\"%s\",\"attempt\":%u,\"fence\":\"%s\",\"pad\":\"", ref, attempt,
                 fence);
    for (int64_t i = 0; i < bytes; i++) {
        rqi_buf_addc(out, (char)('a' + (i + attempt) % 26));
    }
    rqi_buf_adds(out, "\"}");
    rqt_history_add(history, RQT_DONE, ref, attempt, fence, "value=%016" PRIx64,
                    rqt_history_hash(rqi_buf_str(out), out->len));
}
