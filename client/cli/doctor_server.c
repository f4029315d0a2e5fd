/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. One INFO tells most; each check is a function that reads it and says
 * one thing. What a user may not ask (CONFIG is often forbidden) is left out
 * where INFO tells enough, and said to be unknown where it does not.
 */
#include "doctor.h"

#include "server_info.h"
#include "text.h"

#include "base/clock.h"
#include "base/parse.h"
#include "client/raw.h"

#include <stdlib.h>
#include <string.h>

#define PINGS        5
#define SLOW_US      20000
#define SKEW_MS      2000
#define FULL_PERCENT 90
#define VERSION_MIN  7

#define ASK(client, ret, err, ...)                               \
    rqi_client_raw((client), (const char *const[]){__VA_ARGS__}, \
                   sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), (ret), (err))

/* --- Connection ------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static refq_err ping(refq_client *client, int64_t *ret_us, refq_error *err)
{
    refq_texts pong = {0};
    int64_t began = rqi_mono_us();
    refq_err code = ASK(client, &pong, err, "PING");
    refq_texts_free(&pong);
    *ret_us = rqi_mono_us() - began;
    return code;
}

bool cli_doctor_connection(refq_client *client, cli_findings *f)
{
    int64_t us[PINGS + 1];
    refq_error err = {0};
    for (int i = 0; i <= PINGS; i++) {
        if (ping(client, &us[i], &err) != REFQ_OK) {
            cli_findings_add(f, CLI_FAIL, "connection", "nothing works without the server",
                             "check --redis or REFQ_REDIS, the password, and that it runs", "%s",
                             err.text);
            return false;
        }
    }
    qsort(us + 1, PINGS, sizeof us[0], by_size); /* the first includes connecting */
    double ms = (double)us[1 + PINGS / 2] / 1000;
    if (us[1 + PINGS / 2] > SLOW_US) {
        cli_findings_add(f, CLI_WARN, "connection", "each claim and each submit waits for it",
                         "run workers nearer to the server", "answers in %.1f ms", ms);
    } else {
        cli_findings_add(f, CLI_FINE, "connection", NULL, NULL, "answers in %.2f ms", ms);
    }
    return true;
}

/* --- The server ------------------------------------------------------------------------------- */

static void check_version(const char *info, cli_findings *f)
{
    char version[CLI_INFO_MAX];
    char valkey[CLI_INFO_MAX];
    char mode[CLI_INFO_MAX];
    bool is_valkey = cli_info_field(info, "valkey_version", valkey)[0] != '\0';
    long major = strtol(cli_info_field(info, "redis_version", version), NULL, 10);
    if (strcmp(cli_info_field(info, "redis_mode", mode), "cluster") == 0) {
        cli_findings_add(f, CLI_FAIL, "server", "a result lies in another slot than its task",
                         "use a server without cluster mode, with replicas and Sentinel",
                         "it runs in cluster mode");
    } else if (major < VERSION_MIN && !is_valkey) {
        cli_findings_add(f, CLI_FAIL, "server", "refq's functions need Redis 7.0 or newer",
                         "install Redis 7.0 or newer, or Valkey", "Redis %s", version);
    } else {
        cli_findings_add(f, CLI_FINE, "server", NULL, NULL, "%s %s", is_valkey ? "Valkey" : "Redis",
                         is_valkey ? valkey : version);
    }
}

static void check_eviction(const char *info, cli_findings *f)
{
    char policy[CLI_INFO_MAX];
    bool bounded = cli_info_number(info, "maxmemory", 0) > 0;
    (void)cli_info_field(info, "maxmemory_policy", policy);
    if (strcmp(policy, "noeviction") == 0) {
        cli_findings_add(f, CLI_FINE, "eviction", NULL, NULL, "off (noeviction)");
        return;
    }
    bool all = strncmp(policy, "allkeys", 7) == 0;
    cli_findings_add(f, bounded && all ? CLI_FAIL : CLI_WARN, "eviction",
                     all ? "a full server throws waiting tasks away"
                         : "a full server throws results away before their time",
                     "CONFIG SET maxmemory-policy noeviction, and the same in its configuration",
                     "the policy is %s%s", policy,
                     bounded ? "" : " (without maxmemory: no effect yet)");
}

static void check_memory(const char *info, cli_findings *f)
{
    char used[CLI_TIME_MAX];
    char most[CLI_TIME_MAX];
    int64_t max = cli_info_number(info, "maxmemory", 0);
    int64_t now = cli_info_number(info, "used_memory", 0);
    (void)cli_text_size(used, now / 1024);
    (void)cli_text_size(most, max / 1024);
    if (max == 0) {
        cli_findings_add(f, CLI_WARN, "memory",
                         "without a limit the kernel ends Redis when the machine is full, instead "
                         "of submits being refused",
                         "CONFIG SET maxmemory to what the machine can spare", "%s used, no limit",
                         used);
    } else if (now / FULL_PERCENT * 100 >= max) {
        cli_findings_add(f, CLI_FAIL, "memory", "a full server refuses new tasks",
                         "raise maxmemory, or refq cleanup", "%s of %s used", used, most);
    } else {
        cli_findings_add(f, CLI_FINE, "memory", NULL, NULL, "%s of %s used", used, most);
    }
}

static bool saves(refq_client *client)
{
    refq_texts found = {0};
    refq_error err = {0};
    if (ASK(client, &found, &err, "CONFIG", "GET", "save") != REFQ_OK) {
        return false;
    }
    const char *save = cli_pair(&found, "save");
    bool does = save != NULL && save[0] != '\0';
    refq_texts_free(&found);
    return does;
}

static void check_persistence(refq_client *client, const char *info, cli_findings *f)
{
    char aof[CLI_INFO_MAX];
    char rdb[CLI_INFO_MAX];
    bool log = cli_info_number(info, "aof_enabled", 0) == 1;
    bool bad = strcmp(cli_info_field(info, "aof_last_write_status", aof), "err") == 0 ||
               strcmp(cli_info_field(info, "rdb_last_bgsave_status", rdb), "err") == 0;
    if (bad) {
        cli_findings_add(f, CLI_FAIL, "persistence", "what is acknowledged now may be lost",
                         "look at the server's log and its disk", "the last write to disk failed");
    } else if (log) {
        cli_findings_add(f, CLI_FINE, "persistence", NULL, NULL, "append-only file");
    } else if (saves(client)) {
        cli_findings_add(
            f, CLI_WARN, "persistence", "a crash loses what came since the last snapshot",
            "CONFIG SET appendonly yes, and the same in its configuration", "snapshots only");
    } else {
        cli_findings_add(f, CLI_WARN, "persistence", "a restart loses all tasks and results",
                         "CONFIG SET appendonly yes, and the same in its configuration",
                         "nothing is known to be saved to disk");
    }
}

static void check_replication(const char *info, cli_findings *f)
{
    char role[CLI_INFO_MAX];
    int64_t replicas = cli_info_number(info, "connected_slaves", 0);
    if (strcmp(cli_info_field(info, "role", role), "slave") == 0) {
        cli_findings_add(f, CLI_FAIL, "replication", "a replica takes no writes",
                         "connect to the master, or through Sentinel (redis+sentinel://)",
                         "this is a replica");
    } else {
        cli_findings_add(f, CLI_FINE, "replication", NULL, NULL, "master with %lld replica%s",
                         (long long)replicas, replicas == 1 ? "" : "s");
    }
}

/* --- Clock and libraries ---------------------------------------------------------------------- */

static void check_clock(refq_client *client, cli_findings *f)
{
    refq_texts time = {0};
    refq_error err = {0};
    int64_t before = rqi_wall_ms();
    if (ASK(client, &time, &err, "TIME") != REFQ_OK || time.n != 2) {
        refq_texts_free(&time);
        return;
    }
    int64_t ours = (before + rqi_wall_ms()) / 2;
    int64_t skew =
        strtoll(time.items[0], NULL, 10) * 1000 + strtoll(time.items[1], NULL, 10) / 1000 - ours;
    int64_t size = skew < 0 ? -skew : skew;
    char span[32];
    (void)rqi_format_duration(span, sizeof span, size);
    if (size > SKEW_MS) {
        cli_findings_add(f, CLI_WARN, "clock",
                         "refq goes by the server's clock only, but its times do not fit the logs "
                         "of this machine",
                         "let both follow NTP", "the server's clock is %s %s this machine's", span,
                         skew > 0 ? "ahead of" : "behind");
    } else {
        cli_findings_add(f, CLI_FINE, "clock", NULL, NULL, "within %s of this machine's", span);
    }
    refq_texts_free(&time);
}

static void check_libraries(refq_client *client, cli_findings *f)
{
    refq_texts found = {0};
    refq_error err = {0};
    if (ASK(client, &found, &err, "FUNCTION", "LIST", "LIBRARYNAME", "refq_*") != REFQ_OK) {
        cli_findings_add(f, CLI_WARN, "functions", "whether the library is there is not known",
                         "let this user call FUNCTION LIST", "%s", err.text);
        return;
    }
    int others = 0;
    bool ours = false;
    for (size_t i = 0; i + 1 < found.n; i++) {
        bool named = strcmp(found.items[i], "library_name") == 0;
        bool mine = named && strcmp(found.items[i + 1], rqi_client_library()) == 0;
        ours = ours || mine;
        others += named && !mine;
    }
    refq_texts_free(&found);
    cli_findings_add(f, CLI_FINE, "functions", NULL, NULL, "%s %s%s", rqi_client_library(),
                     ours ? "is loaded" : "is loaded on first use",
                     others > 0 ? "; libraries of other versions are there too, which does no harm"
                                : "");
}

void cli_doctor_server(refq_client *client, cli_findings *f)
{
    refq_texts info = {0};
    refq_error err = {0};
    if (ASK(client, &info, &err, "INFO") != REFQ_OK || info.n == 0) {
        cli_findings_add(f, CLI_WARN, "server", "most of the server cannot be checked",
                         "let this user call INFO", "%s", err.text);
    } else {
        check_version(info.items[0], f);
        check_eviction(info.items[0], f);
        check_memory(info.items[0], f);
        check_persistence(client, info.items[0], f);
        check_replication(info.items[0], f);
    }
    refq_texts_free(&info);
    check_clock(client, f);
    check_libraries(client, f);
}
