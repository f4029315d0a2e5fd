/* SPDX-License-Identifier: MIT */
/* From options and operands to a client and to references. */
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

int cli_parse_ref(const char *text, refq_ref *ret)
{
    refq_error err = {0};
    return refq_ref_parse(text, ret, &err) == REFQ_OK ? EX_OK
                                                      : cli_fail_as(EX_USAGE, "%s", err.text);
}

int cli_open_task(const cli_common *common, const char *text, refq_client **ret_client,
                  refq_task **ret_task)
{
    refq_ref ref;
    refq_error err = {0};
    int code = cli_parse_ref(text, &ref);
    code = code == EX_OK ? cli_connect(common, ret_client) : code;
    if (code == EX_OK && refq_client_status(*ret_client, &ref, ret_task, &err) != REFQ_OK) {
        code = cli_fail(&err);
    }
    return code;
}

int cli_parse_refs(int n, char **texts, refq_ref **ret)
{
    refq_ref *refs = calloc((size_t)n + 1, sizeof *refs);
    if (refs == NULL) {
        return cli_fail_as(EX_OSERR, "out of memory");
    }
    int code = EX_OK;
    for (int i = 0; i < n && code == EX_OK; i++) {
        code = cli_parse_ref(texts[i], &refs[i]);
    }
    if (code != EX_OK) {
        free(refs);
        return code;
    }
    *ret = refs;
    return EX_OK;
}
