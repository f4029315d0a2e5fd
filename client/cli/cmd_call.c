/* SPDX-License-Identifier: MIT */
/*
 * refq call: a tool call, as a server makes it for an agent.
 *
 * DESIGN. The library does it all, and its response is what -o json prints.
 * What it cannot know is how a shell tells failures apart: a task that nobody
 * offers is not the same as a reference that leads nowhere.
 */
#include "cli.h"

#include "args_input.h"
#include "cache_open.h"
#include "exit.h"
#include "explain.h"
#include "parting.h"
#include "queue.h"
#include "readers.h"
#include "reply.h"

#include "base/error.h"

#include <refq/call.h>
#include <refq/handlers.h>

#include <stdio.h>
#include <string.h>

/* --- Options ---------------------------------------------------------------------------------- */

struct call_options {
    const char *queue;
    const char *args;
    cli_number async_timeout; /* ms */
    cli_number format;
    cli_number max_size;
    cli_number reuse;
    cli_who who;
    const char *space;
    const char *owner;
    const char *policy;
    refq_lane lane;
    cli_number timeout; /* ms */
    cli_number retries;
    const char *key;
};

static refq_err read_format(const char *text, void *target, refq_error *err)
{
    refq_format format = REFQ_FORMAT_STANDARD;
    refq_err code = refq_format_parse(text, &format, err);
    if (code == REFQ_OK) {
        *(cli_number *)target = (cli_number){.given = true, .value = format};
    }
    return code;
}

static refq_err read_reuse(const char *text, void *target, refq_error *err)
{
    static const char *const names[] = {[REFQ_REUSE_NONE] = "none",
                                        [REFQ_REUSE_IN_FLIGHT] = "in_flight",
                                        [REFQ_REUSE_RESULT] = "result"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], text) == 0) {
            *(cli_number *)target = (cli_number){.given = true, .value = (int64_t)i};
            return REFQ_OK;
        }
    }
    return rqi_fail(err, REFQ_ERR_INVALID, "'%.40s' is no reuse; use none, in_flight or result",
                    text);
}

#define AT(field) offsetof(struct call_options, field)

static const cli_option options[] = {
    {"queue", 'q', CLI_VALUE, "Q", AT(queue), cli_read_text,
     "where the task is (default: REFQ_QUEUE, else \"default\")"},
    {"args", 'a', CLI_VALUE, "JSON|@FILE|-", AT(args), cli_read_text,
     "its arguments, a JSON object (default: {})"},
    {"async-timeout", 0, CLI_VALUE, "DUR", AT(async_timeout), cli_read_duration,
     "wait so long for the value (default: the task's definition)"},
    {"format", 0, CLI_VALUE, "FORMAT", AT(format), read_format,
     "minimal, standard, full (default: the definition): of -o json meanwhile"},
    {"max-size", 0, CLI_VALUE, "N", AT(max_size), cli_read_natural,
     "of more tokens a preview is answered (default: the definition, or 1000)"},
    {"reuse", 0, CLI_VALUE, "REUSE", AT(reuse), read_reuse,
     "of identical calls: none, in_flight, result (default: the definition)"},
    CLI_WHO_ROWS(struct call_options, who),
    {"namespace", 0, CLI_VALUE, "N", AT(space), cli_read_space,
     "where the value goes, instead of what the definition says"},
    {"owner", 0, CLI_VALUE, "ACTOR", AT(owner), cli_read_owner, "whose the value is, likewise"},
    {"policy", 0, CLI_VALUE, "PRESET|JSON", AT(policy), cli_read_policy,
     "who may do what with it, likewise"},
    {"lane", 0, CLI_VALUE, "LANE", AT(lane), cli_read_lane, "high, normal (default) or low"},
    {"timeout", 0, CLI_VALUE, "DUR", AT(timeout), cli_read_duration,
     "time for one attempt (default: the task's definition)"},
    {"max-retries", 0, CLI_VALUE, "N", AT(retries), cli_read_retries,
     "failures before it gives up; 0 = no retry (default: the definition)"},
    {"key", 0, CLI_VALUE, "K", AT(key), cli_read_text,
     "idempotency key: a known one answers for its task instead"},
};

/* --- The call --------------------------------------------------------------------------------- */

/* What must not get lost: it is said when the command ends without an answer. */
static struct {
    const cli_who *who;
    char ref_id[REFQ_REF_MAX + 1];
    char next[REFQ_REF_MAX + 256]; /* the command that goes on; "" before there is a task */
} going_on;

static void on_submitted(void *arg, const char *ref_id)
{
    char words[sizeof going_on.next + 32];
    rqi_buf options_again = {0};
    (void)arg;
    cli_who_words(going_on.who, NULL, &options_again);
    (void)snprintf(going_on.ref_id, sizeof going_on.ref_id, "%s", ref_id);
    (void)snprintf(going_on.next, sizeof going_on.next, "refq get %s%s", ref_id,
                   rqi_buf_str(&options_again));
    (void)snprintf(words, sizeof words, "the task goes on: %s", going_on.next);
    rqi_buf_done(&options_again);
    cli_parting_set(words);
}

/* People are told all there is. */
static refq_call_spec spec_of(const cli_common *common, const struct call_options *opt,
                              const char *task, const rqi_buf *args)
{
    bool no_retries = opt->retries.given && opt->retries.value == 0;
    return (refq_call_spec){
        .struct_size = sizeof(refq_call_spec),
        .task = task,
        .args = rqi_buf_str(args),
        .has_async_timeout = opt->async_timeout.given,
        .async_timeout_ms = opt->async_timeout.value,
        .has_format = opt->format.given || !common->json,
        .format = common->json ? (refq_format)opt->format.value : REFQ_FORMAT_FULL,
        .has_max_size = opt->max_size.given,
        .max_size = opt->max_size.value,
        .has_reuse = opt->reuse.given,
        .reuse = (refq_reuse)opt->reuse.value,
        .lane = opt->lane,
        .timeout_ms = opt->timeout.value,
        .max_retries = no_retries ? REFQ_NO_RETRIES : (int)opt->retries.value,
        .key = opt->key,
        .on_submitted = on_submitted,
    };
}

/* What is not found is the task or a reference in the arguments: the fleet knows. */
static bool lacks_task(refq_client *client, const refq_call_spec *spec)
{
    refq_offer offer = REFQ_OFFERED;
    return refq_client_offer(client, spec->queue, spec->task, &offer, NULL, NULL) == REFQ_OK &&
           offer != REFQ_OFFERED;
}

/* What is malformed by now is not how the command was called, but what it was given. */
static int fail(refq_client *client, const refq_call_spec *spec, const refq_error *err)
{
    if (err->code == REFQ_ERR_INVALID) {
        return cli_fail_as(EX_DATAERR, "%s", err->text);
    }
    if (err->code == REFQ_ERR_NOTFOUND && lacks_task(client, spec)) {
        return cli_fail_as(EX_UNAVAILABLE, "%s", err->text);
    }
    return cli_cache_fail(err);
}

/* Why nobody has begun: whether anybody will. */
static void explain(refq_client *client, const refq_response *response, rqi_buf *out)
{
    refq_ref ref;
    refq_task *task = NULL;
    if (response->status != REFQ_PENDING || !response->is_async ||
        refq_ref_parse(going_on.ref_id, &ref, NULL) != REFQ_OK ||
        refq_client_wait(client, &ref, 0, NULL, NULL, &task, NULL) != REFQ_OK) {
        return;
    }
    cli_explain(out, client, task);
    refq_task_free(task);
}

static int answer(const cli_common *common, const cli_cache *c, const refq_call_spec *spec,
                  const cli_who *who)
{
    refq_calls *calls = NULL;
    refq_error err = {0};
    refq_response response = {0};
    refq_calls_options options_of_calls = {
        .struct_size = sizeof options_of_calls, .client = c->client, .cache = c->cache};
    if (refq_calls_new(&options_of_calls, &calls, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    refq_err rc = refq_call(calls, spec, &response, &err);
    cli_parting_clear();
    refq_calls_free(calls);
    if (rc != REFQ_OK) {
        int code = fail(c->client, spec, &err);
        if (going_on.next[0] != '\0') {
            cli_note("the task may go on: %s", going_on.next);
        }
        return code;
    }
    rqi_buf again = {0};
    rqi_buf about = {0};
    cli_who_words(who, NULL, &again);
    if (!common->json) {
        explain(c->client, &response, &about);
    }
    int code = common->json ? cli_reply_json(&response)
                            : cli_reply_called(&response, rqi_buf_str(&again), &about);
    rqi_buf_done(&about);
    rqi_buf_done(&again);
    refq_response_free(&response);
    return code;
}

static int call(const cli_common *common, const struct call_options *opt, refq_call_spec *spec)
{
    cli_cache c = {0};
    refq_policy *policy = NULL;
    bool own = opt->space != NULL || opt->owner != NULL || opt->policy != NULL;
    refq_identity identity = cli_who_identity(&opt->who);
    if (opt->space != NULL && !cli_who_may_enter(&opt->who, opt->space)) {
        return cli_fail_as(EX_NOPERM, "--namespace: whom --as and --session say may not enter %s",
                           opt->space);
    }
    int code = cli_policy_make(opt->policy, opt->owner, NULL, &policy);
    refq_caller_rule rule = {.struct_size = sizeof rule,
                             .namespace_name = opt->space,
                             .policy = policy,
                             .actor = cli_who_actor(&opt->who)};
    spec->rule = own ? &rule : NULL;
    spec->identity = &identity;
    going_on.who = &opt->who;
    code = code == EX_OK ? cli_cache_open(common, NULL, spec->queue, CLI_CACHE_TASKS, &c) : code;
    code = code == EX_OK ? answer(common, &c, spec, &opt->who) : code;
    cli_cache_close(&c);
    refq_policy_free(policy);
    return code;
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    const struct call_options *opt = given;
    rqi_buf args = {0};
    refq_error err = {0};
    if (refq_name_check(argv[0], &err) != REFQ_OK) {
        return cli_fail_as(EX_USAGE, "%s", err.text);
    }
    int code = cli_args_read(opt->args, &args);
    refq_call_spec spec = spec_of(common, opt, argv[0], &args);
    code = code == EX_OK ? cli_queue_pick(opt->queue, &spec.queue) : code;
    code = code == EX_OK ? call(common, opt, &spec) : code;
    rqi_buf_done(&args);
    return code;
}

const cli_command cli_call = {
    .name = "call",
    .operands = "TASK",
    .summary = "call a task as an agent's server does",
    .about =
        "Checks the arguments against the task's input schema, queues it, and waits for the\n"
        "value as long as the task's async_timeout says. In time: the value, or a preview of one\n"
        "that is large. Else: the reference, and the task goes on; refq get reads it any time\n"
        "later. With -o json the response that agents get. An identical call joins the task that\n"
        "already runs. A string in the arguments that is a reference stands for its value.\n"
        "Exit status: 0 complete, 1 failed or cancelled, 65 the arguments do not fit, 66 a\n"
        "reference in them leads nowhere, 69 no worker offers the task, 75 not complete yet.\n"
        "--namespace, --owner and --policy: any of them replaces all that the task's definition\n"
        "says of these.\n",
    .example = "refq call ocr_pdf --queue docs --args '{\"path\":\"scan.pdf\"}' --async-timeout 5s",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct call_options),
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
