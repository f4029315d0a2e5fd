/* SPDX-License-Identifier: MIT */
/*
 * refq events: what has happened on a queue.
 *
 * DESIGN. The log is read by its ids, so a reader that comes back with the last
 * id it saw misses nothing that is still kept. Following means asking again
 * twice a second: a person's eye, not the path of a task.
 */
#include "cli.h"

#include "event_line.h"
#include "exit.h"
#include "out.h"
#include "queue.h"
#include "readers.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGE    200
#define LOOK_MS 500

struct events_options {
    const char *queue;
    const char *after;
    bool follow;
    cli_number limit;
};

#define AT(field) offsetof(struct events_options, field)

static const cli_option options[] = {
    {"queue", 'q', CLI_VALUE, "Q", AT(queue), cli_read_text,
     "the queue (default: REFQ_QUEUE, else \"default\")"},
    {"after", 0, CLI_VALUE, "ID", AT(after), cli_read_text,
     "only events behind this one; $ = from now on (default: all that are kept)"},
    {"follow", 'f', CLI_NO_VALUE, NULL, AT(follow), cli_read_flag,
     "wait for more until interrupted"},
    {"limit", 'n', CLI_VALUE, "N", AT(limit), cli_read_count, "at most so many"},
};

struct reader {
    refq_client *client;
    bool json;
    int64_t left; /* events still wanted; -1 = all */
};

/* Shows a page; false when there shall be no more. */
static bool show_all(struct reader *r, const refq_events *page)
{
    for (size_t i = 0; i < page->n; i++) {
        if (r->left == 0 || !cli_event_show(&page->items[i], r->json)) {
            return false;
        }
        r->left -= r->left > 0;
    }
    return r->left != 0;
}

static void pause_before_next_look(void)
{
    struct timespec span = {.tv_nsec = LOOK_MS * 1000000L};
    (void)nanosleep(&span, NULL);
}

static int read_on(struct reader *r, refq_events_query *query, bool follow)
{
    refq_events page = {0};
    int code = EX_OK;
    bool more = true;
    while (more) {
        refq_events next = {0};
        refq_error err = {0};
        if (refq_client_events(r->client, query, &next, &err) != REFQ_OK) {
            code = cli_fail(&err);
            break;
        }
        refq_events_free(&page); /* it held the id to go on from */
        page = next;
        query->after = page.next;
        more = show_all(r, &page) && (page.n > 0 || follow);
        if (more && page.n == 0) {
            pause_before_next_look();
        }
    }
    refq_events_free(&page);
    return code;
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct events_options *opt = given;
    struct reader r = {.json = common->json, .left = opt->limit.given ? opt->limit.value : -1};
    refq_events_query query = {.struct_size = sizeof query, .after = opt->after, .limit = PAGE};
    int code = cli_queue_pick(opt->queue, &query.queue);
    code = code == EX_OK ? cli_connect(common, &r.client) : code;
    code = code == EX_OK ? cli_queue_require(r.client, query.queue) : code;
    code = code == EX_OK ? read_on(&r, &query, opt->follow) : code;
    refq_client_close(r.client);
    return code;
}

const cli_command cli_events = {
    .name = "events",
    .operands = "",
    .summary = "what has happened on a queue",
    .about =
        "Prints one line for each change of a task: when, which, its new status, and the id of\n"
        "the event. The log is bounded; `refq limit --events` sets how much is kept.\n"
        "Exit status: 0 shown, 66 there is no such queue.\n",
    .example = "refq events --queue docs --follow --after '$' -o json",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct events_options),
    .max_operands = 0,
    .run = run,
};
