/* SPDX-License-Identifier: MIT */
/* Names of formats, and the end of a response. */
#include <refq/response.h>

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {[REFQ_FORMAT_STANDARD] = "standard",
                                    [REFQ_FORMAT_MINIMAL] = "minimal",
                                    [REFQ_FORMAT_FULL] = "full"};

enum { FORMATS = sizeof names / sizeof names[0] };

const char *refq_format_name(refq_format format)
{
    return (unsigned)format < FORMATS ? names[format] : "?";
}

refq_err refq_format_parse(const char *text, refq_format *ret, refq_error *err)
{
    for (size_t i = 0; i < FORMATS; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret = (refq_format)i;
            return REFQ_OK;
        }
    }
    return rqi_fail(err, REFQ_ERR_INVALID,
                    "no response format '%.32s': there are minimal, standard and full", text);
}

void refq_response_free(refq_response *response)
{
    if (response != NULL) {
        free(response->json);
        *response = (refq_response){0};
    }
}
