/* SPDX-License-Identifier: MIT */
/* A JSON array on standard output that is written as it grows: however long it gets, only one
 * element is in memory. */
#ifndef CLI_JSON_LIST_H
#define CLI_JSON_LIST_H

#include <jansson.h>

#include <stdbool.h>

typedef struct cli_json_list {
    bool open; /* something was written */
} cli_json_list;

/* Writes one element; takes json, which may be NULL (out of memory). Returns an exit status. */
int cli_json_list_add(cli_json_list *list, json_t *json);

/* Writes what closes the array, also the empty one. */
void cli_json_list_end(cli_json_list *list);

#endif
