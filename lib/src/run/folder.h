/* SPDX-License-Identifier: MIT */
/* The private folder of one attempt, for a program that writes its result to a file. */
#ifndef RQI_RUN_FOLDER_H
#define RQI_RUN_FOLDER_H

#include "base/buf.h"

#include <stdbool.h>

#define RQI_RESULT_NAME "result" /* the file within the folder */

/* What became of the result: an open file, or why there is none. */
typedef struct rqi_result_file {
    int fd;    /* read only; -1 = none */
    int error; /* errno; ENOENT: not written, ELOOP: not a regular file */
} rqi_result_file;

/* Appends the path of a folder that does not exist yet, in TMPDIR or /tmp. */
refq_err rqi_folder_name(rqi_buf *path, refq_error *err);

/* Makes the folder, which nobody else may enter. -1 with errno when it is there already. */
int rqi_folder_make(const char *path);

/* Opens the result in it. Links are not followed. */
rqi_result_file rqi_folder_result(const char *path);

/* Removes the folder with all it holds, however deep and whatever its modes are; never touches
 * what a link in it points to. Gives up after a minute. */
void rqi_folder_remove(const char *path);

#endif
