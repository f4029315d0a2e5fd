/* SPDX-License-Identifier: MIT */
/*
 * Previews for a test in another language: a request a line in, an answer a
 * line out.
 *
 *     preview_tool [cl100k|o200k RANKFILE]
 *
 *     {"op": "sample", "text": "[1, 2, 3]", "unit": "characters", "max_size": 5}
 *     {"json": "[1]", "strategy": "sample", "original_size": 9, ...}
 *
 * op: python, portable, strict (the text in that form), measure, tokens (of the
 * text itself), sample, paginate, truncate. unit: characters, tokens (of four
 * characters), bpe (by the rank file). Optional: max_size, page, page_size. What
 * is refused answers {"error": "..."}.
 */
#include "codec/json.h"
#include "json/portable.h"
#include "json/pytext.h"

#include <refq/preview.h>

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES ((size_t)256 << 20)

struct request {
    const char *op;
    refq_bytes text;
    refq_preview_options options;
};

static refq_bpe *bpe;

static void say(json_t *answer)
{
    (void)json_dumpf(answer, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
    (void)putchar('\n');
    (void)fflush(stdout);
    json_decref(answer);
}

static void say_error(const refq_error *err)
{
    say(json_pack("{s:s}", "error", err->text));
}

/* --- Texts ------------------------------------------------------------------------------------ */

typedef refq_err write_fn(refq_bytes text, rqi_buf *out, refq_error *err);

static void answer_text(const struct request *r, write_fn *write)
{
    rqi_buf out = {0};
    refq_error error = {0};
    if (write(r->text, &out, &error) == REFQ_OK) {
        say(json_pack("{s:s%}", "json", out.ptr, out.len));
    } else {
        say_error(&error);
    }
    rqi_buf_done(&out);
}

static void answer_python(const struct request *r)
{
    answer_text(r, rqi_pytext_write);
}

static void answer_portable(const struct request *r)
{
    answer_text(r, rqi_portable_write);
}

static void answer_strict(const struct request *r)
{
    answer_text(r, rqi_strict_write);
}

/* --- Sizes and previews ----------------------------------------------------------------------- */

static void answer_measure(const struct request *r)
{
    int64_t size;
    refq_error error = {0};
    if (refq_preview_measure(r->text, &r->options.measure, &size, &error) == REFQ_OK) {
        say(json_pack("{s:I}", "size", (json_int_t)size));
    } else {
        say_error(&error);
    }
}

static void answer_tokens(const struct request *r)
{
    size_t tokens = refq_bpe_count(bpe, r->text.ptr, r->text.len);
    say(json_pack("{s:I}", "size", (json_int_t)tokens));
}

static void answer_preview(const struct request *r)
{
    refq_preview *p;
    refq_error error = {0};
    if (refq_preview_make(r->text, &r->options, &p, &error) != REFQ_OK) {
        say_error(&error);
        return;
    }
    say(json_pack("{s:s%,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:b}", "json", p->json, p->len, "strategy",
                  refq_preview_strategy_name(p->strategy), "original_size",
                  (json_int_t)p->original_size, "preview_size", (json_int_t)p->preview_size,
                  "total_items", (json_int_t)p->total_items, "sampled_items",
                  (json_int_t)p->sampled_items, "page", (json_int_t)p->page, "total_pages",
                  (json_int_t)p->total_pages, "complete", p->complete));
    refq_preview_free(p);
}

static const struct op {
    const char *name;
    void (*answer)(const struct request *r);
    refq_preview_strategy strategy;
} ops[] = {{"python", answer_python, REFQ_PREVIEW_SAMPLE},
           {"portable", answer_portable, REFQ_PREVIEW_SAMPLE},
           {"strict", answer_strict, REFQ_PREVIEW_SAMPLE},
           {"measure", answer_measure, REFQ_PREVIEW_SAMPLE},
           {"tokens", answer_tokens, REFQ_PREVIEW_SAMPLE},
           {"sample", answer_preview, REFQ_PREVIEW_SAMPLE},
           {"paginate", answer_preview, REFQ_PREVIEW_PAGINATE},
           {"truncate", answer_preview, REFQ_PREVIEW_TRUNCATE}};

/* --- Requests --------------------------------------------------------------------------------- */

static void read_option(const json_t *request, const char *name, int *has, int64_t *value)
{
    const json_t *member = json_object_get(request, name);
    *has = json_is_integer(member);
    *value = json_integer_value(member);
}

static void set_unit(refq_measure *m, const char *unit)
{
    m->unit = strcmp(unit, "characters") == 0 ? REFQ_UNIT_CHARACTERS : REFQ_UNIT_TOKENS;
    if (strcmp(unit, "bpe") == 0) {
        m->tokenizer = refq_bpe_count;
        m->arg = bpe;
    }
}

static void answer(const json_t *request)
{
    const json_t *text = json_object_get(request, "text");
    const json_t *unit = json_object_get(request, "unit");
    struct request r = {.op = json_string_value(json_object_get(request, "op")),
                        .text = {json_string_value(text), json_string_length(text)},
                        .options = {.struct_size = sizeof r.options}};
    read_option(request, "max_size", &r.options.has_max_size, &r.options.max_size);
    read_option(request, "page", &r.options.has_page, &r.options.page);
    read_option(request, "page_size", &r.options.has_page_size, &r.options.page_size);
    set_unit(&r.options.measure, json_is_string(unit) ? json_string_value(unit) : "characters");
    for (size_t i = 0; r.op != NULL && i < sizeof ops / sizeof ops[0]; i++) {
        if (strcmp(r.op, ops[i].name) == 0) {
            r.options.strategy = ops[i].strategy;
            ops[i].answer(&r);
            return;
        }
    }
    errx(64, "no such op: %s", r.op != NULL ? r.op : "(none)");
}

static void open_bpe(const char *pattern, const char *path)
{
    refq_error error = {0};
    refq_bpe_pattern p = strcmp(pattern, "cl100k") == 0 ? REFQ_BPE_CL100K : REFQ_BPE_O200K;
    if (refq_bpe_open(path, p, &bpe, &error) != REFQ_OK) {
        errx(66, "%s", error.text);
    }
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    if (argc == 3) {
        open_bpe(argv[1], argv[2]);
    }
    while ((len = getline(&line, &cap, stdin)) > 0) {
        json_t *request = NULL;
        refq_error error = {0};
        if (rqi_json_load(line, (size_t)len, LINE_MAX_BYTES, 0, &request, &error) != REFQ_OK) {
            errx(65, "%s", error.text);
        }
        answer(request);
        json_decref(request);
    }
    free(line);
    refq_bpe_free(bpe);
    return EXIT_SUCCESS;
}
