/* SPDX-License-Identifier: MIT */
/* Marks that decide what leaves the library and what a caller must not ignore. */
#ifndef REFQ_EXPORT_H
#define REFQ_EXPORT_H

#if defined(__GNUC__) || defined(__clang__)
#define REFQ_API          __attribute__((visibility("default")))
#define REFQ_MUST_USE     __attribute__((warn_unused_result))
#define REFQ_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define REFQ_API
#define REFQ_MUST_USE
#define REFQ_PRINTF(f, a)
#endif

#endif
