/* SPDX-License-Identifier: MIT */
/* Gives every file of a folder to a fuzz target: `fz_NAME FOLDER`. An empty folder is a failure, as
 * it would test nothing. */
#include "fuzz/fz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX ((size_t)1 << 20)

static void replay(const char *folder, const char *name, uint8_t *room)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "re");
    RQT_HOLDS(f != NULL);
    size_t size = fread(room, 1, INPUT_MAX, f);
    RQT_HOLDS(!ferror(f) && size < INPUT_MAX);
    (void)fclose(f);
    /* The name goes out first: it is what one looks for after a crash. */
    printf("%s\n", path);
    (void)fflush(stdout);
    uint8_t *exact = malloc(size != 0 ? size : 1);
    RQT_HOLDS(exact != NULL);
    memcpy(exact, room, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 64;
    }
    DIR *folder = opendir(argv[1]);
    uint8_t *room = malloc(INPUT_MAX);
    RQT_HOLDS(folder != NULL && room != NULL);
    int n = 0;
    for (struct dirent *e; (e = readdir(folder)) != NULL;) {
        if (e->d_name[0] != '.') {
            replay(argv[1], e->d_name, room);
            n++;
        }
    }
    (void)closedir(folder);
    free(room);
    printf("%d inputs\n", n);
    return n > 0 ? 0 : 1;
}
