/* SPDX-License-Identifier: MIT */
/* What the files of the SQLite store share. */
#ifndef RQI_STORE_SQLITE_H
#define RQI_STORE_SQLITE_H

#include "store/store.h"

#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>

/* The statements that are kept ready. */
typedef enum rqi_sql {
    RQI_SQL_GET,
    RQI_SQL_SET,
    RQI_SQL_SET_ABSENT,
    RQI_SQL_DELETE,
    RQI_SQL_DELETE_OVER,
    RQI_SQL_EXISTS,
    RQI_SQL_SCAN_IDS,
    RQI_SQL_SCAN_ROWS,
    RQI_SQL_PURGE,
    RQI_SQL_COUNT,
    RQI_SQL_SIZE,
    RQI_SQL_BEGIN,
    RQI_SQL_COMMIT,
    RQI_SQL_ROLLBACK,
    RQI_SQLS
} rqi_sql;

typedef struct rqi_store_sqlite {
    refq_store pub; /* first: callers hold a pointer to it */
    char path[PATH_MAX];
    int64_t timeout_ms;
    pthread_mutex_t lock; /* guards all below */
    sqlite3 *db;
    sqlite3_stmt *statements[RQI_SQLS];
    unsigned sets; /* since what has expired was removed */
} rqi_store_sqlite;

/* sqlite_open.c: opens the file at s->path, makes the table, prepares the statements. */
refq_err rqi_store_sqlite_connect(rqi_store_sqlite *s, size_t max_bytes, refq_error *err);

/* The path behind "sqlite:", or the one that the environment says. */
refq_err rqi_store_sqlite_path(const char *where, char out[PATH_MAX], refq_error *err);

/* REFQ_ERR_NOTFOUND when there is no such file. */
refq_err rqi_store_sqlite_find(const char *path, refq_error *err);

/* Makes the folders above the file. */
refq_err rqi_store_sqlite_folders(const char *path, refq_error *err);

/* What SQLite's code means, with a sentence. */
refq_err rqi_store_sqlite_fail(const rqi_store_sqlite *s, int code, refq_error *err);

/* sqlite_scan.c */
refq_err rqi_store_sqlite_scan(refq_store *store, const refq_store_query *query,
                               refq_store_page *ret, refq_error *err);

/* --- For the files, under the lock ------------------------------------------------------------ */

struct rqi_row;

/* Unix seconds, now. */
double rqi_store_sqlite_now(void);

/* The row at the statement, whose columns of an entry begin at `first`. Its texts are borrowed
 * until the next step. REFQ_ERR_PROTO when a column holds what it never should. */
refq_err rqi_store_sqlite_row(sqlite3_stmt *stmt, int first, struct rqi_row *ret, refq_error *err);

#endif
