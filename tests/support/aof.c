/* SPDX-License-Identifier: MIT */
/* DESIGN. kill -9 of a server loses nothing the kernel has, whatever `appendfsync` says; only a
 * power cut does. So the end of the file is cut off while the server is down: it starts on what is
 * left. */
#include "support/aof.h"

#include "support/redis_fixture.h"

#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The longest name is the newest part, among equals the last one: they are numbered. */
static const char *newest(const glob_t *found)
{
    const char *best = found->gl_pathv[0];
    for (size_t i = 1; i < found->gl_pathc; i++) {
        best = strlen(found->gl_pathv[i]) >= strlen(best) ? found->gl_pathv[i] : best;
    }
    return best;
}

static const char *part(void)
{
    static char path[192];
    glob_t found;
    char pattern[160];
    (void)snprintf(pattern, sizeof pattern, "%s/appendonlydir/*.incr.aof", rqt_redis_dir());
    ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
    (void)snprintf(path, sizeof path, "%s", newest(&found));
    globfree(&found);
    return path;
}

int64_t rqt_aof_size(void)
{
    struct stat st;
    ck_assert_int_eq(stat(part(), &st), 0);
    return st.st_size;
}

/* The end of the last whole transaction in the first `size` bytes; 0 when there is none nearby. */
static int64_t whole_end(const char *path, int64_t size)
{
    static const char end[] = "*1\r\n$4\r\nEXEC\r\n";
    static char tail[1 << 20];
    int64_t from = size > (int64_t)sizeof tail ? size - (int64_t)sizeof tail : 0;
    FILE *f = fopen(path, "re");
    ck_assert(f != NULL && fseeko(f, from, SEEK_SET) == 0);
    size_t n = fread(tail, 1, (size_t)(size - from), f);
    (void)fclose(f);
    size_t at = n;
    size_t len = sizeof end - 1;
    while (at >= len && memcmp(tail + at - len, end, len) != 0) {
        at--;
    }
    return at >= len ? from + (int64_t)at : 0;
}

void rqt_aof_cut(int64_t left)
{
    const char *path = part();
    ck_assert_int_eq(truncate(path, whole_end(path, left)), 0);
}
