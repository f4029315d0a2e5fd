/* SPDX-License-Identifier: MIT */
/* What the doctor finds: a verdict, and for what is not well, why it matters and how to mend it. */
#ifndef CLI_FINDINGS_H
#define CLI_FINDINGS_H

#include <refq/export.h>

#include <jansson.h>

#include <stdbool.h>

typedef enum cli_verdict { CLI_FINE = 0, CLI_WARN, CLI_FAIL } cli_verdict;

typedef struct cli_findings {
    bool json;
    json_t *list; /* owned; with json only */
    int n[CLI_FAIL + 1];
} cli_findings;

cli_findings cli_findings_make(bool json);

/* One finding, shown at once unless it is for programs. why and fix are NULL when all is fine; what
 * is made from the format. */
void cli_findings_add(cli_findings *findings, cli_verdict verdict, const char *check,
                      const char *why, const char *fix, const char *what, ...) REFQ_PRINTF(6, 7);

/* The last line, or the object for programs. Returns the exit status: 0, or 1 when something has
 * failed. */
int cli_findings_end(cli_findings *findings);

#endif
