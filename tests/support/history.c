/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. O_APPEND and one write() a line make lines of different processes whole and ordered
 * without a lock, and a process that is killed leaves all it has written. Reading keeps two copies
 * of each file: one is cut into words, the other into lines, for the story of a task.
 */
#include "support/history.h"

#include "base/buf.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 640
#define EVENTS_MAX     ((size_t)20 * 1000 * 1000)
#define WORDS          7 /* before the details */

static const char *const kind_names[RQT_EVENT_KINDS] = {
    [RQT_SUBMIT] = "submit", [RQT_ACCEPTED] = "accepted", [RQT_REFUSED] = "refused",
    [RQT_CANCEL] = "cancel", [RQT_STOPPED] = "stopped",   [RQT_SEEN] = "seen",
    [RQT_START] = "start",   [RQT_DONE] = "done",         [RQT_FAILED] = "failed",
    [RQT_TOLD] = "told",     [RQT_FAULT] = "fault",       [RQT_HEALED] = "healed",
    [RQT_FINAL] = "final",
};

const char *rqt_event_name(rqt_event_kind kind)
{
    return kind_names[kind];
}

/* --- Writing ---------------------------------------------------------------------------------- */

int rqt_history_open(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* The kernel's clock, not libc's: a worker under test may have a false one. */
static int64_t now_ns(clockid_t clock)
{
    struct timespec t = {0};
    (void)syscall(SYS_clock_gettime, clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void rqt_history_add(int fd, rqt_event_kind kind, const char *ref, unsigned attempt,
                     const char *fence, const char *details, ...)
{
    char line[LINE_MAX_BYTES];
    va_list ap;
    int at = snprintf(line, sizeof line, "%" PRId64 " %" PRId64 " %d %s %s %u %s ",
                      now_ns(CLOCK_MONOTONIC), now_ns(CLOCK_REALTIME) / 1000000, (int)getpid(),
                      kind_names[kind], ref != NULL ? ref : "-", attempt,
                      fence != NULL && fence[0] != '\0' ? fence : "-");
    size_t left = sizeof line - (size_t)at;
    va_start(ap, details);
    int more = vsnprintf(line + at, left, details, ap);
    va_end(ap);
    size_t len = (size_t)at + (size_t)more;
    if (more < 0 || len + 1 >= sizeof line) {
        (void)fprintf(stderr, "history: a line is too long: %s\n", line);
        abort();
    }
    line[len++] = '\n';
    if (write(fd, line, len) != (ssize_t)len) {
        (void)fprintf(stderr, "history: cannot write: %s\n", strerror(errno));
        abort();
    }
}

uint64_t rqt_history_hash(const char *text, size_t len)
{
    uint64_t h = 0xcbf29ce484222325U;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (unsigned char)text[i]) * 0x100000001b3U;
    }
    return h;
}

/* --- Reading ---------------------------------------------------------------------------------- */

static bool read_number(const char *word, int64_t *ret)
{
    char *end = NULL;
    errno = 0;
    long long n = strtoll(word, &end, 10);
    *ret = n;
    return end != word && *end == '\0' && errno == 0 && n >= 0;
}

static bool read_kind(const char *word, rqt_event_kind *ret)
{
    for (int k = 0; k < RQT_EVENT_KINDS; k++) {
        if (strcmp(word, kind_names[k]) == 0) {
            *ret = (rqt_event_kind)k;
            return true;
        }
    }
    return false;
}

static bool read_fence(const char *word, rqt_fence *ret)
{
    *ret = (rqt_fence){0};
    char tail = '\0';
    return strcmp(word, "-") == 0 ||
           sscanf(word, "%" SCNu64 "-%" SCNu64 "%c", &ret->ms, &ret->seq, &tail) == 2;
}

/* Cuts a line into its words; the last one is the details. */
static bool split(char *line, char *words[WORDS + 1])
{
    for (size_t i = 0; i < WORDS; i++) {
        words[i] = line;
        line = strchr(line, ' ');
        if (line == NULL) {
            return false;
        }
        *line++ = '\0';
    }
    words[WORDS] = line;
    return true;
}

static bool read_event(char *line, rqt_event *e)
{
    char *w[WORDS + 1];
    int64_t wall = 0;
    int64_t pid = 0;
    int64_t attempt = 0;
    bool good = split(line, w) && read_number(w[0], &e->at_ns) && read_number(w[1], &wall) &&
                read_number(w[2], &pid) && read_kind(w[3], &e->kind) &&
                read_number(w[5], &attempt) && read_fence(w[6], &e->fence);
    if (good) {
        e->pid = (pid_t)pid;
        e->attempt = (unsigned)attempt;
        e->ref = w[4];
        e->details = w[WORDS];
    }
    return good;
}

static rqt_event *new_event(rqt_history *h)
{
    if (h->n == h->cap) {
        size_t cap = h->cap == 0 ? 1024 : 2 * h->cap;
        rqt_event *grown = cap <= EVENTS_MAX ? realloc(h->events, cap * sizeof *grown) : NULL;
        if (grown == NULL) {
            return NULL;
        }
        h->events = grown;
        h->cap = cap;
    }
    h->events[h->n] = (rqt_event){0};
    return &h->events[h->n++];
}

static char *keep_text(rqt_history *h, const char *text)
{
    char **grown = realloc(h->texts, (h->texts_n + 1) * sizeof *grown);
    char *copy = grown != NULL ? strdup(text) : NULL;
    h->texts = grown != NULL ? grown : h->texts;
    if (copy != NULL) {
        h->texts[h->texts_n++] = copy;
    }
    return copy;
}

refq_err rqt_history_parse(rqt_history *h, const char *text, refq_error *err)
{
    char *words = keep_text(h, text);
    char *lines = keep_text(h, text);
    for (unsigned number = 1; words != NULL && lines != NULL && *words != '\0'; number++) {
        char *end = strchr(words, '\n');
        rqt_event *e = new_event(h);
        if (end == NULL || e == NULL) {
            return rqi_fail(err, e != NULL ? REFQ_ERR_INVALID : REFQ_ERR_NOMEM,
                            "line %u of the history does not end, or there are too many", number);
        }
        *end = '\0';
        e->line = lines;
        lines[end - words] = '\0';
        lines += end + 1 - words;
        if (!read_event(words, e)) {
            return rqi_fail(err, REFQ_ERR_INVALID, "line %u of the history is malformed: %.120s",
                            number, e->line);
        }
        words = end + 1;
    }
    return words != NULL && lines != NULL ? REFQ_OK : rqi_fail(err, REFQ_ERR_NOMEM, "no memory");
}

refq_err rqt_history_read(rqt_history *h, const char *path, refq_error *err)
{
    rqi_buf text = {0};
    char *at = NULL;
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return rqi_fail(err, REFQ_ERR_IO, "cannot read %s: %s", path, strerror(errno));
    }
    size_t got = 1;
    while (got > 0 && (at = rqi_buf_reserve(&text, 65536)) != NULL) {
        got = fread(at, 1, 65536, f);
        rqi_buf_commit(&text, got);
    }
    (void)fclose(f);
    refq_err rc = text.err != REFQ_OK ? rqi_fail(err, text.err, "%s is too large", path)
                                      : rqt_history_parse(h, rqi_buf_str(&text), err);
    rqi_buf_done(&text);
    return rc;
}

/* Same-time events keep the order of their lines, which is the order of their writing. */
static int by_ref_and_time(const void *a, const void *b)
{
    const rqt_event *x = a;
    const rqt_event *y = b;
    int c = strcmp(x->ref, y->ref);
    if (c != 0) {
        return c;
    }
    if (x->at_ns != y->at_ns) {
        return x->at_ns < y->at_ns ? -1 : 1;
    }
    return x->line < y->line ? -1 : x->line > y->line;
}

void rqt_history_sort(rqt_history *h)
{
    if (h->n > 0) {
        qsort(h->events, h->n, sizeof *h->events, by_ref_and_time);
    }
}

void rqt_history_done(rqt_history *h)
{
    for (size_t i = 0; i < h->texts_n; i++) {
        free(h->texts[i]);
    }
    free(h->texts);
    free(h->events);
    *h = (rqt_history){0};
}

/* --- Details ---------------------------------------------------------------------------------- */

bool rqt_event_text(const rqt_event *e, const char *name, char *out, size_t size)
{
    size_t len = strlen(name);
    const char *at = e->details;
    while (at != NULL && *at != '\0') {
        if (strncmp(at, name, len) == 0 && at[len] == '=') {
            size_t n = strcspn(at + len + 1, " ");
            (void)snprintf(out, size, "%.*s", (int)n, at + len + 1);
            return true;
        }
        at = strchr(at, ' ');
        at = at != NULL ? at + 1 : NULL;
    }
    return false;
}

int64_t rqt_event_number(const rqt_event *e, const char *name, int64_t missing)
{
    char text[32];
    int64_t n = 0;
    return rqt_event_text(e, name, text, sizeof text) && read_number(text, &n) ? n : missing;
}

int rqt_fence_compare(rqt_fence a, rqt_fence b)
{
    if (a.ms != b.ms) {
        return a.ms < b.ms ? -1 : 1;
    }
    return a.seq < b.seq ? -1 : a.seq > b.seq;
}
