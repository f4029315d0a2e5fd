/* SPDX-License-Identifier: MIT */
/* What a reference to an entry looks like, wherever it comes from. */
#ifndef RQI_ENTRY_REFERENCE_H
#define RQI_ENTRY_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

#define RQI_REFERENCE_MAX 256 /* bytes */

/* True for text of the form of a reference: a letter, letters, digits, _ and -, a colon, and eight
 * or more lower-case hex digits. */
bool rqi_is_reference(const char *text, size_t len);

/* Whether the reference's name (before the colon) is this one. */
bool rqi_reference_is_of(const char *ref_id, const char *name, size_t len);

#endif
