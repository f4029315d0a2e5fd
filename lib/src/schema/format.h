/* SPDX-License-Identifier: MIT */
/* Formats that can be asserted: date, time, date-time, email, ipv4, ipv6, uuid, uri. */
#ifndef RQI_SCHEMA_FORMAT_H
#define RQI_SCHEMA_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct rqi_js_format {
    const char *name;
    bool (*fits)(const char *text, size_t len); /* text is terminated */
} rqi_js_format;

/* NULL for a format that is not known: it is never asserted. */
const rqi_js_format *rqi_js_format_find(const char *name);

#endif
