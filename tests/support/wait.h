/* SPDX-License-Identifier: MIT */
/* Waiting for a condition with a budget: the only way a test waits. */
#ifndef RQT_WAIT_H
#define RQT_WAIT_H

#include "support/pace.h"

#include <stdbool.h>
#include <stdint.h>

int64_t rqt_now_ms(void);
void rqt_nap(void); /* a few milliseconds between two looks */

/* Evaluates cond again and again until it is true or the budget is spent; its last value. The
 * budget is that of an idle machine and a build without sanitizers: a test that goes on at once
 * when its condition holds loses nothing by patience. */
#define RQT_UNTIL(cond, budget_ms) RQT_LOOK_FOR(cond, (int64_t)(budget_ms)*RQT_PATIENCE)

/* Whether cond holds for so long, of which nothing is added: what must not happen. */
#define RQT_STAYS(cond, ms) (!RQT_LOOK_FOR(!(cond), ms))

#define RQT_LOOK_FOR(cond, ms)                                    \
    __extension__({                                               \
        int64_t rqt_end_ = rqt_now_ms() + (ms);                   \
        bool rqt_met_ = false;                                    \
        while (!(rqt_met_ = (cond)) && rqt_now_ms() < rqt_end_) { \
            rqt_nap();                                            \
        }                                                         \
        rqt_met_;                                                 \
    })

#endif
