/* SPDX-License-Identifier: MIT */
/*
 * An external program as handler in a chaos run: arguments on stdin, everything else from its
 * environment, among it RQT_HISTORY (path) and RQT_WORKER (process id of its worker).
 */
#include "support/history.h"
#include "tools/chaos_result.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_RETRY = 75, EXIT_PERMANENT = 65, STEP_MS = 10 };

static volatile sig_atomic_t told;

static void on_term(int number)
{
    (void)number;
    told = 1;
}

static const char *env(const char *name)
{
    const char *text = getenv(name);
    if (text == NULL) {
        (void)fprintf(stderr, "%s is not set\n", name);
        exit(EXIT_PERMANENT);
    }
    return text;
}

static bool work(int64_t ms)
{
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000};
    for (int64_t done = 0; done < ms && !told; done += STEP_MS) {
        (void)nanosleep(&step, NULL);
    }
    return !told;
}

int main(void)
{
    char input[4096] = "";
    struct sigaction action = {.sa_handler = on_term};
    const char *ref = env("REFQ_REF_ID");
    const char *fence = env("REFQ_FENCE");
    unsigned attempt = (unsigned)strtoul(env("REFQ_ATTEMPT"), NULL, 10);
    int history = rqt_history_open(env("RQT_HISTORY"));
    /* From its first line on it can be told to stop and say so. */
    (void)sigaction(SIGTERM, &action, NULL);
    rqt_history_add(history, RQT_START, ref, attempt, fence, "worker=%s", env("RQT_WORKER"));
    (void)fread(input, 1, sizeof input - 1, stdin);
    rqt_chaos_args args = rqt_chaos_args_read(input);
    if (!work(args.ms)) {
        rqt_history_add(history, RQT_TOLD, ref, attempt, fence, "%s", "");
        return EXIT_RETRY;
    }
    if (attempt <= args.fail) {
        rqt_history_add(history, RQT_FAILED, ref, attempt, fence, "class=%s",
                        args.permanent ? "permanent" : "retry");
        return args.permanent ? EXIT_PERMANENT : EXIT_RETRY;
    }
    rqi_buf out = {0};
    rqt_chaos_done(history, ref, attempt, fence, args.bytes, &out);
    (void)fputs(rqi_buf_str(&out), stdout);
    rqi_buf_done(&out);
    return EXIT_SUCCESS;
}
