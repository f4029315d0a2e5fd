/* SPDX-License-Identifier: MIT */
#include "event_line.h"

#include "exit.h"
#include "out.h"
#include "text.h"

static bool show_text(const refq_event *e, const char *ref)
{
    char stamp[CLI_TIME_MAX];
    rqi_buf line = {0};
    rqi_buf_addf(&line, "%s  %s  ", cli_text_time(stamp, e->at_ms), ref);
    cli_paint(&line, cli_colour_wanted(1), cli_tone_of(e->status), refq_status_name(e->status));
    rqi_buf_addf(&line, "  %s", e->id);
    bool good = cli_out_line(rqi_buf_str(&line));
    rqi_buf_done(&line);
    return good;
}

bool cli_event_show(const refq_event *e, bool json)
{
    char ref[REFQ_REF_MAX + 1];
    (void)refq_ref_format(&e->ref, ref);
    if (!json) {
        return show_text(e, ref);
    }
    return cli_out_json(json_pack("{s:s, s:I, s:s, s:s}", "id", e->id, "at", (json_int_t)e->at_ms,
                                  "ref_id", ref, "status", refq_status_name(e->status))) == EX_OK &&
           !cli_out_broken();
}
