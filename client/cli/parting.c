/* SPDX-License-Identifier: MIT */
#include "parting.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char words[512];
static volatile sig_atomic_t words_len;

/* Installed with SA_RESETHAND: raising again ends the program as the signal would have. */
static void on_end(int number)
{
    ssize_t n = write(STDERR_FILENO, words, (size_t)words_len);
    (void)n;
    (void)raise(number);
}

/* A signal that was ignored when we started stays ignored (nohup). */
void cli_parting_set(const char *text)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction old;
    struct sigaction action = {.sa_handler = on_end, .sa_flags = (int)SA_RESETHAND};
    (void)snprintf(words, sizeof words, "\nrefq: %.480s\n", text);
    words_len = (sig_atomic_t)strlen(words);
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++) {
        if (sigaction(ending[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
            (void)sigaction(ending[i], &action, NULL);
        }
    }
}

void cli_parting_clear(void)
{
    words_len = 0;
}
