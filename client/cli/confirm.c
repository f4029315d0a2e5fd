/* SPDX-License-Identifier: MIT */
#include "confirm.h"

#include "exit.h"
#include "text.h"

#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool agreed(void)
{
    char line[16] = "";
    if (fgets(line, sizeof line, stdin) == NULL) {
        return false;
    }
    line[strcspn(line, "\n")] = '\0';
    return strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0;
}

int cli_confirm(bool yes, const char *fmt, ...)
{
    if (yes) {
        return EX_OK;
    }
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        return cli_fail_as(EX_USAGE, "nothing was done: --yes is needed where nobody can be asked");
    }
    rqi_buf question = rqi_buf_make(4096);
    rqi_buf clean = {0};
    va_list ap;
    va_start(ap, fmt);
    rqi_buf_addvf(&question, fmt, ap);
    va_end(ap);
    cli_text_clean(&clean, rqi_buf_str(&question), question.len);
    (void)dprintf(STDERR_FILENO, "%s [y/N] ", rqi_buf_str(&clean));
    rqi_buf_done(&clean);
    rqi_buf_done(&question);
    return agreed() ? EX_OK : cli_fail_as(CLI_EXIT_NO, "nothing was done");
}
