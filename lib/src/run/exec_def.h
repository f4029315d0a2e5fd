/* SPDX-License-Identifier: MIT */
/* The definition of an external program: checked, copied, freed. */
#ifndef RQI_RUN_EXEC_DEF_H
#define RQI_RUN_EXEC_DEF_H

#include <refq/handlers.h>

/* REFQ_ERR_INVALID or REFQ_ERR_LIMIT for what no attempt could run with. */
refq_err rqi_exec_def_check(const refq_exec_def *def, refq_error *err);

/* Makes *ret a copy with the defaults filled in; REFQ_ERR_NOMEM leaves *ret untouched. */
refq_err rqi_exec_def_copy(const refq_exec_def *def, refq_exec_def *ret, refq_error *err);

/* Frees what a copy owns and empties it; an all-zero one is fine. */
void rqi_exec_def_done(refq_exec_def *def);

#endif
