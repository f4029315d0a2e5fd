/* SPDX-License-Identifier: MIT */
/* A primary, a replica and three Sentinels, to be failed over again and again; or one Sentinel.
 *
 * After the start of the group the primary is the fixture's server (redis_fixture.h), and
 * rqt_redis_url() the redis+sentinel:// URL; after each failover the new primary is. */
#ifndef RQT_SENTINELS_H
#define RQT_SENTINELS_H

#include <stdbool.h>
#include <sys/types.h>

/* All texts of the reply of a server on this port, each with a blank behind it; "" for none. Valid
 * until the next call. */
const char *rqt_sentinel_ask(int port, const char *format, ...);

/* Starts one Sentinel that watches `mymaster` on 127.0.0.1; extra: further lines of its
 * configuration. It may not be up yet. */
pid_t rqt_sentinel_start(int port, int master_port, int quorum, int down_ms, const char *extra);

/* Call it after rqt_redis_start(), whose server ends. Returns when all is ready. */
void rqt_sentinels_start(void);

/* Whether the primary has its replica, and all Sentinels know both: only then can the primary be
 * killed. False as well when nothing was started. */
bool rqt_sentinels_ready(void);

/* From now on the replica gets nothing from its primary. */
void rqt_sentinels_cut_off(void);

/* Tells a Sentinel to make the replica the primary, as an operator does. */
void rqt_sentinels_order(void);

/* kill -9 of the primary. */
void rqt_sentinels_kill(void);

/* Whether the replica is the primary, and all Sentinels say so. The first time after a kill that it
 * is, the killed one is started again on what it had persisted: as the primary that it was, until
 * Sentinel makes a replica of it. */
bool rqt_sentinels_promoted(void);

/* Ends all but the primary, which ends with the fixture. */
void rqt_sentinels_stop(void);

#endif
