/* SPDX-License-Identifier: MIT */
/* Random choices of a test that a seed repeats: nothing else goes into them. */
#ifndef RQT_DICE_H
#define RQT_DICE_H

#include <stddef.h>
#include <stdint.h>

typedef struct rqt_dice {
    uint64_t state;
} rqt_dice;

/* Different streams of one seed are independent of each other. */
rqt_dice rqt_dice_make(uint64_t seed, uint64_t stream);

uint64_t rqt_dice_next(rqt_dice *d);
/* From low to high, both included. */
int64_t rqt_dice_range(rqt_dice *d, int64_t low, int64_t high);
/* True in `percent` of 100 throws. */
int rqt_dice_chance(rqt_dice *d, int percent);
/* An index, each as likely as its weight. */
size_t rqt_dice_pick(rqt_dice *d, const int *weights, size_t n);

#endif
