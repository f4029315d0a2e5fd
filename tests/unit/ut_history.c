/* SPDX-License-Identifier: MIT */
/*
 * The history checker on forged histories: it accepts what is right, excuses what a fault explains,
 * and catches each kind of violation by its name.
 *
 * A forged line is short: `<ms> <pid> <event> <letter> <attempt> <fence> [details]`. The letter
 * stands for a reference, as `$a` does in the details.
 */
#include "support/dice.h"
#include "support/history_check.h"
#include "support/main.h"
#include "support/proc.h"

#include "base/buf.h"

#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void add_ref(rqi_buf *b, char letter)
{
    if (letter == '-') {
        rqi_buf_addc(b, '-');
        return;
    }
    rqi_buf_adds(b, "docs:");
    for (int i = 0; i < REFQ_HEX_LEN; i++) {
        rqi_buf_addc(b, letter);
    }
}

static void add_line(rqi_buf *b, const char *line, size_t len)
{
    char text[512];
    char event[16];
    char letter = '-';
    long long ms = 0;
    int pid = 0;
    int read = 0;
    (void)snprintf(text, sizeof text, "%.*s ", (int)len, line);
    ck_assert_int_eq(sscanf(text, "%lld %d %15s %c %n", &ms, &pid, event, &letter, &read), 4);
    rqi_buf_addf(b, "%lld000000 %lld %d %s ", ms, ms, pid, event);
    add_ref(b, letter);
    rqi_buf_addc(b, ' ');
    for (const char *at = text + read; *at != '\0'; at++) {
        if (*at == '$') {
            add_ref(b, *++at);
        } else {
            rqi_buf_addc(b, *at);
        }
    }
    rqi_buf_addc(b, '\n');
}

static void forge(rqt_history *h, const char *lines)
{
    rqi_buf b = {0};
    refq_error err = {0};
    for (const char *at = lines, *end = NULL; *at != '\0'; at = end + 1) {
        end = strchr(at, '\n');
        ck_assert_ptr_nonnull(end);
        add_line(&b, at, (size_t)(end - at));
    }
    ck_assert_msg(rqt_history_parse(h, rqi_buf_str(&b), &err) == REFQ_OK, "%s", err.text);
    rqi_buf_done(&b);
}

static rqt_verdict judge(rqt_history *h)
{
    rqt_verdict v;
    refq_error err = {0};
    rqt_history_sort(h);
    ck_assert_msg(rqt_history_check(h, NULL, &v, &err) == REFQ_OK, "%s", err.text);
    return v;
}

/* --- What is right ---------------------------------------------------------------------------- */

/* Every kind of life, with a fault wherever one is needed to explain it. */
static const char good[] =
    /* a: done at once, seen twice */
    "10 1 submit a 0 - task=quick retries=3\n"
    "11 1 accepted a 0 - as=$a existed=0\n"
    "12 50 start a 1 10-0 worker=50\n"
    "13 50 done a 1 10-0 value=aa\n"
    "15 1 seen a 1 10-0 status=complete failures=0 value=aa vref=$a vattempt=1 vfence=10-0\n"
    "99000 9 final a 1 10-0 status=complete failures=0 value=aa vref=$a vattempt=1 vfence=10-0\n"
    /* b: fails once, is submitted again after a lost answer */
    "20 1 submit b 0 - task=fail retries=3\n"
    "21 1 refused b 0 - code=closed\n"
    "22 1 submit b 0 - task=fail retries=3\n"
    "23 1 accepted b 0 - as=$b existed=1\n"
    "24 50 start b 1 20-0 worker=50\n"
    "25 50 failed b 1 20-0 class=retry\n"
    "26 51 start b 2 21-0 worker=51\n"
    "27 51 done b 2 21-0 value=bb\n"
    "99000 9 final b 2 21-0 status=complete failures=1 value=bb vref=$b vattempt=2 vfence=21-0\n"
    /* c: cancelled while it runs */
    "30 1 submit c 0 - task=slow retries=3\n"
    "31 1 accepted c 0 - as=$c existed=0\n"
    "32 50 start c 1 30-0 worker=50\n"
    "33 1 cancel c 0 -\n"
    "34 1 stopped c 0 - status=cancelled\n"
    "36 50 told c 1 30-0\n"
    "99000 9 final c 1 30-0 status=cancelled failures=0\n"
    /* d: its key leads to a */
    "40 1 submit d 0 - task=quick retries=3 key=k\n"
    "41 1 accepted d 0 - as=$a existed=1\n"
    "99000 9 final d 0 - status=none\n"
    /* e: its worker is killed */
    "50 1 submit e 0 - task=slow retries=0\n"
    "51 1 accepted e 0 - as=$e existed=0\n"
    "52 60 start e 1 50-0 worker=60\n"
    "53 9 fault - 0 - id=1 name=kill target=60 reach=worker\n"
    "53 9 healed - 0 - id=1\n"
    "1500 50 start e 2 51-0 worker=50\n"
    "1501 50 done e 2 51-0 value=ee\n"
    "99000 9 final e 2 51-0 status=complete failures=0 deaths=1 value=ee vref=$e vattempt=2 "
    "vfence=51-0\n"
    /* f: its worker freezes and wakes up as a zombie */
    "2000 1 submit f 0 - task=slow retries=0\n"
    "2001 1 accepted f 0 - as=$f existed=0\n"
    "2002 61 start f 1 60-0 worker=61\n"
    "2003 9 fault - 0 - id=2 name=freeze target=61 reach=worker\n"
    "4000 50 start f 2 61-0 worker=50\n"
    "6003 9 healed - 0 - id=2\n"
    "6004 61 done f 1 60-0 value=f1\n"
    "6005 50 done f 2 61-0 value=f2\n"
    "99000 9 final f 2 61-0 status=complete failures=0 deaths=1 value=f2 vref=$f vattempt=2 "
    "vfence=61-0\n"
    /* 1: fails for good, 2: fails too often */
    "70 1 submit 1 0 - task=fail retries=3\n"
    "71 1 accepted 1 0 - as=$1 existed=0\n"
    "72 50 start 1 1 70-0 worker=50\n"
    "73 50 failed 1 1 70-0 class=permanent\n"
    "99000 9 final 1 1 70-0 status=failed failures=1 reason=permanent\n"
    "80 1 submit 2 0 - task=fail retries=1\n"
    "81 1 accepted 2 0 - as=$2 existed=0\n"
    "82 50 start 2 1 80-0 worker=50\n"
    "83 50 failed 2 1 80-0 class=retry\n"
    "84 50 start 2 2 81-0 worker=50\n"
    "85 50 failed 2 2 81-0 class=retry\n"
    "99000 9 final 2 2 81-0 status=failed failures=2 reason=exhausted\n"
    /* 3: refused, and indeed not there */
    "90 1 submit 3 0 - task=quick retries=3\n"
    "91 1 refused 3 0 - code=full\n"
    "99000 9 final 3 0 - status=none\n"
    /* 4: cancelled, and started late only because the worker was frozen in between */
    "7000 1 submit 4 0 - task=quick retries=3\n"
    "7001 1 accepted 4 0 - as=$4 existed=0\n"
    "7002 9 fault - 0 - id=3 name=freeze target=62 reach=worker\n"
    "7003 1 cancel 4 0 -\n"
    "7004 1 stopped 4 0 - status=cancelled\n"
    "11000 9 healed - 0 - id=3\n"
    "11001 62 start 4 1 90-0 worker=62\n"
    "11002 62 done 4 1 90-0 value=44\n"
    "99000 9 final 4 1 90-0 status=cancelled failures=0\n"
    /* 5: the server forgot that it was complete, and that it existed; it was submitted again */
    "20000 1 submit 5 0 - task=quick retries=3\n"
    "20001 1 accepted 5 0 - as=$5 existed=0\n"
    "20002 50 start 5 1 95-0 worker=50\n"
    "20003 50 done 5 1 95-0 value=51\n"
    "20004 1 seen 5 1 95-0 status=complete failures=0 value=51 vref=$5 vattempt=1 vfence=95-0\n"
    "20005 9 fault - 0 - id=4 name=truncate target=0 reach=loss\n"
    "20500 9 healed - 0 - id=4\n"
    "20600 1 seen 5 0 - status=none\n"
    "20600 1 stopped 5 0 - status=none\n"
    "20601 1 submit 5 0 - task=quick retries=3\n"
    "20602 1 accepted 5 0 - as=$5 existed=0\n"
    "20603 50 start 5 1 95-0 worker=50\n"
    "20604 50 done 5 1 95-0 value=52\n"
    "99000 9 final 5 1 95-0 status=complete failures=0 value=52 vref=$5 vattempt=1 vfence=95-0\n"
    /* 6: forgotten after its second attempt, so that its numbers begin anew */
    "20000 1 submit 6 0 - task=fail retries=3\n"
    "20001 1 accepted 6 0 - as=$6 existed=0\n"
    "20002 50 start 6 1 96-0 worker=50\n"
    "20003 50 failed 6 1 96-0 class=retry\n"
    "20004 50 start 6 2 97-0 worker=50\n"
    "20004 50 failed 6 2 97-0 class=retry\n"
    "20601 1 submit 6 0 - task=fail retries=3\n"
    "20602 1 accepted 6 0 - as=$6 existed=0\n"
    "20603 50 start 6 1 98-0 worker=50\n"
    "20604 50 done 6 1 98-0 value=66\n"
    "99000 9 final 6 1 98-0 status=complete failures=0 value=66 vref=$6 vattempt=1 vfence=98-0\n"
    /* 7: claimed just before the server forgot, and begun when it was back */
    "19000 1 submit 7 0 - task=quick retries=3\n"
    "19001 1 accepted 7 0 - as=$7 existed=0\n"
    "20610 50 start 7 1 99-0 worker=50\n"
    "20611 50 told 7 1 99-0\n"
    "20620 50 start 7 1 100-0 worker=50\n"
    "20630 50 done 7 1 100-0 value=77\n"
    "99000 9 final 7 1 100-0 status=complete failures=0 value=77 vref=$7 vattempt=1 "
    "vfence=100-0\n";

START_TEST(a_good_history_is_accepted)
{
    rqt_history h = {0};
    forge(&h, good);
    rqt_verdict v = judge(&h);
    for (size_t i = 0; i < v.n; i++) {
        ck_abort_msg("%s: %s", rqt_rule_name(v.violations[i].rule), v.violations[i].text);
    }
    ck_assert_uint_eq(v.tasks, 13);
    ck_assert_uint_eq(v.runs, 19);
    ck_assert_uint_eq(v.faults, 4);
    for (int r = 0; r < RQT_RULES; r++) {
        ck_assert_msg(v.checked[r] > 0, "rule %s was never applied", rqt_rule_name((rqt_rule)r));
    }
    ck_assert_uint_gt(v.excused[RQT_RULE_OVERLAP], 0);
    ck_assert_uint_gt(v.excused[RQT_RULE_WENT_BACK], 0);
    ck_assert_uint_gt(v.excused[RQT_RULE_FENCE], 0);
    rqt_verdict_done(&v);
    rqt_history_done(&h);
}
END_TEST

/* --- What is wrong ---------------------------------------------------------------------------- */

#define ACCEPTED                               \
    "10 1 submit a 0 - task=quick retries=1\n" \
    "11 1 accepted a 0 - as=$a existed=0\n"
#define RAN_ONCE                       \
    "12 50 start a 1 10-0 worker=50\n" \
    "13 50 done a 1 10-0 value=aa\n"
#define COMPLETE                                                                     \
    "99000 9 final a 1 10-0 status=complete failures=0 value=aa vref=$a vattempt=1 " \
    "vfence=10-0\n"
#define COMPLETE_2                                                                   \
    "99000 9 final a 2 11-0 status=complete failures=0 value=bb vref=$a vattempt=2 " \
    "vfence=11-0\n"
#define KILL_50                                                \
    "13 9 fault - 0 - id=1 name=kill target=50 reach=worker\n" \
    "13 9 healed - 0 - id=1\n"

static const struct {
    const char *what;
    rqt_rule rule;
    const char *lines;
    rqt_rule also; /* what the same mistake breaks besides; 0 = nothing */
} forged[] = {
    {.what = "a task is gone",
     .rule = RQT_RULE_LOST,
     .lines = ACCEPTED "99000 9 final a 0 - status=none\n",
     .also = RQT_RULE_WENT_BACK},
    {.what = "a task was never looked at", .rule = RQT_RULE_LOST, .lines = ACCEPTED RAN_ONCE},
    {.what = "a task still waits",
     .rule = RQT_RULE_LOST,
     .lines = ACCEPTED "99000 9 final a 0 - status=pending\n"},
    {.what = "a task still runs",
     .rule = RQT_RULE_LOST,
     .lines = ACCEPTED RAN_ONCE "99000 9 final a 1 10-0 status=processing\n"},
    {.what = "a result is missing",
     .rule = RQT_RULE_LOST,
     .lines = ACCEPTED RAN_ONCE "99000 9 final a 1 10-0 status=complete failures=0\n"},
    {.what = "a loss does not excuse what is lost after it",
     .rule = RQT_RULE_LOST,
     .lines = "1 9 fault - 0 - id=7 name=truncate target=0 reach=loss\n"
              "2 9 healed - 0 - id=7\n" ACCEPTED "99000 9 final a 0 - status=none\n",
     .also = RQT_RULE_WENT_BACK},
    {.what = "a loss does not excuse what is lost and was old by then",
     .rule = RQT_RULE_LOST,
     .lines = ACCEPTED "20000 9 fault - 0 - id=7 name=truncate target=0 reach=loss\n"
                       "20001 9 healed - 0 - id=7\n"
                       "99000 9 final a 0 - status=none\n",
     .also = RQT_RULE_WENT_BACK},
    {.what = "two attempts committed",
     .rule = RQT_RULE_TWO_COMMITS,
     .lines = ACCEPTED RAN_ONCE KILL_50
     "14 1 seen a 1 10-0 status=complete value=aa vref=$a vattempt=1 vfence=10-0\n"
     "20 51 start a 2 11-0 worker=51\n"
     "21 51 done a 2 11-0 value=bb\n" COMPLETE_2},
    {.what = "a committed value changed",
     .rule = RQT_RULE_TWO_COMMITS,
     .lines = ACCEPTED RAN_ONCE
     "14 1 seen a 1 10-0 status=complete value=ab vref=$a vattempt=1 vfence=10-0\n" COMPLETE,
     .also = RQT_RULE_VALUE},
    {.what = "a result of another task",
     .rule = RQT_RULE_VALUE,
     .lines =
         ACCEPTED RAN_ONCE "99000 9 final a 1 10-0 status=complete value=aa vref=$b vattempt=1 "
                           "vfence=10-0\n"},
    {.what = "a result of an attempt that was fenced out",
     .rule = RQT_RULE_VALUE,
     .lines = ACCEPTED RAN_ONCE KILL_50
     "20 51 start a 2 11-0 worker=51\n"
     "21 51 done a 2 11-0 value=bb\n"
     "99000 9 final a 2 11-0 status=complete value=aa vref=$a vattempt=1 vfence=10-0\n"},
    {.what = "a result nobody returned",
     .rule = RQT_RULE_VALUE,
     .lines = ACCEPTED "12 50 start a 1 10-0 worker=50\n"
                       "13 50 done a 1 10-0 value=cc\n" COMPLETE},
    {.what = "a result of an attempt that never ran",
     .rule = RQT_RULE_VALUE,
     .lines = ACCEPTED COMPLETE},
    {.what = "complete became failed",
     .rule = RQT_RULE_WENT_BACK,
     .lines = ACCEPTED RAN_ONCE
     "14 1 seen a 1 10-0 status=complete value=aa vref=$a vattempt=1 vfence=10-0\n"
     "99000 9 final a 1 10-0 status=failed failures=0\n"},
    {.what = "complete became processing for a moment",
     .rule = RQT_RULE_WENT_BACK,
     .lines = ACCEPTED RAN_ONCE
     "14 1 seen a 1 10-0 status=complete value=aa vref=$a vattempt=1 vfence=10-0\n"
     "15 1 seen a 1 10-0 status=processing\n" COMPLETE},
    {.what = "a late success overwrote a cancellation",
     .rule = RQT_RULE_WENT_BACK,
     .lines = ACCEPTED "12 1 stopped a 0 - status=cancelled\n" RAN_ONCE COMPLETE},
    {.what = "a task came back after a loss, and went again",
     .rule = RQT_RULE_WENT_BACK,
     .lines = ACCEPTED "12 9 fault - 0 - id=7 name=truncate target=0 reach=loss\n"
                       "13 9 healed - 0 - id=7\n"
                       "14 1 seen a 0 - status=none\n"
                       "15 1 submit a 0 - task=quick retries=1\n"
                       "16 1 accepted a 0 - as=$a existed=0\n"
                       "17 1 seen a 0 - status=none\n"
                       "20 50 start a 1 10-0 worker=50\n"
                       "21 50 done a 1 10-0 value=aa\n" COMPLETE},
    {.what = "a task was invisible for a moment",
     .rule = RQT_RULE_WENT_BACK,
     .lines = ACCEPTED "12 1 seen a 0 - status=none\n" RAN_ONCE COMPLETE},
    {.what = "an attempt started twice",
     .rule = RQT_RULE_FENCE,
     .lines = ACCEPTED RAN_ONCE KILL_50 "20 51 start a 1 10-0 worker=51\n"
                                        "21 51 done a 1 10-0 value=aa\n" COMPLETE},
    {.what = "a loss does not excuse two starts long after it",
     .rule = RQT_RULE_FENCE,
     .lines = ACCEPTED "12 9 fault - 0 - id=7 name=truncate target=0 reach=loss\n"
                       "13 9 healed - 0 - id=7\n"
                       "5000 50 start a 1 9-0 worker=50\n"
                       "5001 50 told a 1 9-0\n"
                       "5002 51 start a 1 10-0 worker=51\n"
                       "5003 51 done a 1 10-0 value=aa\n" COMPLETE,
     .also = RQT_RULE_EXTRA_RUN},
    {.what = "a fence went down",
     .rule = RQT_RULE_FENCE,
     .lines = ACCEPTED KILL_50 "12 50 start a 1 12-0 worker=50\n"
                               "13 50 done a 1 12-0 value=aa\n"
                               "20 51 start a 2 11-5 worker=51\n"
                               "21 51 done a 2 11-5 value=bb\n"
                               "99000 9 final a 2 11-5 status=complete value=bb vref=$a vattempt=2 "
                               "vfence=11-5\n"},
    {.what = "fences are numbers, not text",
     .rule = RQT_RULE_FENCE,
     .lines = ACCEPTED KILL_50 "12 50 start a 1 9-10 worker=50\n"
                               "13 50 done a 1 9-10 value=aa\n"
                               "20 51 start a 2 9-9 worker=51\n"
                               "21 51 done a 2 9-9 value=bb\n"
                               "99000 9 final a 2 9-9 status=complete value=bb vref=$a vattempt=2 "
                               "vfence=9-9\n"},
    {.what = "it started after its cancel",
     .rule = RQT_RULE_CANCELLED,
     .lines = ACCEPTED "12 1 stopped a 0 - status=cancelled\n"
                       "5000 50 start a 1 10-0 worker=50\n"
                       "5001 50 done a 1 10-0 value=aa\n"
                       "99000 9 final a 1 10-0 status=cancelled\n"},
    {.what = "a fault elsewhere does not excuse a start after a cancel",
     .rule = RQT_RULE_CANCELLED,
     .lines = ACCEPTED "12 9 fault - 0 - id=1 name=freeze target=77 reach=worker\n"
                       "12 1 stopped a 0 - status=cancelled\n"
                       "5000 9 healed - 0 - id=1\n"
                       "5000 50 start a 1 10-0 worker=50\n"
                       "5001 50 done a 1 10-0 value=aa\n"
                       "99000 9 final a 1 10-0 status=cancelled\n"},
    {.what = "more failures than allowed",
     .rule = RQT_RULE_FAILURES,
     .lines = ACCEPTED "12 50 start a 1 10-0 worker=50\n"
                       "13 50 failed a 1 10-0 class=retry\n"
                       "14 50 start a 2 11-0 worker=50\n"
                       "15 50 failed a 2 11-0 class=retry\n"
                       "16 50 start a 3 12-0 worker=50\n"
                       "17 50 failed a 3 12-0 class=retry\n"
                       "99000 9 final a 3 12-0 status=failed failures=3 reason=exhausted\n"},
    {.what = "a death was counted as a failure",
     .rule = RQT_RULE_FAILURES,
     .lines = ACCEPTED RAN_ONCE KILL_50
     "20 51 start a 2 11-0 worker=51\n"
     "21 51 done a 2 11-0 value=bb\n"
     "99000 9 final a 2 11-0 status=complete failures=1 value=bb vref=$a vattempt=2 "
     "vfence=11-0\n"},
    {.what = "given up too early",
     .rule = RQT_RULE_FAILURES,
     .lines = ACCEPTED "12 50 start a 1 10-0 worker=50\n"
                       "13 50 failed a 1 10-0 class=retry\n"
                       "99000 9 final a 1 10-0 status=failed failures=1 reason=exhausted\n"},
    {.what = "failed for good by nobody's word",
     .rule = RQT_RULE_FAILURES,
     .lines = ACCEPTED "12 50 start a 1 10-0 worker=50\n"
                       "13 50 failed a 1 10-0 class=retry\n"
                       "99000 9 final a 1 10-0 status=failed failures=1 reason=permanent\n"},
    {.what = "two attempts at once",
     .rule = RQT_RULE_OVERLAP,
     .lines = ACCEPTED "12 50 start a 1 10-0 worker=50\n"
                       "20 51 start a 2 11-0 worker=51\n"
                       "21 51 done a 2 11-0 value=bb\n"
                       "30 50 done a 1 10-0 value=aa\n" COMPLETE_2,
     .also = RQT_RULE_EXTRA_RUN},
    {.what = "a fault of another worker does not excuse an overlap",
     .rule = RQT_RULE_OVERLAP,
     .lines = ACCEPTED "11 9 fault - 0 - id=1 name=freeze target=52 reach=worker\n"
                       "12 50 start a 1 10-0 worker=50\n"
                       "20 51 start a 2 11-0 worker=51\n"
                       "21 51 done a 2 11-0 value=bb\n"
                       "30 50 done a 1 10-0 value=aa\n"
                       "31 9 healed - 0 - id=1\n" COMPLETE_2,
     .also = RQT_RULE_EXTRA_RUN},
    {.what = "a restart of the server does not excuse an overlap",
     .rule = RQT_RULE_OVERLAP,
     .lines = ACCEPTED "11 9 fault - 0 - id=1 name=restart target=0 reach=none\n"
                       "12 50 start a 1 10-0 worker=50\n"
                       "15 9 healed - 0 - id=1\n"
                       "20 51 start a 2 11-0 worker=51\n"
                       "21 51 done a 2 11-0 value=bb\n"
                       "30 50 done a 1 10-0 value=aa\n" COMPLETE_2,
     .also = RQT_RULE_EXTRA_RUN},
    {.what = "it ran again for no reason",
     .rule = RQT_RULE_EXTRA_RUN,
     .lines = ACCEPTED RAN_ONCE "20 51 start a 2 11-0 worker=51\n"
                                "21 51 done a 2 11-0 value=bb\n" COMPLETE_2},
    {.what = "an attempt never ended",
     .rule = RQT_RULE_VANISHED,
     .lines = ACCEPTED "12 50 start a 1 10-0 worker=50\n"
                       "99000 9 final a 1 10-0 status=cancelled\n"},
    {.what = "an innocent task was called poison",
     .rule = RQT_RULE_INNOCENT,
     .lines = ACCEPTED "12 50 start a 1 10-0 worker=50\n" KILL_50
                       "99000 9 final a 1 10-0 status=failed failures=0 reason=poison\n"},
    {.what = "a task nobody submitted",
     .rule = RQT_RULE_STRANGER,
     .lines = RAN_ONCE "99000 9 final a 1 10-0 status=cancelled\n"},
    {.what = "an end without a start",
     .rule = RQT_RULE_STRANGER,
     .lines = ACCEPTED RAN_ONCE "14 50 done a 1 10-7 value=ac\n" COMPLETE},
    {.what = "a second task for one key",
     .rule = RQT_RULE_KEY,
     .lines = ACCEPTED RAN_ONCE COMPLETE "20 1 submit b 0 - task=quick retries=1 key=k\n"
                                         "21 1 accepted b 0 - as=$a existed=1\n"
                                         "22 50 start b 1 20-0 worker=50\n"
                                         "23 50 done b 1 20-0 value=bb\n"
                                         "99000 9 final b 0 - status=none\n"},
    {.what = "a key that leads nowhere",
     .rule = RQT_RULE_KEY,
     .lines = "20 1 submit b 0 - task=quick retries=1 key=k\n"
              "21 1 accepted b 0 - as=$c existed=1\n"
              "99000 9 final b 0 - status=none\n"},
};

START_TEST(a_violation_is_caught_by_name)
{
    rqt_history h = {0};
    forge(&h, forged[_i].lines);
    rqt_verdict v = judge(&h);
    ck_assert_msg(v.broken[forged[_i].rule] > 0, "%s: not caught as %s (%s)", forged[_i].what,
                  rqt_rule_name(forged[_i].rule), v.n > 0 ? v.violations[0].text : "nothing was");
    ck_assert_uint_gt(v.n, 0);
    /* Nothing else is made of it. */
    size_t expected = v.broken[forged[_i].rule];
    if (forged[_i].also != 0) {
        ck_assert_uint_gt(v.broken[forged[_i].also], 0);
        expected += v.broken[forged[_i].also];
    }
    ck_assert_msg(rqt_verdict_broken(&v) == expected, "%s: also caught as %s: %s", forged[_i].what,
                  rqt_rule_name(v.violations[v.n - 1].rule), v.violations[v.n - 1].text);
    rqt_verdict_done(&v);
    rqt_history_done(&h);
}
END_TEST

/* A violation among good tasks, so that being one of many does not hide it. */
START_TEST(a_violation_is_caught_in_a_crowd)
{
    rqt_history h = {0};
    forge(&h, good);
    forge(&h, "30000 1 submit 9 0 - task=quick retries=1\n"
              "30001 1 accepted 9 0 - as=$9 existed=0\n"
              "99000 9 final 9 0 - status=none\n");
    rqt_verdict v = judge(&h);
    ck_assert_uint_eq(rqt_verdict_broken(&v), 2); /* it is lost, and so went away */
    ck_assert_uint_eq(v.broken[RQT_RULE_LOST], 1);
    ck_assert_str_eq(h.events[v.violations[0].first].ref, "docs:99999999999999999999999999999999");
    ck_assert_uint_eq(v.violations[0].n, 3);
    rqt_verdict_done(&v);
    rqt_history_done(&h);
}
END_TEST

START_TEST(a_story_is_told_in_order_with_its_faults)
{
    char text[4096] = "";
    rqt_history h = {0};
    forge(&h, "21 51 done a 2 11-0 value=bb\n"
              "20 51 start a 2 11-0 worker=51\n"
              "14 9 fault - 0 - id=1 name=sleep target=0 reach=none\n"
              "15 9 healed - 0 - id=1\n");
    forge(&h, ACCEPTED RAN_ONCE COMPLETE_2);
    rqt_verdict v = judge(&h);
    FILE *out = fmemopen(text, sizeof text, "w");
    rqt_verdict_print(out, &h, &v, 5);
    (void)fclose(out);
    const char *title = strstr(text, "extra-run: docs:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: 2 runs");
    ck_assert_msg(title != NULL, "%s", text);
    const char *first = strstr(title, " start docs:");
    const char *fault = strstr(title, "name=sleep");
    const char *second = strstr(title, " 2 11-0 worker=51");
    ck_assert(first != NULL && first < fault && fault < second);
    rqt_verdict_done(&v);
    rqt_history_done(&h);
}
END_TEST

/* --- The file --------------------------------------------------------------------------------- */

static char path[64];

static void make_path(void)
{
    (void)snprintf(path, sizeof path, "/tmp/refq-history-%d", (int)getpid());
}

static void remove_path(void)
{
    (void)unlink(path);
}

START_TEST(what_is_written_is_read)
{
    refq_error err = {0};
    rqt_history h = {0};
    char text[32] = "";
    int fd = rqt_history_open(path);
    ck_assert_int_ge(fd, 0);
    rqt_history_add(fd, RQT_START, "docs:00000000000000000000000000000001", 3, "17-4", "worker=%d",
                    99);
    rqt_history_add(fd, RQT_FAULT, NULL, 0, NULL, "id=1 name=kill target=99 reach=worker");
    (void)close(fd);
    ck_assert_msg(rqt_history_read(&h, path, &err) == REFQ_OK, "%s", err.text);
    rqt_history_sort(&h);
    ck_assert_uint_eq(h.n, 2);
    ck_assert_int_eq(h.events[0].kind, RQT_FAULT);
    ck_assert(rqt_event_text(&h.events[0], "name", text, sizeof text));
    ck_assert_str_eq(text, "kill");
    const rqt_event *e = &h.events[1];
    ck_assert_int_eq(e->kind, RQT_START);
    ck_assert_int_eq(e->pid, getpid());
    ck_assert_uint_eq(e->attempt, 3);
    ck_assert(e->fence.ms == 17 && e->fence.seq == 4);
    ck_assert_int_eq(rqt_event_number(e, "worker", 0), 99);
    ck_assert_int_eq(rqt_event_number(e, "work", -1), -1);
    ck_assert_int_gt(e->at_ns, 0);
    rqt_history_done(&h);
}
END_TEST

START_TEST(lines_of_many_processes_stay_whole)
{
    enum { WRITERS = 4, LINES = 2000 };
    refq_error err = {0};
    rqt_history h = {0};
    for (int w = 0; w < WRITERS; w++) {
        if (fork() == 0) {
            int fd = rqt_history_open(path);
            for (unsigned i = 0; i < LINES; i++) {
                rqt_history_add(fd, RQT_SUBMIT, NULL, i, NULL, "padding=%0*d", w * 60 + 1, 0);
            }
            _exit(0);
        }
    }
    for (int w = 0; w < WRITERS; w++) {
        int status = 0;
        ck_assert_int_gt(wait(&status), 0);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_msg(rqt_history_read(&h, path, &err) == REFQ_OK, "%s", err.text);
    ck_assert_uint_eq(h.n, WRITERS * LINES);
    rqt_history_done(&h);
}
END_TEST

static const char *const malformed[] = {
    "x\n",
    "1 1 1 start - 0\n",
    "1 1 1 dance - 0 - \n",
    "-1 1 1 start - 0 - \n",
    "1 1 1 start - 0 12 \n",
    "1 1 1 start - 0 1-2-3 \n",
    "1 1 1 start - 0 - ",
};

START_TEST(a_malformed_history_is_refused)
{
    refq_error err = {0};
    rqt_history h = {0};
    ck_assert_int_ne(rqt_history_parse(&h, malformed[_i], &err), REFQ_OK);
    ck_assert_ptr_nonnull(strstr(err.text, "line 1"));
    rqt_history_done(&h);
}
END_TEST

/* --- The program ------------------------------------------------------------------------------ */

static int check_file(const char *lines)
{
    rqi_buf b = {0};
    const char *argv[] = {RQT_HISTORY_CHECK_PATH, path, NULL};
    FILE *f = fopen(path, "we");
    for (const char *at = lines, *end = NULL; *at != '\0'; at = end + 1) {
        end = strchr(at, '\n');
        add_line(&b, at, (size_t)(end - at));
    }
    (void)fputs(rqi_buf_str(&b), f);
    (void)fclose(f);
    rqi_buf_done(&b);
    rqt_spawn_options o = {.argv = argv};
    return rqt_reap(rqt_spawn(&o), 20000);
}

START_TEST(the_program_says_it_by_its_status)
{
    ck_assert_int_eq(check_file(good), 0);
    ck_assert_int_eq(check_file(forged[0].lines), 1);
    FILE *f = fopen(path, "we");
    (void)fputs("nonsense\n", f);
    (void)fclose(f);
    const char *argv[] = {RQT_HISTORY_CHECK_PATH, path, NULL};
    rqt_spawn_options o = {.argv = argv};
    ck_assert_int_eq(rqt_reap(rqt_spawn(&o), 20000), 2);
}
END_TEST

/* --- Dice ------------------------------------------------------------------------------------- */

START_TEST(dice_repeat_by_seed)
{
    static const int weights[] = {0, 3, 1};
    int counts[3] = {0};
    rqt_dice a = rqt_dice_make(7, 1);
    rqt_dice b = rqt_dice_make(7, 1);
    rqt_dice other = rqt_dice_make(7, 2);
    ck_assert(rqt_dice_next(&other) != rqt_dice_next(&(rqt_dice){.state = a.state}));
    for (int i = 0; i < 4000; i++) {
        int64_t n = rqt_dice_range(&a, -3, 3);
        ck_assert(n >= -3 && n <= 3 && n == rqt_dice_range(&b, -3, 3));
        counts[rqt_dice_pick(&other, weights, 3)]++;
    }
    ck_assert_int_eq(counts[0], 0);
    ck_assert(counts[1] > 2700 && counts[1] < 3300);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("history");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, make_path, remove_path);
    tcase_add_test(c, a_good_history_is_accepted);
    tcase_add_loop_test(c, a_violation_is_caught_by_name, 0,
                        (int)(sizeof forged / sizeof forged[0]));
    tcase_add_test(c, a_violation_is_caught_in_a_crowd);
    tcase_add_test(c, a_story_is_told_in_order_with_its_faults);
    tcase_add_test(c, what_is_written_is_read);
    tcase_add_test(c, lines_of_many_processes_stay_whole);
    tcase_add_loop_test(c, a_malformed_history_is_refused, 0,
                        (int)(sizeof malformed / sizeof malformed[0]));
    tcase_add_test(c, the_program_says_it_by_its_status);
    tcase_add_test(c, dice_repeat_by_seed);
    Suite *s = suite_create("ut_history");
    suite_add_tcase(s, c);
    return rqt_main(s);
}
