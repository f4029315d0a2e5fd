/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. There is no quoting because there is no shell: a value becomes part of
 * exactly one argument whatever it holds. What is left to guard against is a
 * value read as an option, and a caller who chooses the program; hence the rules
 * about '-' and about the first element.
 */
#include "run/argv.h"

#include "base/error.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 128
#define NAME_CHARS \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-." /* else: JSON or shell */

enum kind { LITERAL, ARGUMENT, OUTPUT };

struct piece {
    const char *text;
    size_t len;
    enum kind kind;
};

/* Which kinds of placeholder were seen. */
struct uses {
    bool argument;
    bool output;
};

/* What templates are filled in with. */
struct values {
    const json_t *args;
    const char *output; /* for {@output} */
    bool allow_dash;
};

static const char output_name[] = "@output";

/* --- Reading a template ----------------------------------------------------------------------- */

static refq_err unbalanced(const char *element, refq_error *err)
{
    return rqi_fail(err, REFQ_ERR_INVALID,
                    "'%.80s' in the command has an unbalanced or empty brace; write {name} for an "
                    "argument, {{ and }} for braces",
                    element);
}

/* Takes the next piece off *at, which is not at its end. */
static refq_err next_piece(const char *element, const char **at, struct piece *ret, refq_error *err)
{
    const char *p = *at;
    size_t run = strcspn(p, "{}");
    if (run > 0) {
        *ret = (struct piece){.text = p, .len = run};
        *at = p + run;
        return REFQ_OK;
    }
    if (p[1] == p[0]) {
        *ret = (struct piece){.text = p, .len = 1};
        *at = p + 2;
        return REFQ_OK;
    }
    size_t len = strspn(p + 1, NAME_CHARS);
    enum kind kind = ARGUMENT;
    if (strncmp(p + 1, output_name, sizeof output_name - 1) == 0) {
        len = sizeof output_name - 1;
        kind = OUTPUT;
    }
    if (p[0] == '}' || p[1 + len] != '}' || len == 0 || len > NAME_MAX_BYTES) {
        return unbalanced(element, err);
    }
    *ret = (struct piece){.text = p + 1, .len = len, .kind = kind};
    *at = p + len + 2;
    return REFQ_OK;
}

static refq_err check_element(const char *element, struct uses *ret_uses, refq_error *err)
{
    struct piece piece = {0};
    for (const char *at = element; *at != '\0';) {
        refq_err code = next_piece(element, &at, &piece, err);
        if (code != REFQ_OK) {
            return code;
        }
        ret_uses->argument |= piece.kind == ARGUMENT;
        ret_uses->output |= piece.kind == OUTPUT;
    }
    return REFQ_OK;
}

static refq_err check(const char *const *argv, struct uses *ret_uses, refq_error *err)
{
    if (argv == NULL || argv[0] == NULL || argv[0][0] == '\0') {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the command is empty; its first element is the program");
    }
    refq_err code = check_element(argv[0], ret_uses, err);
    if (code == REFQ_OK && (ret_uses->argument || ret_uses->output)) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the program '%.80s' holds a placeholder, so that a caller would choose "
                        "what is run; placeholders belong into its arguments",
                        argv[0]);
    }
    for (size_t i = 1; code == REFQ_OK && argv[i] != NULL; i++) {
        code = check_element(argv[i], ret_uses, err);
    }
    return code;
}

refq_err rqi_argv_check(const char *const *argv, refq_error *err)
{
    struct uses uses = {0};
    return check(argv, &uses, err);
}

bool rqi_argv_uses_output(const char *const *argv)
{
    struct uses uses = {0};
    return check(argv, &uses, NULL) == REFQ_OK && uses.output;
}

static bool element_uses(const char *element, const char *name)
{
    struct piece piece = {0};
    for (const char *at = element;
         *at != '\0' && next_piece(element, &at, &piece, NULL) == REFQ_OK;) {
        if (piece.kind == ARGUMENT && piece.len == strlen(name) &&
            memcmp(piece.text, name, piece.len) == 0) {
            return true;
        }
    }
    return false;
}

bool rqi_argv_uses(const char *const *argv, const char *name)
{
    bool uses = false;
    for (size_t i = 1; !uses && argv[i] != NULL; i++) {
        uses = element_uses(argv[i], name);
    }
    return uses;
}

/* --- Values ----------------------------------------------------------------------------------- */

static int add_dump(const char *text, size_t len, void *arg)
{
    rqi_buf_add(arg, text, len);
    return 0;
}

/* The fewest digits that read back as the same number: 0.1, not 0.10000000000000001. */
static size_t digits_of(double value)
{
    char text[64];
    for (int digits = 15; digits < 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
        if (!(strtod(text, NULL) < value) && !(strtod(text, NULL) > value)) {
            return (size_t)digits;
        }
    }
    return 17;
}

static void add_value(rqi_buf *text, const json_t *value)
{
    if (json_is_string(value)) {
        rqi_buf_add(text, json_string_value(value), json_string_length(value));
        return;
    }
    size_t digits = json_is_real(value) ? digits_of(json_real_value(value)) : 17;
    (void)json_dump_callback(value, add_dump, text,
                             JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
}

static const char *lacking(const json_t *value)
{
    return value == NULL ? "missing" : json_is_null(value) ? "null" : NULL;
}

static refq_err add_argument(rqi_buf *text, const struct piece *piece, const json_t *args,
                             refq_error *err)
{
    char name[NAME_MAX_BYTES + 1];
    (void)snprintf(name, sizeof name, "%.*s", (int)piece->len, piece->text);
    const json_t *value = json_object_get(args, name);
    if (lacking(value) != NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "{%.80s} in the command needs the argument '%.80s', which is %s", name,
                        name, lacking(value));
    }
    if (json_is_string(value) &&
        memchr(json_string_value(value), '\0', json_string_length(value)) != NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the argument '%.80s' holds a NUL byte, which no command line can carry",
                        name);
    }
    add_value(text, value);
    return REFQ_OK;
}

/* --- Filling in ------------------------------------------------------------------------------- */

/* True when the element, empty so far, would be made an option by the argument just added. */
static bool became_option(const rqi_buf *text, size_t before, size_t start)
{
    return before == start && text->len > start && text->ptr[start] == '-';
}

static refq_err add_piece(rqi_buf *text, size_t start, const struct piece *piece,
                          const struct values *values, refq_error *err)
{
    if (piece->kind == LITERAL) {
        rqi_buf_add(text, piece->text, piece->len);
        return REFQ_OK;
    }
    if (piece->kind == OUTPUT) {
        rqi_buf_adds(text, values->output);
        return REFQ_OK;
    }
    size_t before = text->len;
    refq_err code = add_argument(text, piece, values->args, err);
    if (code == REFQ_OK && !values->allow_dash && became_option(text, before, start)) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the argument '%.*s' starts with '-', so the program would take it for an "
                        "option; allow_dash permits that",
                        (int)piece->len, piece->text);
    }
    return code;
}

static refq_err expand_element(rqi_strv *v, const char *element, const struct values *values,
                               refq_error *err)
{
    size_t start = v->text.len;
    struct piece piece = {0};
    for (const char *at = element; *at != '\0';) {
        refq_err code = next_piece(element, &at, &piece, err);
        if (code == REFQ_OK) {
            code = add_piece(&v->text, start, &piece, values, err);
        }
        if (code != REFQ_OK) {
            return code;
        }
    }
    /* An empty value uncovers the '-' that follows it. */
    if (!values->allow_dash && element[0] != '-' && became_option(&v->text, start, start)) {
        return rqi_fail(
            err, REFQ_ERR_INVALID,
            "'%.80s' of the command starts with '-' once its empty arguments are filled "
            "in, so the program would take it for an option; allow_dash permits that",
            element);
    }
    rqi_strv_end(v);
    return REFQ_OK;
}

static refq_err load_args(refq_bytes args, json_t **ret, refq_error *err)
{
    json_error_t why;
    const char *text = args.len > 0 ? args.ptr : "";
    json_t *json = json_loadb(text, args.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
    if (!json_is_object(json)) {
        json_decref(json);
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the task's arguments are not a JSON object, which {name} in the command "
                        "needs");
    }
    *ret = json;
    return REFQ_OK;
}

refq_err rqi_argv_expand(const rqi_template *t, refq_bytes args, rqi_strv *ret, refq_error *err)
{
    json_t *json = NULL;
    struct uses uses = {0};
    refq_err code = check(t->argv, &uses, err);
    /* Arguments that no template asks for may be large, and are not even parsed. */
    if (code == REFQ_OK && uses.argument) {
        code = load_args(args, &json, err);
    }
    if (code == REFQ_OK && uses.output && t->output == NULL) {
        code = rqi_fail(err, REFQ_ERR_INVALID, "{@output} in the command needs output: file");
    }
    const struct values values = {.args = json, .output = t->output, .allow_dash = t->allow_dash};
    for (size_t i = 0; code == REFQ_OK && t->argv[i] != NULL; i++) {
        code = expand_element(ret, t->argv[i], &values, err);
    }
    json_decref(json);
    return code;
}
