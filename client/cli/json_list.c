/* SPDX-License-Identifier: MIT */
#include "json_list.h"

#include "exit.h"
#include "out.h"

#include <stdlib.h>

int cli_json_list_add(cli_json_list *list, json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    json_decref(json);
    if (text == NULL) {
        return cli_fail_as(EX_OSERR, "out of memory for the JSON output");
    }
    rqi_buf part = {0};
    rqi_buf_adds(&part, list->open ? "," : "[");
    rqi_buf_adds(&part, text);
    free(text);
    list->open = true;
    bool good = cli_out(&part);
    rqi_buf_done(&part);
    return good ? EX_OK : EX_IOERR;
}

void cli_json_list_end(cli_json_list *list)
{
    (void)cli_out_line(list->open ? "]" : "[]");
    *list = (cli_json_list){0};
}
