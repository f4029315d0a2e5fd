/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Not libevent's evhttp: it bounds neither the number of connections nor
 * the time a client may take for one, and answers other methods with 501. What
 * probes need is little: a request line and headers that are skipped; then an
 * answer, and the connection is closed. A request's body is not read, but what is
 * on its way is taken for a moment after the answer, or the kernel would reset
 * the connection and the client might never see the answer.
 */
#include "http.h"

#include "base/error.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define AGAIN_S 1 /* after no connection could be accepted, for want of descriptors */

typedef struct connection {
    rqi_http *http; /* borrowed */
    struct bufferevent *bev;
    struct event *deadline;
    bool answered;
    TAILQ_ENTRY(connection) link;
} connection;

struct rqi_http {
    struct event_base *base;
    rqi_http_answer *answer;
    void *arg;
    struct evconnlistener *listener;
    struct event *again;
    TAILQ_HEAD(, connection) connections;
    size_t n;
};

/* --- Connections ------------------------------------------------------------------------------ */

static void connection_free(connection *c)
{
    rqi_http *h = c->http;
    TAILQ_REMOVE(&h->connections, c, link);
    if (h->n-- == RQI_HTTP_CONNECTIONS) {
        (void)evconnlistener_enable(h->listener);
    }
    if (c->bev != NULL) {
        bufferevent_free(c->bev);
    }
    if (c->deadline != NULL) {
        event_free(c->deadline);
    }
    free(c);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    connection_free(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    (void)what;
    connection_free(arg);
}

/* The answer is with the kernel. */
static void on_written(struct bufferevent *bev, void *arg)
{
    const connection *c = arg;
    if (c->answered) {
        (void)shutdown(bufferevent_getfd(bev), SHUT_WR);
    }
}

/* --- Requests --------------------------------------------------------------------------------- */

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {400, "Bad Request"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {431, "Request Header Fields Too Large"},
    {503, "Service Unavailable"},
};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Unknown";
}

static void respond(connection *c, int status, const char *type, const rqi_buf *body, bool head)
{
    struct evbuffer *out = bufferevent_get_output(c->bev);
    c->answered = true;
    (void)evbuffer_add_printf(out,
                              "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                              "Cache-Control: no-store\r\n%sConnection: close\r\n\r\n",
                              status, reason_of(status), type, body->len,
                              status == 405 ? "Allow: GET, HEAD\r\n" : "");
    if (!head) {
        (void)evbuffer_add(out, rqi_buf_str(body), body->len);
    }
}

static void refuse(connection *c, int status, bool head)
{
    rqi_buf body = {0};
    rqi_buf_addf(&body, "%s\n", reason_of(status));
    respond(c, status, "text/plain", &body, head);
    rqi_buf_done(&body);
}

static void answer(connection *c, char *path, bool head)
{
    rqi_http *h = c->http;
    rqi_buf body = {0};
    const char *type = "text/plain";
    path[strcspn(path, "?#")] = '\0';
    int status = h->answer(h->arg, path, &body, &type);
    if (status == 404) {
        refuse(c, status, head);
    } else {
        respond(c, status, type, &body, head);
    }
    rqi_buf_done(&body);
}

/* "GET /path HTTP/1.1": cuts the line into its words. */
static bool cut_line(char *line, char *words[3])
{
    for (size_t i = 0; i < 3; i++) {
        words[i] = line;
        line += strcspn(line, " ");
        if (line == words[i] || (*line == '\0') != (i == 2)) {
            return false;
        }
        *line++ = '\0';
    }
    return words[1][0] == '/' && strncmp(words[2], "HTTP/1.", 7) == 0;
}

static void handle(connection *c, char *line)
{
    char *words[3];
    if (!cut_line(line, words)) {
        refuse(c, 400, false);
        return;
    }
    bool head = strcmp(words[0], "HEAD") == 0;
    if (head || strcmp(words[0], "GET") == 0) {
        answer(c, words[1], head);
    } else {
        refuse(c, 405, false);
    }
}

static bool head_is_complete(struct evbuffer *in)
{
    return evbuffer_search(in, "\r\n\r\n", 4, NULL).pos >= 0 ||
           evbuffer_search(in, "\n\n", 2, NULL).pos >= 0;
}

static void on_read(struct bufferevent *bev, void *arg)
{
    connection *c = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    if (!c->answered && head_is_complete(in)) {
        char *line = evbuffer_readln(in, NULL, EVBUFFER_EOL_CRLF);
        handle(c, line != NULL ? line : (char[]){""});
        free(line);
    } else if (!c->answered && evbuffer_get_length(in) >= RQI_HTTP_HEAD_MAX) {
        refuse(c, 431, false);
    }
    if (c->answered) {
        (void)evbuffer_drain(in, evbuffer_get_length(in));
    }
}

/* --- Listening -------------------------------------------------------------------------------- */

static bool open_connection(connection *c, evutil_socket_t fd)
{
    static const struct timeval patience = {.tv_sec = RQI_HTTP_PATIENCE_S};
    c->bev = bufferevent_socket_new(c->http->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (c->bev == NULL) {
        (void)close(fd);
        return false;
    }
    c->deadline = evtimer_new(c->http->base, on_deadline, c);
    bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
    bufferevent_setwatermark(c->bev, EV_READ, 0, RQI_HTTP_HEAD_MAX);
    return c->deadline != NULL && evtimer_add(c->deadline, &patience) == 0 &&
           bufferevent_enable(c->bev, EV_READ | EV_WRITE) == 0;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
                      int len, void *arg)
{
    rqi_http *h = arg;
    (void)from;
    (void)len;
    connection *c = calloc(1, sizeof *c);
    if (c == NULL) {
        (void)close(fd);
        return;
    }
    c->http = h;
    TAILQ_INSERT_TAIL(&h->connections, c, link);
    if (++h->n == RQI_HTTP_CONNECTIONS) {
        (void)evconnlistener_disable(listener);
    }
    if (!open_connection(c, fd)) {
        connection_free(c);
    }
}

/* Without a pause the loop would spin: the connection that could not be accepted stays ready. */
static void on_accept_failed(struct evconnlistener *listener, void *arg)
{
    static const struct timeval pause = {.tv_sec = AGAIN_S};
    rqi_http *h = arg;
    (void)evconnlistener_disable(listener);
    (void)evtimer_add(h->again, &pause);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    rqi_http *h = arg;
    (void)fd;
    (void)what;
    if (h->n < RQI_HTTP_CONNECTIONS) {
        (void)evconnlistener_enable(h->listener);
    }
}

refq_err rqi_http_new(struct event_base *base, int fd, rqi_http_answer *answer_fn, void *arg,
                      rqi_http **ret, refq_error *err)
{
    rqi_http *h = calloc(1, sizeof *h);
    if (h == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    h->base = base;
    h->answer = answer_fn;
    h->arg = arg;
    TAILQ_INIT(&h->connections);
    h->again = evtimer_new(base, on_again, h);
    h->listener = evconnlistener_new(base, on_accept, h, LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (h->again == NULL || h->listener == NULL) {
        rqi_http_free(h);
        return rqi_fail(err, REFQ_ERR_NOMEM, "cannot serve health over HTTP: out of memory");
    }
    evconnlistener_set_error_cb(h->listener, on_accept_failed);
    *ret = h;
    return REFQ_OK;
}

void rqi_http_free(rqi_http *h)
{
    connection *c = NULL;
    if (h == NULL) {
        return;
    }
    while ((c = TAILQ_FIRST(&h->connections)) != NULL) {
        connection_free(c);
    }
    if (h->listener != NULL) {
        evconnlistener_free(h->listener);
    }
    if (h->again != NULL) {
        event_free(h->again);
    }
    free(h);
}
