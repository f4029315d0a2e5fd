/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Errors and stderr may have many lines and are shown as such; each
 * line is cleaned by itself and indented, so that foreign text can neither
 * steer the terminal nor look like a heading.
 */
#include "history_view.h"

#include "render.h"
#include "text.h"

#include <string.h>

#define ID_SHOWN 8

static void add_lines(rqi_buf *out, const char *text, const char *indent)
{
    while (text[0] != '\0') {
        size_t len = strcspn(text, "\n");
        rqi_buf_adds(out, indent);
        cli_text_clean(out, text, len);
        rqi_buf_addc(out, '\n');
        text += len + (text[len] == '\n');
    }
}

static const char *text_of(const json_t *entry, const char *name)
{
    const char *text = json_string_value(json_object_get(entry, name));
    return text != NULL ? text : "";
}

static void add_time(rqi_buf *out, const json_t *entry, int64_t now_ms)
{
    char stamp[CLI_TIME_MAX];
    char ago[CLI_TIME_MAX];
    const json_t *at = json_object_get(entry, "at");
    if (json_is_integer(at)) {
        int64_t ms = (int64_t)json_integer_value(at);
        rqi_buf_addf(out, "  %s (%s)", cli_text_time(stamp, ms),
                     cli_text_relative(ago, now_ms - ms));
    }
}

static void add_word(rqi_buf *out, const char *label, const char *text, size_t max)
{
    size_t len = strlen(text);
    if (len > 0) {
        rqi_buf_adds(out, label);
        cli_text_clean(out, text, len < max ? len : max);
    }
}

static void add_heading(rqi_buf *out, const json_t *entry, int64_t now_ms, bool colour)
{
    rqi_buf title = {0};
    rqi_buf_addf(&title, "attempt %lld",
                 (long long)json_integer_value(json_object_get(entry, "attempt")));
    cli_paint(out, colour, CLI_BOLD, rqi_buf_str(&title));
    rqi_buf_done(&title);
    add_word(out, "  ", text_of(entry, "class"), 64);
    add_time(out, entry, now_ms);
    add_word(out, "  worker ", text_of(entry, "worker"), ID_SHOWN);
    rqi_buf_addc(out, '\n');
}

void cli_history_add(rqi_buf *out, const json_t *entry, int64_t now_ms, bool colour)
{
    const char *wrote = text_of(entry, "stderr");
    add_heading(out, entry, now_ms, colour);
    add_lines(out, text_of(entry, "error"), "    ");
    if (wrote[0] != '\0') {
        rqi_buf_adds(out, "  stderr:\n");
        add_lines(out, wrote, "    ");
    }
}
