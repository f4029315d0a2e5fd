/* SPDX-License-Identifier: MIT */
/* What a program writes to fd 3, through a real socket: progress and questions that are taken are
 * fit to be stored and shown, and one question at a time is open. The first byte says how questions
 * are dealt with. */
#include "fuzz/fz.h"

#include "base/utf8.h"
#include "codec/json.h"
#include "run/control.h"

#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_MAX ((size_t)32 * 1024) /* what a socket takes at once */

typedef struct link {
    rqi_control control;
    uint8_t manner;
    int open; /* questions without an answer */
} link_state;

static void on_progress(void *arg, const rqi_progress *progress)
{
    (void)arg;
    size_t n = strlen(progress->message);
    RQT_HOLDS(progress->current >= 0 && progress->total >= 0);
    RQT_HOLDS(n <= RQI_MESSAGE_MAX && rqi_utf8_valid(progress->message, n) == n);
}

static void check_question(const char *json, size_t len)
{
    refq_error err = {0};
    json_t *value = NULL;
    RQT_HOLDS(len <= RQI_ASK_MAX && rqi_utf8_valid(json, len) == len);
    RQT_HOLDS(rqi_json_load(json, len, RQI_ASK_MAX, 2048, &value, &err) == REFQ_OK);
    json_decref(value);
}

static void on_ask(void *arg, const char *json, size_t len)
{
    link_state *l = arg;
    if (json == NULL) {
        RQT_HOLDS(l->open == 1);
        l->open = 0;
        return;
    }
    RQT_HOLDS(l->open == 0);
    check_question(json, len);
    l->open = 1;
    if (l->manner % 3 == 0) {
        l->open = rqi_control_answer(&l->control, "{\"yes\":true}", 12) != REFQ_OK;
    } else if (l->manner % 3 == 1) {
        rqi_control_refuse(&l->control, "nobody is there");
        l->open = 0;
    }
}

static void talk(const uint8_t *data, size_t size, uint8_t manner, struct event_base *base)
{
    refq_error err = {0};
    int ends[2];
    link_state l = {.manner = manner};
    RQT_HOLDS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    RQT_HOLDS(rqi_control_open(&l.control, base, &ends[0], &err) == REFQ_OK);
    l.control.calls = (rqi_control_calls){.on_progress = on_progress, .on_ask = on_ask, .arg = &l};
    RQT_HOLDS(send(ends[1], data, size, MSG_NOSIGNAL) == (ssize_t)size);
    (void)shutdown(ends[1], SHUT_WR);
    rqi_control_drain(&l.control, 64);
    (void)close(ends[1]);
    rqi_control_close(&l.control);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t manner = rqt_fz_byte(&data, &size);
    struct event_base *base = event_base_new();
    RQT_HOLDS(base != NULL);
    if (size > 0 && size <= INPUT_MAX) {
        talk(data, size, manner, base);
    }
    event_base_free(base);
    return 0;
}
