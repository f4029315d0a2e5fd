/* SPDX-License-Identifier: MIT */
#include "schema/uri.h"

#include <string.h>

typedef struct slice {
    const char *ptr;
    size_t len;
    bool is_set;
} slice;

typedef struct uri {
    slice scheme;    /* with the ':' */
    slice authority; /* with the "//" */
    slice path;
    slice query;    /* with the '?' */
    slice fragment; /* with the '#' */
} uri;

static slice take(const char **at, size_t len, bool is_set)
{
    slice s = {*at, len, is_set};
    *at += len;
    return s;
}

/* Length of a leading scheme with its ':'; 0 when there is none. */
static size_t scheme_length(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const char later[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-.";
    if (text[0] == '\0' || strchr(letters, text[0]) == NULL) {
        return 0;
    }
    size_t len = strspn(text, later);
    return text[len] == ':' ? len + 1 : 0;
}

bool rqi_js_uri_is_absolute(const char *text)
{
    return scheme_length(text) > 0;
}

static uri split(const char *text)
{
    uri u;
    size_t len = scheme_length(text);
    u.scheme = take(&text, len, len > 0);
    bool has_authority = strncmp(text, "//", 2) == 0;
    u.authority = take(&text, has_authority ? 2 + strcspn(text + 2, "/?#") : 0, has_authority);
    u.path = take(&text, strcspn(text, "?#"), true);
    bool has_query = *text == '?';
    u.query = take(&text, has_query ? strcspn(text, "#") : 0, has_query);
    u.fragment = take(&text, strlen(text), *text == '#');
    return u;
}

static void add(rqi_buf *out, slice s)
{
    rqi_buf_add(out, s.ptr, s.len);
}

/* Length of the last segment of what stands in out from `start` on, its '/' included. */
static void drop_segment(rqi_buf *out, size_t start)
{
    while (out->len > start && out->ptr[out->len - 1] != '/') {
        out->len--;
    }
    if (out->len > start) {
        out->len--;
    }
}

/* Appends a path without its "." and ".." segments. */
static void add_path(rqi_buf *out, const char *path, size_t len)
{
    size_t start = out->len;
    size_t i = 0;
    while (i < len) {
        size_t slash = path[i] == '/' ? 1 : 0;
        size_t end = i + slash;
        while (end < len && path[end] != '/') {
            end++;
        }
        const char *segment = path + i + slash;
        size_t n = end - i - slash;
        bool is_up = n == 2 && memcmp(segment, "..", 2) == 0;
        bool is_here = n == 1 && segment[0] == '.';
        if (is_up) {
            drop_segment(out, start);
        }
        if (!is_up && !is_here) {
            rqi_buf_add(out, path + i, end - i);
        } else if (end == len && slash == 1) {
            rqi_buf_addc(out, '/');
        }
        i = end;
    }
}

/* The base's path up to its last '/', then the reference's. */
static void add_merged(rqi_buf *out, const uri *base, const uri *ref)
{
    rqi_buf merged = rqi_buf_make(2 * RQI_JS_URI_MAX + 2);
    size_t keep = base->path.len;
    while (keep > 0 && base->path.ptr[keep - 1] != '/') {
        keep--;
    }
    if (base->authority.is_set && base->path.len == 0) {
        rqi_buf_addc(&merged, '/');
    }
    rqi_buf_add(&merged, base->path.ptr, keep);
    add(&merged, ref->path);
    add_path(out, rqi_buf_str(&merged), merged.len);
    rqi_buf_done(&merged);
}

static void resolve(const uri *base, const uri *ref, rqi_buf *out)
{
    if (ref->scheme.is_set) {
        add(out, ref->scheme);
        add(out, ref->authority);
        add_path(out, ref->path.ptr, ref->path.len);
        add(out, ref->query);
        return;
    }
    add(out, base->scheme);
    if (ref->authority.is_set) {
        add(out, ref->authority);
        add_path(out, ref->path.ptr, ref->path.len);
        add(out, ref->query);
        return;
    }
    add(out, base->authority);
    if (ref->path.len == 0) {
        add(out, base->path);
        add(out, ref->query.is_set ? ref->query : base->query);
        return;
    }
    if (ref->path.ptr[0] == '/') {
        add_path(out, ref->path.ptr, ref->path.len);
    } else {
        add_merged(out, base, ref);
    }
    add(out, ref->query);
}

bool rqi_js_uri_resolve(const char *base, const char *ref, rqi_buf *out)
{
    rqi_buf_clear(out);
    if (strlen(base) > RQI_JS_URI_MAX || strlen(ref) > RQI_JS_URI_MAX) {
        return false;
    }
    uri b = split(base);
    uri r = split(ref);
    resolve(&b, &r, out);
    add(out, r.fragment);
    return out->err == REFQ_OK && out->len <= RQI_JS_URI_MAX;
}

const char *rqi_js_uri_cut_fragment(rqi_buf *text)
{
    char *hash = text->len > 0 ? memchr(text->ptr, '#', text->len) : NULL;
    if (hash == NULL) {
        return NULL;
    }
    text->len = (size_t)(hash - text->ptr);
    *hash = '\0';
    return hash + 1;
}

static int hex_of(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

bool rqi_js_uri_unescape(const char *text, rqi_buf *out)
{
    rqi_buf_clear(out);
    for (; *text != '\0'; text++) {
        if (*text != '%') {
            rqi_buf_addc(out, *text);
            continue;
        }
        int high = hex_of(text[1]);
        int low = high >= 0 ? hex_of(text[2]) : -1;
        if (low < 0 || high + low == 0) {
            return false;
        }
        rqi_buf_addc(out, (char)(high * 16 + low));
        text += 2;
    }
    return out->err == REFQ_OK;
}
