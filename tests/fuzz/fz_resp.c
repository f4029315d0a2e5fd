/* SPDX-License-Identifier: MIT */
/* Replies of a hostile server: what the reader makes of bytes must not depend on how the network
 * cuts them, and the cursor must survive every shape. The first byte is the size of the pieces. */
#include "fuzz/fz.h"

#include "base/buf.h"
#include "redis/reader.h"
#include "redis/reply.h"

#include <string.h>

static void write_reply(rqi_buf *out, const redisReply *reply)
{
    rqi_buf_addf(out, "(%d %lld ", reply->type, reply->integer);
    if (reply->str != NULL) {
        rqi_buf_add(out, reply->str, (size_t)reply->len);
    }
    for (size_t i = 0; reply->element != NULL && i < (size_t)reply->elements; i++) {
        write_reply(out, reply->element[i]);
    }
    rqi_buf_addc(out, ')');
}

static void walk(const redisReply *reply)
{
    rqi_cursor ints = rqi_cursor_of(reply);
    rqi_cursor texts = rqi_cursor_of(reply);
    for (size_t i = 0; i < 8; i++) {
        (void)rqi_next_int(&ints);
        refq_bytes bytes = rqi_next_bytes(&texts);
        RQT_HOLDS(bytes.ptr != NULL && ((const char *)bytes.ptr)[bytes.len] == '\0');
    }
    refq_error err = {0};
    if (reply->type == REDIS_REPLY_ERROR) {
        RQT_HOLDS(rqi_reply_error(reply, &err) != REFQ_OK && err.text[0] != '\0');
        (void)rqi_reply_wants_reconnect(reply);
    }
}

/* Takes out what is complete. False once the reader has given up. */
static int drain(redisReader *reader, rqi_buf *out)
{
    for (;;) {
        void *reply = NULL;
        if (redisReaderGetReply(reader, &reply) != REDIS_OK) {
            return 0;
        }
        if (reply == NULL) {
            return 1;
        }
        write_reply(out, reply);
        walk(reply);
        freeReplyObject(reply);
    }
}

static int read_all(const uint8_t *data, size_t size, size_t piece, rqi_buf *out)
{
    redisReader *reader = rqi_reader_new();
    int good = 1;
    RQT_HOLDS(reader != NULL);
    for (size_t at = 0; good && at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        good =
            redisReaderFeed(reader, (const char *)data + at, n) == REDIS_OK && drain(reader, out);
    }
    redisReaderFree(reader);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t piece = (size_t)rqt_fz_byte(&data, &size) % 16 + 1;
    rqi_buf whole = {0};
    rqi_buf parts = {0};
    int whole_good = read_all(data, size, size + 1, &whole);
    int parts_good = read_all(data, size, piece, &parts);
    RQT_HOLDS(whole_good == parts_good);
    RQT_HOLDS(strcmp(rqi_buf_str(&whole), rqi_buf_str(&parts)) == 0);
    rqi_buf_done(&whole);
    rqi_buf_done(&parts);
    return 0;
}
