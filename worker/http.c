/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. libevent's evhttp reads the requests and writes the answers. Two bounds
 * it does not have are kept here: how many connections there are at a time, and
 * how long one lasts altogether (its own timeout starts anew with every byte). It
 * does not tell when it ends a connection that made no complete request, so each
 * connection's bufferevent, and with it the socket, is held once more from here:
 * until evhttp tells of its end, or else until the deadline. A held socket is a
 * counted one, so the count is never below what is open. And a client whose
 * request was refused half-way can read why: a socket that is closed with input
 * left would be reset.
 */
#include "http.h"

#include "base/error.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>

#define AGAIN_S 1 /* after no connection could be accepted, for want of descriptors */

typedef struct connection {
    rqi_http *http;          /* borrowed */
    struct bufferevent *bev; /* one reference; evhttp has another */
    struct event *deadline;
    bool watched; /* evhttp will tell of its end */
    TAILQ_ENTRY(connection) link;
} connection;

struct rqi_http {
    struct event_base *base;
    rqi_http_answer *answer;
    void *arg;
    struct evhttp *server;
    struct evconnlistener *listener; /* the server's; NULL = none */
    struct event *again;
    TAILQ_HEAD(, connection) connections;
    size_t n;
};

/* evhttp takes the listener's argument for itself, so this is how the failure to accept is told
 * whom it concerns. One server a process. */
static rqi_http *serving;

/* --- Connections ------------------------------------------------------------------------------ */

static void listen_if_room(rqi_http *h)
{
    if (h->listener != NULL && h->n < RQI_HTTP_CONNECTIONS) {
        (void)evconnlistener_enable(h->listener);
    }
}

static void connection_free(connection *c)
{
    rqi_http *h = c->http;
    TAILQ_REMOVE(&h->connections, c, link);
    if (h->n-- == RQI_HTTP_CONNECTIONS) {
        listen_if_room(h);
    }
    (void)bufferevent_decref(c->bev);
    event_free(c->deadline);
    free(c);
}

/* evhttp sees the end of the input and lets go of the connection. */
static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    connection *c = arg;
    (void)fd;
    (void)what;
    (void)shutdown(bufferevent_getfd(c->bev), SHUT_RDWR);
    if (!c->watched) {
        connection_free(c);
    }
}

static void on_closed(struct evhttp_connection *from, void *arg)
{
    (void)from;
    connection_free(arg);
}

static connection *connection_new(rqi_http *h, struct bufferevent *bev)
{
    static const struct timeval patience = {.tv_sec = RQI_HTTP_PATIENCE_S};
    connection *c = calloc(1, sizeof *c);
    struct event *deadline = c != NULL ? evtimer_new(h->base, on_deadline, c) : NULL;
    if (deadline == NULL || evtimer_add(deadline, &patience) != 0) {
        if (deadline != NULL) {
            event_free(deadline);
        }
        free(c);
        return NULL;
    }
    *c = (connection){.http = h, .bev = bev, .deadline = deadline};
    bufferevent_incref(bev);
    return c;
}

/* For a connection that was accepted. Without memory for the bounds, evhttp makes a bufferevent
 * of its own: that one connection is served without them. */
static struct bufferevent *on_accepted(struct event_base *base, void *arg)
{
    rqi_http *h = arg;
    struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    connection *c = bev != NULL ? connection_new(h, bev) : NULL;
    if (c == NULL) {
        if (bev != NULL) {
            bufferevent_free(bev);
        }
        return NULL;
    }
    TAILQ_INSERT_TAIL(&h->connections, c, link);
    if (++h->n == RQI_HTTP_CONNECTIONS) {
        (void)evconnlistener_disable(h->listener);
    }
    return bev;
}

static void watch_end(rqi_http *h, struct evhttp_connection *of)
{
    const struct bufferevent *bev = evhttp_connection_get_bufferevent(of);
    connection *c = NULL;
    TAILQ_FOREACH(c, &h->connections, link)
    {
        if (c->bev == bev) {
            c->watched = true;
            evhttp_connection_set_closecb(of, on_closed, c);
            return;
        }
    }
}

/* --- Requests --------------------------------------------------------------------------------- */

static void respond(struct evhttp_request *req, int status, const char *type, const rqi_buf *body)
{
    char len[24];
    struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
    (void)snprintf(len, sizeof len, "%zu", body->len);
    (void)evhttp_add_header(headers, "Content-Type", type);
    (void)evhttp_add_header(headers, "Content-Length", len);
    (void)evhttp_add_header(headers, "Cache-Control", "no-store");
    (void)evhttp_add_header(headers, "Connection", "close");
    if (evhttp_request_get_command(req) != EVHTTP_REQ_HEAD) {
        (void)evbuffer_add(evhttp_request_get_output_buffer(req), rqi_buf_str(body), body->len);
    }
    evhttp_send_reply(req, status, NULL, NULL);
}

static int method_not_allowed(struct evhttp_request *req, rqi_buf *body)
{
    (void)evhttp_add_header(evhttp_request_get_output_headers(req), "Allow", "GET, HEAD");
    rqi_buf_adds(body, "Method Not Allowed\n");
    return HTTP_BADMETHOD;
}

static int page(const rqi_http *h, const struct evhttp_request *req, rqi_buf *body,
                const char **ret_type)
{
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(req));
    int status = h->answer(h->arg, path != NULL ? path : "", body, ret_type);
    if (status == HTTP_NOTFOUND) {
        rqi_buf_adds(body, "Not Found\n");
    }
    return status;
}

static void on_request(struct evhttp_request *req, void *arg)
{
    rqi_http *h = arg;
    rqi_buf body = {0};
    const char *type = "text/plain";
    watch_end(h, evhttp_request_get_connection(req));
    bool known = (evhttp_request_get_command(req) & (EVHTTP_REQ_GET | EVHTTP_REQ_HEAD)) != 0;
    int status = known ? page(h, req, &body, &type) : method_not_allowed(req, &body);
    respond(req, status, type, &body);
    rqi_buf_done(&body);
}

/* --- Listening -------------------------------------------------------------------------------- */

/* Without a pause the loop would spin: the connection that could not be accepted stays ready. */
static void on_accept_failed(struct evconnlistener *listener, void *arg)
{
    static const struct timeval pause = {.tv_sec = AGAIN_S};
    (void)arg;
    (void)evconnlistener_disable(listener);
    (void)evtimer_add(serving->again, &pause);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    listen_if_room(arg);
}

static void set_up(rqi_http *h)
{
    evhttp_set_bevcb(h->server, on_accepted, h);
    evhttp_set_gencb(h->server, on_request, h);
    evhttp_set_allowed_methods(h->server, UINT16_MAX); /* the others are answered here */
    evhttp_set_max_headers_size(h->server, RQI_HTTP_HEAD_MAX);
    evhttp_set_max_body_size(h->server, RQI_HTTP_HEAD_MAX);
}

static bool start(rqi_http *h, int fd)
{
    h->again = evtimer_new(h->base, on_again, h);
    h->server = evhttp_new(h->base);
    if (h->again == NULL || h->server == NULL) {
        return false;
    }
    set_up(h);
    struct evconnlistener *l =
        evconnlistener_new(h->base, NULL, NULL, LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (l == NULL) {
        return false;
    }
    serving = h;
    evconnlistener_set_error_cb(l, on_accept_failed);
    if (evhttp_bind_listener(h->server, l) == NULL) {
        evconnlistener_free(l);
        return false;
    }
    h->listener = l;
    return true;
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
    if (!start(h, fd)) {
        rqi_http_free(h);
        return rqi_fail(err, REFQ_ERR_NOMEM, "cannot serve health over HTTP: out of memory");
    }
    *ret = h;
    return REFQ_OK;
}

void rqi_http_free(rqi_http *h)
{
    connection *c = NULL;
    if (h == NULL) {
        return;
    }
    serving = NULL;
    h->listener = NULL; /* goes with the server, before the connections do */
    if (h->server != NULL) {
        evhttp_free(h->server);
    }
    while ((c = TAILQ_FIRST(&h->connections)) != NULL) {
        connection_free(c);
    }
    if (h->again != NULL) {
        event_free(h->again);
    }
    free(h);
}
