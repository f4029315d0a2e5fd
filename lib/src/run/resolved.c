/* SPDX-License-Identifier: MIT */
#include "run/resolved.h"

#include "base/error.h"
#include "codec/args_pack.h"
#include "json/parts.h"
#include "json/str.h"
#include "run/argv.h"
#include "run/keeper_wire.h"

static refq_err pick(rqi_run *run, const rqi_part *part, const char *name, refq_error *err)
{
    if (!rqi_argv_uses(run->handler->exec.argv, name)) {
        return REFQ_OK;
    }
    if (part->value.len > RQI_KEEPER_TEXT_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT,
                        "the argument '%.80s' is too large for {%.80s} in the command: a command "
                        "line has at most %zu KiB; take it from stdin instead",
                        name, name, RQI_KEEPER_TEXT_MAX / 1024);
    }
    rqi_buf_adds(&run->named, run->named.len > 1 ? "," : "");
    rqi_buf_add(&run->named, part->key.ptr, part->key.len);
    rqi_buf_adds(&run->named, ":");
    rqi_buf_add(&run->named, part->value.ptr, part->value.len);
    return REFQ_OK;
}

static refq_err pick_named(rqi_run *run, refq_error *err)
{
    rqi_parts parts;
    rqi_part part;
    rqi_buf name = {0};
    refq_err rc = REFQ_OK;
    rqi_buf_clear(&run->named);
    rqi_buf_adds(&run->named, "{");
    rqi_parts_open(&parts, rqi_buf_bytes(&run->json), err);
    while (rc == REFQ_OK && rqi_parts_next(&parts, &part)) {
        rqi_buf_clear(&name);
        rqi_str_decode(part.key, &name);
        rc = pick(run, &part, rqi_buf_str(&name), err);
    }
    rqi_buf_adds(&run->named, "}");
    rqi_buf_done(&name);
    if (rc == REFQ_OK && run->named.err != REFQ_OK) {
        rc = rqi_fail(err, run->named.err, "no memory for a command line");
    }
    return rc;
}

refq_err rqi_run_take_resolved(rqi_run *run, rqi_buf *json, refq_error *err)
{
    rqi_buf_done(&run->args);
    rqi_buf_done(&run->json);
    run->json = *json;
    *json = (rqi_buf){0};
    return run->handler->kind == RQI_HANDLER_EXEC ? pick_named(run, err) : REFQ_OK;
}

void rqi_run_pack_resolved(rqi_run *run)
{
    rqi_buf packed = {0};
    if (run->json.len == 0) {
        return;
    }
    rqi_buf_addc(&packed, 'm');
    if (rqi_args_pack(rqi_buf_bytes(&run->json), &packed) == REFQ_OK) {
        run->args = packed;
    } else {
        rqi_buf_done(&packed);
    }
}
