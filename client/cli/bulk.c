/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A file is read twice: once to check every line, so that nothing is
 * queued from a file with a mistake in it, and once to submit. A pipe can be
 * read only once; there a mistake ends the run at its line.
 *
 * However it ends, the message says how many lines are submitted for sure and
 * how to go on. With a seed each line has a fixed reference, so that a repeat
 * queues nothing twice; without one, `--skip` continues behind the last line
 * that is known to be queued. When the queue is full in the middle of a batch,
 * the batch is sent again task by task: those that went in answer "same", and
 * the first that does not marks the place exactly.
 */
#include "bulk.h"

#include "bulk_line.h"
#include "exit.h"
#include "line_reader.h"
#include "offer_check.h"
#include "out.h"
#include "work_bar.h"

#include "base/error.h"

#include <assert.h>
#include <jansson.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH_MAX   100                   /* tasks sent at once */
#define BATCH_BYTES ((size_t)1024 * 1024) /* arguments sent at once, about */
#define NAMES_MAX   64                    /* names remembered as offered */
#define FULL_MIN_MS 100
#define FULL_MAX_MS 5000

struct bulk {
    const cli_bulk_options *opt;
    bool json;
    refq_client *client; /* NULL with --dry-run */
    cli_line_reader lines;
    cli_bulk_item items[BATCH_MAX];
    refq_submitted done[BATCH_MAX];
    size_t n;         /* items waiting to be sent */
    size_t bytes;     /* of their arguments */
    int64_t safe;     /* lines up to this one need not be submitted again */
    int64_t tasks;    /* read, or submitted */
    bool unsure;      /* the outcome of the last batch is not known */
    bool told_full;   /* somebody was told that we wait for room */
    bool checks_only; /* the first reading */
    char names[NAMES_MAX][REFQ_NAME_MAX + 1];
    size_t n_names;
    cli_work_bar bar;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

/* --- References ------------------------------------------------------------------------------- */

static_assert(REFQ_HEX_LEN == 32, "the hash below has 16 bytes");

/* The same seed and line always give the same reference. */
static void seeded_ref(const cli_bulk_options *opt, int64_t line, refq_ref *ret)
{
    rqi_buf text = {0};
    unsigned char hash[REFQ_HEX_LEN / 2];
    rqi_buf_addf(&text, "refq bulk %zu:%s:%lld", strlen(opt->id_seed), opt->id_seed,
                 (long long)line);
    (void)crypto_generichash(hash, sizeof hash, (const unsigned char *)rqi_buf_str(&text), text.len,
                             NULL, 0);
    rqi_buf_done(&text);
    (void)snprintf(ret->queue, sizeof ret->queue, "%s", opt->queue);
    (void)sodium_bin2hex(ret->hex, sizeof ret->hex, hash, sizeof hash);
}

static refq_err make_ref(const cli_bulk_options *opt, int64_t line, refq_ref *ret, refq_error *err)
{
    if (opt->id_seed == NULL) {
        return refq_ref_make(opt->queue, ret, err);
    }
    seeded_ref(opt, line, ret);
    return REFQ_OK;
}

/* --- Sending ---------------------------------------------------------------------------------- */

static int show(const struct bulk *b, const cli_bulk_item *item, const refq_submitted *done)
{
    char ref[REFQ_REF_MAX + 1];
    /* A random reference of ours that is known already was queued by us a moment ago. */
    bool ours = b->opt->id_seed == NULL && strcmp(done->ref.hex, item->spec.ref.hex) == 0;
    (void)refq_ref_format(&done->ref, ref);
    if (!b->json) {
        return cli_out_line(ref) ? EX_OK : EX_IOERR;
    }
    int code = cli_out_json(json_pack("{s:I, s:s, s:s, s:b}", "line", (json_int_t)item->line,
                                      "ref_id", ref, "status", refq_status_name(done->status),
                                      "existed", done->existed && !ours));
    return code == EX_OK && cli_out_broken() ? EX_IOERR : code;
}

/* Shows the first k items and takes them out of the batch. */
static int settle(struct bulk *b, size_t k)
{
    int code = EX_OK;
    cli_work_bar_clear(&b->bar);
    for (size_t i = 0; i < k; i++) {
        int shown = show(b, &b->items[i], &b->done[i]);
        code = code != EX_OK ? code : shown;
        b->safe = b->items[i].line;
        cli_bulk_item_done(&b->items[i]);
    }
    b->tasks += (int64_t)k;
    b->n -= k;
    memmove(b->items, b->items + k, b->n * sizeof b->items[0]);
    cli_work_bar_step(&b->bar, b->safe);
    return code;
}

static refq_err submit_some(struct bulk *b, size_t k, refq_error *err)
{
    refq_spec specs[BATCH_MAX];
    for (size_t i = 0; i < k; i++) {
        specs[i] = b->items[i].spec;
    }
    return refq_client_submit_many(b->client, specs, k, b->done, err);
}

/* The queue became full somewhere in this batch: goes on to the very place. */
static int settle_one_by_one(struct bulk *b, refq_error *err)
{
    while (b->n > 0) {
        refq_err code = submit_some(b, 1, err);
        int shown = code == REFQ_OK ? settle(b, 1) : EX_OK;
        if (code != REFQ_OK || shown != EX_OK) {
            return shown;
        }
    }
    err->code = REFQ_OK;
    return EX_OK;
}

static void wait_for_room(struct bulk *b, int64_t *ms)
{
    struct timespec span = {.tv_sec = *ms / 1000, .tv_nsec = *ms % 1000 * 1000000};
    if (!b->told_full) {
        cli_work_bar_clear(&b->bar);
        cli_note("queue %s is full; waiting for room", b->opt->queue);
        b->told_full = true;
    }
    (void)nanosleep(&span, NULL);
    *ms = *ms * 2 < FULL_MAX_MS ? *ms * 2 : FULL_MAX_MS;
}

static int send_batch(struct bulk *b)
{
    refq_error err = {0};
    int64_t wait_ms = FULL_MIN_MS;
    b->bytes = 0;
    while (b->n > 0 && !interrupted) {
        refq_err code = submit_some(b, b->n, &err);
        if (code == REFQ_OK) {
            return settle(b, b->n);
        }
        int shown = code == REFQ_ERR_FULL ? settle_one_by_one(b, &err) : EX_OK;
        if (shown != EX_OK || err.code == REFQ_OK) {
            return shown;
        }
        if (err.code != REFQ_ERR_FULL || !b->opt->wait_full) {
            b->unsure = err.code != REFQ_ERR_FULL;
            cli_work_bar_clear(&b->bar);
            return cli_fail(&err);
        }
        wait_for_room(b, &wait_ms);
    }
    return EX_OK;
}

/* --- Reading ---------------------------------------------------------------------------------- */

static int fail_at(const struct bulk *b, int64_t line, const refq_error *err)
{
    return cli_fail_as(EX_DATAERR, "%s:%lld: %s", b->lines.name, (long long)line, err->text);
}

/* Each name is asked for once; those beyond the table every time. */
static int check_name(struct bulk *b, const char *task)
{
    if (b->opt->force || b->client == NULL) {
        return EX_OK;
    }
    for (size_t i = 0; i < b->n_names; i++) {
        if (strcmp(b->names[i], task) == 0) {
            return EX_OK;
        }
    }
    int code = cli_offer_check(b->client, b->opt->queue, task);
    if (code == EX_OK && b->n_names < NAMES_MAX) {
        (void)snprintf(b->names[b->n_names++], sizeof b->names[0], "%.*s", REFQ_NAME_MAX, task);
    }
    return code;
}

static int take_line(struct bulk *b, const char *text)
{
    cli_bulk_item *item = &b->items[b->n];
    refq_error err = {0};
    refq_err code = cli_bulk_line_read(text, &b->opt->defaults, item, &err);
    if (code == REFQ_OK) {
        item->line = b->lines.number;
        code = make_ref(b->opt, item->line, &item->spec.ref, &err);
    }
    if (code != REFQ_OK) {
        cli_bulk_item_done(item);
        return fail_at(b, b->lines.number, &err);
    }
    int known = check_name(b, item->spec.task);
    if (b->checks_only || known != EX_OK) {
        cli_bulk_item_done(item);
        b->tasks += known == EX_OK;
        return known;
    }
    b->bytes += item->args != NULL ? strlen(item->args) : 0;
    b->n++;
    return b->n == BATCH_MAX || b->bytes > BATCH_BYTES ? send_batch(b) : EX_OK;
}

/* Blank lines are allowed: files often end with one. */
static int read_all(struct bulk *b)
{
    const char *line = NULL;
    int code = cli_lines_next(&b->lines, &line);
    while (code == EX_OK && line != NULL && !interrupted) {
        bool wanted = b->lines.number > b->opt->skip && line[strspn(line, " \t")] != '\0';
        code = wanted ? take_line(b, line) : EX_OK;
        code = code == EX_OK ? cli_lines_next(&b->lines, &line) : code;
    }
    return code;
}

/* --- The run ---------------------------------------------------------------------------------- */

/* Returns whether the file can be read again. */
static int check_all(struct bulk *b, bool *ret_again)
{
    *ret_again = cli_lines_rewind(&b->lines);
    if (!*ret_again && !b->opt->dry_run) {
        return EX_OK;
    }
    b->checks_only = true;
    int code = read_all(b);
    b->checks_only = false;
    return code;
}

static int submit_all(struct bulk *b, bool again)
{
    b->bar = cli_work_bar_start("submitting", again ? b->lines.number : 0);
    b->safe = b->opt->skip;
    b->tasks = 0;
    if (again && !cli_lines_rewind(&b->lines)) {
        return cli_fail_as(EX_NOINPUT, "cannot read %s a second time", b->lines.name);
    }
    int code = read_all(b);
    /* What was read before a mistake is good; after a failed batch it is not known. */
    int sent = code == EX_OK || code == EX_DATAERR ? send_batch(b) : EX_OK;
    cli_work_bar_clear(&b->bar);
    return code != EX_OK ? code : sent;
}

static int tell_end(const struct bulk *b, int code)
{
    bool broken_off = code != EX_OK || interrupted;
    if (!broken_off) {
        return EX_OK;
    }
    if (b->tasks == 0 && !b->unsure) {
        cli_note("no task was submitted");
    } else if (b->opt->id_seed != NULL) {
        cli_note("%lld tasks are submitted; the same command goes on, nothing is queued twice",
                 (long long)b->tasks);
    } else {
        cli_note("%lld tasks are submitted; --skip %lld goes on%s", (long long)b->tasks,
                 (long long)b->safe,
                 b->unsure ? ", but some of the next lines may be queued already (with --id-seed a "
                             "repeat would be harmless)"
                           : "");
    }
    return code != EX_OK ? code : EX_TEMPFAIL;
}

static int show_dry_run(const struct bulk *b)
{
    if (b->json) {
        return cli_out_json(json_pack("{s:I}", "would_submit", (json_int_t)b->tasks));
    }
    rqi_buf line = {0};
    rqi_buf_addf(&line, "would submit %lld task%s to queue %s", (long long)b->tasks,
                 b->tasks == 1 ? "" : "s", b->opt->queue);
    (void)cli_out_line(rqi_buf_str(&line));
    rqi_buf_done(&line);
    return EX_OK;
}

static int run(struct bulk *b)
{
    bool again = false;
    int code = check_all(b, &again);
    if (code != EX_OK || interrupted) {
        return code != EX_OK ? code : EX_TEMPFAIL;
    }
    return b->opt->dry_run ? show_dry_run(b) : tell_end(b, submit_all(b, again));
}

static void free_bulk(struct bulk *b)
{
    for (size_t i = 0; i < b->n; i++) {
        cli_bulk_item_done(&b->items[i]);
    }
    cli_lines_close(&b->lines);
    refq_client_close(b->client);
    free(b);
}

int cli_bulk_submit(const cli_common *common, const cli_bulk_options *options)
{
    struct bulk *b = calloc(1, sizeof *b);
    if (b == NULL || sodium_init() < 0) {
        free(b);
        return cli_fail_as(EX_OSERR, "out of memory, or no random numbers");
    }
    b->opt = options;
    b->json = common->json;
    catch_signals();
    int code = cli_lines_open(&b->lines, options->from);
    if (code == EX_OK && !options->dry_run) {
        code = cli_connect(common, &b->client);
    }
    code = code == EX_OK ? run(b) : code;
    free_bulk(b);
    return code;
}
