/* SPDX-License-Identifier: MIT */
/*
 * Notes: what an attempt has to tell Redis while it runs.
 *
 * DESIGN. An attempt owes notes as bits. A note that is sent is owed no more; if
 * the call is lost it is owed again. So a note is said at least once, its latest
 * text only, and one that the attempt's end has overtaken is not said at all.
 */
#ifndef RQI_WORK_NOTES_H
#define RQI_WORK_NOTES_H

#include "redis/cmd.h"
#include "work/line.h"

/* In the order in which one attempt's are told. */
typedef enum rqi_note_kind {
    RQI_NOTE_ALONE,    /* it runs alone from now on */
    RQI_NOTE_ANSWERED, /* it has its answer, or waits for none any more */
    RQI_NOTE_ASK,      /* it asks a person; after that, as it ends the question before */
    RQI_NOTE_DEADLINE, /* when it will time out */
    RQI_NOTE_PROGRESS,
    RQI_NOTE_KINDS
} rqi_note_kind;

typedef struct rqi_note {
    rqi_attempt *attempt;
    rqi_note_kind kind;
} rqi_note;

/* From now on the note is owed. */
void rqi_note_owe(rqi_attempt *a, rqi_note_kind kind);

/* The note is of no use any more, unless it is under way already. */
void rqi_note_forget(rqi_attempt *a, rqi_note_kind kind);

/* Finds at most `room` notes that may be sent now; sees to it that what must wait is not forgotten.
 * Returns how many. */
size_t rqi_notes_collect(rqi_line *line, rqi_note *ret, size_t room);

/* Appends the report. Texts live in the scratch buffer until it is sent. */
void rqi_note_add(const rqi_note *note, rqi_cmd *cmd, rqi_buf *scratch);

/* Redis has taken it. */
void rqi_note_taken(rqi_attempt *a, rqi_note_kind kind);

#endif
