/* SPDX-License-Identifier: MIT */
/* What --check says of a task file without a mistake. */
#ifndef REFQ_WORKER_CONTENTS_H
#define REFQ_WORKER_CONTENTS_H

#include "files.h"

/* Prints the queue, its tasks and its plugins with theirs; the handlers have been made. */
void rqi_contents_print(const rqi_file *file);

#endif
