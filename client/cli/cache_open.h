/* SPDX-License-Identifier: MIT */
/* What the commands about values have in common: who asks, where values are, under which policy. */
#ifndef CLI_CACHE_OPEN_H
#define CLI_CACHE_OPEN_H

#include "cli.h"

#include "base/buf.h"

#include <refq/cache.h>

/* --- Options ---------------------------------------------------------------------------------- */

typedef struct cli_who {
    const char *as;      /* NULL = an agent nobody knows */
    const char *session; /* NULL = none */
} cli_who;

/* Rows of an option table; `who` is the cli_who in the struct it fills. */
#define CLI_WHO_ROWS(options, who)                                                      \
    {"as",                                                                              \
     0,                                                                                 \
     CLI_VALUE,                                                                         \
     "ACTOR",                                                                           \
     offsetof(options, who.as),                                                         \
     cli_read_actor,                                                                    \
     "who asks: user:NAME, agent:NAME (default: an agent nobody knows)"},               \
    {                                                                                   \
        "session", 0, CLI_VALUE, "S", offsetof(options, who.session), cli_read_session, \
            "the session of who asks"                                                   \
    }

/* Which entries are meant. */
typedef struct cli_which {
    const char *name; /* of the cache; NULL = the default */
    const char *space;
    bool children;
    bool all_caches;
} cli_which;

/* The rows of a command that takes one. */
#define CLI_WHICH_ROWS(options, which)                                                           \
    {"queue",                                                                                    \
     'q',                                                                                        \
     CLI_VALUE,                                                                                  \
     "Q",                                                                                        \
     offsetof(options, which.name),                                                              \
     cli_read_text,                                                                              \
     "of the cache: a queue's, or any (default: REFQ_QUEUE, else \"default\")"},                 \
        {"namespace",                                                                            \
         0,                                                                                      \
         CLI_VALUE,                                                                              \
         "N",                                                                                    \
         offsetof(options, which.space),                                                         \
         cli_read_space,                                                                         \
         "only this one (default: all)"},                                                        \
        {"children",                                                                             \
         0,                                                                                      \
         CLI_NO_VALUE,                                                                           \
         NULL,                                                                                   \
         offsetof(options, which.children),                                                      \
         cli_read_flag,                                                                          \
         "and those that begin with N and a colon"},                                             \
    {                                                                                            \
        "all-caches", 0, CLI_NO_VALUE, NULL, offsetof(options, which.all_caches), cli_read_flag, \
            "also of other caches on the same store"                                             \
    }

/* The row of the const char * that names the store. */
#define CLI_STORE_ROW(options, store)                                            \
    {                                                                            \
        "store", 0, CLI_VALUE, "URL", offsetof(options, store), cli_read_text,   \
            "where values are: sqlite:FILE, another Redis (default: as --redis)" \
    }

refq_err cli_read_actor(const char *text, void *target, refq_error *err);   /* const char * */
refq_err cli_read_session(const char *text, void *target, refq_error *err); /* const char * */
refq_err cli_read_space(const char *text, void *target, refq_error *err);   /* a namespace */
refq_err cli_read_owner(const char *text, void *target, refq_error *err);   /* const char * */
refq_err cli_read_policy(const char *text, void *target, refq_error *err);  /* preset or JSON */
refq_err cli_read_ttl(const char *text, void *target, refq_error *err); /* cli_number, REFQ_FOREVER
                                                                           too */

/* The actor; it borrows from who, whose texts the readers above have checked. */
refq_actor cli_who_actor(const cli_who *who);

/* The same as a server's authentication would have found out. */
refq_identity cli_who_identity(const cli_who *who);

/* Appends the options that say so, each with a blank before it, for a command that is suggested. */
void cli_who_words(const cli_who *who, const char *store, rqi_buf *out);

bool cli_who_may_enter(const cli_who *who, const char *space);

/* The policy that --policy (NULL = default) and what goes with it mean. Free *ret with
 * refq_policy_free(). Returns an exit status. */
int cli_policy_make(const char *text, const char *owner, const char *bound_session,
                    refq_policy **ret);

/* --- The cache -------------------------------------------------------------------------------- */

typedef struct cli_cache {
    refq_client *client; /* NULL: entries only */
    refq_store *store;
    refq_cache *cache;
} cli_cache;

/* The name of the cache: what was given, else the queue's (cli_queue_pick). Returns an exit status.
 */
int cli_cache_pick(const char *given, const char **ret);

enum {
    CLI_CACHE_TASKS = 1, /* references of its tasks are known as well, unless there is a store */
    CLI_CACHE_NEW = 2    /* a database that is not there is made */
};

/* Opens the cache of this name where `store` says; NULL = the Redis of the common options. What
 * was opened is the caller's to close in any case. Returns an exit status. */
int cli_cache_open(const cli_common *common, const char *store, const char *name, unsigned flags,
                   cli_cache *ret);
void cli_cache_close(cli_cache *c);

/* cli_fail(), with what can be done about it where a reference is not for this actor. */
int cli_cache_fail(const refq_error *err);

#endif
