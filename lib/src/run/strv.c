/* SPDX-License-Identifier: MIT */
#include "run/strv.h"

#include <stdlib.h>
#include <string.h>

void rqi_strv_end(rqi_strv *v)
{
    rqi_buf_addc(&v->text, '\0');
    v->n++;
}

char **rqi_strv_make(rqi_strv *v)
{
    if (v->text.err != REFQ_OK) {
        return NULL;
    }
    v->ptr = calloc(v->n + 1, sizeof *v->ptr);
    if (v->ptr == NULL) {
        v->text.err = REFQ_ERR_NOMEM;
        return NULL;
    }
    char *at = v->text.ptr;
    for (size_t i = 0; i < v->n; i++) {
        v->ptr[i] = at;
        at += strlen(at) + 1;
    }
    return v->ptr;
}

void rqi_strv_done(rqi_strv *v)
{
    rqi_buf_done(&v->text);
    free(v->ptr);
    *v = (rqi_strv){0};
}
