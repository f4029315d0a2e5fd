/* SPDX-License-Identifier: MIT */
#include "findings.h"

#include "exit.h"
#include "out.h"
#include "task_view.h"
#include "text.h"

#include <stdarg.h>
#include <string.h>

static const char *const words[] = {[CLI_FINE] = "ok", [CLI_WARN] = "warn", [CLI_FAIL] = "FAIL"};

static const cli_tone tones[] = {
    [CLI_FINE] = CLI_GREEN, [CLI_WARN] = CLI_YELLOW, [CLI_FAIL] = CLI_RED};

cli_findings cli_findings_make(bool json)
{
    return (cli_findings){.json = json, .list = json ? json_array() : NULL};
}

static void add_more(rqi_buf *out, const char *label, const char *text)
{
    if (text != NULL) {
        rqi_buf_addf(out, "      %s: ", label);
        cli_text_clean(out, text, strlen(text));
        rqi_buf_addc(out, '\n');
    }
}

static void show(cli_verdict verdict, const char *check, const char *why, const char *fix,
                 const char *what)
{
    rqi_buf text = {0};
    cli_paint(&text, cli_colour_wanted(1), tones[verdict], words[verdict]);
    rqi_buf_addf(&text, "%*s  ", (int)(4 - strlen(words[verdict])), "");
    rqi_buf_addf(&text, "%s: ", check);
    cli_text_clean(&text, what, strlen(what));
    rqi_buf_addc(&text, '\n');
    add_more(&text, "why", why);
    add_more(&text, "fix", fix);
    (void)cli_out(&text);
    rqi_buf_done(&text);
}

static json_t *finding_json(cli_verdict verdict, const char *check, const char *why,
                            const char *fix, const char *what)
{
    static const char *const names[] = {
        [CLI_FINE] = "ok", [CLI_WARN] = "warn", [CLI_FAIL] = "fail"};
    return json_pack("{s:s, s:s, s:o, s:s?, s:s?}", "verdict", names[verdict], "check", check,
                     "what", cli_text_json(what), "why", why, "fix", fix);
}

void cli_findings_add(cli_findings *f, cli_verdict verdict, const char *check, const char *why,
                      const char *fix, const char *what, ...)
{
    rqi_buf text = rqi_buf_make((size_t)16 * 1024);
    va_list ap;
    va_start(ap, what);
    rqi_buf_addvf(&text, what, ap);
    va_end(ap);
    f->n[verdict]++;
    if (f->json) {
        (void)json_array_append_new(f->list,
                                    finding_json(verdict, check, why, fix, rqi_buf_str(&text)));
    } else {
        show(verdict, check, why, fix, rqi_buf_str(&text));
    }
    rqi_buf_done(&text);
}

static int show_sum(const cli_findings *f)
{
    rqi_buf line = {0};
    rqi_buf_addf(&line, "%d ok, %d warning%s, %d failed", f->n[CLI_FINE], f->n[CLI_WARN],
                 f->n[CLI_WARN] == 1 ? "" : "s", f->n[CLI_FAIL]);
    (void)cli_out_line(rqi_buf_str(&line));
    rqi_buf_done(&line);
    return EX_OK;
}

int cli_findings_end(cli_findings *f)
{
    bool good = f->n[CLI_FAIL] == 0;
    int code = f->json ? cli_out_json(json_pack("{s:b, s:o}", "ok", good, "findings", f->list))
                       : show_sum(f);
    return code != EX_OK ? code : good ? EX_OK : CLI_EXIT_NO;
}
