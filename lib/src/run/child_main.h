/* SPDX-License-Identifier: MIT */
/* The forked side of a child: calls the handler. */
#ifndef RQI_RUN_CHILD_MAIN_H
#define RQI_RUN_CHILD_MAIN_H

/* In a fresh fork of a minder, with the pipes at 0 to 3 and nothing else open. */
_Noreturn void rqi_child_main(void);

#endif
