/* SPDX-License-Identifier: MIT */
/* One event as a line of output. */
#ifndef CLI_EVENT_LINE_H
#define CLI_EVENT_LINE_H

#include <refq/client.h>

#include <stdbool.h>

/* Writes it; false when standard output takes no more. */
bool cli_event_show(const refq_event *event, bool json);

#endif
