/* SPDX-License-Identifier: MIT */
/* Arguments as JSON from a caller: what is encoded a worker can decode, and decoding and encoding
 * again changes no byte. The preview is one clean line within its size. */
#include "fuzz/fz.h"

#include "base/utf8.h"
#include "codec/args.h"

#include <stdlib.h>
#include <string.h>

static void check_round_trip(const char *json, size_t len)
{
    refq_error err = {0};
    rqi_buf packed = {0};
    rqi_buf text = {0};
    rqi_buf again = {0};
    if (rqi_args_encode(json, len, &packed, &err) == REFQ_OK) {
        RQT_HOLDS(rqi_args_decode(rqi_buf_bytes(&packed), &text, &err) == REFQ_OK);
        RQT_HOLDS(rqi_args_encode(text.ptr, text.len, &again, &err) == REFQ_OK);
        RQT_HOLDS(again.len == packed.len && memcmp(again.ptr, packed.ptr, packed.len) == 0);
    } else {
        RQT_HOLDS(err.text[0] != '\0' && packed.len == 0);
    }
    rqi_buf_done(&packed);
    rqi_buf_done(&text);
    rqi_buf_done(&again);
}

static void check_preview(const char *json, size_t len, size_t size)
{
    char *out = malloc(size);
    RQT_HOLDS(out != NULL);
    rqi_args_preview(json, len, out, size);
    size_t n = strlen(out);
    RQT_HOLDS(n < size && rqi_utf8_valid(out, n) == n);
    for (size_t i = 0; i < n; i++) {
        RQT_HOLDS((unsigned char)out[i] >= ' ' && out[i] != 0x7f);
    }
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t room = (size_t)rqt_fz_byte(&data, &size) + 1;
    char *json = rqt_fz_text(data, size);
    check_round_trip(json, size);
    check_preview(json, size, room);
    free(json);
    return 0;
}
