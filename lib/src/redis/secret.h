/* SPDX-License-Identifier: MIT */
/* The password of a login, wherever it is kept. */
#ifndef RQI_REDIS_SECRET_H
#define RQI_REDIS_SECRET_H

#include "redis/url.h"

/* Reads the password file when the login has one: its first line, without the line's end. It must
 * be a regular file that not everybody may read. ret is "" when there is no password at all;
 * overwrite it (explicit_bzero) after use. */
refq_err rqi_login_password(const rqi_login *login, char ret[RQI_PASSWORD_MAX + 1],
                            refq_error *err);

#endif
