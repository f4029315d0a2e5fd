/* SPDX-License-Identifier: MIT */
/* DESIGN. splitmix64: one word of state, good enough to draw test cases, the same everywhere. */
#include "support/dice.h"

uint64_t rqt_dice_next(rqt_dice *d)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

rqt_dice rqt_dice_make(uint64_t seed, uint64_t stream)
{
    rqt_dice outer = {.state = seed};
    rqt_dice inner = {.state = rqt_dice_next(&outer) ^ (stream * 0xd1342543de82ef95U)};
    return (rqt_dice){.state = rqt_dice_next(&inner)};
}

int64_t rqt_dice_range(rqt_dice *d, int64_t low, int64_t high)
{
    return low + (int64_t)(rqt_dice_next(d) % (uint64_t)(high - low + 1));
}

int rqt_dice_chance(rqt_dice *d, int percent)
{
    return rqt_dice_range(d, 0, 99) < percent;
}

size_t rqt_dice_pick(rqt_dice *d, const int *weights, size_t n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += weights[i];
    }
    int64_t at = rqt_dice_range(d, 0, sum - 1);
    size_t i = 0;
    while (i + 1 < n && at >= weights[i]) {
        at -= weights[i++];
    }
    return i;
}
