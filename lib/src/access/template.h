/* SPDX-License-Identifier: MIT */
/* Expanding templates for identities that have been checked. */
#ifndef RQI_ACCESS_TEMPLATE_H
#define RQI_ACCESS_TEMPLATE_H

#include <refq/access.h>

#define RQI_TEMPLATE_MAX 1024 /* bytes of a template */

/* As refq_template_expand(); `what` begins the error's sentence. */
REFQ_MUST_USE refq_err rqi_template_expand(const char *what, const char *text,
                                           const refq_identity *identity, char *out, size_t size,
                                           refq_error *err);

#endif
