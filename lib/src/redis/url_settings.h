/* SPDX-License-Identifier: MIT */
/* What follows the `?` of a Redis URL, and what the environment adds. For url.c. */
#ifndef RQI_REDIS_URL_SETTINGS_H
#define RQI_REDIS_URL_SETTINGS_H

#include "redis/url.h"

/* Copies text, undoing %XX; false when it does not fit or is malformed. */
bool rqi_url_decode(const char *text, size_t len, char *out, size_t size);

refq_err rqi_url_db(const char *text, rqi_url *url, refq_error *err);

/* text: `name=value&name=value`, may be empty. */
refq_err rqi_url_options(const char *text, rqi_url *url, refq_error *err);

/* Fills in what the URL leaves open, then checks that all of it goes together. */
refq_err rqi_url_environment(rqi_url *url, refq_error *err);

#endif
