/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A thread redraws the line twice a second, because time passes also
 * when nothing changes: the remaining time counts down and a long step does not
 * look like a hang. It costs Redis nothing. The window's width is asked for at
 * each redraw, so resizing needs no signal.
 *
 * The cursor is hidden, so every way out must show it: cli_screen_close(), the
 * signals that end a program, and Ctrl-Z. Their handlers only write(2) a
 * constant and then let the signal do what it does by default.
 */
#include "screen.h"

#include "progress_bar.h"
#include "render.h"
#include "text.h"

#include "base/clock.h"
#include "base/error.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define REDRAW_MS 500
#define CLEAR     "\r\x1b[K"
#define HIDE      "\x1b[?25l"
#define SHOW      "\x1b[?25h"

struct cli_screen {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t wake;
    pthread_t thread;
    bool closing;
    bool colour;
    bool seen; /* there was an update */
    refq_status status;
    rqi_buf message; /* clean */
    int64_t current; /* -1 = none */
    int64_t total;
    int64_t since_ms; /* monotonic: when the shown status began; -1 = not known */
    cli_meter meter;
};

/* --- Signals ---------------------------------------------------------------------------------- */

static void put(const char *text)
{
    (void)!write(STDOUT_FILENO, text, strlen(text));
}

/* Installed with SA_RESETHAND: raising again ends the program as the signal would have. */
static void on_end(int number)
{
    put(SHOW "\n");
    (void)raise(number);
}

static void on_stop(int number)
{
    (void)number;
    put(SHOW);
    (void)raise(SIGSTOP);
    put(HIDE);
}

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

#define N_ENDING (sizeof ending / sizeof ending[0])

/* A signal that was ignored when we started stays ignored (nohup). */
static void install(int number, void (*handler)(int), int flags)
{
    struct sigaction old;
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags | SA_RESTART};
    (void)sigemptyset(&action.sa_mask);
    if (sigaction(number, NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
        (void)sigaction(number, &action, NULL);
    }
}

static void install_all(void (*end)(int), void (*stop)(int))
{
    for (size_t i = 0; i < N_ENDING; i++) {
        install(ending[i], end, (int)SA_RESETHAND);
    }
    install(SIGTSTP, stop, 0);
}

/* --- Drawing ---------------------------------------------------------------------------------- */

static size_t window_width(void)
{
    struct winsize size = {0};
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    return known ? size.ws_col : 80;
}

static cli_bar current_bar(const cli_screen *s, int64_t now_ms)
{
    bool running = s->status == REFQ_PROCESSING;
    return (cli_bar){
        .status = refq_status_name(s->status),
        .message = rqi_buf_str(&s->message),
        .current = running ? s->current : -1,
        .total = s->total,
        .rate = running ? cli_meter_rate(&s->meter) : 0,
        .eta_ms = running ? cli_meter_eta(&s->meter, now_ms) : -1,
        .elapsed_ms = s->since_ms >= 0 && now_ms >= s->since_ms ? now_ms - s->since_ms : -1,
    };
}

/* The line begins with the status, the only word in colour. One column stays free, because writing
 * the last one makes some terminals wrap. */
static void draw(const cli_screen *s)
{
    cli_bar bar = current_bar(s, rqi_mono_ms());
    rqi_buf line = {0};
    rqi_buf frame = {0};
    cli_bar_format(&line, &bar, window_width() - 1);
    size_t word = strlen(bar.status);
    rqi_buf_adds(&frame, "\r");
    if (line.len >= word) {
        cli_paint(&frame, s->colour, cli_tone_of(s->status), bar.status);
        rqi_buf_adds(&frame, rqi_buf_str(&line) + word);
    }
    rqi_buf_adds(&frame, "\x1b[K");
    put(rqi_buf_str(&frame));
    rqi_buf_done(&frame);
    rqi_buf_done(&line);
}

static struct timespec redraw_at(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += REDRAW_MS * 1000000L;
    at.tv_sec += at.tv_nsec / 1000000000L;
    at.tv_nsec %= 1000000000L;
    return at;
}

static void *redraw(void *arg)
{
    cli_screen *s = arg;
    (void)pthread_mutex_lock(&s->lock);
    while (!s->closing) {
        if (s->seen) {
            draw(s);
        }
        struct timespec at = redraw_at();
        (void)pthread_cond_timedwait(&s->wake, &s->lock, &at);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* --- The task --------------------------------------------------------------------------------- */

/* How long ago the shown status began, by the server's clock; -1 when it does not say. */
static int64_t status_age(const refq_task *task)
{
    bool running = refq_task_status(task) == REFQ_PROCESSING;
    int64_t began = refq_task_number(task, running ? "started_at" : "created_at", -1);
    int64_t seen = refq_task_seen_at_ms(task);
    return began > 0 && seen >= began ? seen - began : -1;
}

static void take_message(cli_screen *s, const refq_task *task)
{
    bool running = refq_task_status(task) == REFQ_PROCESSING;
    const char *text = refq_task_field(task, running ? "message" : "error");
    rqi_buf_clear(&s->message);
    if (text != NULL) {
        cli_text_clean(&s->message, text, strlen(text));
    }
}

static void take_progress(cli_screen *s, const refq_task *task, int64_t age, int64_t now)
{
    if (!refq_task_progress(task, &s->current, &s->total)) {
        s->current = -1;
        s->total = 0;
        return;
    }
    cli_meter_update(&s->meter, refq_task_number(task, "attempt", 0), s->current, s->total, age,
                     now);
}

void cli_screen_update(cli_screen *s, const refq_task *task)
{
    int64_t now = rqi_mono_ms();
    int64_t age = status_age(task);
    (void)pthread_mutex_lock(&s->lock);
    s->seen = true;
    s->status = refq_task_status(task);
    s->since_ms = age >= 0 ? now - age : -1;
    take_message(s, task);
    take_progress(s, task, age, now);
    (void)pthread_cond_signal(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
}

/* --- Life ------------------------------------------------------------------------------------- */

static int init_sync(cli_screen *s)
{
    pthread_condattr_t attr;
    int failed = pthread_mutex_init(&s->lock, NULL);
    failed |= pthread_condattr_init(&attr);
    failed |= pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    failed |= pthread_cond_init(&s->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    return failed;
}

refq_err cli_screen_open(cli_screen **ret_screen, refq_error *err)
{
    cli_screen *s = calloc(1, sizeof *s);
    if (s == NULL || init_sync(s) != 0) {
        free(s);
        return rqi_fail(err, REFQ_ERR_NOMEM, "no memory for the progress bar");
    }
    s->message = rqi_buf_make(4096);
    s->colour = cli_colour_wanted(STDOUT_FILENO);
    install_all(on_end, on_stop);
    put(HIDE);
    if (pthread_create(&s->thread, NULL, redraw, s) != 0) {
        put(SHOW);
        install_all(SIG_DFL, SIG_DFL);
        free(s);
        return rqi_fail(err, REFQ_ERR_NOMEM, "cannot start a thread for the progress bar");
    }
    *ret_screen = s;
    return REFQ_OK;
}

void cli_screen_close(cli_screen *s)
{
    if (s == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    s->closing = true;
    (void)pthread_cond_signal(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->thread, NULL);
    put(CLEAR SHOW);
    install_all(SIG_DFL, SIG_DFL);
    (void)pthread_cond_destroy(&s->wake);
    (void)pthread_mutex_destroy(&s->lock);
    rqi_buf_done(&s->message);
    free(s);
}
