/* SPDX-License-Identifier: MIT */
/* Version of the library a program was compiled against. */
#ifndef REFQ_VERSION_H
#define REFQ_VERSION_H

#define REFQ_VERSION_MAJOR 0
#define REFQ_VERSION_MINOR 1
#define REFQ_VERSION_PATCH 0
#define REFQ_VERSION       "0.1.0"

#endif
