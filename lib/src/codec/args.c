/* SPDX-License-Identifier: MIT */
#include "codec/args.h"

#include "base/error.h"
#include "base/utf8.h"
#include "codec/json.h"
#include "codec/mp_guard.h"

#include <assert.h>
#include <inttypes.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

static const rqi_mp_limits args_limits = {.max_bytes = RQI_ARGS_MAX, .string_keys = true};

/* Both forms count the same containers, so that one limit serves both. */
static_assert(RQI_JSON_DEPTH == RQI_MP_DEPTH_MAX, "a depth that encodes must decode");

/* Takes back what was appended since the buffer held len bytes. */
static void rewind_to(rqi_buf *b, size_t len)
{
    b->len = len;
    if (b->ptr != NULL) {
        b->ptr[len] = '\0';
    }
}

static refq_err check_room(const rqi_buf *b, refq_error *err)
{
    if (b->err == REFQ_OK) {
        return REFQ_OK;
    }
    return rqi_fail(err, b->err,
                    b->err == REFQ_ERR_LIMIT ? "the arguments do not fit into the %zu bytes allowed"
                                             : "no memory for the arguments (at most %zu bytes)",
                    b->max != 0 ? b->max : RQI_BUF_MAX);
}

/* --- JSON to msgpack -------------------------------------------------------------------------- */

/* Failures stay in the buffer, so the packers' own return values need no look. */
static int write_to_buf(void *data, const char *ptr, size_t len)
{
    rqi_buf *b = data;
    rqi_buf_add(b, ptr, len);
    return b->err == REFQ_OK ? 0 : -1;
}

static void pack(msgpack_packer *pk, json_t *value);

static void pack_object(msgpack_packer *pk, json_t *object)
{
    const char *key;
    json_t *value;
    msgpack_pack_map(pk, json_object_size(object));
    json_object_foreach(object, key, value)
    {
        msgpack_pack_str_with_body(pk, key, strlen(key));
        pack(pk, value);
    }
}

static void pack_array(msgpack_packer *pk, json_t *array)
{
    size_t i;
    json_t *value;
    msgpack_pack_array(pk, json_array_size(array));
    json_array_foreach(array, i, value)
    {
        pack(pk, value);
    }
}

static void pack_string(msgpack_packer *pk, json_t *string)
{
    msgpack_pack_str_with_body(pk, json_string_value(string), json_string_length(string));
}

static void pack_integer(msgpack_packer *pk, json_t *integer)
{
    msgpack_pack_int64(pk, json_integer_value(integer));
}

static void pack_real(msgpack_packer *pk, json_t *real)
{
    msgpack_pack_double(pk, json_real_value(real));
}

static void pack_true(msgpack_packer *pk, json_t *value)
{
    (void)value;
    msgpack_pack_true(pk);
}

static void pack_false(msgpack_packer *pk, json_t *value)
{
    (void)value;
    msgpack_pack_false(pk);
}

static void pack_null(msgpack_packer *pk, json_t *value)
{
    (void)value;
    msgpack_pack_nil(pk);
}

static void (*const packers[])(msgpack_packer *, json_t *) = {
    [JSON_OBJECT] = pack_object,   [JSON_ARRAY] = pack_array, [JSON_STRING] = pack_string,
    [JSON_INTEGER] = pack_integer, [JSON_REAL] = pack_real,   [JSON_TRUE] = pack_true,
    [JSON_FALSE] = pack_false,     [JSON_NULL] = pack_null};

/* Recursion is bounded by the depth that rqi_json_load() allows. */
static void pack(msgpack_packer *pk, json_t *value)
{
    packers[json_typeof(value)](pk, value);
}

static refq_err load_object(const char *json, size_t len, json_t **ret, refq_error *err)
{
    json_t *value;
    refq_err rc = rqi_json_load_any(json, len, RQI_ARGS_MAX, RQI_JSON_DEPTH, &value, err);
    if (rc != REFQ_OK) {
        return rqi_fail_in(err, rc, "arguments");
    }
    if (!json_is_object(value)) {
        json_decref(value);
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "arguments must be a JSON object such as {\"path\":\"a.pdf\"}");
    }
    *ret = value;
    return REFQ_OK;
}

refq_err rqi_args_encode(const char *json, size_t len, rqi_buf *out_msgpack, refq_error *err)
{
    json_t *object = NULL;
    refq_err rc = load_object(json, len, &object, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    size_t before = out_msgpack->len;
    msgpack_packer pk;
    msgpack_packer_init(&pk, out_msgpack, write_to_buf);
    pack(&pk, object);
    json_decref(object);
    rc = check_room(out_msgpack, err);
    if (rc == REFQ_OK) {
        /* Short JSON can be long msgpack ("1e9" takes nine bytes): a worker must not be the first
         * to find it too large. */
        refq_bytes made = {out_msgpack->ptr + before, out_msgpack->len - before};
        rc = rqi_mp_guard(made, &args_limits, err);
        rc = rc != REFQ_OK ? rqi_fail_in(err, rc, "arguments") : REFQ_OK;
    }
    if (rc != REFQ_OK) {
        rewind_to(out_msgpack, before);
    }
    return rc;
}

/* --- msgpack to JSON -------------------------------------------------------------------------- */

struct writer {
    rqi_buf *out;
    refq_error *err;
    const msgpack_object_str *key; /* whose value is being written; NULL outside the map */
};

static refq_err write_value(struct writer *w, const msgpack_object *value);

/* Says which value it is about: "'path' is ...". */
static refq_err refuse(struct writer *w, const char *what)
{
    char key[64] = "";
    if (w->key != NULL) {
        rqi_args_preview(w->key->ptr, w->key->size, key, sizeof key);
    }
    return rqi_fail(w->err, REFQ_ERR_INVALID, "arguments: '%s' holds %s", key, what);
}

static refq_err write_nil(struct writer *w, const msgpack_object *value)
{
    (void)value;
    rqi_buf_adds(w->out, "null");
    return REFQ_OK;
}

static refq_err write_bool(struct writer *w, const msgpack_object *value)
{
    rqi_buf_adds(w->out, value->via.boolean ? "true" : "false");
    return REFQ_OK;
}

static refq_err write_unsigned(struct writer *w, const msgpack_object *value)
{
    rqi_buf_addf(w->out, "%" PRIu64, value->via.u64);
    return REFQ_OK;
}

static refq_err write_signed(struct writer *w, const msgpack_object *value)
{
    rqi_buf_addf(w->out, "%" PRId64, value->via.i64);
    return REFQ_OK;
}

static refq_err write_float(struct writer *w, const msgpack_object *value)
{
    refq_err rc = rqi_json_add_real(w->out, value->via.f64);
    if (rc == REFQ_ERR_INVALID) {
        return refuse(w, "NaN or an infinity, which JSON cannot say; send null or a string");
    }
    return rc == REFQ_OK ? rc : rqi_fail(w->err, rc, "no memory to write a number");
}

static refq_err write_str(struct writer *w, const msgpack_object *value)
{
    rqi_buf_add_json(w->out, value->via.str.ptr, value->via.str.size);
    return REFQ_OK;
}

static refq_err write_array(struct writer *w, const msgpack_object *value)
{
    refq_err rc = REFQ_OK;
    rqi_buf_addc(w->out, '[');
    for (uint32_t i = 0; i < value->via.array.size && rc == REFQ_OK; i++) {
        rqi_buf_adds(w->out, i > 0 ? "," : "");
        rc = write_value(w, &value->via.array.ptr[i]);
    }
    rqi_buf_addc(w->out, ']');
    return rc;
}

static int compare_keys(const void *left, const void *right)
{
    const msgpack_object_str *a = *(const msgpack_object_str *const *)left;
    const msgpack_object_str *b = *(const msgpack_object_str *const *)right;
    if (a->size != b->size) {
        return a->size < b->size ? -1 : 1;
    }
    return a->size != 0 ? memcmp(a->ptr, b->ptr, a->size) : 0; /* an empty key may be NULL */
}

/* Two readers of JSON with a doubled key may see two different tasks. Sorted, because comparing
 * each key with each other takes minutes for a hostile map. */
static refq_err check_keys(struct writer *w, const msgpack_object_map *map)
{
    const msgpack_object_str **keys = calloc((size_t)map->size + 1, sizeof(*keys));
    if (keys == NULL) {
        return rqi_fail(w->err, REFQ_ERR_NOMEM, "no memory to check %" PRIu32 " keys", map->size);
    }
    refq_err rc = REFQ_OK;
    for (uint32_t i = 0; i < map->size && rc == REFQ_OK; i++) {
        keys[i] = w->key = &map->ptr[i].key.via.str;
        if (keys[i]->size != 0 && memchr(keys[i]->ptr, '\0', keys[i]->size) != NULL) {
            rc = refuse(w, "a zero byte in its name, which a JSON key cannot have here");
        }
    }
    if (rc == REFQ_OK) {
        qsort(keys, map->size, sizeof(*keys), compare_keys);
    }
    for (uint32_t i = 1; i < map->size && rc == REFQ_OK; i++) {
        if (compare_keys(&keys[i - 1], &keys[i]) == 0) {
            w->key = keys[i];
            rc = refuse(w, "two values: each key may appear once");
        }
    }
    free(keys);
    return rc;
}

static refq_err write_map(struct writer *w, const msgpack_object *value)
{
    const msgpack_object_map *map = &value->via.map;
    refq_err rc = check_keys(w, map);
    rqi_buf_addc(w->out, '{');
    for (uint32_t i = 0; i < map->size && rc == REFQ_OK; i++) {
        const msgpack_object_kv *pair = &map->ptr[i];
        w->key = &pair->key.via.str;
        rqi_buf_adds(w->out, i > 0 ? "," : "");
        rqi_buf_add_json(w->out, w->key->ptr, w->key->size);
        rqi_buf_addc(w->out, ':');
        rc = write_value(w, &pair->val);
    }
    rqi_buf_addc(w->out, '}');
    return rc;
}

static refq_err refuse_bin(struct writer *w, const msgpack_object *value)
{
    (void)value;
    return refuse(w, "binary data, which has no JSON form; send a base64 string");
}

static refq_err refuse_ext(struct writer *w, const msgpack_object *value)
{
    (void)value;
    return refuse(w, "a msgpack extension type (such as a timestamp), which has no JSON form; "
                     "send a string or a number");
}

static refq_err (*const writers[])(struct writer *, const msgpack_object *) = {
    [MSGPACK_OBJECT_NIL] = write_nil,
    [MSGPACK_OBJECT_BOOLEAN] = write_bool,
    [MSGPACK_OBJECT_POSITIVE_INTEGER] = write_unsigned,
    [MSGPACK_OBJECT_NEGATIVE_INTEGER] = write_signed,
    [MSGPACK_OBJECT_FLOAT32] = write_float,
    [MSGPACK_OBJECT_FLOAT64] = write_float,
    [MSGPACK_OBJECT_STR] = write_str,
    [MSGPACK_OBJECT_ARRAY] = write_array,
    [MSGPACK_OBJECT_MAP] = write_map,
    [MSGPACK_OBJECT_BIN] = refuse_bin,
    [MSGPACK_OBJECT_EXT] = refuse_ext,
};

/* Recursion is bounded by the depth that rqi_mp_guard() allows. */
static refq_err write_value(struct writer *w, const msgpack_object *value)
{
    return writers[value->type](w, value);
}

static refq_err unpack(refq_bytes in, msgpack_unpacked *ret, refq_error *err)
{
    size_t end = 0;
    msgpack_unpack_return got = msgpack_unpack_next(ret, in.ptr, in.len, &end);
    if (got == MSGPACK_UNPACK_NOMEM_ERROR) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory while reading %zu bytes of arguments",
                        in.len);
    }
    if (got != MSGPACK_UNPACK_SUCCESS || end != in.len) {
        return rqi_fail(err, REFQ_ERR_INTERNAL,
                        "libmsgpack refuses arguments that passed the check, near byte %zu", end);
    }
    if (ret->data.type != MSGPACK_OBJECT_MAP) {
        return rqi_fail(err, REFQ_ERR_INVALID, "arguments must be a msgpack map");
    }
    return REFQ_OK;
}

refq_err rqi_args_decode(refq_bytes msgpack, rqi_buf *out_json, refq_error *err)
{
    refq_err rc = rqi_mp_guard(msgpack, &args_limits, err);
    if (rc != REFQ_OK) {
        return rqi_fail_in(err, rc, "arguments");
    }
    size_t before = out_json->len;
    struct writer w = {.out = out_json, .err = err};
    msgpack_unpacked doc;
    msgpack_unpacked_init(&doc);
    rc = unpack(msgpack, &doc, err);
    if (rc == REFQ_OK) {
        rc = write_value(&w, &doc.data);
    }
    if (rc == REFQ_OK) {
        rc = check_room(out_json, err);
    }
    if (rc != REFQ_OK) {
        rewind_to(out_json, before);
    }
    msgpack_unpacked_destroy(&doc);
    return rc;
}

/* --- Preview ---------------------------------------------------------------------------------- */

/* Bytes at p that would leave the line or drive a terminal: C0, DEL, C1 (U+0080..9F) and the line
 * separators U+2028 and U+2029. p is valid UTF-8. */
static size_t control_at(const char *p)
{
    const unsigned char *c = (const unsigned char *)p;
    if (c[0] < ' ' || c[0] == 0x7f) {
        return 1;
    }
    if (c[0] == 0xc2 && c[1] < 0xa0) {
        return 2;
    }
    return c[0] == 0xe2 && c[1] == 0x80 && (c[2] == 0xa8 || c[2] == 0xa9) ? 3 : 0;
}

void rqi_args_preview(const char *json, size_t len, char *out, size_t size)
{
    if (size == 0) {
        return;
    }
    size_t room = size - 1;
    size_t keep = len;
    size_t dots = 0;
    if (len > room || rqi_utf8_valid(json, len) != len) {
        dots = room < 3 ? room : 3;
        keep = room - dots < len ? room - dots : len;
        keep = rqi_utf8_valid(json, keep); /* also steps back to a character's boundary */
    }
    for (size_t i = 0; i < keep;) {
        size_t control = control_at(json + i);
        size_t n = control != 0 ? control : 1;
        for (size_t end = i + n; i < end; i++) {
            out[i] = control != 0 ? ' ' : json[i];
        }
    }
    memset(out + keep, '.', dots);
    out[keep + dots] = '\0';
}
