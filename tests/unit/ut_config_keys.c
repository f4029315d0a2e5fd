/* SPDX-License-Identifier: MIT */
/*
 * Every key of a task file, with a value that is taken and one that is refused.
 *
 * DESIGN. The rows are held against the tables by which the file is read: a key without a row fails
 * the test, so none can be added untried. What a good value becomes is read back through the same
 * table where the kind of the value is a common one; ut_config.c looks at the others.
 */
#include "config/config.h"
#include "config/config_read.h"
#include "support/main.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

/* --- The rows --------------------------------------------------------------------------------- */

static const struct row {
    const char *map;
    const char *key;
    const char *good;
    const char *becomes; /* NULL = ut_config.c looks */
    const char *bad;
    const char *says;
} rows[] = {
    {"the file", "queue", "docs-1", "docs-1", "1st", "queue: "},
    {"the file", "tasks", "[{name: a, exec: [a]}]", NULL, "[]", "allowed are 1 to 512"},
    {"the file", "plugins", "[{path: a.so}]", NULL, "[]", "allowed are 1 to 32"},

    {"a task", "name", "scan-2", "scan-2", "a b", "name: "},
    {"a task", "description", "Scans.", "Scans.", "[a]", "description must be a text, not a list"},
    {"a task", "exec", "[cat, -n]", NULL, "[]", "allowed are 1 to 256"},
    {"a task", "directory", "/srv", NULL, "[a]", "directory must be a text, not a list"},
    {"a task", "env", "{A: b}", NULL, "{REFQ_A: b}", "REFQ_... and TRACEPARENT are the worker's"},
    {"a task", "input", "none", "none", "file", "not one of json, none"},
    {"a task", "output", "base64", "base64", "xml", "not one of json, text, base64, file"},
    {"a task", "max_output", "200MiB", "209715200", "201MiB", "allowed are 1 byte to 200MiB"},
    {"a task", "kill_grace", "10m", "600000", "11m", "allowed are 1ms to 10m"},
    {"a task", "log_tail", "64KiB", "65536", "0", "allowed are 1 byte to 64KiB"},
    {"a task", "progress", "'([0-9]+)%'", NULL, "'[0-9]+%'", "has no group"},
    {"a task", "limits", "{cpu: 1s}", NULL, "1s", "limits must be a map, not a text"},
    {"a task", "allow_dash", "true", "true", "yes", "allow_dash must be true or false"},
    {"a task", "input_schema", "{type: object}", "{\"type\":\"object\"}", "[a]",
     "input_schema must be a map, not a list"},
    {"a task", "output_schema", "{type: array}", "{\"type\":\"array\"}", "text",
     "output_schema must be a map, not a text"},
    {"a task", "async_timeout", "1h", "3600000", "0", "allowed are 1ms to 1h"},
    {"a task", "timeout", "30d", "2592000000", "31d", "allowed are 0 (no limit) to 30d"},
    {"a task", "max_retries", "1000", "1000", "1001", "allowed are 0 to 1000"},
    {"a task", "backoff", "{base: 2s}", NULL, "2s", "backoff must be a map, not a text"},
    {"a task", "concurrency", "4096", "4096", "0", "allowed are 1 to 4096"},
    {"a task", "result_ttl", "366d", "31622400000", "999ms", "allowed are 1s to 366d"},
    {"a task", "reuse", "result", NULL, "results", "not one of none, in_flight, result"},
    {"a task", "response_format", "full", NULL, "long", "not one of standard, minimal, full"},
    {"a task", "max_size", "1073741824", NULL, "0", "allowed are 1 to 1073741824"},
    {"a task", "namespace", "'user:{user_id}'", "user:{user_id}", "''", "namespace: the namespace"},
    {"a task", "owner", "'user:{user_id}'", "user:{user_id}", "''", "owner: it is empty"},
    {"a task", "session_scoped", "true", "true", "1", "session_scoped must be true or false"},
    {"a task", "policy", "{user_permissions: 1}", "{\"user_permissions\":1}", "{owner: me}",
     "policy: it has no 'owner'; known are user_permissions"},

    {"backoff", "base", "1m", "60000", "0", "allowed are 1ms to 1d"},
    {"backoff", "factor", "1.5", "1.5", "0.9", "allowed are 1 to 100"},
    {"backoff", "cap", "7d", "604800000", "8d", "allowed are 1ms to 7d"},
    {"backoff", "jitter", "none", NULL, "half", "not one of full, none"},

    {"limits", "memory", "1GiB", "1073741824", "1KiB", "allowed are 1MiB to 1024GiB"},
    {"limits", "open_files", "16", "16", "15", "allowed are 16 to 1048576"},
    {"limits", "cpu", "30d", "2592000000", "999ms", "allowed are 1s to 30d"},
    {"limits", "file_size", "1", "1", "0", "allowed are 1 byte to 1024GiB"},
    {"limits", "processes", "4194304", "4194304", "0", "allowed are 1 to 4194304"},

    {"a plugin", "path", "/opt/b.so", NULL, "''", "has 1 to 4096 bytes"},
    {"a plugin", "run", "child", NULL, "process", "not one of thread, child"},
    {"a plugin", "tasks", "[scan]", NULL, "[]", "allowed are 1 to 512"},
    {"a plugin", "config", "{model: a}", NULL, "{x: .inf}", "JSON cannot hold"},
};

/* The text around one pair of a map, and what the map cannot be without. */
static const struct place {
    const char *map;
    const char *before;
    const char *needs[2][2];
    const char *behind;
} places[] = {
    {"the file", "{", {{"queue", "docs"}, {"tasks", "[{name: b, exec: [b]}]"}}, "}"},
    {"a task", "{queue: docs, tasks: [{", {{"name", "a"}, {"exec", "[a]"}}, "}]}"},
    {"backoff", "{queue: docs, tasks: [{name: a, exec: [a], backoff: {", {{NULL}}, "}}]}"},
    {"limits", "{queue: docs, tasks: [{name: a, exec: [a], limits: {", {{NULL}}, "}}]}"},
    {"a plugin", "{queue: docs, plugins: [{", {{"path", "a.so"}}, "}]}"},
};

/* --- One key ---------------------------------------------------------------------------------- */

static refq_err parse(const struct row *row, const char *value, rqi_config *ret, refq_error *err)
{
    const struct place *at = places;
    char text[300];
    while (strcmp(at->map, row->map) != 0) {
        at++;
        ck_assert_msg(at < places + N_OF(places), "say where '%s' stands, in places[]", row->map);
    }
    int n = snprintf(text, sizeof text, "%s%s: %s", at->before, row->key, value);
    for (size_t i = 0; i < N_OF(at->needs); i++) {
        if (at->needs[i][0] != NULL && strcmp(at->needs[i][0], row->key) != 0) {
            n += snprintf(text + n, sizeof text - (size_t)n, ", %s: %s", at->needs[i][0],
                          at->needs[i][1]);
        }
    }
    n += snprintf(text + n, sizeof text - (size_t)n, "%s", at->behind);
    ck_assert_int_lt(n, (int)sizeof text);
    return rqi_config_parse((refq_bytes){text, (size_t)n}, "tasks.yaml", "/etc", ret, err);
}

static const void *map_of(const rqi_config *config, const char *map)
{
    const struct {
        const char *map;
        const void *at;
    } maps[] = {{"the file", config},
                {"a task", config->tasks},
                {"backoff", config->n > 0 ? &config->tasks->def.backoff : NULL},
                {"limits", config->n > 0 ? &config->tasks->exec.limits : NULL},
                {"a plugin", config->plugins}};
    for (size_t i = 0; i < N_OF(maps); i++) {
        if (strcmp(maps[i].map, map) == 0) {
            return maps[i].at;
        }
    }
    return NULL;
}

/* The value as text; texts are what is not one of the other kinds. */
static const char *value_at(const rqi_key *key, const void *at)
{
    static char text[32];
    if (key->read == rqi_read_duration) {
        (void)snprintf(text, sizeof text, "%lld", (long long)*(const int64_t *)at);
    } else if (key->read == rqi_read_size) {
        (void)snprintf(text, sizeof text, "%zu", *(const size_t *)at);
    } else if (key->read == rqi_read_count || key->read == rqi_read_retries) {
        (void)snprintf(text, sizeof text, "%d", *(const int *)at);
    } else if (key->read == rqi_read_number) {
        (void)snprintf(text, sizeof text, "%g", *(const double *)at);
    } else if (key->read == rqi_read_flag) {
        (void)snprintf(text, sizeof text, "%s", *(const bool *)at ? "true" : "false");
    } else if (key->read == rqi_read_word) {
        return key->words[*(const unsigned *)at];
    } else {
        return *(const char *const *)at;
    }
    return text;
}

static const rqi_key *find_key(const rqi_key_table *table, const char *map, const char *name)
{
    const rqi_key *found = NULL;
    for (size_t i = 0; found == NULL && i < table->n; i++) {
        const rqi_key *key = &table->keys[i];
        bool here = strcmp(table->map, map) == 0 && strcmp(key->name, name) == 0;
        found = here ? key : key->inner != NULL ? find_key(key->inner, map, name) : NULL;
    }
    return found;
}

START_TEST(takes_a_good_value)
{
    const struct row *row = &rows[_i];
    const rqi_key *key = find_key(&rqi_config_table, row->map, row->key);
    rqi_config config = {0};
    refq_error err = {0};
    ck_assert_msg(key != NULL, "%s has no key '%s': remove the row", row->map, row->key);
    ck_assert_msg(parse(row, row->good, &config, &err) == REFQ_OK, "%s: %s", row->key, err.text);
    const char *map = map_of(&config, row->map);
    if (row->becomes != NULL) {
        ck_assert_str_eq(value_at(key, map + key->offset), row->becomes);
    }
    rqi_config_done(&config);
}
END_TEST

START_TEST(refuses_a_bad_value)
{
    const struct row *row = &rows[_i];
    rqi_config config = {0};
    refq_error err = {0};
    ck_assert_msg(parse(row, row->bad, &config, &err) != REFQ_OK, "%s: took '%s'", row->key,
                  row->bad);
    ck_assert_msg(strncmp(err.text, "tasks.yaml:1: ", 14) == 0, "%s", err.text);
    ck_assert_msg(strstr(err.text, row->says) != NULL, "wanted \"%s\" in: %s", row->says, err.text);
}
END_TEST

/* --- All of them ------------------------------------------------------------------------------ */

static bool is_common(const rqi_key *key)
{
    rqi_read_fn *const common[] = {rqi_read_text,    rqi_read_duration, rqi_read_size,
                                   rqi_read_retries, rqi_read_count,    rqi_read_number,
                                   rqi_read_flag,    rqi_read_word,     rqi_read_schema};
    size_t i = 0;
    while (i < N_OF(common) && common[i] != key->read) {
        i++;
    }
    return i < N_OF(common);
}

static void expect_row(const char *map, const rqi_key *key)
{
    size_t i = 0;
    while (i < N_OF(rows) &&
           (strcmp(rows[i].map, map) != 0 || strcmp(rows[i].key, key->name) != 0)) {
        i++;
    }
    ck_assert_msg(i < N_OF(rows), "'%s' of %s has no good and bad value: add a row", key->name,
                  map);
    ck_assert_msg(rows[i].becomes != NULL || !is_common(key), "say what '%s' becomes", key->name);
}

static size_t expect_rows(const rqi_key_table *table)
{
    size_t n = table->n;
    for (size_t i = 0; i < table->n; i++) {
        expect_row(table->map, &table->keys[i]);
        n += table->keys[i].inner != NULL ? expect_rows(table->keys[i].inner) : 0;
    }
    return n;
}

START_TEST(every_key_has_a_row)
{
    ck_assert_uint_eq(expect_rows(&rqi_config_table), N_OF(rows));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_keys");
    TCase *c = tcase_create("keys");
    tcase_add_test(c, every_key_has_a_row);
    tcase_add_loop_test(c, takes_a_good_value, 0, (int)N_OF(rows));
    tcase_add_loop_test(c, refuses_a_bad_value, 0, (int)N_OF(rows));
    suite_add_tcase(suite, c);
    return rqt_main(suite);
}
