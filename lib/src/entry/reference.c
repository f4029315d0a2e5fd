/* SPDX-License-Identifier: MIT */
#include "entry/reference.h"

#include <ctype.h>
#include <string.h>

#define HEX_MIN 8

bool rqi_is_reference(const char *text, size_t len)
{
    size_t i = 0;
    if (len == 0 || len > RQI_REFERENCE_MAX || !isalpha((unsigned char)text[0])) {
        return false;
    }
    while (i < len && (isalnum((unsigned char)text[i]) || text[i] == '_' || text[i] == '-')) {
        i++;
    }
    if (i == len || text[i] != ':' || len - i - 1 < HEX_MIN) {
        return false;
    }
    for (i++; i < len; i++) {
        if (!isdigit((unsigned char)text[i]) && (text[i] < 'a' || text[i] > 'f')) {
            return false;
        }
    }
    return true;
}

bool rqi_reference_is_of(const char *ref_id, const char *name, size_t len)
{
    return strncmp(ref_id, name, len) == 0 && ref_id[len] == ':';
}
