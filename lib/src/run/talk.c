/* SPDX-License-Identifier: MIT */
/* What a handler and the owner of its run say to each other: progress, questions, "stop". */
#include "base/clock.h"
#include "base/utf8.h"
#include "run/executor_state.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void wake(int fd)
{
    uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof one);
    (void)n;
}

/* --- News of handlers ------------------------------------------------------------------------- */

/* Under the lock. */
static void add_news(rqi_run *run)
{
    rqi_executor *x = run->executor;
    if (run->has_news) {
        return;
    }
    run->has_news = true;
    bool first = TAILQ_EMPTY(&x->news);
    TAILQ_INSERT_TAIL(&x->news, run, news_link);
    x->news_n++;
    if (first) {
        wake(x->notify_fd);
    }
}

/* Under the lock. */
static void drop_news(rqi_run *run)
{
    if (run->has_news) {
        TAILQ_REMOVE(&run->executor->news, run, news_link);
        run->executor->news_n--;
        run->has_news = false;
    }
}

void rqi_talk_forget(rqi_run *run)
{
    rqi_executor *x = run->executor;
    pthread_mutex_lock(&x->lock);
    drop_news(run);
    pthread_mutex_unlock(&x->lock);
}

void rqi_run_progress(rqi_run *run, int64_t current, int64_t total, const char *message)
{
    rqi_executor *x = run->executor;
    const char *text = message != NULL ? message : "";
    size_t cut = rqi_utf8_cut(text, strlen(text), sizeof run->message - 1);
    pthread_mutex_lock(&x->lock);
    run->current = current;
    run->total = total;
    memcpy(run->message, text, cut);
    run->message[cut] = '\0';
    run->progress_dirty = true;
    add_news(run);
    pthread_mutex_unlock(&x->lock);
}

bool rqi_run_take_progress(rqi_run *run, int64_t *ret_current, int64_t *ret_total, char message[65])
{
    rqi_executor *x = run->executor;
    pthread_mutex_lock(&x->lock);
    bool dirty = run->progress_dirty;
    run->progress_dirty = false;
    *ret_current = run->current;
    *ret_total = run->total;
    memcpy(message, run->message, sizeof run->message);
    pthread_mutex_unlock(&x->lock);
    return dirty;
}

/* A person may take long to answer: the timeout stands still. The timer of a process is its own
 * (exec.c does the same with it); the deadline is told from here for all. */
static void hold_timer(rqi_run *run)
{
    if (run->deadline_ms == 0 || run->left_ms > 0) {
        return;
    }
    int64_t left = run->deadline_ms - rqi_mono_ms();
    run->left_ms = left > 0 ? left : 1;
    if (run->timer != NULL) {
        (void)evtimer_del(run->timer);
    }
}

static void go_on_timer(rqi_run *run)
{
    struct timeval tv = {.tv_sec = run->left_ms / 1000, .tv_usec = run->left_ms % 1000 * 1000};
    if (run->left_ms == 0) {
        return;
    }
    run->deadline_ms = rqi_mono_ms() + run->left_ms;
    run->left_ms = 0;
    if (run->timer != NULL) {
        (void)evtimer_add(run->timer, &tv);
    }
}

static void tell_owner(rqi_run *run, bool progress, const char *question)
{
    if (progress && run->on_progress != NULL) {
        run->on_progress(run);
    }
    if (question != NULL) {
        hold_timer(run);
        run->on_ask(run, question, strlen(question));
    }
}

/* Tells the first of the list; false when there is none. */
static bool tell_first(rqi_executor *x)
{
    pthread_mutex_lock(&x->lock);
    rqi_run *run = TAILQ_FIRST(&x->news);
    if (run == NULL) {
        pthread_mutex_unlock(&x->lock);
        return false;
    }
    drop_news(run);
    bool progress = run->progress_dirty;
    char *question = run->asked && run->question != NULL ? strdup(run->question) : NULL;
    run->asked = false;
    pthread_mutex_unlock(&x->lock);
    tell_owner(run, progress, question);
    free(question);
    return true;
}

/* One at a time, because a callback may end any run, also one that is still listed; and no more
 * than there are now, because a handler may add some faster than they are told. */
void rqi_talk_tell(rqi_executor *x)
{
    pthread_mutex_lock(&x->lock);
    unsigned n = x->news_n;
    pthread_mutex_unlock(&x->lock);
    while (n-- > 0 && tell_first(x)) {
    }
    pthread_mutex_lock(&x->lock);
    if (x->news_n > 0) {
        wake(x->notify_fd);
    }
    pthread_mutex_unlock(&x->lock);
}

/* --- Questions -------------------------------------------------------------------------------- */

refq_err rqi_run_ask(rqi_run *run, const char *json, size_t len, char **ret_answer)
{
    rqi_executor *x = run->executor;
    char *question = run->on_ask != NULL ? strndup(json, len) : NULL;
    if (question == NULL) {
        return run->on_ask == NULL ? REFQ_ERR_UNSUPPORTED : REFQ_ERR_NOMEM;
    }
    pthread_mutex_lock(&x->lock);
    run->question = question;
    run->asked = true;
    add_news(run);
    while (run->answer == NULL && !atomic_load(&run->stopping)) {
        (void)pthread_cond_wait(&x->answered, &x->lock);
    }
    char *answer = run->answer;
    run->answer = NULL;
    run->question = NULL;
    run->asked = false;
    pthread_mutex_unlock(&x->lock);
    free(question);
    if (answer == NULL) {
        return REFQ_ERR_CLOSED;
    }
    *ret_answer = answer;
    return REFQ_OK;
}

void rqi_talk_program_asks(void *run, const char *json, size_t len)
{
    (json != NULL ? hold_timer : go_on_timer)(run);
    ((rqi_run *)run)->on_ask(run, json, len);
}

static bool answer_function(rqi_run *run, const char *json, size_t len)
{
    rqi_executor *x = run->executor;
    char *copy = strndup(json, len);
    if (copy == NULL) {
        return false;
    }
    pthread_mutex_lock(&x->lock);
    bool waits = run->question != NULL && run->answer == NULL;
    if (waits) {
        run->answer = copy;
        go_on_timer(run);
        (void)pthread_cond_broadcast(&x->answered);
    }
    pthread_mutex_unlock(&x->lock);
    if (!waits) {
        free(copy);
    }
    return waits;
}

bool rqi_run_answer(rqi_run *run, const char *json, size_t len)
{
    if (run->exec != NULL) {
        bool taken = rqi_exec_answer(run->exec, json, len) == REFQ_OK;
        if (taken) {
            go_on_timer(run);
        }
        return taken;
    }
    return run->executor != NULL && answer_function(run, json, len);
}

/* --- Stopping --------------------------------------------------------------------------------- */

int rqi_run_cancel_fd(rqi_run *run)
{
    rqi_executor *x = run->executor;
    pthread_mutex_lock(&x->lock);
    if (run->cancel_fd < 0) {
        run->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (run->cancel_fd >= 0 && atomic_load(&run->stopping)) {
            wake(run->cancel_fd);
        }
    }
    int fd = run->cancel_fd;
    pthread_mutex_unlock(&x->lock);
    return fd;
}

void rqi_run_stop(rqi_run *run, rqi_stop_reason why)
{
    rqi_executor *x = run->executor;
    if (run->stop != RQI_STOP_NONE) {
        return;
    }
    run->stop = why;
    run->stopped_ms = rqi_mono_ms();
    if (x == NULL) {
        return; /* not started yet: its owner looks at `stop` before it does */
    }
    pthread_mutex_lock(&x->lock);
    atomic_store(&run->stopping, true);
    if (run->cancel_fd >= 0) {
        wake(run->cancel_fd);
    }
    (void)pthread_cond_broadcast(&x->answered);
    pthread_mutex_unlock(&x->lock);
    if (run->exec != NULL) {
        rqi_exec_cancel(run->exec);
    }
}
