/* SPDX-License-Identifier: MIT */
/* What runs first, and how much at a time. */
#include "contract.h"

#include <string.h>

#define EACH  20
#define TURNS 26

static const struct {
    refq_lane lane;
    const char *args;
} lanes[] = {{REFQ_LANE_LOW, "{\"tag\":\"l\"}"},
             {REFQ_LANE_NORMAL, "{\"tag\":\"n\"}"},
             {REFQ_LANE_HIGH, "{\"tag\":\"h\"}"}};

static unsigned count(const char *text, size_t n, char c)
{
    unsigned found = 0;
    for (size_t i = 0; i < n && text[i] != '\0'; i++) {
        found += text[i] == c;
    }
    return found;
}

/* One slot, taken while the lanes are filled from the lowest up. */
static void lanes_have_their_shares(rqi_ct *ct)
{
    char began[RQI_CT_LOG + 1];
    refq_ref last[3];
    (void)rqi_ct_make(ct, RQI_CT_RUNNING, NULL);
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < EACH; k++) {
            last[i] = CT_SUBMIT(ct, .lane = lanes[i].lane, .args = lanes[i].args);
        }
    }
    rqi_ct_open(ct->stage, 1);
    for (int i = 0; i < 3; i++) {
        (void)rqi_ct_end_as(ct, &last[i], REFQ_COMPLETE);
    }
    rqi_ct_order_seen(ct->stage, began);
    unsigned high = count(began, TURNS, 'h');
    unsigned normal = count(began, TURNS, 'n');
    unsigned low = count(began, TURNS, 'l');
    CT_CHECK(ct, high > normal && normal > low && low > 0,
             "the first %d were %u high, %u normal, %u low: %s", TURNS, high, normal, low, began);
}

static void first_come_first_served_in_a_lane(rqi_ct *ct)
{
    char began[RQI_CT_LOG + 1];
    refq_ref ref = rqi_ct_make(ct, RQI_CT_RUNNING, NULL);
    static const char *const args[] = {"{\"tag\":\"a\"}", "{\"tag\":\"b\"}", "{\"tag\":\"c\"}",
                                       "{\"tag\":\"d\"}"};
    for (int i = 0; i < 4; i++) {
        ref = CT_SUBMIT(ct, .args = args[i]);
    }
    rqi_ct_open(ct->stage, 1);
    (void)rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
    rqi_ct_order_seen(ct->stage, began);
    CT_CHECK(ct, strcmp(began, "abcd") == 0, "they began as %s", began);
}

static void no_more_at_a_time_than_slots(rqi_ct *ct)
{
    refq_ref refs[9];
    for (int i = 0; i < 9; i++) {
        refs[i] = CT_SUBMIT(ct, .args = "{\"gate\":1}");
    }
    rqi_ct_until_arrived(ct, 1, 3);
    rqi_ct_open(ct->stage, 1);
    for (int i = 0; i < 9; i++) {
        (void)rqi_ct_end_as(ct, &refs[i], REFQ_COMPLETE);
    }
    CT_CHECK(ct, rqi_ct_most(ct->stage) == 3, "%u ran at a time", rqi_ct_most(ct->stage));
}

/* What a task may not use is there for others. */
static void concurrency_of_a_task_is_kept(rqi_ct *ct)
{
    refq_ref refs[4];
    for (int i = 0; i < 4; i++) {
        refs[i] = CT_SUBMIT(ct, .task = "single", .args = "{\"gate\":1}");
    }
    rqi_ct_until_arrived(ct, 1, 1);
    rqi_ct_settle(ct);
    CT_CHECK(ct, rqi_ct_arrived(ct->stage, 1) == 1, "%u run at a time",
             rqi_ct_arrived(ct->stage, 1));
    rqi_ct_open(ct->stage, 1);
    for (int i = 0; i < 4; i++) {
        (void)rqi_ct_end_as(ct, &refs[i], REFQ_COMPLETE);
    }
    CT_CHECK(ct, rqi_ct_most(ct->stage) == 1, "%u ran at a time", rqi_ct_most(ct->stage));
}

const rqi_ct_case rqi_ct_cases_order[] = {
    {"order.lanes_have_their_shares", lanes_have_their_shares, 0, 1},
    {"order.first_come_first_served_in_a_lane", first_come_first_served_in_a_lane, 0, 1},
    {"order.no_more_at_a_time_than_slots", no_more_at_a_time_than_slots, 0, 3},
    {"order.concurrency_of_a_task_is_kept", concurrency_of_a_task_is_kept, 0, 4},
    {0},
};
