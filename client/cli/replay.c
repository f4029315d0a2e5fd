/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The new reference is made before the call, so that a reply that was
 * lost and asked for again cannot make two new tasks. One task that cannot run
 * again (its arguments are gone) does not keep the others from it; a lost
 * server does. Lines are printed as it goes: whoever interrupts a long replay
 * has the references of what runs again.
 */
#include "replay.h"

#include "exit.h"
#include "out.h"

#include <string.h>
#include <time.h>

#define PAGE 200

static int show(cli_replay *r, const refq_ref *old, const refq_task *task, bool fresh)
{
    char from[REFQ_REF_MAX + 1];
    char to[REFQ_REF_MAX + 1];
    const char *status = refq_status_name(refq_task_status(task));
    (void)refq_ref_format(old, from);
    (void)refq_ref_format(refq_task_ref(task), to);
    cli_work_bar_clear(&r->bar);
    if (r->json) {
        return cli_json_list_add(&r->list,
                                 json_pack("{s:s, s:s, s:s, s:b}", "ref_id", from, "new_ref_id", to,
                                           "status", status, "existed", !fresh));
    }
    rqi_buf line = {0};
    rqi_buf_addf(&line, "%s -> %s%s", from, to, fresh ? "" : "  (was run again before)");
    bool good = cli_out_line(rqi_buf_str(&line));
    rqi_buf_done(&line);
    return good ? EX_OK : EX_IOERR;
}

/* True when the other tasks may still be tried. */
static bool may_go_on(int code)
{
    return code == EX_OK || code == CLI_EXIT_NO || code == EX_NOINPUT;
}

static int replay_one(cli_replay *r, const refq_ref *ref)
{
    refq_ref fresh;
    refq_task *task = NULL;
    refq_error err = {0};
    if (refq_ref_make(ref->queue, &fresh, &err) != REFQ_OK ||
        refq_client_retry(r->client, ref, &fresh, &task, &err) != REFQ_OK) {
        cli_work_bar_clear(&r->bar);
        return cli_fail(&err);
    }
    bool is_new = strcmp(refq_task_ref(task)->hex, fresh.hex) == 0;
    r->again += is_new;
    int code = show(r, ref, task, is_new);
    refq_task_free(task);
    return code;
}

static void wait_between(const cli_replay *r)
{
    struct timespec span = {.tv_sec = r->gap_ms / 1000, .tv_nsec = r->gap_ms % 1000 * 1000000};
    if (r->gap_ms > 0 && r->looked > 0) {
        (void)nanosleep(&span, NULL);
    }
}

/* False when it is no use to go on. */
static bool step(cli_replay *r, const refq_ref *ref)
{
    wait_between(r);
    int code = replay_one(r, ref);
    r->worst = code > r->worst ? code : r->worst;
    r->looked++;
    cli_work_bar_step(&r->bar, r->looked);
    return may_go_on(code);
}

int cli_replay_refs(cli_replay *r, const refq_ref *refs, size_t n)
{
    r->bar = cli_work_bar_start("replaying", (int64_t)n);
    for (size_t i = 0; i < n && step(r, &refs[i]); i++) {
    }
    return r->worst;
}

static bool replay_page(cli_replay *r, const refq_list *page)
{
    for (size_t i = 0; i < page->n; i++) {
        bool replaced = refq_task_field(page->tasks[i], "replaced_by") != NULL;
        if (!replaced && !step(r, refq_task_ref(page->tasks[i]))) {
            return false;
        }
    }
    return true;
}

int cli_replay_list(cli_replay *r, const refq_list_query *query)
{
    refq_list_query q = *query;
    refq_list page = {0};
    q.limit = PAGE;
    r->bar = cli_work_bar_start("replaying", 0);
    bool more = true;
    while (more) {
        refq_error err = {0};
        refq_list next = {0};
        if (refq_client_list(r->client, &q, &next, &err) != REFQ_OK) {
            refq_list_free(&page);
            return cli_fail(&err);
        }
        refq_list_free(&page); /* it held the cursor */
        page = next;
        q.cursor = page.next;
        more = replay_page(r, &page) && page.next[0] != '\0';
    }
    refq_list_free(&page);
    return r->worst;
}

void cli_replay_end(cli_replay *r)
{
    cli_work_bar_clear(&r->bar);
    if (r->json) {
        cli_json_list_end(&r->list);
    } else if (r->looked == 0 && r->worst == EX_OK) {
        cli_note("there is nothing to run again");
    }
}
