/* SPDX-License-Identifier: MIT */
/* What a server says about itself. */
#ifndef CLI_SERVER_INFO_H
#define CLI_SERVER_INFO_H

#include <refq/client.h>

#define CLI_INFO_MAX 128

/* A field of INFO ("redis_version"); "" when it is not there. */
const char *cli_info_field(const char *info, const char *name, char out[CLI_INFO_MAX]);
int64_t cli_info_number(const char *info, const char *name, int64_t otherwise);

/* The text behind a name in a flat list of names and values; NULL when it is not there. */
const char *cli_pair(const refq_texts *pairs, const char *name);

#endif
