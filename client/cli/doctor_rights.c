/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. ACL DRYRUN asks the server itself whether this user may run a
 * command, without running it. Functions run with the rights of their caller,
 * so what they call inside is asked for as well. The keys are those of a queue
 * that need not exist. A user who may not claim is taken for one that no worker
 * logs in as: it is told so, and nothing is wrong with it.
 */
#include "doctor.h"

#include "client/raw.h"

#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#define WORDS_MAX 7
#define KEY       "\1" /* stands for the key of a queue */
#define ENTRY     "mcp-refcache:entry:default:0"

/* clang-format off */
static const char *const commands[][WORDS_MAX] = {
    {"FCALL", "refq_doctor", "1", KEY},
    {"HSET", KEY, "f", "v"}, {"HGETALL", KEY}, {"XADD", KEY, "*", "f", "v"},
    {"XACK", KEY, "g", "0-1"},
    {"ZADD", KEY, "1", "m"}, {"ZRANGE", KEY, "0", "1"}, {"SADD", KEY, "m"}, {"SMEMBERS", KEY},
    {"RPUSH", KEY, "1"}, {"GET", KEY}, {"SET", KEY, "v"},
    {"UNLINK", KEY}, {"PEXPIRE", KEY, "1"}, {"GET", ENTRY}, {"SET", ENTRY, "v"},
    {"SSUBSCRIBE", KEY}, {"SPUBLISH", KEY, "m"}, {"TIME"}, {"PING"}, {"CLIENT", "SETNAME", "n"},
};
static const char *const claim[WORDS_MAX] = {"XREADGROUP", "GROUP", "g", "c", "STREAMS", KEY, ">"};
static const char *const workers_commands[][WORDS_MAX] = { /* of a user who may claim */
    {"FUNCTION", "LOAD", "x"}, {"BLPOP", KEY, "1"}, {"RENAME", KEY, KEY}, {"RENAME", KEY, ENTRY},
};
/* clang-format on */

/* Returns 1 allowed, 0 refused (with the reason), -1 cannot be asked. */
static int may(refq_client *client, const char *user, const char *key, const char *const *words,
               rqi_buf *why)
{
    const char *argv[WORDS_MAX + 3] = {"ACL", "DRYRUN", user};
    size_t n = 3;
    refq_texts answer = {0};
    refq_error err = {0};
    for (size_t i = 0; i < WORDS_MAX && words[i] != NULL; i++) {
        argv[n++] = strcmp(words[i], KEY) == 0 ? key : words[i];
    }
    if (rqi_client_raw(client, argv, n, &answer, &err) != REFQ_OK) {
        return -1;
    }
    bool allowed = answer.n == 1 && strcmp(answer.items[0], "OK") == 0;
    if (!allowed && why->len == 0) {
        rqi_buf_adds(why, answer.n > 0 ? answer.items[0] : words[0]);
    }
    refq_texts_free(&answer);
    return allowed;
}

static void say(cli_findings *f, const char *user, int refused, bool claims, const rqi_buf *why)
{
    if (refused < 0) {
        cli_findings_add(f, CLI_WARN, "rights", "a right that lacks shows only when it is needed",
                         "let this user call ACL DRYRUN, or look at ACL LIST yourself",
                         "what user %s may do cannot be asked", user);
    } else if (refused > 0) {
        cli_findings_add(f, CLI_FAIL, "rights", "workers and clients fail where they need it",
                         "give it these rights; deploy/redis/users.acl has examples",
                         "user %s lacks %d of the rights refq needs: %s", user, refused,
                         rqi_buf_str(why));
    } else {
        cli_findings_add(f, CLI_FINE, "rights", NULL, NULL, "user %s may do all that %s", user,
                         claims ? "is needed" : "clients need; no worker can log in as it");
    }
}

/* Adds to *refused how many of n commands are refused; -1 once it cannot be asked. */
static void check(refq_client *client, const char *user, const char *const (*list)[WORDS_MAX],
                  size_t n, int *refused, rqi_buf *why)
{
    char key[64];
    (void)snprintf(key, sizeof key, "%s:{default}:doctor", rqi_client_prefix(client));
    for (size_t i = 0; i < n && *refused >= 0; i++) {
        int allowed = may(client, user, key, list[i], why);
        *refused = allowed < 0 ? -1 : *refused + !allowed;
    }
}

static void check_all(refq_client *client, const char *user, cli_findings *f)
{
    rqi_buf why = rqi_buf_make(1024);
    rqi_buf unused = rqi_buf_make(1024);
    int refused = 0;
    int no_claim = 0;
    check(client, user, commands, sizeof commands / sizeof commands[0], &refused, &why);
    check(client, user, &claim, 1, &no_claim, &unused);
    if (no_claim == 0) {
        check(client, user, workers_commands, sizeof workers_commands / sizeof workers_commands[0],
              &refused, &why);
    }
    say(f, user, refused, no_claim == 0, &why);
    rqi_buf_done(&why);
    rqi_buf_done(&unused);
}

void cli_doctor_rights(refq_client *client, cli_findings *f)
{
    static const char *const whoami[] = {"ACL", "WHOAMI"};
    rqi_buf none = {0};
    refq_texts user = {0};
    refq_error err = {0};
    if (rqi_client_raw(client, whoami, 2, &user, &err) == REFQ_OK && user.n == 1) {
        check_all(client, user.items[0], f);
    } else {
        say(f, "(unknown)", -1, false, &none);
    }
    refq_texts_free(&user);
}
