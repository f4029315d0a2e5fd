/* SPDX-License-Identifier: MIT */
/* From a task file to handlers. */
#ifndef RQI_CONFIG_CONFIG_OFFER_H
#define RQI_CONFIG_CONFIG_OFFER_H

#include "config/config.h"

/* Adds the file's programs and plugins. The error says which line is wrong. */
refq_err rqi_config_offer(const rqi_config *config, refq_handlers *handlers, refq_error *err);

#endif
