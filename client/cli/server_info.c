/* SPDX-License-Identifier: MIT */
#include "server_info.h"

#include "base/parse.h"

#include <stdio.h>
#include <string.h>

/* Lines are `name:value` and end with CR LF. */
const char *cli_info_field(const char *info, const char *name, char out[CLI_INFO_MAX])
{
    size_t len = strlen(name);
    out[0] = '\0';
    for (const char *at = info; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, name, len) == 0 && at[len] == ':') {
            const char *value = at + len + 1;
            (void)snprintf(out, CLI_INFO_MAX, "%.*s", (int)strcspn(value, "\r\n"), value);
            break;
        }
    }
    return out;
}

int64_t cli_info_number(const char *info, const char *name, int64_t otherwise)
{
    char text[CLI_INFO_MAX];
    int64_t n = otherwise;
    (void)rqi_parse_int(cli_info_field(info, name, text), INT64_MIN, INT64_MAX, &n, NULL);
    return n;
}

const char *cli_pair(const refq_texts *pairs, const char *name)
{
    for (size_t i = 0; i + 1 < pairs->n; i += 2) {
        if (strcmp(pairs->items[i], name) == 0) {
            return pairs->items[i + 1];
        }
    }
    return NULL;
}
