/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Whatever a program put into its folder has to go: links, trees deeper
 * than any stack or table of descriptors, folders without permissions. So there
 * is no recursion: the content of a subfolder is unlinked, and what is a folder
 * in it moves up to the top, until the top is empty. Every step names an entry
 * of an open folder and follows no link. Where /tmp is shared, the random name
 * and the mode keep others out from the start: mkdir() never takes what exists.
 */
#include "run/folder.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/rand.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TMP_DEFAULT "/tmp"
#define TMPDIR_MAX  512 /* bytes of TMPDIR */
#define BUDGET_MS   60000
#define OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

refq_err rqi_folder_name(rqi_buf *path, refq_error *err)
{
    char name[33];
    const char *tmp = getenv("TMPDIR");
    refq_err code = rqi_rand_init(err);
    if (code != REFQ_OK) {
        return code;
    }
    rqi_rand_hex(name, 16);
    bool usable = tmp != NULL && tmp[0] == '/' && strlen(tmp) <= TMPDIR_MAX;
    rqi_buf_addf(path, "%s/refq-%s", usable ? tmp : TMP_DEFAULT, name);
    if (path->err != REFQ_OK) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory for the name of a folder");
    }
    return REFQ_OK;
}

int rqi_folder_make(const char *path)
{
    return mkdir(path, 0700);
}

rqi_result_file rqi_folder_result(const char *path)
{
    rqi_result_file none = {.fd = -1};
    struct stat st;
    int folder = open(path, OPEN_FOLDER);
    if (folder < 0) {
        none.error = errno;
        return none;
    }
    /* Non-blocking, or a pipe in its place would hold this up for ever. */
    int fd = openat(folder, RQI_RESULT_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    none.error = errno;
    (void)close(folder);
    if (fd < 0) {
        return none;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        none.error = ELOOP;
        return none;
    }
    return (rqi_result_file){.fd = fd};
}

/* --- Removing --------------------------------------------------------------------------------- */

static bool is_folder(int at, const char *name)
{
    struct stat st;
    return fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* A stream of the folder's entries, which can be removed; NULL when it is none, or gone. */
static DIR *open_folder(int at, const char *name)
{
    int fd = openat(at, name, OPEN_FOLDER);
    if (fd < 0 && errno == EACCES && is_folder(at, name) && fchmodat(at, name, 0700, 0) == 0) {
        fd = openat(at, name, OPEN_FOLDER);
    }
    if (fd < 0) {
        return NULL;
    }
    (void)fchmod(fd, 0700);
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        (void)close(fd);
    }
    return dir;
}

static const char *next_name(DIR *dir)
{
    const struct dirent *entry;
    do {
        entry = readdir(dir);
    } while (entry != NULL &&
             (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    return entry != NULL ? entry->d_name : NULL;
}

/* A folder can only be moved by who may write to it. */
static void move_up(int from, const char *name, int top)
{
    static unsigned n;
    char fresh[48];
    (void)snprintf(fresh, sizeof fresh, "refq-%d-%u", (int)getpid(), n++);
    if (is_folder(from, name)) {
        (void)fchmodat(from, name, 0700, 0);
    }
    (void)renameat(from, name, top, fresh);
}

static void clear(DIR *dir, int top)
{
    const char *name;
    int at = dirfd(dir);
    while ((name = next_name(dir)) != NULL) {
        if (unlinkat(at, name, 0) != 0 && unlinkat(at, name, AT_REMOVEDIR) != 0) {
            move_up(at, name, top);
        }
    }
}

/* Removes an entry of the top; a folder leaves its own folders behind in the top. */
static bool remove_entry(int top, const char *name)
{
    if (unlinkat(top, name, 0) == 0 || unlinkat(top, name, AT_REMOVEDIR) == 0) {
        return true;
    }
    DIR *dir = open_folder(top, name);
    if (dir == NULL) {
        return false;
    }
    clear(dir, top);
    (void)closedir(dir);
    return unlinkat(top, name, AT_REMOVEDIR) == 0;
}

/* True when it removed something, so that another round may help. */
static bool remove_round(DIR *dir)
{
    bool removed = false;
    const char *name;
    rewinddir(dir);
    while ((name = next_name(dir)) != NULL) {
        removed |= remove_entry(dirfd(dir), name);
    }
    return removed;
}

void rqi_folder_remove(const char *path)
{
    int64_t deadline = rqi_mono_ms() + BUDGET_MS;
    DIR *dir = open_folder(AT_FDCWD, path);
    if (dir == NULL) {
        (void)unlink(path);
        return;
    }
    while (remove_round(dir) && rqi_mono_ms() < deadline) {
    }
    (void)closedir(dir);
    (void)rmdir(path);
}
