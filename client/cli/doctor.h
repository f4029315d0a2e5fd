/* SPDX-License-Identifier: MIT */
/* The parts of `refq doctor`. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "findings.h"

#include <refq/client.h>

/* False when the server cannot be asked: the other parts are of no use then. */
bool cli_doctor_connection(refq_client *client, cli_findings *findings);

/* Its version, memory, persistence, replication, clock and function libraries. */
void cli_doctor_server(refq_client *client, cli_findings *findings);

/* What this user may do there. */
void cli_doctor_rights(refq_client *client, cli_findings *findings);

/* The queues: all, or only the one named. */
void cli_doctor_queue(refq_client *client, const char *queue, cli_findings *findings);

/* Looks at every record and index of a queue. */
void cli_doctor_audit(refq_client *client, const char *queue, cli_findings *findings);

#endif
