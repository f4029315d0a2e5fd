/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. All failures are REFQ_ERR_AUTH: what waits for the connection is told at once, and the
 * next attempt to connect reads the file again, so that a corrected or rotated secret works without
 * a restart.
 */
#include "redis/secret.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static refq_err check_file(int fd, const char *path, refq_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return rqi_fail(err, REFQ_ERR_AUTH, "the password file %.120s is no regular file", path);
    }
    if ((st.st_mode & S_IROTH) != 0) {
        return rqi_fail(err, REFQ_ERR_AUTH,
                        "everybody can read the password file %.100s; take that right away: chmod "
                        "o-r (Kubernetes: defaultMode 0440)",
                        path);
    }
    return REFQ_OK;
}

/* Fills buf as far as the file goes; -1 with errno set. */
static ssize_t read_all(int fd, char *buf, size_t size)
{
    size_t n = 0;
    while (n < size) {
        ssize_t got = read(fd, buf + n, size - n);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 ? -1 : (ssize_t)n;
        }
        n += (size_t)got;
    }
    return (ssize_t)n;
}

static refq_err take_line(int fd, const char *path, char ret[RQI_PASSWORD_MAX + 1], refq_error *err)
{
    char text[RQI_PASSWORD_MAX + 2]; /* the longest password and a newline */
    refq_err rc = REFQ_OK;
    ssize_t n = read_all(fd, text, sizeof text);
    size_t len = 0;
    while (n > 0 && len < (size_t)n && text[len] != '\n' && text[len] != '\0') {
        len++;
    }
    bool has_zero = n > 0 && len < (size_t)n && text[len] == '\0';
    if (len > 0 && text[len - 1] == '\r') {
        len--;
    }
    if (n < 0) {
        rc = rqi_fail(err, REFQ_ERR_AUTH, "cannot read the password file %.120s: %s", path,
                      strerror(errno));
    } else if (len == 0 || has_zero) {
        rc = rqi_fail(err, REFQ_ERR_AUTH,
                      "the first line of the password file %.120s %s; it must be the password",
                      path, has_zero ? "holds a zero byte" : "is empty");
    } else if (len > RQI_PASSWORD_MAX) {
        rc = rqi_fail(err, REFQ_ERR_AUTH,
                      "the first line of the password file %.120s is longer than %d bytes", path,
                      RQI_PASSWORD_MAX);
    } else {
        (void)snprintf(ret, RQI_PASSWORD_MAX + 1, "%.*s", (int)len, text);
    }
    explicit_bzero(text, sizeof text);
    return rc;
}

refq_err rqi_login_password(const rqi_login *login, char ret[RQI_PASSWORD_MAX + 1], refq_error *err)
{
    const char *path = login->password_file;
    if (path[0] == '\0') {
        (void)snprintf(ret, RQI_PASSWORD_MAX + 1, "%s", login->password);
        return REFQ_OK;
    }
    /* A fifo would otherwise hold the loop until somebody writes to it. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return rqi_fail(err, REFQ_ERR_AUTH, "cannot open the password file %.120s: %s", path,
                        strerror(errno));
    }
    refq_err rc = check_file(fd, path, err);
    if (rc == REFQ_OK) {
        rc = take_line(fd, path, ret, err);
    }
    (void)close(fd);
    return rc;
}
