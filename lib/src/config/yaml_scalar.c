/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. libyaml parses but does not say what a scalar means. The core schema
 * of YAML 1.2 is used, not YAML 1.1: there `no`, `on` and `y` were booleans and
 * 1:30 a number, which surprised everybody.
 */
#include "config/yaml_scalar.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {
    [RQI_YAML_NULL] = "empty",     [RQI_YAML_BOOL] = "true or false", [RQI_YAML_INT] = "a number",
    [RQI_YAML_FLOAT] = "a number", [RQI_YAML_TEXT] = "a text",        [RQI_YAML_LIST] = "a list",
    [RQI_YAML_MAP] = "a map",
};

static const struct {
    const char *word;
    rqi_yaml_kind kind;
} words[] = {
    {"", RQI_YAML_NULL},       {"~", RQI_YAML_NULL},      {"null", RQI_YAML_NULL},
    {"Null", RQI_YAML_NULL},   {"NULL", RQI_YAML_NULL},   {"true", RQI_YAML_BOOL},
    {"True", RQI_YAML_BOOL},   {"TRUE", RQI_YAML_BOOL},   {"false", RQI_YAML_BOOL},
    {"False", RQI_YAML_BOOL},  {"FALSE", RQI_YAML_BOOL},  {".nan", RQI_YAML_FLOAT},
    {".NaN", RQI_YAML_FLOAT},  {".NAN", RQI_YAML_FLOAT},  {".inf", RQI_YAML_FLOAT},
    {".Inf", RQI_YAML_FLOAT},  {".INF", RQI_YAML_FLOAT},  {"+.inf", RQI_YAML_FLOAT},
    {"+.Inf", RQI_YAML_FLOAT}, {"+.INF", RQI_YAML_FLOAT}, {"-.inf", RQI_YAML_FLOAT},
    {"-.Inf", RQI_YAML_FLOAT}, {"-.INF", RQI_YAML_FLOAT},
};

#define DIGITS "0123456789"

const char *rqi_yaml_kind_name(rqi_yaml_kind kind)
{
    return kind_names[kind];
}

/* One or more characters of `set` and nothing else. */
static bool all_of(const char *text, const char *set)
{
    size_t n = strspn(text, set);
    return n > 0 && text[n] == '\0';
}

static bool is_int(const char *text)
{
    if (strncmp(text, "0x", 2) == 0) {
        return all_of(text + 2, DIGITS "abcdefABCDEF");
    }
    if (strncmp(text, "0o", 2) == 0) {
        return all_of(text + 2, "01234567");
    }
    return all_of(text + (*text == '-' || *text == '+'), DIGITS);
}

/* [-+]? ( \.[0-9]+ | [0-9]+ (\.[0-9]*)? ) ([eE][-+]?[0-9]+)? */
static bool is_float(const char *text)
{
    text += *text == '-' || *text == '+';
    size_t whole = strspn(text, DIGITS);
    text += whole;
    if (*text == '.') {
        size_t part = strspn(text + 1, DIGITS);
        if (whole + part == 0) {
            return false;
        }
        text += 1 + part;
    } else if (whole == 0) {
        return false;
    }
    if (*text != 'e' && *text != 'E') {
        return *text == '\0';
    }
    text++;
    return all_of(text + (*text == '-' || *text == '+'), DIGITS);
}

rqi_yaml_kind rqi_yaml_scalar_kind(const char *text)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i].word) == 0) {
            return words[i].kind;
        }
    }
    if (is_int(text)) {
        return RQI_YAML_INT;
    }
    return is_float(text) ? RQI_YAML_FLOAT : RQI_YAML_TEXT;
}

bool rqi_yaml_scalar_true(const char *text)
{
    return text[0] == 't' || text[0] == 'T';
}

static bool put_int(rqi_buf *out, const char *text)
{
    int base = 10;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'o')) {
        base = text[1] == 'x' ? 16 : 8;
        text += 2;
    }
    errno = 0;
    intmax_t value = strtoimax(text, NULL, base);
    rqi_buf_addf(out, "%" PRIdMAX, value);
    return errno == 0;
}

/* The shortest text that reads back as the same number. */
static bool put_float(rqi_buf *out, const char *text)
{
    double value = strtod(text, NULL);
    if (!isfinite(value) || text[strcspn(text, "nNiI")] != '\0') {
        return false;
    }
    char digits[40];
    for (int precision = 15; precision <= 17; precision++) {
        (void)snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value) {
            break;
        }
    }
    rqi_buf_adds(out, digits);
    if (digits[strcspn(digits, ".e")] == '\0') {
        rqi_buf_adds(out, ".0");
    }
    return true;
}

bool rqi_yaml_scalar_number(rqi_buf *out, rqi_yaml_kind kind, const char *text)
{
    return kind == RQI_YAML_INT ? put_int(out, text) : put_float(out, text);
}
