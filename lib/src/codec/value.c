/* SPDX-License-Identifier: MIT */
#include "codec/value.h"

#include "base/error.h"
#include "codec/json.h"
#include "json/portable.h"

refq_err rqi_value_load(refq_bytes text, size_t max_bytes, unsigned max_depth, json_t **ret,
                        refq_error *err)
{
    if (text.len > max_bytes) {
        return rqi_fail(err, REFQ_ERR_LIMIT,
                        "the JSON text has %zu bytes; at most %zu bytes are allowed", text.len,
                        max_bytes);
    }
    rqi_buf strict = {0};
    refq_err rc = rqi_strict_write(text, &strict, err);
    if (rc == REFQ_OK) {
        rc = rqi_json_load_any(strict.ptr, strict.len, RQI_BUF_MAX,
                               max_depth != 0 ? max_depth : RQI_SCAN_DEPTH, ret, err);
    }
    rqi_buf_done(&strict);
    return rc;
}
