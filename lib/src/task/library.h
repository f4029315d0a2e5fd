/* SPDX-License-Identifier: MIT */
/* The function library as embedded at build time (EmbedLua.cmake). */
#ifndef RQI_TASK_LIBRARY_H
#define RQI_TASK_LIBRARY_H

/* What FUNCTION LOAD gets; its name is RQI_LIBRARY_NAME of the generated task/library_name.h. */
extern const char rqi_library_source[];

#endif
