/* SPDX-License-Identifier: MIT */
/*
 * Opening a database: where it is, what has to be in it.
 *
 * DESIGN. The table and its indexes are mcp-refcache's, so that a Python server and this one use
 * the same file; its user_version is 0, and any other number is a schema we do not know. The file
 * may be somebody else's: triggers and views in it are not run.
 */
#include "base/clock.h"
#include "base/error.h"
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_MS   30000 /* as long as Python waits */
#define MODE_STEP 5     /* ms between two tries to switch the journal */

#define COLUMNS "value_json, namespace, policy_json, created_at, expires_at, metadata_json"

/* ?8 is now. */
#define UPSERT                                                                          \
    "INSERT INTO cache_entries (key, " COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) " \
    "ON CONFLICT (key) DO UPDATE SET value_json = excluded.value_json, "                \
    "namespace = excluded.namespace, policy_json = excluded.policy_json, "              \
    "created_at = excluded.created_at, expires_at = excluded.expires_at, "              \
    "metadata_json = excluded.metadata_json"

static const char *const sql[RQI_SQLS] = {
    [RQI_SQL_GET] = "SELECT " COLUMNS " FROM cache_entries WHERE key = ?1",
    [RQI_SQL_SET] = UPSERT,
    [RQI_SQL_SET_ABSENT] = UPSERT " WHERE cache_entries.expires_at <= ?8",
    [RQI_SQL_DELETE] = "DELETE FROM cache_entries WHERE key = ?1",
    [RQI_SQL_DELETE_OVER] = "DELETE FROM cache_entries WHERE key = ?1 AND expires_at <= ?2",
    [RQI_SQL_EXISTS] = "SELECT 1 FROM cache_entries WHERE key = ?1 AND "
                       "(expires_at IS NULL OR expires_at > ?2)",
    [RQI_SQL_SCAN_IDS] = "SELECT key FROM cache_entries WHERE key > ?1 AND "
                         "(expires_at IS NULL OR expires_at > ?2) ORDER BY key",
    [RQI_SQL_SCAN_ROWS] = "SELECT key, " COLUMNS " FROM cache_entries WHERE key > ?1 AND "
                          "(expires_at IS NULL OR expires_at > ?2) ORDER BY key",
    [RQI_SQL_PURGE] = "DELETE FROM cache_entries WHERE key IN "
                      "(SELECT key FROM cache_entries WHERE expires_at <= ?1 LIMIT 1000)",
    [RQI_SQL_COUNT] = "SELECT count(*) FROM cache_entries",
    [RQI_SQL_SIZE] = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
    [RQI_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [RQI_SQL_COMMIT] = "COMMIT",
    [RQI_SQL_ROLLBACK] = "ROLLBACK",
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS cache_entries (key TEXT PRIMARY KEY, value_json TEXT NOT NULL, "
    "namespace TEXT NOT NULL, policy_json TEXT NOT NULL, created_at REAL NOT NULL, "
    "expires_at REAL, metadata_json TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS idx_namespace ON cache_entries (namespace);"
    "CREATE INDEX IF NOT EXISTS idx_expires_at ON cache_entries (expires_at);";

/* --- The path --------------------------------------------------------------------------------- */

static refq_err use_path(char out[PATH_MAX], const char *folder, const char *rest, refq_error *err)
{
    int len = snprintf(out, PATH_MAX, "%s%s%s", folder, rest[0] != '\0' ? "/" : "", rest);
    if (len >= PATH_MAX) {
        return rqi_fail(err, REFQ_ERR_INVALID, "the path of the database is longer than %d bytes",
                        PATH_MAX - 1);
    }
    return REFQ_OK;
}

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

refq_err rqi_store_sqlite_path(const char *where, char out[PATH_MAX], refq_error *err)
{
    const char *path = is_set(where) ? where : getenv("MCP_REFCACHE_DB_PATH");
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    if (is_set(path)) {
        return use_path(out, path, "", err);
    }
    if (is_set(cache)) {
        return use_path(out, cache, "mcp-refcache/cache.db", err);
    }
    if (is_set(home)) {
        return use_path(out, home, ".cache/mcp-refcache/cache.db", err);
    }
    return rqi_fail(err, REFQ_ERR_INVALID,
                    "'sqlite:' says no path, and neither MCP_REFCACHE_DB_PATH, XDG_CACHE_HOME nor "
                    "HOME is set; write sqlite:/path/to/cache.db");
}

refq_err rqi_store_sqlite_find(const char *path, refq_error *err)
{
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return rqi_fail(err, REFQ_ERR_NOTFOUND, "there is no database '%.200s'", path);
    }
    return REFQ_OK;
}

refq_err rqi_store_sqlite_folders(const char *path, refq_error *err)
{
    char folder[PATH_MAX];
    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
        if (mkdir(folder, 0700) != 0 && errno != EEXIST && access(folder, F_OK) != 0) {
            return rqi_fail(err, REFQ_ERR_IO, "cannot make the folder '%.150s': %s", folder,
                            strerror(errno));
        }
    }
    return REFQ_OK;
}

/* What is cached is nobody else's to read. Only a new file is touched: closing one that this
 * process has open in SQLite would give up SQLite's locks on it. */
static void make_private(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)close(fd);
    }
}

/* --- Errors ----------------------------------------------------------------------------------- */

static const struct {
    int code;
    refq_err err;
    const char *advice; /* after what SQLite says */
} meanings[] = {
    {SQLITE_BUSY, REFQ_ERR_TIMEOUT, "another process keeps it locked"},
    {SQLITE_LOCKED, REFQ_ERR_TIMEOUT, "another process keeps it locked"},
    {SQLITE_FULL, REFQ_ERR_FULL,
     "the disk is full, or max_bytes are used: delete entries, or make room"},
    {SQLITE_READONLY, REFQ_ERR_AUTH, "this user may not write the file, or its folder"},
    {SQLITE_PERM, REFQ_ERR_AUTH, "this user may not write the file, or its folder"},
    {SQLITE_AUTH, REFQ_ERR_AUTH, "this user may not do that"},
    {SQLITE_CANTOPEN, REFQ_ERR_IO, "look whether it is a file this user may read and write"},
    {SQLITE_IOERR, REFQ_ERR_IO, "look at the disk"},
    {SQLITE_NOTADB, REFQ_ERR_PROTO, "this file is something else; name another one"},
    {SQLITE_CORRUPT, REFQ_ERR_PROTO, "the file is damaged; move it away and a new one is made"},
    {SQLITE_TOOBIG, REFQ_ERR_LIMIT, "the entry is too large"},
    {SQLITE_NOMEM, REFQ_ERR_NOMEM, "out of memory"},
};

refq_err rqi_store_sqlite_fail(const rqi_store_sqlite *s, int code, refq_error *err)
{
    const char *said = s->db != NULL ? sqlite3_errmsg(s->db) : sqlite3_errstr(code);
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if ((code & 0xff) == meanings[i].code) {
            return rqi_fail(err, meanings[i].err, "database '%.90s': %.60s; %s", s->path, said,
                            meanings[i].advice);
        }
    }
    return rqi_fail(err, REFQ_ERR_INTERNAL, "database '%.90s': %.100s (%d)", s->path, said, code);
}

/* --- Connecting ------------------------------------------------------------------------------- */

static int run(rqi_store_sqlite *s, const char *text)
{
    return sqlite3_exec(s->db, text, NULL, NULL, NULL);
}

/* The first number that a statement answers. */
static int ask_number(rqi_store_sqlite *s, const char *text, int64_t *ret)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(s->db, text, -1, &stmt, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(stmt);
    }
    if (code == SQLITE_ROW) {
        *ret = sqlite3_column_int64(stmt, 0);
        code = SQLITE_OK;
    }
    (void)sqlite3_finalize(stmt);
    return code;
}

/* SQLite does not wait by itself when several processes switch a new file at the same time. A
 * filesystem without shared memory stays with its old journal, which works, too. */
static int use_wal(rqi_store_sqlite *s)
{
    int64_t end = rqi_mono_ms() + s->timeout_ms;
    int code = run(s, "PRAGMA journal_mode = WAL");
    while ((code & 0xff) == SQLITE_BUSY && rqi_mono_ms() < end) {
        (void)sqlite3_sleep(MODE_STEP);
        code = run(s, "PRAGMA journal_mode = WAL");
    }
    return (code & 0xff) == SQLITE_READONLY ? SQLITE_OK : code;
}

static void distrust(sqlite3 *db)
{
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
}

static int limit_size(rqi_store_sqlite *s, size_t max_bytes)
{
    char text[64];
    int64_t page = 4096;
    int code = max_bytes != 0 ? ask_number(s, "PRAGMA page_size", &page) : SQLITE_OK;
    if (max_bytes == 0 || code != SQLITE_OK) {
        return code;
    }
    int64_t pages = (int64_t)(max_bytes < INT64_MAX ? max_bytes : INT64_MAX) / page;
    (void)snprintf(text, sizeof text, "PRAGMA max_page_count = %lld",
                   (long long)(pages > 0 ? pages : 1));
    return run(s, text);
}

static refq_err check_version(rqi_store_sqlite *s, refq_error *err)
{
    int64_t version = 0;
    int code = ask_number(s, "PRAGMA user_version", &version);
    if (code != SQLITE_OK) {
        return rqi_store_sqlite_fail(s, code, err);
    }
    if (version != 0) {
        return rqi_fail(err, REFQ_ERR_VERSION,
                        "database '%.120s' has schema version %lld, this refq knows 0 only; use a "
                        "newer refq, or another file",
                        s->path, (long long)version);
    }
    return REFQ_OK;
}

static refq_err prepare_all(rqi_store_sqlite *s, refq_error *err)
{
    for (int i = 0; i < RQI_SQLS; i++) {
        int code = sqlite3_prepare_v3(s->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                      &s->statements[i], NULL);
        if ((code & 0xff) == SQLITE_ERROR) {
            return rqi_fail(err, REFQ_ERR_VERSION,
                            "database '%.90s' has another table cache_entries (%.80s); use another "
                            "file",
                            s->path, sqlite3_errmsg(s->db));
        }
        if (code != SQLITE_OK) {
            return rqi_store_sqlite_fail(s, code, err);
        }
    }
    return REFQ_OK;
}

static int make_schema(rqi_store_sqlite *s)
{
    int64_t tables = 0;
    int code = run(s, schema);
    if ((code & 0xff) == SQLITE_READONLY) { /* fine, when all is there to read */
        code = ask_number(s, "SELECT count(*) FROM sqlite_schema WHERE name = 'cache_entries'",
                          &tables);
        code = code == SQLITE_OK && tables == 0 ? SQLITE_READONLY : code;
    }
    return code;
}

refq_err rqi_store_sqlite_connect(rqi_store_sqlite *s, size_t max_bytes, refq_error *err)
{
    if (strcmp(s->path, ":memory:") != 0) {
        make_private(s->path);
    }
    int code = sqlite3_open_v2(
        s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK) {
        return rqi_store_sqlite_fail(s, code, err);
    }
    s->timeout_ms = s->timeout_ms != 0 ? s->timeout_ms : WAIT_MS;
    (void)sqlite3_extended_result_codes(s->db, 1);
    (void)sqlite3_busy_timeout(s->db, s->timeout_ms < INT_MAX ? (int)s->timeout_ms : INT_MAX);
    distrust(s->db);
    refq_err rc = check_version(s, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    code = use_wal(s);
    code = code == SQLITE_OK ? run(s, "PRAGMA synchronous = NORMAL") : code;
    code = code == SQLITE_OK ? limit_size(s, max_bytes) : code;
    code = code == SQLITE_OK ? make_schema(s) : code;
    return code == SQLITE_OK ? prepare_all(s, err) : rqi_store_sqlite_fail(s, code, err);
}
