/* SPDX-License-Identifier: MIT */
/* Policies, namespaces and actors whose combinations meet each rule of access. */
#ifndef RQT_ACCESS_CELLS_H
#define RQT_ACCESS_CELLS_H

#include <refq/access.h>

enum { RQT_CELL_POLICIES = 25, RQT_CELL_NAMESPACES = 5, RQT_CELL_ACTORS = 7 };

extern const char *const rqt_cell_namespaces[RQT_CELL_NAMESPACES];

/* By number. They borrow from constants. */
refq_policy rqt_cell_policy(int number);
refq_actor rqt_cell_actor(int number);

#endif
