/* SPDX-License-Identifier: MIT */
/* What the main() of a test program ends with. */
#ifndef RQT_SUPPORT_MAIN_H
#define RQT_SUPPORT_MAIN_H

#include <check.h>

/* Runs the suite, which it takes; what main() returns. CK_RUN_CASE, CK_VERBOSITY and the other
 * variables of Check hold. */
int rqt_main(Suite *suite);

/* The same with a server that all tests share; `extra` as for rqt_redis_start(). */
int rqt_main_redis(Suite *suite, const char *const *extra);

#endif
