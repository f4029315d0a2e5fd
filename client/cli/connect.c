/* SPDX-License-Identifier: MIT */
/* From options and environment to a client, a queue and a reference. */
#include "cli.h"

#include "exit.h"

#include <stdlib.h>

int cli_connect(const cli_common *common, refq_client **ret_client)
{
    refq_redis_options options = {
        .struct_size = sizeof options, .url = common->redis, .prefix = common->prefix};
    refq_error err = {0};
    return refq_client_open(&options, ret_client, &err) == REFQ_OK ? EX_OK : cli_fail(&err);
}

const char *cli_default_queue(void)
{
    const char *queue = getenv("REFQ_QUEUE");
    return queue != NULL && queue[0] != '\0' ? queue : "default";
}

int cli_parse_ref(const char *text, refq_ref *ret)
{
    refq_error err = {0};
    return refq_ref_parse(text, ret, &err) == REFQ_OK ? EX_OK
                                                      : cli_fail_as(EX_USAGE, "%s", err.text);
}
