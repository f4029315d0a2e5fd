/* SPDX-License-Identifier: MIT */
/* Arguments as msgpack from Redis: what passes the guard libmsgpack reads to its end, and what is
 * decoded to JSON comes back as the same JSON when it is encoded again. */
#include "fuzz/fz.h"

#include "codec/args.h"
#include "codec/json.h"
#include "codec/mp_guard.h"

#include <msgpack.h>
#include <string.h>

static void check_guard(refq_bytes in)
{
    refq_error err = {0};
    size_t end = 0;
    msgpack_unpacked doc;
    if (rqi_mp_guard(in, NULL, &err) != REFQ_OK) {
        RQT_HOLDS(err.text[0] != '\0');
        return;
    }
    msgpack_unpacked_init(&doc);
    RQT_HOLDS(msgpack_unpack_next(&doc, in.ptr, in.len, &end) == MSGPACK_UNPACK_SUCCESS);
    RQT_HOLDS(end == in.len);
    msgpack_unpacked_destroy(&doc);
}

/* JSON holds no integer above 2^63 - 1 here, msgpack does: the one thing that need not come back.
 */
static void check_back(const rqi_buf *json)
{
    refq_error err = {0};
    rqi_buf packed = {0};
    rqi_buf again = {0};
    if (rqi_args_encode(json->ptr, json->len, &packed, &err) == REFQ_OK) {
        RQT_HOLDS(rqi_args_decode(rqi_buf_bytes(&packed), &again, &err) == REFQ_OK);
        RQT_HOLDS(again.len == json->len && memcmp(again.ptr, json->ptr, json->len) == 0);
    } else {
        RQT_HOLDS(strstr(err.text, "too big integer") != NULL);
    }
    rqi_buf_done(&packed);
    rqi_buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    refq_bytes in = {data, size};
    refq_error err = {0};
    rqi_buf json = {0};
    check_guard(in);
    if (rqi_args_decode(in, &json, &err) == REFQ_OK) {
        check_back(&json);
    } else {
        RQT_HOLDS(err.text[0] != '\0' && json.len == 0);
    }
    rqi_buf_done(&json);
    return 0;
}
