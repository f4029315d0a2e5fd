/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The function `audit` checks a window at a time, each in one step on
 * the server, so a queue in use gives no false alarms and is never held up. Of
 * what it finds the first ones are told and the others counted: one cause often
 * shows a thousand times.
 */
#include "doctor.h"

#include "work_bar.h"

#include "client/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 20
#define WINDOW    128
#define WHY       "the state of the queue contradicts itself"
#define FIX       "report it with the server's version and this text; resubmit what is affected"

struct audit {
    refq_client *client;
    const char *queue;
    cli_findings *findings;
    char check[REFQ_QUEUE_MAX + 8];
    char entry_prefix[REFQ_QUEUE_MAX + 32];
    int64_t checked;
    int64_t found;
    bool broken; /* a call failed: said already */
    cli_work_bar bar;
};

static void tell(struct audit *a, const char *what)
{
    if (a->found++ < SHOWN_MAX) {
        cli_work_bar_clear(&a->bar);
        cli_findings_add(a->findings, CLI_FAIL, a->check, WHY, FIX, "%s", what);
    }
}

static void fail(struct audit *a, const refq_error *err)
{
    cli_work_bar_clear(&a->bar);
    a->broken = true;
    cli_findings_add(a->findings, CLI_FAIL, a->check, "the audit did not get to its end",
                     "the message says what to do", "%s", err->text);
}

/* One window; returns the cursor of the next in a buffer of the caller's. */
static bool audit_window(struct audit *a, const char *const *argv, size_t n, char next[64])
{
    refq_texts found = {0};
    refq_error err = {0};
    if (rqi_client_fcall(a->client, a->queue, "audit", argv, n, &found, &err) != REFQ_OK) {
        fail(a, &err);
        return false;
    }
    if (found.n < 2) {
        (void)snprintf(next, 64, "0");
        refq_texts_free(&found);
        return true;
    }
    (void)snprintf(next, 64, "%s", found.items[0]);
    a->checked += strtoll(found.items[1], NULL, 10);
    for (size_t i = 2; i < found.n; i++) {
        tell(a, found.items[i]);
    }
    cli_work_bar_step(&a->bar, a->checked);
    refq_texts_free(&found);
    return true;
}

static void audit_section(struct audit *a, const char *section)
{
    char cursor[64] = "0";
    char next[64];
    do {
        const char *argv[] = {section, cursor, a->entry_prefix};
        if (!audit_window(a, argv, 3, next)) {
            return;
        }
        memcpy(cursor, next, sizeof cursor);
    } while (strcmp(cursor, "0") != 0);
}

/* The ids in what SCAN has found, in windows the function takes. */
static void audit_records(struct audit *a, const refq_texts *keys, size_t skip)
{
    const char *argv[3 + WINDOW] = {"records", "0", a->entry_prefix};
    char next[64];
    size_t n = 3;
    for (size_t i = 1; i < keys->n && !a->broken; i++) {
        if (strlen(keys->items[i]) == skip + REFQ_HEX_LEN) {
            argv[n++] = keys->items[i] + skip;
        }
        bool last = i + 1 == keys->n;
        if (n == 3 + WINDOW || (last && n > 3)) {
            (void)audit_window(a, argv, n, next);
            n = 3;
        }
    }
}

static void audit_all_records(struct audit *a)
{
    char pattern[160];
    char cursor[32] = "0";
    int len =
        snprintf(pattern, sizeof pattern, "%s:{%s}:task:", rqi_client_prefix(a->client), a->queue);
    size_t skip = (size_t)len;
    (void)snprintf(pattern + len, sizeof pattern - skip, "*");
    do {
        const char *argv[] = {"SCAN", cursor, "MATCH", pattern, "COUNT", "1000"};
        refq_texts keys = {0};
        refq_error err = {0};
        if (rqi_client_raw(a->client, argv, 6, &keys, &err) != REFQ_OK || keys.n == 0) {
            refq_texts_free(&keys);
            fail(a, &err);
            return;
        }
        (void)snprintf(cursor, sizeof cursor, "%s", keys.items[0]);
        audit_records(a, &keys, skip);
        refq_texts_free(&keys);
    } while (strcmp(cursor, "0") != 0 && !a->broken);
}

void cli_doctor_audit(refq_client *client, const char *queue, cli_findings *f)
{
    static const char *const sections[] = {
        "due",       "terminal",    "dead",     "deadlines", "workers",
        "lane:high", "lane:normal", "lane:low", "counters",
    };
    struct audit a = {
        .client = client, .queue = queue, .findings = f, .bar = cli_work_bar_start("auditing", 0)};
    (void)snprintf(a.check, sizeof a.check, "audit %s", queue);
    (void)snprintf(a.entry_prefix, sizeof a.entry_prefix, "mcp-refcache:entry:%s:", queue);
    for (size_t i = 0; i < sizeof sections / sizeof sections[0] && !a.broken; i++) {
        audit_section(&a, sections[i]);
    }
    if (!a.broken) {
        audit_all_records(&a);
    }
    cli_work_bar_clear(&a.bar);
    if (a.found > SHOWN_MAX) {
        cli_findings_add(f, CLI_FAIL, a.check, WHY, FIX, "and %lld more",
                         (long long)(a.found - SHOWN_MAX));
    } else if (a.found == 0 && !a.broken) {
        cli_findings_add(f, CLI_FINE, a.check, NULL, NULL, "%lld records and entries are sound",
                         (long long)a.checked);
    }
}
