/* SPDX-License-Identifier: MIT */
/*
 * Every option of every command of `refq`, with a value that works and one that is refused.
 *
 * DESIGN. The rows are held against what `refq --help` and the help of each command offer, so no
 * option can be added untried. A good call shows what the option does: by a text that is printed
 * because of it, or by one that is missing; where the task it made has to tell, by `refq show`. The
 * options of a call that goes on for ever are tried by tests of their own.
 */
#include "support/cli.h"
#include "support/fleet.h"
#include "support/main.h"
#include "support/pace.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))
#define WORDS   10

#define TAKES_NONE "takes no value"
#define SEEDED     "docs:06f213c1b5eeb3431d4c5f71dc8da276" /* for ever: repeats rely on it */

/* --- The rows --------------------------------------------------------------------------------- */

/* Words that begin with % stand for what setup() made. "" is the options of every command; their
 * words hold the command too. */
/* clang-format off */
static const struct row {
    const char *command;
    const char *option;
    const char *good[WORDS]; /* none: a test of its own */
    const char *shows;
    const char *hides; /* NULL = nothing */
    const char *bad[WORDS];
    int status;
    const char *says;
} rows[] = {
    {"", "--redis",
     {"list", "-q", "docs", "--redis", "%url"}, "echo", NULL,
     {"list", "--redis", "http://h"}, EX_USAGE, "is not a Redis URL"},
    {"", "--prefix",
     {"queues", "--prefix", "other"}, "", "docs",
     {"list", "--prefix", "a:b"}, EX_USAGE, "key prefix"},
    {"", "--output",
     {"queues", "--output", "json"}, "[{\"queue\":\"docs\"", NULL,
     {"queues", "--output", "xml"}, EX_USAGE, "--output: 'xml' is not a format"},
    {"", "--help",
     {"--help"}, "usage: refq COMMAND", NULL,
     {"--help=x"}, EX_USAGE, TAKES_NONE},
    {"", "--version",
     {"--version"}, "refq ", NULL,
     {"--version=x"}, EX_USAGE, TAKES_NONE},

    {"submit", "--queue",
     {"unheard_of", "--queue", "more", "--force"}, "more:", NULL,
     {"echo", "--queue", "1st"}, EX_USAGE, "'1st' is not a queue name"},
    {"submit", "--args",
     {"echo", "--args", "{\"n\":17}", "--wait=20s"}, "{\"n\":17}", NULL,
     {"echo", "--args", "[17]"}, EX_DATAERR, "object"},
    {"submit", "--wait",
     {"echo", "--wait=20s"}, "{}\ndocs:", NULL,
     {"echo", "--wait=soon"}, EX_USAGE, "--wait: 'soon' is not a duration"},
    {"submit", "--lane",
     {"echo", "--lane", "low"}, "\"lane\":\"low\"", NULL,
     {"echo", "--lane", "urgent"}, EX_USAGE, "'urgent' is not a lane"},
    {"submit", "--delay",
     {"echo", "--delay", "1h"}, "\"due_at\":", NULL,
     {"echo", "--delay", "-1s"}, EX_USAGE, "--delay: '-1s' is negative"},
    {"submit", "--key",
     {"echo", "--key", "k-1"}, "\"key\":\"k-1\"", NULL,
     {"echo", "--key", ""}, EX_USAGE, "--key: the value is empty"},
    {"submit", "--timeout",
     {"echo", "--timeout", "9s"}, "\"timeout_ms\":9000", NULL,
     {"echo", "--timeout", "9"}, EX_USAGE, "--timeout: '9' needs a unit"},
    {"submit", "--max-retries",
     {"echo", "--max-retries", "1000"}, "\"max_retries\":1000", NULL,
     {"echo", "--max-retries", "1001"}, EX_USAGE, "allowed are 0 to 1000"},
    {"submit", "--force",
     {"unheard_of", "--force", "-q", "more"}, "\"task\":\"unheard_of\"", NULL,
     {"echo", "--force=yes"}, EX_USAGE, TAKES_NONE},
    {"submit", "--start-within",
     {"echo", "--start-within", "2h"}, "\"start_within\":\"7200000\"", NULL,
     {"echo", "--start-within", "-2h"}, EX_USAGE, "--start-within: '-2h' is negative"},
    {"submit", "--from",
     {"--from", "%lines"}, "\"n\":1", NULL,
     {"--from", "%nothing"}, EX_NOINPUT, "cannot open"},
    {"submit", "--id-seed",
     {"--from", "%lines", "--id-seed", "s"}, SEEDED, NULL,
     {"--from", "%lines", "--id-seed", ""}, EX_USAGE, "--id-seed: the value is empty"},
    {"submit", "--skip",
     {"--from", "%lines", "--skip", "1"}, "\"n\":2", NULL,
     {"--from", "%lines", "--skip", "-1"}, EX_USAGE, "--skip: -1 is out of range"},
    {"submit", "--dry-run",
     {"--from", "%lines", "--dry-run"}, "would submit 2 tasks", "docs:",
     {"--from", "%lines", "--dry-run=x"}, EX_USAGE, TAKES_NONE},
    {"submit", "--wait-full",
     {"--from", "%lines", "--wait-full"}, "\"n\":1", NULL,
     {"--from", "%lines", "--wait-full=x"}, EX_USAGE, TAKES_NONE},

    {"run", "--config",
     {"echo", "--config", "%file"}, "{}", NULL,
     {"echo", "--config", "%nothing"}, EX_CONFIG, "cannot open"},
    {"run", "--args",
     {"echo", "-c", "%file", "--args", "{\"n\":17}"}, "{\"n\":17}", NULL,
     {"echo", "-c", "%file", "--args", "{"}, EX_DATAERR, "not valid JSON"},
    {"run", "--wait",
     {"echo", "-c", "%file", "--wait", "20s"}, "{}", NULL,
     {"echo", "-c", "%file", "--wait", "20"}, EX_USAGE, "--wait: '20' needs a unit"},

    {"call", "--queue",
     {"echo", "--queue", "docs"}, "docs:", NULL,
     {"echo", "--queue", "1st"}, EX_USAGE, "'1st' is not a queue name"},
    {"call", "--args",
     {"echo", "--args", "{\"n\":17}"}, "\"n\": 17", NULL,
     {"echo", "--args", "[17]"}, EX_DATAERR, "object"},
    {"call", "--async-timeout",
     {"echo", "--async-timeout", "20s"}, "{}", "next",
     {"echo", "--async-timeout", "-1s"}, EX_USAGE, "--async-timeout: '-1s' is negative"},
    {"call", "--format",
     {NULL}, NULL, NULL,
     {"echo", "--format", "short"}, EX_USAGE, "no response format 'short'"},
    {"call", "--max-size",
     {"echo", "--args", "{\"a\":1,\"b\":2,\"c\":3}", "--max-size", "1"}, "a preview", NULL,
     {"echo", "--max-size", "-1"}, EX_USAGE, "--max-size: -1 is out of range"},
    {"call", "--reuse",
     {"echo", "--reuse", "none"}, "\"attempt\":1", "\"call\":",
     {"echo", "--reuse", "always"}, EX_USAGE, "'always' is no reuse"},
    {"call", "--as",
     {"echo", "--as", "user:alice", "--namespace", "user:alice"}, "{}", "may be passed",
     {"echo", "--as", "system"}, EX_USAGE, "nobody can ask as the system"},
    {"call", "--session",
     {"echo", "--session", "s-1", "--namespace", "session:s-1"}, "{}", "may be passed",
     {"echo", "--session", ""}, EX_USAGE, "--session: "},
    {"call", "--namespace",
     {"echo", "--namespace", "org:acme"}, "\"namespace\":\"org:acme\"", NULL,
     {"echo", "--namespace", "a\tb"}, EX_USAGE, "--namespace: "},
    {"call", "--owner",
     {"echo", "--owner", "user:bob"}, "\"owner\":\"user:bob\"", NULL,
     {"echo", "--owner", "user"}, EX_USAGE, "--owner: 'user' is nobody"},
    {"call", "--policy",
     {"echo", "--policy", "read_only"}, "\"policy\":", NULL,
     {"echo", "--policy", "sesame"}, EX_USAGE, "there is no policy 'sesame'"},
    {"call", "--lane",
     {"echo", "--lane", "low", "--args", "{\"lane\":1}"}, "\"lane\":\"low\"", NULL,
     {"echo", "--lane", "urgent"}, EX_USAGE, "'urgent' is not a lane"},
    {"call", "--timeout",
     {"echo", "--timeout", "9s", "--args", "{\"timeout\":1}"}, "\"timeout_ms\":9000", NULL,
     {"echo", "--timeout", "9"}, EX_USAGE, "--timeout: '9' needs a unit"},
    {"call", "--max-retries",
     {"echo", "--max-retries", "1000", "--args", "{\"r\":1}"}, "\"max_retries\":1000", NULL,
     {"echo", "--max-retries", "1001"}, EX_USAGE, "allowed are 0 to 1000"},
    {"call", "--key",
     {"echo", "--key", "k-2", "--args", "{\"key\":1}"}, "\"key\":\"k-2\"", NULL,
     {"echo", "--key", ""}, EX_USAGE, "--key: the value is empty"},

    {"get", "--full",
     {"%stored", "--full", "-o", "json"}, "\"retrieval_mode\": \"full\"", NULL,
     {"%stored", "--full", "--page", "1"}, EX_USAGE, "--full is the whole value"},
    {"get", "--preview",
     {"%stored", "--preview", "-o", "json"}, "\"retrieval_mode\": \"preview\"", NULL,
     {"%stored", "--preview=x"}, EX_USAGE, TAKES_NONE},
    {"get", "--page",
     {"%stored", "--page", "2", "--page-size", "2"}, "[3]\n", NULL,
     {"%stored", "--page", "0"}, EX_USAGE, "--page: 0 is out of range"},
    {"get", "--page-size",
     {"%stored", "--page-size", "2", "--page", "1"}, "[1, 2]\nrefq: page 1 of 2", NULL,
     {"%stored", "--page-size", "0"}, EX_USAGE, "--page-size: 0 is out of range"},
    {"get", "--max-size",
     {"%stored", "--max-size", "0"}, "a preview", "[1,2,3]",
     {"%stored", "--max-size", "-1"}, EX_USAGE, "--max-size: -1 is out of range"},
    {"get", "--format",
     {NULL}, NULL, NULL,
     {"%stored", "--format", "short"}, EX_USAGE, "no response format 'short'"},
    {"get", "--as",
     {"%hers", "--as", "user:alice"}, "\"hers\"", NULL,
     {"%hers", "--as", "system:internal"}, EX_USAGE, "nobody can ask as the system"},
    {"get", "--session",
     {"%bound", "--session", "s-1"}, "\"bound\"", NULL,
     {"%bound", "--session", ""}, EX_USAGE, "--session: "},
    {"get", "--store",
     {"%stored", "--store", "%url"}, "[1,2,3]", NULL,
     {"%stored", "--store", "ftp://x"}, EX_USAGE, "is no kind of store"},
    {"get", "--entry",
     {"%done", "--entry"}, "\"policy\"", NULL,
     {"%done", "--entry=x"}, EX_USAGE, TAKES_NONE},

    {"watch", "--timeout",
     {"%done", "--timeout", "20s"}, "complete", NULL,
     {"%done", "--timeout", "-1s"}, EX_USAGE, "--timeout: '-1s' is negative"},

    {"list", "--queue",
     {"--queue", "more"}, "more:", "docs:",
     {"--queue", "a b"}, EX_USAGE, "is not a queue name"},
    {"list", "--status",
     {"--status", "failed"}, "%dead", "%done",
     {"--status", "done"}, EX_USAGE, "is not a status"},
    {"list", "--task",
     {"--task", "bad"}, "%dead", "%done",
     {"--task", "a b"}, EX_USAGE, "--task: 'a b' is not a task name"},
    {"list", "--dead",
     {"--dead"}, "%dead", "%done",
     {"--dead=x"}, EX_USAGE, TAKES_NONE},
    {"list", "--limit",
     {"--limit", "1"}, "there are more", NULL,
     {"--limit", "1001"}, EX_USAGE, "allowed are 1 to 1000"},
    {"list", "--cursor",
     {"--cursor", "start"}, "%done", NULL,
     {"--cursor", "rubbish"}, EX_USAGE, "cursor"},
    {"list", "--all",
     {"--all"}, "%done", "there are more",
     {"--all=x"}, EX_USAGE, TAKES_NONE},

    {"logs", "--attempt",
     {"%dead", "--attempt", "1"}, "broken", NULL,
     {"%dead", "--attempt", "0"}, EX_USAGE, "--attempt: 0 is out of range"},

    {"events", "--queue",
     {"--queue", "more"}, "more:", "docs:",
     {"--queue", "1st"}, EX_USAGE, "is not a queue name"},
    {"events", "--after",
     {"--after", "$"}, "", "docs:",
     {"--after", "rubbish"}, EX_USAGE, "rubbish"},
    {"events", "--follow",
     {"--follow", "--limit", "1"}, "docs:", NULL,
     {"--follow=x"}, EX_USAGE, TAKES_NONE},
    {"events", "--limit",
     {"--limit", "1"}, "docs:", "%done",
     {"--limit", "0"}, EX_USAGE, "--limit: 0 is out of range"},

    {"retry", "--queue",
     {"--queue", "more", "--status", "failed", "--yes"}, "nothing to run again", NULL,
     {"--queue", "1st", "--status", "failed", "--yes"}, EX_USAGE, "is not a queue name"},
    {"retry", "--status",
     {"--status", "failed", "--yes"}, "%dead", "%done",
     {"--status", "complete", "--yes"}, EX_USAGE, "a complete task cannot run again"},
    {"retry", "--task",
     {"--status", "failed", "--task", "echo", "--yes"}, "nothing to run again", "%dead",
     {"--status", "failed", "--task", "a b"}, EX_USAGE, "--task: 'a b' is not a task name"},
    {"retry", "--yes",
     {"--status", "failed", "--yes"}, "%dead", NULL,
     {"--status", "failed", "--yes=x"}, EX_USAGE, TAKES_NONE},

    {"dead list", "--queue",
     {"--queue", "more"}, "no dead letters in queue more", NULL,
     {"--queue", "1st"}, EX_USAGE, "is not a queue name"},
    {"dead list", "--task",
     {"--task", "echo"}, "no dead letters", "%dead",
     {"--task", "a b"}, EX_USAGE, "--task: 'a b' is not a task name"},
    {"dead list", "--limit",
     {"--limit", "1000"}, "%dead", NULL,
     {"--limit", "0"}, EX_USAGE, "--limit: 0 is out of range"},
    {"dead list", "--all",
     {"--all"}, "%dead", NULL,
     {"--all=x"}, EX_USAGE, TAKES_NONE},
    {"dead replay", "--queue",
     {"--all", "--queue", "more", "--yes"}, "", "%dead",
     {"--all", "--queue", "1st", "--yes"}, EX_USAGE, "is not a queue name"},
    {"dead replay", "--all",
     {"--all", "--yes"}, "%dead", NULL,
     {"--all=x", "--yes"}, EX_USAGE, TAKES_NONE},
    {"dead replay", "--task",
     {"--all", "--task", "echo", "--yes"}, "", "%dead",
     {"--all", "--task", "a b", "--yes"}, EX_USAGE, "--task: 'a b' is not a task name"},
    {"dead replay", "--rate",
     {"--all", "--rate", "1000/s", "--yes"}, "%dead", NULL,
     {"--all", "--rate", "5", "--yes"}, EX_USAGE, "--rate: '5' is not a rate"},
    {"dead replay", "--yes",
     {"--all", "--yes"}, "%dead", NULL,
     {"--all", "--yes=x"}, EX_USAGE, TAKES_NONE},
    {"dead purge", "--queue",
     {"--all", "--queue", "more", "--yes"}, "removed 0 dead letters", NULL,
     {"--all", "--queue", "1st", "--yes"}, EX_USAGE, "is not a queue name"},
    {"dead purge", "--dry-run",
     {"--all", "--dry-run"}, "would remove", "would remove 0",
     {"--all", "--dry-run=x"}, EX_USAGE, TAKES_NONE},
    {"dead purge", "--task",
     {"--all", "--task", "echo", "--yes"}, "removed 0 dead letters", NULL,
     {"--all", "--task", "a b", "--yes"}, EX_USAGE, "--task: 'a b' is not a task name"},
    {"dead purge", "--older-than",
     {"--all", "--older-than", "1h", "--yes"}, "removed 0 dead letters", NULL,
     {"--all", "--older-than", "1", "--yes"}, EX_USAGE, "--older-than: '1' needs a unit"},
    {"dead purge", "--all",
     {"--all", "--yes"}, "removed", "removed 0",
     {"--all=x", "--yes"}, EX_USAGE, TAKES_NONE},
    {"dead purge", "--yes",
     {"%dead", "--yes"}, "removed 1 dead letter", NULL,
     {"%dead", "--yes=x"}, EX_USAGE, TAKES_NONE},

    {"cleanup", "--queue",
     {"--older-than", "0", "--queue", "more", "--yes"}, "finished tasks of queue more", NULL,
     {"--older-than", "0", "--queue", "1st", "--yes"}, EX_USAGE, "is not a queue name"},
    {"cleanup", "--older-than",
     {"--older-than", "1h", "--yes"}, "removed 0", NULL,
     {"--older-than", "1", "--yes"}, EX_USAGE, "--older-than: '1' needs a unit"},
    {"cleanup", "--status",
     {"--older-than", "0", "--status", "cancelled", "--yes"}, "removed 0", NULL,
     {"--older-than", "0", "--status", "pending", "--yes"}, EX_USAGE, "task that is over"},
    {"cleanup", "--task",
     {"--older-than", "0", "--task", "unheard_of", "--yes"}, "removed 0", NULL,
     {"--older-than", "0", "--task", "a b", "--yes"}, EX_USAGE, "--task: 'a b' is not a task name"},
    {"cleanup", "--dry-run",
     {"--older-than", "0", "--dry-run"}, "would remove", "would remove 0",
     {"--older-than", "0", "--dry-run=x"}, EX_USAGE, TAKES_NONE},
    {"cleanup", "--yes",
     {"--older-than", "0", "--yes"}, "removed", "removed 0",
     {"--older-than", "0", "--yes=x"}, EX_USAGE, TAKES_NONE},

    {"stats", "--queue",
     {"--queue", "more", "-o", "json"}, "{\"queue\":\"more\"", NULL,
     {"--queue", "1st"}, EX_USAGE, "is not a queue name"},
    {"stats", "--watch",
     {NULL}, NULL, NULL,
     {"--watch=0.01"}, EX_USAGE, "less than the 100ms"},

    {"pause", "--queue",
     {"--queue", "more"}, "more  paused", NULL,
     {"--queue", "1st"}, EX_USAGE, "is not a queue name"},

    {"resume", "--queue",
     {"--queue", "more"}, "more  open", NULL,
     {"--queue", "1st"}, EX_USAGE, "is not a queue name"},

    {"limit", "--queue",
     {"--queue", "more", "--events", "9"}, "more  events", NULL,
     {"--queue", "1st", "--events", "9"}, EX_USAGE, "is not a queue name"},
    {"limit", "--max-pending",
     {"--max-pending", "1000"}, "docs  max_pending  1000", NULL,
     {"--max-pending", "-1"}, EX_USAGE, "--max-pending: -1 is out of range"},
    {"limit", "--events",
     {"--events", "1000"}, "docs  events  1000", NULL,
     {"--events", "many"}, EX_USAGE, "--events: 'many' is not a whole number"},

    {"workers", "--queue",
     {"--queue", "docs"}, "echo bad", NULL,
     {"--queue", "1st"}, EX_USAGE, "is not a queue name"},

    {"workers quiet", "--queue",
     {"%worker", "--queue", "docs"}, "quiet", NULL,
     {"%worker", "--queue", "1st"}, EX_USAGE, "is not a queue name"},
    {"workers quiet", "--all",
     {"--all"}, "quiet", NULL,
     {"--all=x"}, EX_USAGE, TAKES_NONE},
    {"workers resume", "--queue",
     {"%worker", "--queue", "docs"}, "resume", NULL,
     {"%worker", "--queue", "1st"}, EX_USAGE, "is not a queue name"},
    {"workers resume", "--all",
     {"--all"}, "resume", NULL,
     {"--all=x"}, EX_USAGE, TAKES_NONE},

    {"doctor", "--queue",
     {"--queue", "docs"}, "functions: ", "queue more",
     {"--queue", "1st"}, EX_USAGE, "is not a queue name"},
    {"doctor", "--audit",
     {"--queue", "docs", "--audit"}, "audit docs", NULL,
     {"--audit=x"}, EX_USAGE, TAKES_NONE},

    {"dev", "--config",
     {NULL}, NULL, NULL,
     {"--config", "%nothing"}, EX_NOINPUT, "cannot read the task file"},
    {"dev", "--concurrency",
     {NULL}, NULL, NULL,
     {"--config", "%file", "--concurrency", "4097"}, EX_USAGE, "--concurrency: 4097 is out"},

    {"cache set", "--queue",
     {"--queue", "other", "--value", "1"}, "other:", NULL,
     {"--queue", "1st", "--value", "1"}, EX_USAGE, "is not a queue name"},
    {"cache set", "--value",
     {"--value", "[NaN,1E2]"}, "{\"value\": [NaN,1E2]", NULL,
     {"--value", "[1"}, EX_DATAERR, "--value: not valid JSON"},
    {"cache set", "--namespace",
     {"--namespace", "org:acme", "--value", "1"}, "\"namespace\": \"org:acme\"", NULL,
     {"--namespace", "", "--value", "1"}, EX_USAGE, "--namespace: "},
    {"cache set", "--ttl",
     {"--ttl", "forever", "--value", "1", "--queue", "other"}, "\"expires_at\": null", NULL,
     {"--ttl", "0", "--value", "1"}, EX_USAGE, "--ttl: '0' is too short"},
    {"cache set", "--policy",
     {"--policy", "{\"agent_permissions\":1}", "--value", "1"}, "\"agent_permissions\": 1,", NULL,
     {"--policy", "{\"agent_permissions\":99}", "--value", "1"}, EX_USAGE, "agent_permissions"},
    {"cache set", "--owner",
     {"--owner", "user:bob", "--value", "1"}, "\"owner\": \"user:bob\"", NULL,
     {"--owner", "system", "--value", "1"}, EX_USAGE, "--owner: "},
    {"cache set", "--bind-session",
     {"--bind-session", "--session", "s-1", "--value", "1"}, "\"bound_session\": \"s-1\"", NULL,
     {"--bind-session", "--value", "1"}, EX_USAGE, "--bind-session needs --session"},
    {"cache set", "--tool",
     {"--tool", "hammer", "--value", "1"}, "\"tool_name\": \"hammer\"", NULL,
     {"--tool", "", "--value", "1"}, EX_USAGE, "--tool: the value is empty"},
    {"cache set", "--as",
     {"--as", "user:alice", "--namespace", "user:alice", "--value", "1"}, "user:alice", NULL,
     {"--as", "robot:r2", "--value", "1"}, EX_USAGE, "--as: "},
    {"cache set", "--session",
     {"--session", "s-1", "--namespace", "session:s-1", "--value", "1"}, "session:s-1", NULL,
     {"--session", "", "--value", "1"}, EX_USAGE, "--session: "},
    {"cache set", "--store",
     {"--store", "%url", "--value", "1"}, "docs:", NULL,
     {"--store", "memory:", "--value", "1"}, EX_USAGE, "gone when this command ends"},

    {"cache ls", "--queue",
     {"--queue", "docs", "--all"}, "%stored", NULL,
     {"--queue", "1st"}, EX_USAGE, "is not a queue name"},
    {"cache ls", "--namespace",
     {"--namespace", "org"}, "no such entries", "%stored",
     {"--namespace", ""}, EX_USAGE, "--namespace: "},
    {"cache ls", "--children",
     {"--namespace", "org", "--children", "--all"}, "%below", "%stored",
     {"--children"}, EX_USAGE, "--children needs --namespace"},
    {"cache ls", "--all-caches",
     {"--queue", "more", "--all-caches", "--all"}, "%stored", NULL,
     {"--all-caches=x"}, EX_USAGE, TAKES_NONE},
    {"cache ls", "--limit",
     {"--limit", "1"}, "there are more", NULL,
     {"--limit", "0"}, EX_USAGE, "--limit: 0 is out of range"},
    {"cache ls", "--cursor",
     {"--cursor", "start", "-o", "json"}, "\"next\":", NULL,
     {"--cursor", "rubbish"}, EX_USAGE, "cursor"},
    {"cache ls", "--all",
     {"--all"}, "%stored", "there are more",
     {"--all", "--limit", "3"}, EX_USAGE, "--all goes with neither"},
    {"cache ls", "--as",
     {"--all", "--as", "user:alice"}, "%hers", NULL,
     {"--as", "system"}, EX_USAGE, "nobody can ask as the system"},
    {"cache ls", "--session",
     {"--all", "--session", "s-1"}, "%bound", NULL,
     {"--session", ""}, EX_USAGE, "--session: "},
    {"cache ls", "--store",
     {"--all", "--store", "%url"}, "%stored", NULL,
     {"--store", "ftp://x"}, EX_USAGE, "is no kind of store"},

    {"cache rm", "--as",
     {"%hers", "--as", "user:alice"}, "removed docs:", NULL,
     {"%hers", "--as", "system"}, EX_USAGE, "nobody can ask as the system"},
    {"cache rm", "--session",
     {"%bound", "--session", "s-1"}, "removed docs:", NULL,
     {"%bound", "--session", ""}, EX_USAGE, "--session: "},
    {"cache rm", "--store",
     {"%stored", "--store", "%url"}, "removed docs:", NULL,
     {"%stored", "--store", "ftp://x"}, EX_USAGE, "is no kind of store"},

    {"cache clear", "--queue",
     {"--queue", "more", "--yes"}, "removed 0 entries", NULL,
     {"--queue", "1st", "--yes"}, EX_USAGE, "is not a queue name"},
    {"cache clear", "--namespace",
     {"--namespace", "org", "--yes"}, "removed 0 entries", NULL,
     {"--namespace", "", "--yes"}, EX_USAGE, "--namespace: "},
    {"cache clear", "--children",
     {"--namespace", "org", "--children", "--yes"}, "removed ", "removed 0",
     {"--children", "--yes"}, EX_USAGE, "--children needs --namespace"},
    {"cache clear", "--all-caches",
     {"--queue", "more", "--all-caches", "--yes"}, "removed ", "removed 0",
     {"--all-caches=x", "--yes"}, EX_USAGE, TAKES_NONE},
    {"cache clear", "--yes",
     {"--yes"}, "removed ", "removed 0",
     {"--yes=x"}, EX_USAGE, TAKES_NONE},
    {"cache clear", "--as",
     {"--as", "user:alice", "--namespace", "user:alice", "--yes"}, "removed ", "removed 0",
     {"--as", "system", "--yes"}, EX_USAGE, "nobody can ask as the system"},
    {"cache clear", "--session",
     {"--session", "s-1", "--namespace", "session:s-1", "--yes"}, "removed ", "removed 0",
     {"--session", "", "--yes"}, EX_USAGE, "--session: "},
    {"cache clear", "--store",
     {"--store", "%url", "--yes"}, "removed ", "removed 0",
     {"--store", "ftp://x", "--yes"}, EX_USAGE, "is no kind of store"},

    {"cache stat", "--store",
     {"--store", "%url"}, "entries", NULL,
     {"--store", "ftp://x"}, EX_USAGE, "is no kind of store"},

    {"workers drain", "--queue",
     {"%worker", "--queue", "docs"}, "drain", NULL,
     {"%worker", "--queue", "1st"}, EX_USAGE, "is not a queue name"},
    {"workers drain", "--all",
     {"--all"}, "drain", NULL,
     {"--all=x"}, EX_USAGE, TAKES_NONE},
};
/* clang-format on */

/* --- What they are about ---------------------------------------------------------------------- */

static const char tasks_yaml[] =
    "queue: docs\n"
    "tasks:\n"
    "  - {name: echo, exec: [cat]}\n"
    "  - {name: bad, input: none, exec: [sh, -c, 'echo broken >&2; exit 65']}\n";

static const char lines[] = "{\"task\":\"echo\",\"args\":{\"n\":1}}\n"
                            "{\"task\":\"echo\",\"args\":{\"n\":2}}\n";

static const char *const quick[] = {"--lease", RQT_LEASE, "--beat", RQT_BEAT,
                                    "--grace", "2s",      NULL};

static char file[256];
static char lines_file[256];
static char done[REFQ_REF_MAX + 1];
static char dead[REFQ_REF_MAX + 1];
static char worker[40];

/* Values, and what they are stored with besides a policy for everybody. */
static struct value {
    const char *name;
    const char *words[5];
    char ref[64];
} values[] = {
    {.name = "%stored", .words = {"--value", "[1,2,3]"}},
    {.name = "%below", .words = {"--value", "0", "--namespace", "org:acme"}},
    {.name = "%bound",
     .words = {"--value", "\"bound\"", "--namespace", "session:s-1", "--bind-session"}},
    {.name = "%hers", .words = {"--value", "\"hers\"", "--namespace", "user:alice"}},
};

static void start_worker(void)
{
    (void)rqt_fleet_add(file, quick);
    json_t *json = rqt_json(RQT_REFQ("workers", "-o", "json"));
    const char *id = json_string_value(json_object_get(json_array_get(json, 0), "id"));
    (void)snprintf(worker, sizeof worker, "%s", id != NULL ? id : "");
    json_decref(json);
}

static void setup(void)
{
    (void)setenv("REFQ_QUEUE", "docs", 1);
    rqt_redis_do("DEBUG SET-ACTIVE-EXPIRE 1");
    rqt_redis_clean();
    (void)snprintf(file, sizeof file, "%s", rqt_file("tasks.yaml", tasks_yaml, 0));
    (void)snprintf(lines_file, sizeof lines_file, "%s", rqt_file("lines", lines, 0));
    start_worker();
    rqt_expect_out(RQT_REFQ("submit", "echo", "-q", "more", "--force"), "more:");
}

static void teardown(void)
{
    rqt_fleet_end();
    rqt_client_end();
    rqt_audit("docs");
    rqt_audit("more");
}

static void make_value(struct value *v)
{
    const char *argv[20] = {"cache",    "set",    "--as",      "user:alice",
                            "--policy", "public", "--session", "s-1"};
    for (size_t i = 0; i < N_OF(v->words); i++) {
        argv[8 + i] = v->words[i];
    }
    (void)snprintf(v->ref, sizeof v->ref, "%s", rqt_word(rqt_refq(argv)));
}

/* One that is complete and one that is dead, and values: commands take them away. */
static void make_tasks(void)
{
    for (size_t i = 0; i < N_OF(values); i++) {
        make_value(&values[i]);
    }
    refq_ref good = rqt_submit((refq_spec){.task = "echo"});
    refq_ref bad = rqt_submit((refq_spec){.task = "bad"});
    rqt_expect(&good, "complete", 10000);
    rqt_expect(&bad, "failed", 10000);
    (void)refq_ref_format(&good, done);
    (void)refq_ref_format(&bad, dead);
}

static const char *meant(const char *word)
{
    const char *const names[][2] = {
        {"%url", rqt_redis_url()}, {"%file", file}, {"%nothing", "/nonexistent/file"},
        {"%lines", lines_file},    {"%done", done}, {"%dead", dead},
        {"%worker", worker},
    };
    for (size_t i = 0; word != NULL && i < N_OF(names); i++) {
        if (strcmp(names[i][0], word) == 0) {
            return names[i][1];
        }
    }
    for (size_t i = 0; word != NULL && i < N_OF(values); i++) {
        if (strcmp(values[i].name, word) == 0) {
            return values[i].ref;
        }
    }
    return word;
}

/* --- Calls ------------------------------------------------------------------------------------ */

static const rqt_result *call(const char *command, const char *const *words)
{
    static char text[32];
    const char *argv[WORDS + 3] = {NULL};
    size_t n = 0;
    char *rest = text;
    (void)snprintf(text, sizeof text, "%s", command);
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        argv[n] = word;
        n += word[0] != '\0';
    }
    for (size_t i = 0; i < WORDS && words[i] != NULL; i++) {
        argv[n++] = meant(words[i]);
    }
    argv[n] = NULL;
    return rqt_refq(argv);
}

/* --- The help --------------------------------------------------------------------------------- */

#define OPTION_AT 6 /* where the long name stands: "  -q, --queue Q", "      --all" */

/* The next line, up to an empty one; NULL behind the last. */
static const char *next_line(const char *line)
{
    const char *at = strchr(line, '\n');
    return at != NULL && at[1] != '\n' && at[1] != '\0' ? at + 1 : NULL;
}

static const char *line_below(const char *help, const char *heading)
{
    const char *at = strstr(help, heading);
    return at != NULL ? next_line(at + 1) : NULL; /* + 1: headings begin with a line's end */
}

static const char *heading_of(const char *command)
{
    return command[0] != '\0' ? "\noptions:" : "\noptions of every command:";
}

/* Rows of a command stand together, so its help is asked for once. */
static const char *help_of(const char *command)
{
    static char help[65536];
    static const char *whose;
    if (whose == NULL || strcmp(whose, command) != 0) {
        (void)snprintf(help, sizeof help, "%s",
                       call(command, (const char *const[]){"--help", NULL})->out);
        whose = command;
    }
    return help;
}

/* The short form, "-q" of "-q, --queue Q"; "" when there is none. */
static const char *letter_of(const struct row *row)
{
    static char letter[3];
    const char *help = help_of(row->command);
    size_t len = strlen(row->option);
    const char *at = line_below(help, heading_of(row->command));
    while (at != NULL && (strncmp(at + OPTION_AT, row->option, len) != 0 ||
                          strchr(" [\n", at[OPTION_AT + len]) == NULL)) {
        at = next_line(at);
    }
    bool has = at != NULL && at[2] == '-';
    (void)snprintf(letter, sizeof letter, "%.2s", has ? at + 2 : "");
    return letter;
}

/* --- One value -------------------------------------------------------------------------------- */

/* What else is known of the task or the value that was named first; "" when none was. A call names
 * it on stderr. */
static const char *known_of(const rqt_result *r)
{
    const char *word = strchr(rqt_word(r), ':') != NULL ? rqt_word(r) : r->err;
    char ref[REFQ_REF_MAX + 1];
    (void)snprintf(ref, sizeof ref, "%.*s", (int)strcspn(word, " \n"), word);
    size_t hex = strchr(ref, ':') != NULL ? strspn(strchr(ref, ':') + 1, "0123456789abcdef") : 0;
    if (hex == 16) {
        return RQT_REFQ("get", ref, "--entry", "--as", "user:alice", "--session", "s-1")->out;
    }
    return hex == 32 ? RQT_REFQ("show", ref, "-o", "json")->out : "";
}

/* All that was printed, and what it names. */
static const char *told(const rqt_result *r)
{
    static char text[2 * 65536];
    size_t n = (size_t)snprintf(text, sizeof text, "%s%s", r->out, r->err);
    (void)snprintf(text + n, sizeof text - n, "%s", known_of(r));
    return text;
}

static void expect_good(const struct row *row)
{
    const rqt_result *r = call(row->command, row->good);
    const char *shows = meant(row->shows);
    const char *hides = meant(row->hides);
    ck_assert_msg(r->status == 0, "%s %s: exit %d\n%s%s", row->command, row->option, r->status,
                  r->out, r->err);
    const char *text = told(r);
    ck_assert_msg(strstr(text, shows) != NULL, "%s %s: wanted \"%s\" in: %.3000s", row->command,
                  row->option, shows, text);
    ck_assert_msg(hides == NULL || strstr(text, hides) == NULL, "%s %s: \"%s\" is in: %.3000s",
                  row->command, row->option, hides, text);
}

/* The row with the short form of its option in the good call. */
static struct row in_short(const struct row *row, const char *letter)
{
    static char joined[64];
    struct row out = *row;
    size_t len = strlen(row->option);
    for (size_t i = 0; out.good[i] != NULL; i++) {
        if (strncmp(out.good[i], row->option, len) == 0) {
            (void)snprintf(joined, sizeof joined, "%s%s", letter, out.good[i] + len);
            out.good[i] = joined;
        }
    }
    return out;
}

static void make_ready(const struct row *row)
{
    if (strncmp(row->command, "workers ", 8) == 0) {
        rqt_fleet_end(); /* each order is for a fresh one */
        start_worker();
    } else {
        make_tasks();
    }
}

START_TEST(a_good_value_works)
{
    for (size_t i = 0; i < N_OF(rows); i++) {
        make_ready(&rows[i]);
        if (rows[i].good[0] != NULL) {
            expect_good(&rows[i]);
        }
    }
}
END_TEST

START_TEST(a_short_form_means_the_same)
{
    size_t n = 0;
    for (size_t i = 0; i < N_OF(rows); i++) {
        const char *letter = rows[i].good[0] != NULL ? letter_of(&rows[i]) : "";
        if (letter[0] != '\0') {
            const struct row row = in_short(&rows[i], letter);
            make_ready(&row);
            expect_good(&row);
            n++;
        }
    }
    ck_assert_uint_gt(n, 0);
}
END_TEST

START_TEST(a_bad_value_is_refused_and_changes_nothing)
{
    make_tasks();
    rqt_fleet_end(); /* its beats change the data, and so does what ends by itself */
    rqt_redis_do("DEBUG SET-ACTIVE-EXPIRE 0");
    char before[64];
    (void)snprintf(before, sizeof before, "%s", rqt_redis_str("DEBUG DIGEST"));
    for (size_t i = 0; i < N_OF(rows); i++) {
        const rqt_result *r = call(rows[i].command, rows[i].bad);
        ck_assert_msg(r->status == rows[i].status && strstr(r->err, rows[i].says) != NULL,
                      "%s %s: wanted exit %d and \"%s\", got %d: %s", rows[i].command,
                      rows[i].option, rows[i].status, rows[i].says, r->status, r->err);
        ck_assert_str_eq(r->out, "");
        ck_assert_str_eq(rqt_redis_str("DEBUG DIGEST"), before);
    }
}
END_TEST

/* It ends when the reader does, who has seen enough after two looks. */
START_TEST(watching_goes_on_until_nobody_reads)
{
    const char *const argv[] = {"sh",
                                "-c",
                                "\"$0\" --redis \"$1\" stats --watch=100ms | grep -m 2 ^submitted",
                                RQT_REFQ_PATH,
                                rqt_redis_url(),
                                NULL};
    const rqt_result *r = rqt_run(argv);
    rqt_expect_out(r, "submitted");
    ck_assert_ptr_ne(strchr(r->out, '\n'), strrchr(r->out, '\n'));
}
END_TEST

static const struct {
    const char *name;
    const char *good;
    const char *bad;
} variables[] = {{"REFQ_QUEUE", "more", "1st"}};

START_TEST(the_queue_may_come_from_the_environment)
{
    ck_assert_int_eq(setenv(variables[0].name, variables[0].good, 1), 0);
    rqt_expect_out(RQT_REFQ("list"), "more:");
    ck_assert_int_eq(setenv(variables[0].name, variables[0].bad, 1), 0);
    rqt_expect_err(RQT_REFQ("list"), EX_USAGE, "'1st' is not a queue name");
    rqt_expect_out(RQT_REFQ("list", "-q", "more"), "more:");
    ck_assert_int_eq(setenv(variables[0].name, "", 1), 0);
    rqt_expect_err(RQT_REFQ("pause"), EX_NOINPUT, "default");
}
END_TEST

/* --- All of them ------------------------------------------------------------------------------ */

static void expect_row(const char *command, const char *option)
{
    size_t i = 0;
    while (i < N_OF(rows) &&
           (strcmp(rows[i].command, command) != 0 || strcmp(rows[i].option, option) != 0)) {
        i++;
    }
    ck_assert_msg(i < N_OF(rows), "%s %s has no good and bad value: add a row", command, option);
}

/* Expects a row for each option that stands under the heading; returns how many there are. */
static size_t expect_rows(const char *command, const char *help)
{
    size_t n = 0;
    for (const char *at = line_below(help, heading_of(command)); at != NULL; at = next_line(at)) {
        char option[32];
        ck_assert_msg(strncmp(at + OPTION_AT, "--", 2) == 0, "is no option: %s", at);
        (void)snprintf(option, sizeof option, "%.*s", (int)strcspn(at + OPTION_AT, " [\n"),
                       at + OPTION_AT);
        expect_row(command, option);
        n++;
    }
    return n;
}

START_TEST(every_option_has_a_row)
{
    static rqt_result help;
    help = *RQT_REFQ("--help");
    size_t n = expect_rows("", help.out);
    size_t commands = 0;
    for (const char *at = line_below(help.out, "\ncommands:"); at != NULL;
         at = next_line(at), commands++) {
        char command[32];
        size_t len = 2 + strspn(at + 2, "abcdefghijklmnopqrstuvwxyz");
        len += at[len + 1] >= 'a' ? 1 + strspn(at + len + 1, "abcdefghijklmnopqrstuvwxyz") : 0;
        (void)snprintf(command, sizeof command, "%.*s", (int)len - 2, at + 2);
        const rqt_result *r = call(command, (const char *const[]){"--help", NULL});
        ck_assert_msg(r->status == 0, "%s: %s", command, r->err);
        n += expect_rows(command, r->out);
    }
    ck_assert_uint_gt(commands, 0);
    ck_assert_uint_eq(n, N_OF(rows));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("st_cli_options");
    TCase *c = tcase_create("options");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, every_option_has_a_row);
    tcase_add_test(c, a_good_value_works);
    tcase_add_test(c, a_short_form_means_the_same);
    tcase_add_test(c, a_bad_value_is_refused_and_changes_nothing);
    tcase_add_test(c, the_queue_may_come_from_the_environment);
    tcase_add_test(c, watching_goes_on_until_nobody_reads);
    suite_add_tcase(s, c);
    return rqt_main_redis(s, NULL);
}
