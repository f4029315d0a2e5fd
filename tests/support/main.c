/* SPDX-License-Identifier: MIT */
#include "support/main.h"

#include "support/pace.h"
#include "support/redis_fixture.h"

#include <stdio.h>
#include <stdlib.h>

/* Check reads it when a time limit is set, so before main(). */
__attribute__((constructor)) static void be_patient(void)
{
    char times[8];
    (void)snprintf(times, sizeof times, "%d", RQT_PATIENCE);
    (void)setenv("CK_TIMEOUT_MULTIPLIER", times, 0);
}

int rqt_main(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int rqt_main_redis(Suite *suite, const char *const *extra)
{
    rqt_redis_start(extra);
    int status = rqt_main(suite);
    rqt_redis_stop();
    return status;
}
