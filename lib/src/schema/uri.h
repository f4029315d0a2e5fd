/* SPDX-License-Identifier: MIT */
/* URI references as "$id" and "$ref" have them: RFC 3986, section 5.2, without network. */
#ifndef RQI_SCHEMA_URI_H
#define RQI_SCHEMA_URI_H

#include "base/buf.h"

#include <stdbool.h>

#define RQI_JS_URI_MAX 2048 /* bytes */

/* Replaces *out by what `ref` means where `base` holds. False when it is too long. */
bool rqi_js_uri_resolve(const char *base, const char *ref, rqi_buf *out);

/* Cuts "#..." off and returns it without the '#', inside of the buffer; NULL when there is none. */
const char *rqi_js_uri_cut_fragment(rqi_buf *uri);

/* Replaces *out by text with its %XX escapes resolved. False for a broken escape or a zero byte. */
bool rqi_js_uri_unescape(const char *text, rqi_buf *out);

/* True when it begins with a scheme. */
bool rqi_js_uri_is_absolute(const char *uri);

#endif
