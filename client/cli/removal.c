/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Removing goes in small steps, so that no call blocks Redis and the
 * bar moves. Counting beforehand reads every record that may match, which is
 * the slower half; it is done for --dry-run and for a person who is asked or
 * looks at the bar, not for a script.
 */
#include "removal.h"

#include "confirm.h"
#include "exit.h"
#include "out.h"
#include "queue.h"
#include "work_bar.h"

#define PAGE 1000
#define STEP 200

/* --- Counting --------------------------------------------------------------------------------- */

static bool is_old_enough(const refq_task *task, int64_t older_than_ms)
{
    int64_t seen = refq_task_seen_at_ms(task);
    return seen - refq_task_number(task, "completed_at", seen) >= older_than_ms;
}

static refq_err count_list(refq_client *client, refq_list_query *query, int64_t older_than_ms,
                           int64_t *n, refq_error *err)
{
    refq_list page = {0};
    do {
        refq_list next = {0};
        refq_err code = refq_client_list(client, query, &next, err);
        refq_list_free(&page); /* it held the cursor */
        if (code != REFQ_OK) {
            return code;
        }
        page = next;
        query->cursor = page.next;
        for (size_t i = 0; i < page.n; i++) {
            *n += is_old_enough(page.tasks[i], older_than_ms);
        }
    } while (page.next[0] != '\0');
    refq_list_free(&page);
    return REFQ_OK;
}

static refq_err count(refq_client *client, const refq_cleanup_query *q, int64_t *ret,
                      refq_error *err)
{
    int64_t n = 0;
    for (int status = REFQ_COMPLETE; status <= REFQ_CANCELLED; status++) {
        bool wanted = q->status == -1 || q->status == status;
        refq_list_query query = {.struct_size = sizeof query,
                                 .queue = q->queue,
                                 .status = q->dead ? -1 : status,
                                 .dead = q->dead,
                                 .task = q->task,
                                 .limit = PAGE};
        if (q->dead ? status != REFQ_FAILED : !wanted) {
            continue;
        }
        refq_err code = count_list(client, &query, q->older_than_ms, &n, err);
        if (code != REFQ_OK) {
            return code;
        }
    }
    *ret = n;
    return REFQ_OK;
}

/* --- Removing --------------------------------------------------------------------------------- */

static refq_err remove_all(refq_client *client, const refq_cleanup_query *query, int64_t total,
                           int64_t *removed, refq_error *err)
{
    refq_cleanup_query q = *query;
    cli_work_bar bar = cli_work_bar_start("removing", total);
    int64_t n = STEP;
    q.limit = STEP;
    while (n > 0) {
        n = 0;
        refq_err code = refq_client_cleanup(client, &q, &n, err);
        if (code != REFQ_OK) {
            cli_work_bar_clear(&bar);
            return code;
        }
        *removed += n;
        cli_work_bar_step(&bar, *removed);
    }
    cli_work_bar_clear(&bar);
    return REFQ_OK;
}

static int show(const cli_common *common, const cli_removal *r, const char *queue, int64_t n)
{
    if (common->json) {
        return cli_out_json(json_pack("{s:s, s:I, s:b}", "queue", queue, "removed", (json_int_t)n,
                                      "dry_run", r->dry_run));
    }
    rqi_buf line = {0};
    rqi_buf_addf(&line, "%s %lld %s of queue %s", r->dry_run ? "would remove" : "removed",
                 (long long)n, r->what, queue);
    (void)cli_out_line(rqi_buf_str(&line));
    rqi_buf_done(&line);
    return EX_OK;
}

static int remove_and_show(const cli_common *common, refq_client *client, const cli_removal *r,
                           const refq_cleanup_query *query, int64_t total)
{
    int64_t removed = 0;
    refq_error err = {0};
    refq_err code = remove_all(client, query, total, &removed, &err);
    int shown = code == REFQ_OK || removed > 0 ? show(common, r, query->queue, removed) : EX_OK;
    return code == REFQ_OK ? shown : cli_fail(&err);
}

static int count_and_remove(const cli_common *common, refq_client *client, const cli_removal *r,
                            const refq_cleanup_query *query)
{
    int64_t total = 0;
    refq_error err = {0};
    bool wants_count = r->dry_run || !r->yes || cli_work_bar_start("", 0).on;
    if (wants_count && count(client, query, &total, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    if (r->dry_run || (wants_count && total == 0)) {
        return show(common, r, query->queue, total);
    }
    int code = cli_confirm(r->yes, "remove %lld %s of queue %s, with their results?",
                           (long long)total, r->what, query->queue);
    return code == EX_OK ? remove_and_show(common, client, r, query, total) : code;
}

int cli_removal_run(const cli_common *common, const cli_removal *r, refq_cleanup_query *query)
{
    refq_client *client = NULL;
    int code = cli_queue_pick(r->queue, &query->queue);
    code = code == EX_OK ? cli_connect(common, &client) : code;
    code = code == EX_OK ? cli_queue_require(client, query->queue) : code;
    code = code == EX_OK ? count_and_remove(common, client, r, query) : code;
    refq_client_close(client);
    return code;
}
