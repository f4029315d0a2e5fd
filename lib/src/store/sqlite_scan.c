/* SPDX-License-Identifier: MIT */
/*
 * Pages of a SQLite file, in the order of the ref_ids.
 *
 * DESIGN. A page goes on behind the last ref_id that was looked at, so what is
 * there all the time is seen once, whatever else comes and goes. A cache's
 * entries stand together behind "<name>:": the walk begins there and ends with
 * them. Texts beyond the page's bound are not even copied.
 */
#include "base/error.h"
#include "store/row.h"
#include "store/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct finding {
    const refq_store_query *query;
    char prefix[REFQ_STORE_ID_MAX + 2]; /* "<name>:"; "" for all */
    refq_store_page page;
    size_t cap;
    size_t bytes;                     /* of the texts so far */
    char last[REFQ_STORE_ID_MAX + 1]; /* the last ref_id that was looked at */
    bool more;
};

/* About; what joins the parts is not much. */
static size_t size_of(const rqi_row *row)
{
    return row->value.len + row->namespace_.len + row->policy.len + row->metadata.len + 128;
}

/* Checking is done under the lock here, unlike for a single entry: a page is bounded. */
static refq_err add_text(struct finding *f, sqlite3_stmt *stmt, char **ret_text, size_t *ret_len,
                         refq_error *err)
{
    rqi_row row;
    refq_err rc = rqi_store_sqlite_row(stmt, 1, &row, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    *ret_len = size_of(&row);
    if (*ret_len > REFQ_STORE_PAGE_BYTES - f->bytes) {
        return REFQ_OK;
    }
    rqi_buf out = rqi_buf_make(REFQ_STORE_PAGE_BYTES - f->bytes);
    rc = rqi_row_join(&row, &out, err);
    bool too_large = out.err == REFQ_ERR_LIMIT;
    if (rc == REFQ_OK && !too_large) {
        *ret_text = rqi_buf_take(&out, ret_len);
        rc = *ret_text != NULL ? REFQ_OK : rqi_store_no_memory(err);
        f->bytes += *ret_len;
    }
    rqi_buf_done(&out);
    return rc;
}

/* The ref_id of the row; NULL when it cannot be one. Borrowed until the next step. */
static const char *id_at(sqlite3_stmt *stmt)
{
    const char *id = sqlite3_column_type(stmt, 0) == SQLITE_TEXT
                         ? (const char *)sqlite3_column_text(stmt, 0)
                         : NULL;
    bool good = id != NULL && strlen(id) == (size_t)sqlite3_column_bytes(stmt, 0) &&
                refq_store_id_check(id, NULL) == REFQ_OK;
    return good ? id : NULL;
}

/* Takes the row the statement stands at; f->more is false when the cache is over. */
static refq_err take_row(struct finding *f, sqlite3_stmt *stmt, refq_error *err)
{
    const char *id = id_at(stmt);
    char *text = NULL;
    size_t len = 0;
    if (id == NULL) {
        f->page.skipped++;
        return REFQ_OK;
    }
    f->more = strncmp(id, f->prefix, strlen(f->prefix)) == 0;
    if (!f->more) {
        return REFQ_OK;
    }
    (void)snprintf(f->last, sizeof f->last, "%s", id);
    if (!rqi_store_id_is_of(id, f->query->name)) {
        return REFQ_OK;
    }
    refq_err rc = f->query->texts ? add_text(f, stmt, &text, &len, err) : REFQ_OK;
    if (rc == REFQ_ERR_PROTO) {
        f->page.skipped++;
        return REFQ_OK;
    }
    if (rc == REFQ_OK && !rqi_store_page_add(&f->page, &f->cap, id, text, len)) {
        rc = rqi_store_no_memory(err);
    }
    return rc;
}

static refq_err walk(rqi_store_sqlite *s, struct finding *f, refq_error *err)
{
    const refq_store_query *q = f->query;
    sqlite3_stmt *stmt = s->statements[q->texts ? RQI_SQL_SCAN_ROWS : RQI_SQL_SCAN_IDS];
    const char *from = q->cursor[0] != '\0' ? q->cursor : f->prefix;
    (void)sqlite3_bind_text(stmt, 1, from, -1, SQLITE_STATIC);
    (void)sqlite3_bind_double(stmt, 2, rqi_store_sqlite_now());
    refq_err rc = REFQ_OK;
    int code = SQLITE_ROW;
    f->more = true;
    while (rc == REFQ_OK && f->more && f->page.n < q->limit &&
           (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        rc = take_row(f, stmt, err);
    }
    f->more = f->more && code == SQLITE_ROW;
    if (rc == REFQ_OK && code != SQLITE_ROW && code != SQLITE_DONE) {
        rc = rqi_store_sqlite_fail(s, code, err);
    }
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return rc;
}

refq_err rqi_store_sqlite_scan(refq_store *store, const refq_store_query *query,
                               refq_store_page *ret, refq_error *err)
{
    rqi_store_sqlite *s = (rqi_store_sqlite *)store;
    struct finding f = {.query = query};
    if (query->name != NULL) {
        (void)snprintf(f.prefix, sizeof f.prefix, "%s:", query->name);
    }
    pthread_mutex_lock(&s->lock);
    refq_err rc = walk(s, &f, err);
    pthread_mutex_unlock(&s->lock);
    if (rc == REFQ_OK) {
        f.page.next = strdup(f.more ? f.last : "");
        rc = f.page.next != NULL ? REFQ_OK : rqi_store_no_memory(err);
    }
    if (rc != REFQ_OK) {
        refq_store_page_free(&f.page);
        return rc;
    }
    *ret = f.page;
    return REFQ_OK;
}
