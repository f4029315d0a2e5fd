/* SPDX-License-Identifier: MIT */
/* Running failed and cancelled tasks again: what `retry` and `dead replay` have in common. */
#ifndef CLI_REPLAY_H
#define CLI_REPLAY_H

#include "cli.h"

#include "json_list.h"
#include "work_bar.h"

typedef struct cli_replay {
    refq_client *client; /* borrowed */
    bool json;
    int64_t gap_ms; /* at least so long between two; 0 = as fast as it goes */
    cli_work_bar bar;
    cli_json_list list;
    int64_t looked; /* tasks dealt with, for the bar */
    int64_t again;  /* new tasks */
    int worst;      /* the highest exit status of one task */
} cli_replay;

/* Each of the tasks; prints `old -> new` for each. Returns an exit status. */
int cli_replay_refs(cli_replay *replay, const refq_ref *refs, size_t n);

/* All tasks of a list that were not run again already. */
int cli_replay_list(cli_replay *replay, const refq_list_query *query);

/* Ends the output; call it once after either. */
void cli_replay_end(cli_replay *replay);

#endif
