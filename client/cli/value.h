/* SPDX-License-Identifier: MIT */
/* The value inside a stored cache entry. */
#ifndef CLI_VALUE_H
#define CLI_VALUE_H

#include "base/buf.h"

/* Appends the entry's "value" as JSON text: as it is stored when it comes first in the entry, which
 * is how refq writes it, else re-printed compactly. REFQ_ERR_INVALID when there is none to find. */
refq_err cli_value_cut(const char *entry, size_t len, rqi_buf *out, refq_error *err);

#endif
