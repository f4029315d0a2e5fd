/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A script decides by the exit status: fix the call (64, 65), look for
 * another reference (66), wait for Redis (69), or try again later (75). So
 * every library error has exactly one status here, and a command overrules it
 * only where it knows more (malformed arguments are data, not usage).
 */
#include "exit.h"

#include "text.h"

#include "base/buf.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static const int codes[] = {
    [REFQ_OK] = EX_OK,
    [REFQ_ERR_IO] = EX_UNAVAILABLE,
    [REFQ_ERR_CLOSED] = EX_UNAVAILABLE,
    [REFQ_ERR_TIMEOUT] = EX_UNAVAILABLE,
    [REFQ_ERR_PROTO] = EX_PROTOCOL,
    [REFQ_ERR_AUTH] = EX_NOPERM,
    [REFQ_ERR_VERSION] = EX_UNAVAILABLE,
    [REFQ_ERR_NOTFOUND] = EX_NOINPUT,
    [REFQ_ERR_CONFLICT] = CLI_EXIT_NO,
    [REFQ_ERR_FENCED] = CLI_EXIT_NO,
    [REFQ_ERR_LIMIT] = EX_DATAERR,
    [REFQ_ERR_FULL] = EX_TEMPFAIL,
    [REFQ_ERR_INVALID] = EX_USAGE,
    [REFQ_ERR_UNSUPPORTED] = EX_UNAVAILABLE,
    [REFQ_ERR_NOMEM] = EX_OSERR,
    [REFQ_ERR_INTERNAL] = EX_SOFTWARE,
    [REFQ_ERR_DENIED] = EX_NOPERM,
};

int cli_exit_code(refq_err err)
{
    size_t i = (size_t)err;
    return i < sizeof codes / sizeof codes[0] ? codes[i] : EX_SOFTWARE;
}

/* Error texts quote what others wrote (task names, messages): nothing of it may steer the terminal.
 */
static void complain(const char *text)
{
    rqi_buf line = rqi_buf_make((size_t)64 * 1024);
    rqi_buf_adds(&line, "refq: ");
    cli_text_clean(&line, text, strlen(text));
    rqi_buf_addc(&line, '\n');
    (void)!write(STDERR_FILENO, rqi_buf_str(&line), line.len);
    rqi_buf_done(&line);
}

REFQ_PRINTF(1, 0) static void complain_vf(const char *fmt, va_list ap)
{
    rqi_buf text = rqi_buf_make((size_t)16 * 1024);
    rqi_buf_addvf(&text, fmt, ap);
    complain(rqi_buf_str(&text));
    rqi_buf_done(&text);
}

int cli_fail_as(int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    complain_vf(fmt, ap);
    va_end(ap);
    return code;
}

/* The library cannot know what a person at the command line may do about it. */
static bool is_no_server(const refq_error *err)
{
    static const char start[] = "cannot connect to Redis";
    return err->code == REFQ_ERR_IO && strncmp(err->text, start, sizeof start - 1) == 0;
}

int cli_fail(const refq_error *err)
{
    const char *text = err->text[0] != '\0' ? err->text : refq_strerror(err->code);
    const char *remedy =
        is_no_server(err) ? "; --redis or REFQ_REDIS names the server, refq dev starts one to try"
                          : "";
    return cli_fail_as(cli_exit_code(err->code), "%s%s", text, remedy);
}

void cli_note(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    complain_vf(fmt, ap);
    va_end(ap);
}
