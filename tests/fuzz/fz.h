/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets share.
 *
 * DESIGN. A target is one function over bytes. clang links it with libFuzzer (preset `fuzz`), every
 * other build with replay.c, so that the kept corpus is a test like any other. A target that only
 * looks for crashes finds little here, where most input is refused: each also says what must hold
 * for input that is taken.
 */
#ifndef RQT_FUZZ_FZ_H
#define RQT_FUZZ_FZ_H

#include <stddef.h>
#include <stdint.h>

/* The target. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts, saying what did not hold. */
#define RQT_HOLDS(cond) ((cond) ? (void)0 : rqt_fz_broken(__FILE__, __LINE__, #cond))

_Noreturn void rqt_fz_broken(const char *file, int line, const char *what);

/* The input as a terminated string in a block of exactly its size, so that a sanitizer sees every
 * read beyond it. Owned by the caller (free). */
char *rqt_fz_text(const uint8_t *data, size_t size);

/* Takes one byte off the front of the input; 0 when there is none. */
uint8_t rqt_fz_byte(const uint8_t **data, size_t *size);

#endif
