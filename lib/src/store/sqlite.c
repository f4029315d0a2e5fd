/* SPDX-License-Identifier: MIT */
/*
 * Entries in one SQLite file, which Python's mcp-refcache reads and writes, too.
 *
 * DESIGN. One connection with its statements under a mutex: SQLite has one
 * writer anyway, and other processes have connections of their own. While the
 * mutex is held bytes are copied and no more; entries are taken apart and put
 * together (row.h) outside. A row is over when its expires_at is, by this
 * machine's clock; such rows are removed every now and then, and when there is
 * no room. A write is safe from a crash of the process at once, and from one of
 * the machine a moment later (synchronous = NORMAL): it is a cache.
 */
#include "store/sqlite.h"

#include "base/clock.h"
#include "base/error.h"
#include "store/row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PURGE_EVERY 256 /* set() calls */

/* --- Under the lock --------------------------------------------------------------------------- */

double rqi_store_sqlite_now(void)
{
    return (double)rqi_wall_ms() / 1000.0;
}

static refq_bytes column(sqlite3_stmt *stmt, int i)
{
    const void *ptr = sqlite3_column_text(stmt, i);
    return (refq_bytes){ptr, ptr != NULL ? (size_t)sqlite3_column_bytes(stmt, i) : 0};
}

static bool is_number(sqlite3_stmt *stmt, int i)
{
    int type = sqlite3_column_type(stmt, i);
    return type == SQLITE_FLOAT || type == SQLITE_INTEGER;
}

refq_err rqi_store_sqlite_row(sqlite3_stmt *stmt, int first, rqi_row *ret, refq_error *err)
{
    bool expires = sqlite3_column_type(stmt, first + 4) != SQLITE_NULL;
    if (!is_number(stmt, first + 3) || (expires && !is_number(stmt, first + 4))) {
        return rqi_fail(err, REFQ_ERR_PROTO, "its times are no numbers");
    }
    *ret = (rqi_row){
        .value = column(stmt, first),
        .namespace_ = column(stmt, first + 1),
        .policy = column(stmt, first + 2),
        .created_at = sqlite3_column_double(stmt, first + 3),
        .expires_at = sqlite3_column_double(stmt, first + 4),
        .expires = expires,
        .metadata = column(stmt, first + 5),
    };
    return REFQ_OK;
}

/* Runs a statement that answers nothing; it is ready again afterwards. */
static int finish(rqi_store_sqlite *s, rqi_sql which)
{
    sqlite3_stmt *stmt = s->statements[which];
    int code = sqlite3_step(stmt);
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : code;
}

static sqlite3_stmt *with_id(rqi_store_sqlite *s, rqi_sql which, const char *ref_id)
{
    sqlite3_stmt *stmt = s->statements[which];
    (void)sqlite3_bind_text(stmt, 1, ref_id, -1, SQLITE_STATIC);
    return stmt;
}

static int purge(rqi_store_sqlite *s)
{
    s->sets = 0;
    (void)sqlite3_bind_double(s->statements[RQI_SQL_PURGE], 1, rqi_store_sqlite_now());
    return finish(s, RQI_SQL_PURGE);
}

/* --- One entry -------------------------------------------------------------------------------- */

/* A row's texts, copied. */
struct copy {
    rqi_row row;
    rqi_buf bytes;
};

static void copy_text(struct copy *c, refq_bytes *text)
{
    rqi_buf_add(&c->bytes, text->ptr, text->len);
    text->ptr = NULL; /* where it is, once the buffer stays where it is */
}

static void place(const struct copy *c, size_t *at, refq_bytes *text)
{
    text->ptr = rqi_buf_str(&c->bytes) + *at;
    *at += text->len;
}

static refq_err copy_row(sqlite3_stmt *stmt, struct copy *ret, refq_error *err)
{
    refq_err rc = rqi_store_sqlite_row(stmt, 0, &ret->row, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    refq_bytes *texts[] = {&ret->row.value, &ret->row.namespace_, &ret->row.policy,
                           &ret->row.metadata};
    size_t at = 0;
    for (size_t i = 0; i < 4; i++) {
        copy_text(ret, texts[i]);
    }
    for (size_t i = 0; i < 4; i++) {
        place(ret, &at, texts[i]);
    }
    return ret->bytes.err == REFQ_OK ? REFQ_OK : rqi_store_no_memory(err);
}

/* The row of an entry that is not over. */
static refq_err fetch(rqi_store_sqlite *s, const char *ref_id, struct copy *ret, refq_error *err)
{
    sqlite3_stmt *stmt = with_id(s, RQI_SQL_GET, ref_id);
    int code = sqlite3_step(stmt);
    refq_err rc = REFQ_OK;
    if (code == SQLITE_ROW) {
        rc = copy_row(stmt, ret, err);
    } else if (code == SQLITE_DONE) {
        rc = rqi_store_not_found(err, ref_id);
    } else {
        rc = rqi_store_sqlite_fail(s, code, err);
    }
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    if (rc == REFQ_OK && ret->row.expires && ret->row.expires_at <= rqi_store_sqlite_now()) {
        rc = rqi_store_not_found(err, ref_id);
    }
    return rc;
}

static refq_err join(const rqi_row *row, char **ret_text, size_t *ret_len, refq_error *err)
{
    rqi_buf out = rqi_buf_make(REFQ_STORE_ENTRY_MAX);
    refq_err rc = rqi_row_join(row, &out, err);
    if (rc == REFQ_OK && out.err == REFQ_ERR_LIMIT) {
        rc = rqi_fail(err, REFQ_ERR_LIMIT, "it is larger than the %zu bytes that can be read",
                      REFQ_STORE_ENTRY_MAX);
    }
    char *text = rc == REFQ_OK ? rqi_buf_take(&out, ret_len) : NULL;
    rqi_buf_done(&out);
    if (rc == REFQ_OK && text == NULL) {
        return rqi_store_no_memory(err);
    }
    *ret_text = rc == REFQ_OK ? text : *ret_text;
    return rc;
}

static refq_err sqlite_get(refq_store *store, const char *ref_id, char **ret_text, size_t *ret_len,
                           refq_error *err)
{
    rqi_store_sqlite *s = (rqi_store_sqlite *)store;
    struct copy c = {0};
    pthread_mutex_lock(&s->lock);
    refq_err rc = fetch(s, ref_id, &c, err);
    pthread_mutex_unlock(&s->lock);
    if (rc == REFQ_OK) {
        rc = join(&c.row, ret_text, ret_len, err);
    }
    if (rc == REFQ_ERR_PROTO || rc == REFQ_ERR_LIMIT) {
        (void)rqi_fail_in(err, rc, "the row '%.60s' of '%.50s'", ref_id, s->path);
    }
    rqi_buf_done(&c.bytes);
    return rc;
}

static int bind_text(sqlite3_stmt *stmt, int i, refq_bytes text)
{
    return sqlite3_bind_text64(stmt, i, text.len > 0 ? text.ptr : "", text.len, SQLITE_STATIC,
                               SQLITE_UTF8);
}

static int put(rqi_store_sqlite *s, const char *ref_id, const rqi_row *row, rqi_sql which)
{
    sqlite3_stmt *stmt = with_id(s, which, ref_id);
    (void)bind_text(stmt, 2, row->value);
    (void)bind_text(stmt, 3, row->namespace_);
    (void)bind_text(stmt, 4, row->policy);
    (void)sqlite3_bind_double(stmt, 5, row->created_at);
    if (row->expires) {
        (void)sqlite3_bind_double(stmt, 6, row->expires_at);
    }
    (void)bind_text(stmt, 7, row->metadata);
    if (which == RQI_SQL_SET_ABSENT) {
        (void)sqlite3_bind_double(stmt, 8, rqi_store_sqlite_now());
    }
    return finish(s, which);
}

static refq_err put_row(rqi_store_sqlite *s, const char *ref_id, const rqi_row *row, rqi_sql which,
                        refq_error *err)
{
    int code = ++s->sets >= PURGE_EVERY ? purge(s) : SQLITE_OK;
    int before = sqlite3_total_changes(s->db);
    code = code == SQLITE_OK ? put(s, ref_id, row, which) : code;
    if ((code & 0xff) == SQLITE_FULL && purge(s) == SQLITE_OK) {
        before = sqlite3_total_changes(s->db);
        code = put(s, ref_id, row, which);
    }
    if (code != SQLITE_OK) {
        return rqi_store_sqlite_fail(s, code, err);
    }
    if (sqlite3_total_changes(s->db) == before) {
        return rqi_fail(err, REFQ_ERR_CONFLICT, "there is an entry '%.150s' already", ref_id);
    }
    return REFQ_OK;
}

/* The table says by itself when an entry is over. */
static refq_err sqlite_set(refq_store *store, const char *ref_id, refq_bytes text, int64_t ttl_ms,
                           unsigned flags, refq_error *err)
{
    rqi_store_sqlite *s = (rqi_store_sqlite *)store;
    rqi_row row;
    rqi_buf names = {0};
    bool if_absent = (flags & REFQ_STORE_IF_ABSENT) != 0;
    (void)ttl_ms;
    refq_err rc = rqi_row_split(text, &row, &names, err);
    if (rc == REFQ_OK) {
        pthread_mutex_lock(&s->lock);
        rc = put_row(s, ref_id, &row, if_absent ? RQI_SQL_SET_ABSENT : RQI_SQL_SET, err);
        pthread_mutex_unlock(&s->lock);
    }
    rqi_buf_done(&names);
    return rc;
}

static refq_err sqlite_exists(refq_store *store, const char *ref_id, bool *ret, refq_error *err)
{
    rqi_store_sqlite *s = (rqi_store_sqlite *)store;
    refq_err rc = REFQ_OK;
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *stmt = with_id(s, RQI_SQL_EXISTS, ref_id);
    (void)sqlite3_bind_double(stmt, 2, rqi_store_sqlite_now());
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW || code == SQLITE_DONE) {
        *ret = code == SQLITE_ROW;
    } else {
        rc = rqi_store_sqlite_fail(s, code, err);
    }
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* --- Removing --------------------------------------------------------------------------------- */

/* What is over counts as gone, though its row may still be there. */
static int remove_one(rqi_store_sqlite *s, const char *ref_id, double now, size_t *removed)
{
    sqlite3_stmt *stmt = with_id(s, RQI_SQL_DELETE_OVER, ref_id);
    (void)sqlite3_bind_double(stmt, 2, now);
    int code = finish(s, RQI_SQL_DELETE_OVER);
    if (code == SQLITE_OK) {
        (void)with_id(s, RQI_SQL_DELETE, ref_id);
        code = finish(s, RQI_SQL_DELETE);
        *removed += code == SQLITE_OK && sqlite3_changes(s->db) > 0;
    }
    return code;
}

static refq_err sqlite_remove(refq_store *store, const char *const *ref_ids, size_t n,
                              size_t *ret_n, refq_error *err)
{
    rqi_store_sqlite *s = (rqi_store_sqlite *)store;
    double now = rqi_store_sqlite_now();
    size_t removed = 0;
    refq_err rc = REFQ_OK;
    pthread_mutex_lock(&s->lock);
    int code = finish(s, RQI_SQL_BEGIN);
    for (size_t i = 0; i < n && code == SQLITE_OK; i++) {
        code = remove_one(s, ref_ids[i], now, &removed);
    }
    code = code == SQLITE_OK ? finish(s, RQI_SQL_COMMIT) : code;
    if (code != SQLITE_OK) {
        rc = rqi_store_sqlite_fail(s, code, err);
        (void)finish(s, RQI_SQL_ROLLBACK);
    } else {
        *ret_n = removed;
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* --- The store -------------------------------------------------------------------------------- */

static int number(rqi_store_sqlite *s, rqi_sql which, int64_t *ret)
{
    sqlite3_stmt *stmt = s->statements[which];
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
        *ret = sqlite3_column_int64(stmt, 0);
    }
    (void)sqlite3_reset(stmt);
    return code == SQLITE_ROW ? SQLITE_OK : code;
}

static refq_err sqlite_stat(refq_store *store, refq_store_stat *ret, refq_error *err)
{
    rqi_store_sqlite *s = (rqi_store_sqlite *)store;
    int64_t entries = 0;
    int64_t bytes = 0;
    pthread_mutex_lock(&s->lock);
    int code = number(s, RQI_SQL_COUNT, &entries);
    code = code == SQLITE_OK ? number(s, RQI_SQL_SIZE, &bytes) : code;
    refq_err rc = code == SQLITE_OK ? REFQ_OK : rqi_store_sqlite_fail(s, code, err);
    pthread_mutex_unlock(&s->lock);
    if (rc == REFQ_OK) {
        ret->entries = entries;
        ret->bytes = bytes;
        ret->partial = false;
    }
    return rc;
}

static refq_err sqlite_ping(refq_store *store, refq_error *err)
{
    bool there = false;
    return sqlite_exists(store, "ping", &there, err);
}

static void sqlite_close(refq_store *store)
{
    rqi_store_sqlite *s = (rqi_store_sqlite *)store;
    for (int i = 0; i < RQI_SQLS; i++) {
        (void)sqlite3_finalize(s->statements[i]);
    }
    (void)sqlite3_close(s->db);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

static const refq_store_ops file_ops = {
    .struct_size = sizeof file_ops,
    .name = "sqlite",
    .capabilities = REFQ_STORE_DURABLE | REFQ_STORE_SHARED,
    .get = sqlite_get,
    .set = sqlite_set,
    .remove = sqlite_remove,
    .exists = sqlite_exists,
    .scan = rqi_store_sqlite_scan,
    .stat = sqlite_stat,
    .ping = sqlite_ping,
    .close = sqlite_close,
};

/* Without a file each handle is by itself. */
static const refq_store_ops memory_ops = {
    .struct_size = sizeof memory_ops,
    .name = "sqlite",
    .get = sqlite_get,
    .set = sqlite_set,
    .remove = sqlite_remove,
    .exists = sqlite_exists,
    .scan = rqi_store_sqlite_scan,
    .stat = sqlite_stat,
    .ping = sqlite_ping,
    .close = sqlite_close,
};

refq_err rqi_store_sqlite_open(const refq_store_options *o, const char *where, refq_store **ret,
                               refq_error *err)
{
    rqi_store_sqlite *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return rqi_store_no_memory(err);
    }
    s->timeout_ms = o->timeout_ms;
    (void)pthread_mutex_init(&s->lock, NULL);
    refq_err rc = rqi_store_sqlite_path(where, s->path, err);
    bool file = strcmp(s->path, ":memory:") != 0;
    s->pub.ops = file ? &file_ops : &memory_ops;
    if (rc == REFQ_OK && file) {
        rc = o->existing ? rqi_store_sqlite_find(s->path, err)
                         : rqi_store_sqlite_folders(s->path, err);
    }
    if (rc == REFQ_OK) {
        rc = rqi_store_sqlite_connect(s, o->max_bytes, err);
    }
    if (rc != REFQ_OK) {
        sqlite_close(&s->pub);
        return rc;
    }
    *ret = &s->pub;
    return REFQ_OK;
}
