/* SPDX-License-Identifier: MIT */
/* In which order an attempt tells Redis of its questions, and which of them it need not tell. */
#include "work/notes.h"
#include "work/worker.h"
#include "support/main.h"

#include <check.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

static refq_worker *w;
static rqi_line line;
static rqi_attempt *a;

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

static void setup(void)
{
    w = calloc(1, sizeof *w);
    ck_assert_ptr_nonnull(w);
    w->base = event_base_new();
    w->kick = evtimer_new(w->base, on_kick, NULL);
    line = (rqi_line){.worker = w};
    line.later = evtimer_new(w->base, on_kick, NULL);
    TAILQ_INIT(&line.held);
    a = rqi_attempt_new(&line);
    a->state = RQI_ATTEMPT_RUNNING;
    rqi_line_add(&line, a);
}

static void teardown(void)
{
    rqi_line_drop(&line, a);
    event_free(line.later);
    event_free(w->kick);
    event_base_free(w->base);
    free(w);
}

static void ask(const char *question)
{
    a->run.on_ask(&a->run, question, question != NULL ? strlen(question) : 0);
}

/* Sends what is owed and has it taken. */
static size_t tell(rqi_note *notes)
{
    rqi_cmd cmd = {0};
    rqi_buf scratch[4] = {0};
    size_t n = rqi_notes_collect(&line, notes, 4);
    for (size_t i = 0; i < n; i++) {
        rqi_note_add(&notes[i], &cmd, &scratch[i]);
    }
    for (size_t i = 0; i < n; i++) {
        rqi_note_taken(a, notes[i].kind);
        rqi_buf_done(&scratch[i]);
    }
    rqi_cmd_done(&cmd);
    return n;
}

START_TEST(the_next_question_is_told_after_the_end_of_the_last)
{
    rqi_note notes[4];
    ask("1");
    ck_assert_uint_eq(tell(notes), 1);
    rqi_note_owe(a, RQI_NOTE_ANSWERED);
    ask("2");
    ck_assert_uint_eq(tell(notes), 2);
    ck_assert_int_eq(notes[0].kind, RQI_NOTE_ANSWERED);
    ck_assert_int_eq(notes[1].kind, RQI_NOTE_ASK);
}
END_TEST

START_TEST(a_question_given_up_before_it_was_told_is_not_told)
{
    rqi_note notes[4];
    ask("1");
    ask(NULL);
    ck_assert_uint_eq(tell(notes), 1);
    ck_assert_int_eq(notes[0].kind, RQI_NOTE_ANSWERED);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("ut_notes");
    TCase *t = tcase_create("questions");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_next_question_is_told_after_the_end_of_the_last);
    tcase_add_test(t, a_question_given_up_before_it_was_told_is_not_told);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return rqt_main(suite());
}
