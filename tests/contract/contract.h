/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the contract share.
 *
 * DESIGN. Only public headers are used here, as a third party would. A test is a
 * function that returns when it has passed; a check that fails jumps out of it
 * (the test's own thread only), so tests read as plain sequences. What helpers
 * hand out belongs to the test and is freed at its end, whichever way it ends.
 *
 * Tests wait for conditions and never for time to pass. Where a time matters it
 * is either so short that waiting for its effect costs nothing, or so long that
 * it cannot be over while the test looks.
 */
#ifndef RQI_CONTRACT_CONTRACT_H
#define RQI_CONTRACT_CONTRACT_H

#include <refq/contract.h>

#include <setjmp.h>

typedef struct rqi_ct rqi_ct;

typedef struct rqi_ct_case {
    const char *name; /* group.what_is_true */
    void (*run)(rqi_ct *ct);
    unsigned needs; /* REFQ_CAP_* */
    unsigned slots; /* 0 = 4 */
} rqi_ct_case;

/* The groups; each ends with a case without a name. */
extern const rqi_ct_case rqi_ct_cases_after[];
extern const rqi_ct_case rqi_ct_cases_ask[];
extern const rqi_ct_case rqi_ct_cases_attempt[];
extern const rqi_ct_case rqi_ct_cases_backend[];
extern const rqi_ct_case rqi_ct_cases_cancel[];
extern const rqi_ct_case rqi_ct_cases_cleanup[];
extern const rqi_ct_case rqi_ct_cases_events[];
extern const rqi_ct_case rqi_ct_cases_history[];
extern const rqi_ct_case rqi_ct_cases_inputs[];
extern const rqi_ct_case rqi_ct_cases_list[];
extern const rqi_ct_case rqi_ct_cases_operate[];
extern const rqi_ct_case rqi_ct_cases_order[];
extern const rqi_ct_case rqi_ct_cases_progress[];
extern const rqi_ct_case rqi_ct_cases_result[];
extern const rqi_ct_case rqi_ct_cases_retry[];
extern const rqi_ct_case rqi_ct_cases_reuse[];
extern const rqi_ct_case rqi_ct_cases_scope[];
extern const rqi_ct_case rqi_ct_cases_submit[];
extern const rqi_ct_case rqi_ct_cases_wait[];

/* Those of stores; `needs` is REFQ_STORE_*. */
extern const rqi_ct_case rqi_ct_cases_store_bounds[];
extern const rqi_ct_case rqi_ct_cases_store_entry[];
extern const rqi_ct_case rqi_ct_cases_store_many[];
extern const rqi_ct_case rqi_ct_cases_store_page[];
extern const rqi_ct_case rqi_ct_cases_store_whole[];

/* --- Handlers --------------------------------------------------------------------------------- */

#define RQI_CT_GATES 64
#define RQI_CT_LOG   128

/* Shared by a test and its handlers; see handlers.c for what their arguments say. */
typedef struct rqi_ct_stage rqi_ct_stage;

rqi_ct_stage *rqi_ct_stage_new(void);
void rqi_ct_stage_free(rqi_ct_stage *stage);

/* Registers the handlers. */
refq_err rqi_ct_stage_handlers(rqi_ct_stage *stage, refq_handlers *handlers, refq_error *err);

void rqi_ct_open(rqi_ct_stage *stage, unsigned gate);
void rqi_ct_open_all(rqi_ct_stage *stage);

/* Attempts that have come to a gate, and that have left it. */
unsigned rqi_ct_arrived(rqi_ct_stage *stage, unsigned gate);
unsigned rqi_ct_left(rqi_ct_stage *stage, unsigned gate);

/* The most attempts that were at gates at the same time. */
unsigned rqi_ct_most(rqi_ct_stage *stage);

/* The first letters of the tags of attempts in the order they began, terminated. */
void rqi_ct_order_seen(rqi_ct_stage *stage, char out[RQI_CT_LOG + 1]);

/* A member of flat JSON text; `otherwise` when it is not there. */
long rqi_ct_json_number(const char *json, const char *name, long otherwise);

/* Results of the handler that are to come back byte for byte. */
#define RQI_CT_VERBATIM "{ \"b\" : 1.50,\"a\":[ 1e2, -0.0 ],\n\t\"u\": \"\\u00e9\\/\" }"

/* --- The test --------------------------------------------------------------------------------- */

struct rqi_ct {
    const struct rqi_ct_suite *suite;
    const refq_contract_subject *subject;
    refq_contract_setup setup;
    refq_client *client;
    rqi_ct_stage *stage;
    unsigned capabilities;
    int64_t budget_ms;
    refq_error err; /* of the last call through a helper */
    struct rqi_ct_guard *guard;
    unsigned lacks; /* capabilities the test needs and the backend does not offer */

    const refq_contract_store *stores; /* of tests of stores; then there is no client */
    refq_store *store;
    char cache[64]; /* the name of the test's own cache */

    refq_task **tasks; /* owned: snapshots handed out */
    size_t tasks_n;
    char **texts; /* owned likewise */
    size_t texts_n;
    jmp_buf out;
    char failure[1024]; /* empty while all is well */
};

/* Fails the test; does not return. */
void rqi_ct_fail(rqi_ct *ct, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5), noreturn));

#define CT_FAIL(ct, ...) rqi_ct_fail((ct), __FILE__, __LINE__, __VA_ARGS__)
#define CT_CHECK(ct, cond, ...)       \
    do {                              \
        if (!(cond)) {                \
            CT_FAIL(ct, __VA_ARGS__); \
        }                             \
    } while (0)

/* A call that has to succeed. */
#define CT_OK(ct, call) CT_CHECK(ct, (call) == REFQ_OK, "%s: %s", #call, (ct)->err.text)

/* A call that has to fail with this code, and to say why. */
#define CT_REFUSED(ct, call, want)                                                                \
    do {                                                                                          \
        refq_err got_ = (call);                                                                   \
        CT_CHECK(ct, got_ == (want), "%s: %s, not %s", #call, refq_strerror(got_),                \
                 refq_strerror(want));                                                            \
        CT_CHECK(ct, (ct)->err.code == (want) && (ct)->err.text[0] != '\0', "%s: no text of why", \
                 #call);                                                                          \
    } while (0)

/* Waits until cond holds. */
#define CT_UNTIL(ct, cond)                                                          \
    do {                                                                            \
        int64_t end_ = rqi_ct_now_ms() + (ct)->budget_ms;                           \
        while (!(cond)) {                                                           \
            CT_CHECK(ct, rqi_ct_now_ms() < end_, "waited in vain until %s", #cond); \
            rqi_ct_nap();                                                           \
        }                                                                           \
    } while (0)

int64_t rqi_ct_now_ms(void);
void rqi_ct_nap(void);

refq_ref rqi_ct_ref(rqi_ct *ct);

/* Submits a task named "play" when the spec names none; fills in the size, and the reference when
 * there is none. */
refq_err rqi_ct_try(rqi_ct *ct, refq_spec spec, refq_submitted *ret);
refq_ref rqi_ct_submit(rqi_ct *ct, refq_spec spec);
#define CT_SUBMIT(ct, ...) rqi_ct_submit((ct), (refq_spec){__VA_ARGS__})

/* Snapshots, owned by the test. */
refq_task *rqi_ct_status(rqi_ct *ct, const refq_ref *ref);
refq_task *rqi_ct_cancel_task(rqi_ct *ct, const refq_ref *ref);
refq_task *rqi_ct_end(rqi_ct *ct, const refq_ref *ref); /* waits until it is terminal */
refq_task *rqi_ct_end_as(rqi_ct *ct, const refq_ref *ref, refq_status status);
refq_task *rqi_ct_own(rqi_ct *ct, refq_task *task);
char *rqi_ct_own_text(rqi_ct *ct, char *text);

/* Looks once. */
bool rqi_ct_is(rqi_ct *ct, const refq_ref *ref, refq_status status);
bool rqi_ct_gone(rqi_ct *ct, const refq_ref *ref);

/* The text of a field, "" when it is not set. */
const char *rqi_ct_field(const refq_task *task, const char *name);

/* Waits until an attempt has come to the gate. */
void rqi_ct_until_arrived(rqi_ct *ct, unsigned gate, unsigned n);

/* The cache entry of a complete task, owned by the test. */
const char *rqi_ct_result(rqi_ct *ct, const refq_ref *ref);

/* A task that waits (its only slot is taken, or it is delayed), that waits for its next attempt,
 * that runs at gate 1, and that ended in one of the three ways. */
typedef enum rqi_ct_state {
    RQI_CT_DELAYED,
    RQI_CT_BETWEEN, /* waits for its second attempt */
    RQI_CT_RUNNING,
    RQI_CT_COMPLETE,
    RQI_CT_FAILED,
    RQI_CT_CANCELLED,
    RQI_CT_STATES
} rqi_ct_state;

refq_ref rqi_ct_make(rqi_ct *ct, rqi_ct_state state, const char *key);
refq_status rqi_ct_status_of(rqi_ct_state state);
const char *rqi_ct_state_name(rqi_ct_state state);

/* Everything that was under way before has been taken in: a task goes through from end to end. */
void rqi_ct_settle(rqi_ct *ct);

/* --- Entries of stores ------------------------------------------------------------------------ */

/* "<the test's cache>:<tail>"; owned by the test. */
const char *rqi_ct_id(rqi_ct *ct, const char *tail);

/* An entry with this value (JSON text) as every store gives it back, byte for byte; it expires
 * after ttl_s seconds, 0 = never. Owned by the test. */
const char *rqi_ct_entry(rqi_ct *ct, const char *value, int ttl_s);

/* Stores such an entry. */
void rqi_ct_put(rqi_ct *ct, const char *ref_id, const char *text, int ttl_s);

/* The text of an entry that has to be there; owned by the test. */
const char *rqi_ct_text(rqi_ct *ct, const char *ref_id);

bool rqi_ct_there(rqi_ct *ct, const char *ref_id);

/* Another handle on the same entries; the caller closes it. */
refq_store *rqi_ct_other_store(rqi_ct *ct);

/* Counts over all pages what is there of a cache, each entry once; NULL = the test's own. */
size_t rqi_ct_count(rqi_ct *ct, const char *name, unsigned limit);

/* --- Suites ----------------------------------------------------------------------------------- */

/* A kind of thing under test. */
typedef struct rqi_ct_suite {
    const char *thing; /* "backend" */
    const rqi_ct_case *const *groups;
    size_t groups_n;
    /* Makes ready; then ct->capabilities is known. end() is called in any case. */
    refq_err (*begin)(rqi_ct *ct, refq_error *err);
    void (*end)(rqi_ct *ct);
    const struct rqi_ct_capability *capabilities; /* the last has no name */
} rqi_ct_suite;

typedef struct rqi_ct_capability {
    unsigned bit;
    const char *name;
} rqi_ct_capability;

/* `like`: what is under test, and the suite. */
int rqi_ct_run(const rqi_ct *like, const char *name, const refq_contract_options *options);
int rqi_ct_main(const rqi_ct *like, const char *name, int argc, char **argv);

/* --- The guard -------------------------------------------------------------------------------- */

/* Makes the subject's backend and puts a guard around it, which checks what no caller can see
 * through a client: when and how often callbacks come. A refq_backend_factory; arg is a rqi_ct. */
refq_err rqi_ct_guarded(struct event_base *base, void *arg, refq_backend **ret, refq_error *err);

/* What the backend's table holds, for tests of the table itself. */
const refq_backend_ops *rqi_ct_ops(const rqi_ct *ct);

/* After the client and the fleet are gone: fails the test when a callback came too early, twice, or
 * never. */
void rqi_ct_guard_end(rqi_ct *ct);

#endif
