/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Nothing here trusts the program: lines are bounded, what is not
 * understood is logged and dropped, and what it does not read waits in a bounded
 * buffer; when that is full, further lines are lost, which harms nobody but the
 * program that does not read. A question that is no question is refused with the
 * reason, because its program waits for a line.
 */
#include "run/control.h"

#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_MAX      (2 * RQI_ANSWER_MAX)
#define CHUNK        ((size_t)64 * 1024)
#define READS_A_TURN 4 /* then other events of the loop get their turn */

/* --- Downward --------------------------------------------------------------------------------- */

static void flush(rqi_control *c)
{
    while (c->out.len > 0) {
        ssize_t n = send(c->fd, c->out.ptr, c->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0) {
            rqi_buf_consume(&c->out, (size_t)n);
        } else if (errno == EAGAIN) {
            (void)event_add(c->writable, NULL);
            return;
        } else if (errno != EINTR) {
            rqi_buf_clear(&c->out); /* its end is closed, as the reading side will see */
        }
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    flush(arg);
}

static refq_err send_line(rqi_control *c, const rqi_buf *line)
{
    if (c->fd < 0) {
        return REFQ_ERR_CLOSED;
    }
    if (line->err != REFQ_OK || c->out.len + line->len > OUT_MAX) {
        return line->err == REFQ_ERR_NOMEM ? REFQ_ERR_NOMEM : REFQ_ERR_LIMIT;
    }
    rqi_buf_add(&c->out, line->ptr, line->len);
    refq_err code = c->out.err;
    flush(c);
    return code;
}

void rqi_control_cancel(rqi_control *c)
{
    static char text[] = "{\"cancel\":true}\n";
    const rqi_buf line = {.ptr = text, .len = sizeof text - 1};
    (void)send_line(c, &line);
}

void rqi_control_refuse(rqi_control *c, const char *why)
{
    rqi_buf line = {0};
    rqi_buf_adds(&line, "{\"error\":");
    rqi_buf_add_json(&line, why, strlen(why));
    rqi_buf_adds(&line, "}\n");
    c->asking = false;
    (void)send_line(c, &line);
    rqi_buf_done(&line);
}

/* Verbatim, but in one line: JSON holds line breaks only where it could hold blanks. */
static void compose_answer(const char *json, size_t len, rqi_buf *line)
{
    rqi_buf_adds(line, "{\"answer\":");
    for (size_t i = 0; i < len; i++) {
        rqi_buf_addc(line, json[i] == '\n' || json[i] == '\r' ? ' ' : json[i]);
    }
    rqi_buf_adds(line, "}\n");
}

static bool is_json(const char *text, size_t len)
{
    json_t *value = json_loadb(text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    json_decref(value);
    return value != NULL;
}

refq_err rqi_control_answer(rqi_control *c, const char *json, size_t len)
{
    if (!c->asking) {
        return REFQ_ERR_CONFLICT;
    }
    if (len > RQI_ANSWER_MAX) {
        return REFQ_ERR_LIMIT;
    }
    if (!is_json(json, len)) {
        return REFQ_ERR_INVALID;
    }
    rqi_buf line = {0};
    compose_answer(json, len, &line);
    refq_err code = send_line(c, &line);
    c->asking = code != REFQ_OK;
    rqi_buf_done(&line);
    return code;
}

/* --- Upward ----------------------------------------------------------------------------------- */

static bool take_progress(rqi_control *c, const json_t *body)
{
    rqi_progress progress;
    if (!rqi_progress_read(body, &progress)) {
        return false;
    }
    c->calls.on_progress(c->calls.arg, &progress);
    return true;
}

static bool take_ask(rqi_control *c, const json_t *body)
{
    if (c->asking) {
        return false;
    }
    rqi_buf question = {0};
    const char *why = rqi_ask_read(body, &question);
    if (why != NULL) {
        rqi_control_refuse(c, why);
        return false;
    }
    c->asking = true;
    c->calls.on_ask(c->calls.arg, rqi_buf_str(&question), question.len);
    rqi_buf_done(&question);
    return true;
}

static bool take_log(rqi_control *c, const json_t *body)
{
    const json_t *level = json_object_get(body, "level");
    const json_t *line = json_object_get(body, "line");
    bool good = c->calls.on_log != NULL && json_is_integer(level) && json_is_string(line) &&
                json_integer_value(level) >= REFQ_LOG_DEBUG &&
                json_integer_value(level) <= REFQ_LOG_ERROR;
    if (good) {
        c->calls.on_log(c->calls.arg, (int)json_integer_value(level), json_string_value(line));
    }
    return good;
}

static const struct {
    const char *name;
    bool (*take)(rqi_control *c, const json_t *body);
} messages[] = {{"progress", take_progress}, {"ask", take_ask}, {"log", take_log}};

static bool take_line(rqi_control *c, const char *line, size_t len)
{
    json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    bool taken = false;
    for (size_t i = 0; !taken && i < sizeof messages / sizeof messages[0]; i++) {
        const json_t *body = json_object_get(json, messages[i].name);
        taken = body != NULL && messages[i].take(c, body);
    }
    json_decref(json);
    return taken;
}

static void on_line(void *arg, const char *line, size_t len)
{
    rqi_control *c = arg;
    bool taken = line != NULL && take_line(c, line, len);
    if (taken || !rqi_log_on(c->log, REFQ_LOG_DEBUG)) {
        return;
    }
    char quoted[160];
    rqi_log(c->log, REFQ_LOG_DEBUG, "event=control_line_ignored line=%s",
            rqi_log_quote(quoted, sizeof quoted, line != NULL ? line : "(longer than 64 KiB)"));
}

static void on_end(rqi_control *c)
{
    bool asked = c->asking;
    rqi_control_close(c);
    if (asked) {
        c->calls.on_ask(c->calls.arg, NULL, 0);
    }
}

void rqi_control_drain(rqi_control *c, unsigned n_chunks)
{
    char chunk[CHUNK];
    while (n_chunks-- > 0 && c->fd >= 0) {
        ssize_t n = read(c->fd, chunk, sizeof chunk);
        if (n > 0) {
            rqi_lines_add(&c->lines, chunk, (size_t)n, on_line, c);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            on_end(c);
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    rqi_control_drain(arg, READS_A_TURN);
}

/* --- Life ------------------------------------------------------------------------------------- */

refq_err rqi_control_open(rqi_control *c, struct event_base *base, int *fd, refq_error *err)
{
    c->fd = -1;
    c->out = rqi_buf_make(OUT_MAX);
    c->readable = event_new(base, *fd, EV_READ | EV_PERSIST, on_readable, c);
    c->writable = event_new(base, *fd, EV_WRITE, on_writable, c);
    if (c->readable == NULL || c->writable == NULL || event_add(c->readable, NULL) != 0) {
        rqi_control_close(c);
        return rqi_fail(err, REFQ_ERR_NOMEM, "cannot watch fd 3 of a program");
    }
    c->fd = *fd;
    *fd = -1;
    return REFQ_OK;
}

static void free_event(struct event **event)
{
    if (*event != NULL) {
        event_free(*event);
    }
    *event = NULL;
}

void rqi_control_close(rqi_control *c)
{
    free_event(&c->readable);
    free_event(&c->writable);
    if (c->fd >= 0) {
        (void)close(c->fd);
    }
    c->fd = -1;
    c->asking = false;
    rqi_lines_done(&c->lines);
    rqi_buf_done(&c->out);
}
