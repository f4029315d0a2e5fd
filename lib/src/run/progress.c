/* SPDX-License-Identifier: MIT */
#include "run/progress.h"

#include "base/utf8.h"

#include <string.h>

/* A number that is left out is 0 when it may be. */
static bool get_count(const json_t *object, const char *name, bool required, int64_t *ret)
{
    const json_t *value = json_object_get(object, name);
    if (value == NULL) {
        *ret = 0;
        return !required;
    }
    *ret = json_integer_value(value);
    return json_is_integer(value) && *ret >= 0;
}

static bool get_message(const json_t *object, rqi_progress *ret)
{
    const json_t *value = json_object_get(object, "message");
    ret->has_message = value != NULL;
    ret->message[0] = '\0';
    if (value == NULL) {
        return true;
    }
    if (!json_is_string(value)) {
        return false;
    }
    const char *text = json_string_value(value);
    size_t len = rqi_utf8_cut(text, json_string_length(value), RQI_MESSAGE_MAX);
    memcpy(ret->message, text, len);
    ret->message[len] = '\0';
    return true;
}

bool rqi_progress_read(const json_t *body, rqi_progress *ret)
{
    rqi_progress progress;
    bool good = json_is_object(body) && get_count(body, "current", true, &progress.current) &&
                get_count(body, "total", false, &progress.total) && get_message(body, &progress);
    if (good) {
        *ret = progress;
    }
    return good;
}
