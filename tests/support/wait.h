/* SPDX-License-Identifier: MIT */
/* Waiting for a condition with a budget: the only way a test waits. */
#ifndef RQT_WAIT_H
#define RQT_WAIT_H

#include <stdbool.h>
#include <stdint.h>

int64_t rqt_now_ms(void);
void rqt_nap(void); /* a few milliseconds between two looks */

/* Evaluates cond again and again until it is true or the budget is spent; its last value. */
#define RQT_UNTIL(cond, budget_ms)                                \
    __extension__({                                               \
        int64_t rqt_end_ = rqt_now_ms() + (budget_ms);            \
        bool rqt_met_ = false;                                    \
        while (!(rqt_met_ = (cond)) && rqt_now_ms() < rqt_end_) { \
            rqt_nap();                                            \
        }                                                         \
        rqt_met_;                                                 \
    })

#endif
