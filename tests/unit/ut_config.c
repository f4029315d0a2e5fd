/* SPDX-License-Identifier: MIT */
/* The task file: what a good one becomes, and the exact text a bad one is refused with. */
#include "config/config.h"
#include "config/yaml_scalar.h"
#include "support/main.h"

#include <check.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/etc/refq"

static refq_err parse(const char *text, rqi_config *ret, refq_error *err)
{
    return rqi_config_parse((refq_bytes){text, strlen(text)}, "tasks.yaml", FOLDER, ret, err);
}

static rqi_config parse_good(const char *text)
{
    rqi_config config = {0};
    refq_error err = {0};
    refq_err e = parse(text, &config, &err);
    ck_assert_msg(e == REFQ_OK, "refused with: %s", err.text);
    return config;
}

/* --- Refused -----------------------------------------------------------------------------------
 */

#define HEAD "queue: docs\ntasks:\n  - name: ocr\n    exec: [ocr]\n"

static const struct {
    const char *text;
    const char *error; /* after "tasks.yaml:" */
} bad[] = {
    /* the file as a whole */
    {"", "1: the file is empty; it needs the keys 'queue' and 'tasks'"},
    {"# nothing but a comment\n", "1: the file is empty; it needs the keys 'queue' and 'tasks'"},
    {"---\n", "1: the file is empty; it needs the keys 'queue' and 'tasks'"},
    {"- a\n- b\n", "1: the file must be a map, not a list"},
    {"hello\n", "1: the file must be a map, not a text"},
    {"queue: docs\n", "1: the file lacks the key 'tasks'"},
    {"tasks: [{name: a, exec: [a]}]\n", "1: the file lacks the key 'queue'"},
    {HEAD "---\nqueue: b\n", "5: a second document starts here; a task file holds only one"},
    {"queue: docs\ntasks: [\n", "3: not valid YAML: did not find expected node content (while "
                                "parsing a flow node that began on line 3)"},
    {"queue: docs\n\ttasks: []\n",
     "2: not valid YAML: found a tab character that violates indentation (while scanning a plain "
     "scalar that began on line 1)"},
    {"queue: docs\ntasks: \x01\n", "2: not valid YAML: control characters are not allowed"},
    {"queue: docs\ntasks: \xc3(\n", "2: not valid UTF-8 (byte 0xc3)"},
    {"queue: docs\n# \xed\xa0\x80\n", "2: not valid UTF-8 (byte 0xed)"},
    {"queue: \"a\\0b\"\n", "1: a text must not hold a zero byte"},
    {"queue: &q docs\ntasks: *q\n",
     "1: anchors (&q) are not supported; write the value out where it "
     "is used"},
    {"queue: docs\ntasks: *q\n", "2: aliases (*q) are not supported; write the value out"},
    {"queue: !!str docs\n",
     "1: tags (tag:yaml.org,2002:str) are not supported; quote a value to make it a text"},
    {"queue: docs\n? [a]\n: b\n", "2: a key must be a text, not a list"},
    /* keys */
    {"queue: docs\ntask: []\n", "2: unknown key 'task'; did you mean 'tasks'?"},
    {HEAD "    timout: 5s\n", "5: unknown key 'timout'; did you mean 'timeout'?"},
    {HEAD "    backoff: {bsae: 1s}\n", "5: unknown key 'bsae'; did you mean 'base'?"},
    {HEAD "    backoff: {qqqqqqqq: 1s}\n",
     "5: unknown key 'qqqqqqqq'; known are base, factor, cap, jitter"},
    {"queue: docs\nqueue: b\n", "2: duplicate key 'queue'; it was first given on line 1"},
    {HEAD "    timeout: 5s\n    input: none\n    timeout: 6s\n",
     "7: duplicate key 'timeout'; it was first given on line 5"},
    {"queue: docs\ntasks:\n  - exec: [a]\n", "3: a task lacks the key 'name'"},
    {"queue: docs\ntasks:\n  - name: a\n", "3: a task lacks the key 'exec'"},
    {HEAD "  - name: b\n    exec: [b]\n  - name: ocr\n    exec: [c]\n",
     "7: task 'ocr' is already defined on line 3"},
    {"queue: docs\ntasks: []\n", "2: 0 tasks are listed; allowed are 1 to 512"},
    {"queue: docs\ntasks: {a: b}\n", "2: tasks must be a list, not a map"},
    {"queue: docs\ntasks:\n  - ocr\n", "3: a task must be a map, not a text"},
    {"queue:\ntasks: []\n", "1: queue has no value; write \"\" for an empty text"},
    {"queue: [a]\ntasks: []\n", "1: queue must be a text, not a list"},
    /* exec, directory, env */
    {"queue: docs\ntasks:\n  - name: a\n    exec: ./a.sh\n", "4: exec must be a list, not a text"},
    {"queue: docs\ntasks:\n  - name: a\n    exec: []\n",
     "4: exec has 0 entries; allowed are 1 to 256, the program first"},
    {"queue: docs\ntasks:\n  - name: a\n    exec: ['']\n",
     "4: exec: the command is empty; its first element is the program"},
    {"queue: docs\ntasks:\n  - name: a\n    exec: [a, \"{path\"]\n",
     "4: exec: '{path' in the command has an unbalanced or empty brace; write {name} for an "
     "argument, {{ and }} for braces"},
    {"queue: docs\ntasks:\n  - name: a\n    exec: [a,\n      ~]\n",
     "5: exec: entry 2 has no value; write \"\" for an empty text"},
    {"queue: docs\ntasks:\n  - name: a\n    exec: [a, [b]]\n",
     "4: exec: entry 2 must be a text, not a list"},
    {HEAD "    directory: {}\n", "5: directory must be a text, not a map"},
    {HEAD "    env: A=b\n", "5: env must be a map, not a text"},
    {HEAD "    env: [A]\n", "5: env: 'A' has no '='; write NAME=VALUE"},
    {HEAD "    env: {1A: b}\n", "5: env: '1A' is not a variable's name; use letters, digits and _"},
    {HEAD "    env: {A=B: c}\n",
     "5: env: 'A=B' is not a variable's name; use letters, digits and _"},
    {HEAD "    env: [A=b, A=c]\n", "5: env: A is given twice"},
    {HEAD "    env: {REFQ_REF_ID: x}\n",
     "5: env: REFQ_REF_ID cannot be given here; REFQ_... and TRACEPARENT are the worker's"},
    {HEAD "    env: {A: {}}\n", "5: env: A must be a text, not a map"},
    /* how programs are followed and bounded */
    {HEAD "    progress: [a]\n", "5: progress must be a text, not a list"},
    {HEAD "    progress: '([0-9]+'\n", "5: progress: '([0-9]+' is not a regular "
                                       "expression: missing closing parenthesis (byte 7)"},
    {HEAD "    progress: '[0-9]+%'\n",
     "5: progress: '[0-9]+%' has no group; write for example page ([0-9]+) of ([0-9]+), or "
     "([0-9.]+)% for a percentage"},
    {HEAD "    log_tail: 65KiB\n", "5: log_tail: '65KiB' is out of range; allowed are 1 byte to "
                                   "64KiB"},
    {HEAD "    log_tail: 0\n", "5: log_tail: '0' is out of range; allowed are 1 byte to 64KiB"},
    {"queue: docs\ntasks:\n  - name: a\n    exec: [cp, x,\n           \"{@output}\"]\n",
     "4: exec: {@output} in the command needs output: file"},
    /* plugins */
    {"queue: docs\nplugins: []\n", "2: 0 plugins are listed; allowed are 1 to 32"},
    {"queue: docs\nplugins: a.so\n", "2: plugins must be a list, not a text"},
    {"queue: docs\nplugins:\n  - {run: child}\n", "3: a plugin lacks the key 'path'"},
    {"queue: docs\nplugins:\n  - path: ''\n", "3: path: a plugin's path has 1 to 4096 bytes"},
    {"queue: docs\nplugins:\n  - path: a.so\n    run: process\n",
     "4: run: 'process' is not one of thread, child"},
    {"queue: docs\nplugins:\n  - path: a.so\n    tasks: []\n",
     "4: 0 tasks of a plugin are listed; allowed are 1 to 512, and without the key all are taken"},
    {"queue: docs\nplugins:\n  - path: a.so\n    tasks: [{timeout: 5s}]\n",
     "4: a task of a plugin lacks the key 'name'"},
    {"queue: docs\nplugins:\n  - path: a.so\n    tasks: [{name: a, exec: [b]}]\n",
     "4: unknown key 'exec'; known are name, description, input_schema, output_schema, "
     "async_timeout, timeout, max_retries, backoff, concurrency, result_ttl, reuse, "
     "response_format, max_size, namespace, owner, session_scoped, policy"},
    {"queue: docs\nplugins:\n  - path: a.so\n    tasks: [[a]]\n",
     "4: a task of a plugin must be a text, not a list"},
    {"queue: docs\nplugins:\n  - path: a.so\n    config: {x: .inf}\n",
     "4: JSON cannot hold the number .inf; quote it to make it a text"},
    {HEAD "    limits: 5\n", "5: limits must be a map, not a number"},
    {HEAD "    limits: {memroy: 1GiB}\n", "5: unknown key 'memroy'; did you mean 'memory'?"},
    {HEAD "    limits: {memory: 512}\n",
     "5: memory: '512' is out of range; allowed are 1MiB to 1024GiB"},
    {HEAD "    limits: {memory: lots}\n",
     "5: memory: 'lots' is not a size; write for example 4096, 64KiB or 16MiB"},
    {HEAD "    limits:\n      cpu: 10\n",
     "6: cpu: '10' needs a unit: ms, s, m, h or d (for example 10s)"},
    {HEAD "    limits: {cpu: 10ms}\n", "5: cpu: '10ms' is out of range; allowed are 1s to 30d"},
    {HEAD "    limits: {open_files: 4}\n",
     "5: open_files: 4 is out of range; allowed are 16 to 1048576"},
    {HEAD "    limits: {processes: 0}\n",
     "5: processes: 0 is out of range; allowed are 1 to 4194304"},
    {HEAD "    limits: {file_size: 0}\n",
     "5: file_size: '0' is out of range; allowed are 1 byte to 1024GiB"},
    /* values */
    {HEAD "    input: file\n", "5: input: 'file' is not one of json, none"},
    {HEAD "    output: files\n", "5: output: 'files' is not one of json, text, base64, file"},
    {HEAD "    allow_dash: yes\n", "5: allow_dash must be true or false, not a text"},
    {HEAD "    timeout: 5\n", "5: timeout: '5' needs a unit: ms, s, m, h or d (for example 5s)"},
    {HEAD "    timeout: soon\n",
     "5: timeout: 'soon' is not a duration; write for example 500ms, 5s, 2m, 1h or 7d"},
    {HEAD "    timeout: -5s\n", "5: timeout: '-5s' is negative; a duration cannot be"},
    {HEAD "    timeout: 31d\n",
     "5: timeout: '31d' is out of range; allowed are 0 (no limit) to 30d"},
    {HEAD "    kill_grace: 0\n", "5: kill_grace: '0' is out of range; allowed are 1ms to 10m"},
    {HEAD "    async_timeout: 2h\n",
     "5: async_timeout: '2h' is out of range; allowed are 1ms to 1h"},
    {HEAD "    result_ttl: 1ms\n", "5: result_ttl: '1ms' is out of range; allowed are 1s to 366d"},
    {HEAD "    policy: everyone\n",
     "5: policy: there is no policy 'everyone'; there are default, public, user_only, "
     "execute_only and read_only"},
    {HEAD "    policy: [read_only]\n", "5: policy must be a text, not a list"},
    {HEAD "    policy: {agent_permissions: 32}\n",
     "5: policy: agent_permissions of the policy holds 32; it must be a whole number from 0 to 31"},
    {HEAD "    policy: {agent_permission: 1}\n",
     "5: policy: it has no 'agent_permission'; known are user_permissions, agent_permissions, "
     "owner_permissions, allowed_actors, denied_actors"},
    {HEAD "    namespace: \"a\\tb\"\n",
     "5: namespace: the namespace has a control character at byte 1; leave it out"},
    {HEAD "    policy: {allowed_actors: [\"*\"]}\n",
     "5: policy: allowed_actors: '*' matches nobody; write user:<pattern> or agent:<pattern>, such "
     "as user:* for all users"},
    {HEAD "    policy: {denied_actors: [\"user:\"]}\n",
     "5: policy: denied_actors: 'user:' matches nobody; write user:<pattern> or agent:<pattern>, "
     "such as user:* for all users"},
    {HEAD "    namespace: user\n",
     "5: namespace: nobody may enter 'user'; say whose it is: user:NAME"},
    {HEAD "    namespace: \"user:{userid}\"\n",
     "5: namespace: '{userid}' is not known; did you mean '{user_id}'?"},
    {HEAD "    namespace: \"user:{user_id\"\n",
     "5: namespace: the brace at byte 5 belongs to no {name}; names are user_id, agent_id, "
     "session_id and so on"},
    {HEAD "    owner: bob\n",
     "5: owner: 'bob' is no actor; write user, agent, user:<id> or agent:<id>"},
    {HEAD "    owner: user\n", "5: owner: 'user' is nobody; name one: user:NAME, agent:NAME"},
    {HEAD "    owner: \"user:{user_id}}\"\n",
     "5: owner: the brace at byte 14 belongs to no {name}; names are user_id, agent_id, session_id "
     "and so on"},
    {HEAD "    input_schema: {type: obj}\n",
     "5: input_schema: schema at /type: expected null, boolean, integer, number, string, array or "
     "object, or a list of them, found string \"obj\""},
    {HEAD "    input_schema: {properties: {a: {pattern: \"(?i)a\"}}}\n",
     "5: input_schema: schema at /properties/a/pattern: the pattern '(?i)a' is wrong at byte 0: "
     "after (? ECMA-262 has :, =, !, <=, <! or <name> only"},
    {HEAD "    output_schema: {$ref: \"http://x/y\"}\n",
     "5: output_schema: schema at /$ref: 'http://x/y' is not in this schema, and nothing is "
     "fetched; put it into \"$defs\" with that \"$id\""},
    {HEAD "    owner: []\n", "5: owner must be a text, not a list"},
    {HEAD "    max_size: 1KiB\n", "5: max_size: '1KiB' is not a whole number"},
    {HEAD "    max_output: 1 GB\n",
     "5: max_output: '1 GB' is not a size; write for example 4096, 64KiB or 16MiB"},
    {HEAD "    max_output: 1GiB\n",
     "5: max_output: '1GiB' is out of range; allowed are 1 byte to 200MiB"},
    {HEAD "    concurrency: 0\n", "5: concurrency: 0 is out of range; allowed are 1 to 4096"},
    {HEAD "    concurrency: 4097\n", "5: concurrency: 4097 is out of range; allowed are 1 to 4096"},
    {HEAD "    max_retries: -1\n", "5: max_retries: -1 is out of range; allowed are 0 to 1000"},
    {HEAD "    max_retries: many\n", "5: max_retries: 'many' is not a whole number"},
    {HEAD "    backoff: 5s\n", "5: backoff must be a map, not a text"},
    {HEAD "    backoff:\n      factor: 0.5\n",
     "6: factor: '0.5' is out of range; allowed are 1 to 100"},
    {HEAD "    backoff: {factor: .nan}\n",
     "5: factor: '.nan' is out of range; allowed are 1 to 100"},
    {HEAD "    backoff: {factor: two}\n", "5: factor must be a number, not a text"},
    {HEAD "    backoff: {jitter: half}\n", "5: jitter: 'half' is not one of full, none"},
    {HEAD "    backoff: {base: 2m}\n",
     "5: backoff: base (120000ms) is longer than cap (60000ms); give a longer cap"},
    {HEAD "    input_schema: [a]\n", "5: input_schema must be a map, not a list"},
    {HEAD "    input_schema:\n      maximum: .inf\n",
     "6: JSON cannot hold the number .inf; quote it to make it a text"},
    {HEAD "    output_schema:\n      maximum: 99999999999999999999\n",
     "6: JSON cannot hold the number 99999999999999999999; quote it to make it a text"},
};

START_TEST(refuses)
{
    char expected[300];
    rqi_config config = {0};
    refq_error err = {0};
    ck_assert_int_ne(parse(bad[_i].text, &config, &err), REFQ_OK);
    (void)snprintf(expected, sizeof expected, "tasks.yaml:%s", bad[_i].error);
    ck_assert_str_eq(err.text, expected);
    ck_assert_ptr_null(config.tasks);
}
END_TEST

/* Names are refused by the library; its wording is not repeated here. */
START_TEST(refuses_bad_names)
{
    static const char *const texts[] = {
        "queue: 9docs:x\ntasks: []\n",
        "queue: docs\ntasks:\n  - name: a b\n    exec: [a]\n",
        "queue: docs\ntasks:\n  - name: ''\n    exec: [a]\n",
    };
    static const char *const starts[] = {
        "tasks.yaml:1: queue: ", "tasks.yaml:3: name: ", "tasks.yaml:3: name: "};
    rqi_config config = {0};
    refq_error err = {0};
    ck_assert_int_ne(parse(texts[_i], &config, &err), REFQ_OK);
    ck_assert_msg(strncmp(err.text, starts[_i], strlen(starts[_i])) == 0, "%s", err.text);
}
END_TEST

/* --- Refused by size ---------------------------------------------------------------------------
 */

static void expect_refusal(rqi_buf *text, const char *expected)
{
    rqi_config config = {0};
    refq_error err = {0};
    ck_assert_int_eq(parse(rqi_buf_str(text), &config, &err), REFQ_ERR_LIMIT);
    ck_assert_str_eq(err.text, expected);
    rqi_buf_done(text);
}

static void repeat(rqi_buf *out, const char *text, int times)
{
    for (int i = 0; i < times; i++) {
        rqi_buf_adds(out, text);
    }
}

START_TEST(refuses_depth)
{
    rqi_buf text = {0};
    repeat(&text, "[", 100000);
    expect_refusal(&text, "tasks.yaml:1: nested deeper than 32 levels");
}
END_TEST

START_TEST(refuses_too_many_tasks)
{
    rqi_buf text = {0};
    rqi_buf_adds(&text, "queue: docs\ntasks:\n");
    for (int i = 0; i < 513; i++) {
        rqi_buf_addf(&text, "  - {name: t%d, exec: [a]}\n", i);
    }
    expect_refusal(&text, "tasks.yaml:3: 513 tasks are listed; allowed are 1 to 512");
}
END_TEST

START_TEST(refuses_too_many_entries)
{
    rqi_buf text = {0};
    rqi_buf_adds(&text, "queue: docs\ntasks:\n");
    repeat(&text, "  - x\n", 1025);
    expect_refusal(&text, "tasks.yaml:1027: more than 1024 entries in one list or map");
}
END_TEST

START_TEST(refuses_too_many_values)
{
    rqi_buf text = {0};
    repeat(&text, "- [", 1);
    repeat(&text, "1,", 1000);
    rqi_buf_adds(&text, "]\n");
    for (int i = 1; i < 66; i++) {
        rqi_buf_adds(&text, "- [");
        repeat(&text, "1,", 1000);
        rqi_buf_adds(&text, "]\n");
    }
    expect_refusal(&text, "tasks.yaml:66: more than 65536 values in the file");
}
END_TEST

START_TEST(refuses_large_start)
{
    rqi_buf text = {0};
    rqi_buf_adds(&text, HEAD "    env:\n");
    for (int i = 0; i < 10; i++) {
        rqi_buf_addf(&text, "      V%d: ", i);
        repeat(&text, "xxxxxxxx", 1000);
        rqi_buf_addc(&text, '\n');
    }
    expect_refusal(&text, "tasks.yaml:4: exec and env of task 'ocr' together exceed 65536 bytes");
}
END_TEST

START_TEST(refuses_large_schema)
{
    rqi_buf text = {0};
    rqi_buf_adds(&text, HEAD "    input_schema:\n");
    rqi_buf_adds(&text, "      k: ");
    repeat(&text, "xxxxxxxx", 2047);
    rqi_buf_adds(&text, "x\n"); /* one byte too many with {"k":""} */
    expect_refusal(&text, "tasks.yaml:6: input_schema is larger than 16384 bytes of JSON");
}
END_TEST

START_TEST(long_file_name_gives_way)
{
    char name[400];
    rqi_config config = {0};
    refq_error err = {0};
    memset(name, 'd', sizeof name);
    (void)snprintf(name + 380, 20, "/tasks.yaml");
    static const char text[] = "queue: docs\ntask: []\n";
    ck_assert_int_ne(
        rqi_config_parse((refq_bytes){text, strlen(text)}, name, FOLDER, &config, &err), REFQ_OK);
    ck_assert_msg(strncmp(err.text, "...ddd", 6) == 0, "%s", err.text);
    ck_assert_ptr_nonnull(
        strstr(err.text, "d/tasks.yaml:2: unknown key 'task'; did you mean 'tasks'?"));
}
END_TEST

/* A message that cuts a value never cuts a character. */
START_TEST(messages_stay_utf8)
{
    rqi_config config = {0};
    refq_error err = {0};
    ck_assert_int_ne(parse(HEAD "    timeout: xéééééééééééééééééééééééééééééé\n", &config, &err),
                     REFQ_OK);
    ck_assert_ptr_nonnull(strstr(err.text, "é?' is not a duration"));
}
END_TEST

/* --- Accepted ----------------------------------------------------------------------------------
 */

static const char full[] = "queue: docs\n"
                           "tasks:\n"
                           "  - name: ocr_pdf\n"
                           "    description: Read the text of a scanned PDF.\n"
                           "    exec: [\"./ocr.sh\", \"{path}\", 5, true, image/png]\n"
                           "    directory: work\n"
                           "    env: {LANG: de_DE.UTF-8, DEBUG: 1, EMPTY: \"\", EQ: a=b}\n"
                           "    input: none\n"
                           "    output: base64\n"
                           "    max_output: 64KiB\n"
                           "    kill_grace: 2s\n"
                           "    allow_dash: true\n"
                           "    input_schema: {type: object, required: [path],\n"
                           "                   properties: {path: {type: string}}}\n"
                           "    output_schema: {type: string}\n"
                           "    async_timeout: 5s\n"
                           "    timeout: 30m\n"
                           "    max_retries: 7\n"
                           "    concurrency: 3\n"
                           "    backoff: {base: 500ms, factor: 1.5, cap: 2m, jitter: none}\n"
                           "    result_ttl: 1h\n"
                           "    reuse: none\n"
                           "    response_format: minimal\n"
                           "    max_size: 2000\n"
                           "    namespace: user:{user_id}\n"
                           "    owner: user:{user_id}\n"
                           "    session_scoped: true\n"
                           "    policy: read_only\n";

START_TEST(reads_every_key)
{
    rqi_config config = parse_good(full);
    const rqi_config_task *t = &config.tasks[0];
    ck_assert_str_eq(config.queue, "docs");
    ck_assert_uint_eq(config.n, 1);
    ck_assert_uint_eq(t->line, 3);
    ck_assert_uint_eq(t->def.struct_size, sizeof t->def);
    ck_assert_str_eq(t->def.name, "ocr_pdf");
    ck_assert_str_eq(t->def.description, "Read the text of a scanned PDF.");
    ck_assert_str_eq(t->def.input_schema, "{\"type\":\"object\",\"required\":[\"path\"],"
                                          "\"properties\":{\"path\":{\"type\":\"string\"}}}");
    ck_assert_str_eq(t->def.output_schema, "{\"type\":\"string\"}");
    ck_assert_int_eq(t->def.async_timeout_ms, 5000);
    ck_assert_int_eq(t->def.timeout_ms, 1800000);
    ck_assert_int_eq(t->def.max_retries, 7);
    ck_assert_uint_eq(t->def.concurrency, 3);
    ck_assert_int_eq(t->def.backoff.base_ms, 500);
    ck_assert_double_eq(t->def.backoff.factor, 1.5);
    ck_assert_int_eq(t->def.backoff.cap_ms, 120000);
    ck_assert(t->def.backoff.no_jitter);
    ck_assert_int_eq(t->def.result_ttl_ms, 3600000);
    rqi_config_done(&config);
}
END_TEST

START_TEST(reads_how_calls_behave)
{
    rqi_config config = parse_good(full);
    const refq_task_def *def = &config.tasks[0].def;
    ck_assert(def->has_reuse && def->reuse == REFQ_REUSE_NONE);
    ck_assert(def->has_response_format && def->response_format == REFQ_FORMAT_MINIMAL);
    ck_assert_int_eq(def->max_size, 2000);
    ck_assert_str_eq(def->namespace_template, "user:{user_id}");
    ck_assert_str_eq(def->owner_template, "user:{user_id}");
    ck_assert(def->session_scoped);
    ck_assert_str_eq(def->policy, "read_only");
    rqi_config_done(&config);
}
END_TEST

START_TEST(leaves_calls_to_the_defaults)
{
    rqi_config config = parse_good(HEAD);
    const refq_task_def *def = &config.tasks[0].def;
    ck_assert(!def->has_reuse && !def->has_response_format && !def->session_scoped);
    ck_assert_int_eq(def->max_size, 0);
    ck_assert_ptr_null(def->namespace_template);
    ck_assert_ptr_null(def->owner_template);
    ck_assert_ptr_null(def->policy);
    rqi_config_done(&config);
}
END_TEST

START_TEST(reads_how_to_start)
{
    static const char *const argv[] = {FOLDER "/ocr.sh", "{path}", "5", "true", "image/png"};
    static const char *const env[] = {"LANG=de_DE.UTF-8", "DEBUG=1", "EMPTY=", "EQ=a=b"};
    rqi_config config = parse_good(full);
    const refq_exec_def *exec = &config.tasks[0].exec;
    for (size_t i = 0; i < 5; i++) {
        ck_assert_str_eq(exec->argv[i], argv[i]);
    }
    ck_assert_ptr_null(exec->argv[5]);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_str_eq(exec->env[i], env[i]);
    }
    ck_assert_ptr_null(exec->env[4]);
    ck_assert_uint_eq(exec->struct_size, sizeof *exec);
    ck_assert_str_eq(exec->directory, FOLDER "/work");
    ck_assert_int_eq(exec->input, REFQ_INPUT_NONE);
    ck_assert_int_eq(exec->output, REFQ_OUTPUT_BASE64);
    ck_assert_uint_eq(exec->max_output, 65536);
    ck_assert_int_eq(exec->kill_grace_ms, 2000);
    ck_assert(exec->allow_dash);
    rqi_config_done(&config);
}
END_TEST

/* The program is a template too: braces in folder names must not turn into placeholders. */
START_TEST(keeps_braces_of_folders)
{
    static const char text[] = "queue: docs\ntasks:\n  - name: a\n    exec: [\"./a{{1}}.sh\"]\n";
    rqi_config config = {0};
    refq_error err = {0};
    refq_bytes bytes = {text, strlen(text)};
    ck_assert_int_eq(rqi_config_parse(bytes, "tasks.yaml", "/srv/{x}", &config, &err), REFQ_OK);
    ck_assert_str_eq(config.tasks[0].exec.argv[0], "/srv/{{x}}/a{{1}}.sh");
    ck_assert_str_eq(config.tasks[0].program, "/srv/{x}/a{1}.sh");
    ck_assert_str_eq(config.tasks[0].exec.directory, "/srv/{x}");
    rqi_config_done(&config);
}
END_TEST

START_TEST(leaves_defaults_to_the_library)
{
    rqi_config config = parse_good(HEAD);
    const rqi_config_task *t = &config.tasks[0];
    ck_assert_str_eq(t->exec.argv[0], "ocr");
    ck_assert_str_eq(t->exec.directory, FOLDER);
    ck_assert_ptr_null(t->exec.env);
    ck_assert_ptr_null(t->def.input_schema);
    ck_assert_int_eq(t->def.max_retries, 0);
    ck_assert_int_eq(t->def.timeout_ms, 0);
    ck_assert_int_eq(t->def.backoff.base_ms, 0);
    ck_assert_uint_eq(t->exec.max_output, 0);
    rqi_config_done(&config);
}
END_TEST

START_TEST(reads_how_programs_are_followed)
{
    rqi_config config =
        parse_good(HEAD "    progress: 'page ([0-9]+) of ([0-9]+)'\n    log_tail: 8KiB\n");
    ck_assert_str_eq(config.tasks[0].exec.progress, "page ([0-9]+) of ([0-9]+)");
    ck_assert_uint_eq(config.tasks[0].exec.log_tail, 8192);
    rqi_config_done(&config);
}
END_TEST

START_TEST(reads_an_output_file)
{
    rqi_config config = parse_good("queue: docs\ntasks:\n  - name: a\n    output: file\n"
                                   "    exec: [cp, x, \"{@output}\"]\n");
    ck_assert_int_eq(config.tasks[0].exec.output, REFQ_OUTPUT_FILE);
    ck_assert_str_eq(config.tasks[0].exec.argv[2], "{@output}");
    rqi_config_done(&config);
}
END_TEST

START_TEST(reads_limits)
{
    rqi_config config =
        parse_good(HEAD "    limits: {memory: 512MiB, open_files: 64, cpu: 10m, file_size: 1GiB,\n"
                        "             processes: 100}\n");
    const refq_exec_limits *limits = &config.tasks[0].exec.limits;
    ck_assert_uint_eq(limits->memory, (size_t)512 << 20);
    ck_assert_uint_eq(limits->open_files, 64);
    ck_assert_int_eq(limits->cpu_ms, 600000);
    ck_assert_uint_eq(limits->file_size, (size_t)1 << 30);
    ck_assert_uint_eq(limits->processes, 100);
    rqi_config_done(&config);
}
END_TEST

START_TEST(reads_plugins)
{
    rqi_config config = parse_good("queue: docs\n"
                                   "plugins:\n"
                                   "  - path: ./libocr.so\n"
                                   "    run: child\n"
                                   "    tasks: [scan, {name: ocr, timeout: 5m, max_retries: 0}]\n"
                                   "    config: {model: [a, 1, 1.5, null]}\n"
                                   "  - path: /opt/b.so\n");
    ck_assert_uint_eq(config.n, 0);
    ck_assert_uint_eq(config.n_plugins, 2);
    const refq_plugin_options *o = &config.plugins[0].options;
    ck_assert_uint_eq(config.plugins[0].line, 3);
    ck_assert_uint_eq(o->struct_size, sizeof *o);
    ck_assert_str_eq(o->path, FOLDER "/./libocr.so");
    ck_assert(o->child);
    ck_assert_uint_eq(o->n_tasks, 2);
    ck_assert_str_eq(o->tasks[0].name, "scan");
    ck_assert_int_eq(o->tasks[0].timeout_ms, 0);
    ck_assert_str_eq(o->tasks[1].name, "ocr");
    ck_assert_int_eq(o->tasks[1].timeout_ms, 300000);
    ck_assert_int_eq(o->tasks[1].max_retries, REFQ_NO_RETRIES);
    ck_assert_str_eq(o->config_json, "{\"model\":[\"a\",1,1.5,null]}");
    o = &config.plugins[1].options;
    ck_assert_str_eq(o->path, "/opt/b.so");
    ck_assert_ptr_null(o->tasks);
    ck_assert_ptr_null(o->config_json);
    ck_assert(!o->child);
    rqi_config_done(&config);
}
END_TEST

START_TEST(no_retries_means_none)
{
    rqi_config config = parse_good(HEAD "    max_retries: 0\n");
    ck_assert_int_eq(config.tasks[0].def.max_retries, REFQ_NO_RETRIES);
    rqi_config_done(&config);
}
END_TEST

START_TEST(completes_a_partial_backoff)
{
    rqi_config config = parse_good(HEAD "    backoff: {factor: 3}\n");
    const refq_backoff *b = &config.tasks[0].def.backoff;
    ck_assert_int_eq(b->base_ms, 1000);
    ck_assert_double_eq(b->factor, 3);
    ck_assert_int_eq(b->cap_ms, 60000);
    ck_assert(!b->no_jitter);
    rqi_config_done(&config);
}
END_TEST

/* Scalars as the core schema of YAML 1.2 has them: only plain ones have a type. */
static const struct {
    const char *yaml;
    const char *json;
} values[] = {
    {"true", "true"},
    {"False", "false"},
    {"null", "null"},
    {"~", "null"},
    {"", "null"},
    {"no", "\"no\""},
    {"on", "\"on\""},
    {"'true'", "\"true\""},
    {"\"1\"", "\"1\""},
    {"0", "0"},
    {"-7", "-7"},
    {"+7", "7"},
    {"007", "7"},
    {"0x1F", "31"},
    {"0o17", "15"},
    {"1:30", "\"1:30\""},
    {"1.5", "1.5"},
    {".5", "0.5"},
    {"1.", "1.0"},
    {"-1e3", "-1000.0"},
    {"1e300", "1e+300"},
    {"0.1", "0.1"},
    {"1_000", "\"1_000\""},
    {"-", "[null]"},
    {"1e", "\"1e\""},
    {".", "\".\""},
    {"0x", "\"0x\""},
    {"[]", "[]"},
    {"{}", "{}"},
    {"[a, {b: 1}]", "[\"a\",{\"b\":1}]"},
    {"\"q\\\"\\n\\u00e9\"", "\"q\\\"\\n\xc3\xa9\""},
    {"9223372036854775807", "9223372036854775807"},
    {"-9223372036854775808", "-9223372036854775808"},
};

START_TEST(schema_values)
{
    char text[200];
    char json[200];
    (void)snprintf(text, sizeof text, HEAD "    input_schema:\n      x:\n        %s\n",
                   values[_i].yaml);
    (void)snprintf(json, sizeof json, "{\"x\":%s}", values[_i].json);
    rqi_config config = parse_good(text);
    ck_assert_str_eq(config.tasks[0].def.input_schema, json);
    rqi_config_done(&config);
}
END_TEST

/* --- Files -------------------------------------------------------------------------------------
 */

struct folder {
    char path[64];
    char file[96];
    char program[96];
};

static void write_file(const char *path, const char *text, size_t len)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
}

static struct folder make_folder(const char *yaml)
{
    struct folder d;
    (void)snprintf(d.path, sizeof d.path, "/tmp/refq-ut-config-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(d.path));
    (void)snprintf(d.file, sizeof d.file, "%s/tasks.yaml", d.path);
    (void)snprintf(d.program, sizeof d.program, "%s/run.sh", d.path);
    write_file(d.file, yaml, strlen(yaml));
    return d;
}

static void remove_folder(const struct folder *d)
{
    (void)unlink(d->file);
    (void)unlink(d->program);
    (void)rmdir(d->path);
}

static const char with_program[] = "queue: docs\ntasks:\n  - name: a\n    exec: [./run.sh]\n";

START_TEST(finds_programs_beside_the_file)
{
    struct folder d = make_folder(with_program);
    write_file(d.program, "#!/bin/sh\n", 10);
    ck_assert_int_eq(chmod(d.program, 0755), 0);
    rqi_config config = {0};
    refq_error err = {0};
    refq_err e = rqi_config_load(d.file, &config, &err);
    ck_assert_msg(e == REFQ_OK, "%s", err.text);
    ck_assert_str_eq(config.tasks[0].exec.argv[0], d.program);
    ck_assert_str_eq(config.tasks[0].exec.directory, d.path);
    rqi_config_done(&config);
    remove_folder(&d);
}
END_TEST

static void expect_load_error(const struct folder *d, const char *error)
{
    char expected[300];
    rqi_config config = {0};
    refq_error err = {0};
    ck_assert_int_ne(rqi_config_load(d->file, &config, &err), REFQ_OK);
    (void)snprintf(expected, sizeof expected, "%s%s", d->file, error);
    ck_assert_str_eq(err.text, expected);
    remove_folder(d);
}

START_TEST(reports_a_missing_program)
{
    struct folder d = make_folder(with_program);
    expect_load_error(&d, ":4: exec: cannot find './run.sh': No such file or directory");
}
END_TEST

START_TEST(reports_a_program_that_is_not_executable)
{
    char expected[200];
    struct folder d = make_folder(with_program);
    write_file(d.program, "#!/bin/sh\n", 10);
    ck_assert_int_eq(chmod(d.program, 0644), 0);
    (void)snprintf(expected, sizeof expected, ":4: exec: './run.sh' is not executable: chmod +x %s",
                   d.program);
    expect_load_error(&d, expected);
}
END_TEST

START_TEST(reports_a_program_that_is_a_folder)
{
    struct folder d = make_folder("queue: docs\ntasks:\n  - name: a\n    exec:\n      - /tmp\n");
    expect_load_error(&d, ":5: exec: '/tmp' is not a file");
}
END_TEST

START_TEST(reports_a_missing_directory)
{
    struct folder d = make_folder(
        "queue: docs\ntasks:\n  - name: a\n    exec: [cat]\n    directory: /nonexistent\n");
    expect_load_error(&d, ":5: directory: cannot use '/nonexistent': No such file or directory");
}
END_TEST

START_TEST(reports_a_program_that_is_not_on_the_path)
{
    struct folder d = make_folder(
        "queue: docs\ntasks:\n  - name: a\n    exec: [sh]\n    env: {PATH: /nonexistent}\n");
    expect_load_error(&d, ":4: exec: cannot find 'sh' on the PATH");
}
END_TEST

START_TEST(reports_a_missing_plugin)
{
    struct folder d = make_folder("queue: docs\nplugins:\n  - path: ./libocr.so\n");
    expect_load_error(&d,
                      ":3: path: cannot read the plugin './libocr.so': No such file or directory");
}
END_TEST

START_TEST(passes_over_a_byte_order_mark)
{
    struct folder d =
        make_folder("\xef\xbb\xbfqueue: docs\ntasks:\n  - name: a\n    exec: [cat]\n");
    rqi_config config = {0};
    refq_error err = {0};
    ck_assert_msg(rqi_config_load(d.file, &config, &err) == REFQ_OK, "%s", err.text);
    rqi_config_done(&config);
    remove_folder(&d);
}
END_TEST

START_TEST(reports_a_large_file)
{
    char expected[200];
    struct folder d = make_folder("");
    char *text = calloc(1, RQI_CONFIG_MAX_BYTES + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, '#', RQI_CONFIG_MAX_BYTES + 1);
    write_file(d.file, text, RQI_CONFIG_MAX_BYTES + 1);
    free(text);
    rqi_config config = {0};
    refq_error err = {0};
    ck_assert_int_eq(rqi_config_load(d.file, &config, &err), REFQ_ERR_LIMIT);
    (void)snprintf(expected, sizeof expected, "'%s' is larger than the 1 MiB allowed", d.file);
    ck_assert_str_eq(err.text, expected);
    remove_folder(&d);
}
END_TEST

START_TEST(reports_a_missing_file)
{
    rqi_config config = {0};
    refq_error err = {0};
    ck_assert_int_eq(rqi_config_load("/nonexistent/t.yaml", &config, &err), REFQ_ERR_NOTFOUND);
    ck_assert_str_eq(err.text, "cannot open '/nonexistent/t.yaml': No such file or directory");
    ck_assert_int_eq(rqi_config_load("/tmp", &config, &err), REFQ_ERR_IO);
    ck_assert_str_eq(err.text, "cannot read '/tmp': Is a directory");
}
END_TEST

/* --- Suite -------------------------------------------------------------------------------------
 */

static TCase *refusals(void)
{
    TCase *t = tcase_create("refused");
    tcase_add_loop_test(t, refuses, 0, (int)(sizeof bad / sizeof bad[0]));
    tcase_add_loop_test(t, refuses_bad_names, 0, 3);
    tcase_add_test(t, refuses_depth);
    tcase_add_test(t, refuses_too_many_tasks);
    tcase_add_test(t, refuses_too_many_entries);
    tcase_add_test(t, refuses_too_many_values);
    tcase_add_test(t, refuses_large_start);
    tcase_add_test(t, refuses_large_schema);
    tcase_add_test(t, long_file_name_gives_way);
    tcase_add_test(t, messages_stay_utf8);
    return t;
}

static TCase *accepted(void)
{
    TCase *t = tcase_create("accepted");
    tcase_add_test(t, reads_every_key);
    tcase_add_test(t, reads_how_calls_behave);
    tcase_add_test(t, leaves_calls_to_the_defaults);
    tcase_add_test(t, reads_how_to_start);
    tcase_add_test(t, keeps_braces_of_folders);
    tcase_add_test(t, leaves_defaults_to_the_library);
    tcase_add_test(t, reads_how_programs_are_followed);
    tcase_add_test(t, reads_an_output_file);
    tcase_add_test(t, reads_limits);
    tcase_add_test(t, reads_plugins);
    tcase_add_test(t, no_retries_means_none);
    tcase_add_test(t, completes_a_partial_backoff);
    tcase_add_loop_test(t, schema_values, 0, (int)(sizeof values / sizeof values[0]));
    return t;
}

static TCase *files(void)
{
    TCase *t = tcase_create("files");
    tcase_add_test(t, finds_programs_beside_the_file);
    tcase_add_test(t, reports_a_missing_program);
    tcase_add_test(t, reports_a_program_that_is_not_executable);
    tcase_add_test(t, reports_a_program_that_is_a_folder);
    tcase_add_test(t, reports_a_missing_directory);
    tcase_add_test(t, reports_a_program_that_is_not_on_the_path);
    tcase_add_test(t, reports_a_missing_plugin);
    tcase_add_test(t, passes_over_a_byte_order_mark);
    tcase_add_test(t, reports_a_large_file);
    tcase_add_test(t, reports_a_missing_file);
    return t;
}

int main(void)
{
    Suite *suite = suite_create("config");
    suite_add_tcase(suite, refusals());
    suite_add_tcase(suite, accepted());
    suite_add_tcase(suite, files());
    return rqt_main(suite);
}
