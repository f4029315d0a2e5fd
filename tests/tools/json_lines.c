/* SPDX-License-Identifier: MIT */
#include "tools/json_lines.h"

#include <stdio.h>
#include <stdlib.h>

void rqt_lines_serve(rqt_answer_fn answer, void *arg)
{
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        json_t *in = json_loads(line, JSON_ALLOW_NUL, NULL);
        json_t *out = answer(arg, in);
        (void)json_dumpf(out, stdout, JSON_COMPACT);
        (void)putchar('\n');
        (void)fflush(stdout);
        json_decref(out);
        json_decref(in);
    }
    free(line);
}

json_t *rqt_lines_failed(const refq_error *err)
{
    return json_pack("{s:b, s:s, s:s}", "ok", 0, "error", refq_strerror(err->code), "text",
                     err->text);
}

const char *rqt_lines_text(const json_t *request, const char *name)
{
    return json_string_value(json_object_get(request, name));
}

int64_t rqt_lines_number(const json_t *request, const char *name)
{
    return json_integer_value(json_object_get(request, name));
}
