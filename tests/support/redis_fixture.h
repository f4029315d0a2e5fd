/* SPDX-License-Identifier: MIT */
/* A redis-server of the test process's own: unix socket in a temporary folder, nothing persisted.
 */
#ifndef RQT_REDIS_FIXTURE_H
#define RQT_REDIS_FIXTURE_H

#include <hiredis/hiredis.h>

#include <stdarg.h>
#include <sys/types.h>

/* Starts the server and waits until it answers; aborts the test program when it cannot. extra is a
 * NULL-terminated list of further arguments ("--maxmemory", "2mb"), or NULL. The server ends with
 * this process, whatever happens. */
void rqt_redis_start(const char *const *extra);
void rqt_redis_stop(void);

/* Ends the server with a signal and starts it again on the same folder and socket. */
void rqt_redis_restart(int signal);

/* The two halves of a restart: kill -9, and start again. */
void rqt_redis_kill(void);
void rqt_redis_revive(void);

/* From now on that server is the fixture's, whose own was killed: its socket, and the URL at which
 * programs find it. */
void rqt_redis_adopt(pid_t pid, const char *socket, const char *url);

const char *rqt_redis_url(void); /* "unix:///tmp/..." */
const char *rqt_redis_dir(void); /* the temporary folder; removed by rqt_redis_stop() */
pid_t rqt_redis_pid(void);

/* One command on the fixture's own connection; the reply is owned by the caller (freeReplyObject).
 * Arguments as redisCommand(). Fails the test on a broken connection. */
redisReply *rqt_redis(const char *format, ...);
redisReply *rqt_vredis(const char *format, va_list ap);
/* The same, but an error reply is returned, and NULL for a broken connection. */
redisReply *rqt_vredis_any(const char *format, va_list ap);

/* The same, for its effect or its number or its text. */
void rqt_redis_do(const char *format, ...);
long long rqt_redis_int(const char *format, ...);
/* Returned text is valid until the next call; "" for nil. */
const char *rqt_redis_str(const char *format, ...);

/* FLUSHALL and CONFIG RESETSTAT; before each test. */
void rqt_redis_clean(void);

/* How often the server was given a command (in lower case) since then. */
long long rqt_redis_calls(const char *command);

/* The structure audit and key leak check of one queue: fails the test with what it found. Waits up
 * to two seconds for workers' last words to arrive. */
void rqt_audit(const char *queue);

#endif
