/* SPDX-License-Identifier: MIT */
#include "schema/regex_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* White space and line ends of ECMA-262, and all other characters, as parts of a class. */
#define SPACES                                                                              \
    "\\x09-\\x0d\\x20\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}" \
    "\\x{3000}\\x{feff}"
#define OTHERS                                                                       \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}" \
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"   \
    "\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}"
#define NO_LINE_END "[^\\n\\r\\x{2028}\\x{2029}]"

#define DIGITS "0123456789"

typedef struct reader {
    const char *text;
    size_t len;
    size_t i;
    rqi_buf *out;
    bool in_class;
    bool after_quantifier;
    const char *wrong;
} reader;

static char at(const reader *r, size_t ahead)
{
    return r->i + ahead < r->len ? r->text[r->i + ahead] : '\0';
}

static void refuse(reader *r, const char *why)
{
    if (r->wrong == NULL) {
        r->wrong = why;
    }
}

/* --- Escapes ---------------------------------------------------------------------------------- */

/* The value of n hexadecimal digits; -1 when they are not there. */
static int64_t hex(const reader *r, size_t ahead, size_t n)
{
    int64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        char c = at(r, ahead + i);
        const char *digits = "0123456789abcdef";
        const char *digit = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
        if (digit == NULL) {
            return -1;
        }
        value = value * 16 + (digit - digits);
    }
    return value;
}

static void add_char(reader *r, int64_t code, size_t used)
{
    rqi_buf_addf(r->out, "\\x{%llx}", (unsigned long long)code);
    r->i += used;
}

/* \u{1F600} */
static void read_braced(reader *r)
{
    size_t n = 0;
    while (n < 7 && hex(r, 3 + n, 1) >= 0) {
        n++;
    }
    int64_t code = n > 0 && n < 7 ? hex(r, 3, n) : -1;
    if (code < 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) || at(r, 3 + n) != '}') {
        refuse(r, "\\u{...} needs the number of a character in hexadecimal digits");
        return;
    }
    add_char(r, code, n + 4);
}

/* \u0041, and the two halves of a surrogate pair. */
static void read_unicode(reader *r)
{
    if (at(r, 2) == '{') {
        read_braced(r);
        return;
    }
    int64_t high = hex(r, 2, 4);
    if (high < 0xd800 || high > 0xdfff) {
        if (high < 0) {
            refuse(r, "\\u needs four hexadecimal digits");
            return;
        }
        add_char(r, high, 6);
        return;
    }
    int64_t low = at(r, 6) == '\\' && at(r, 7) == 'u' ? hex(r, 8, 4) : -1;
    if (high > 0xdbff || low < 0xdc00 || low > 0xdfff) {
        refuse(r, "half a surrogate pair is no character");
        return;
    }
    add_char(r, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12);
}

static void read_byte(reader *r)
{
    int64_t code = hex(r, 2, 2);
    if (code < 0) {
        refuse(r, "\\x needs two hexadecimal digits");
        return;
    }
    add_char(r, code, 4);
}

static const struct category {
    const char *name;
    const char *brief;
} categories[] = {
    {"Letter", "L"},
    {"Cased_Letter", "L&"},
    {"Uppercase_Letter", "Lu"},
    {"Lowercase_Letter", "Ll"},
    {"Titlecase_Letter", "Lt"},
    {"Modifier_Letter", "Lm"},
    {"Other_Letter", "Lo"},
    {"Mark", "M"},
    {"Combining_Mark", "M"},
    {"Nonspacing_Mark", "Mn"},
    {"Spacing_Mark", "Mc"},
    {"Enclosing_Mark", "Me"},
    {"Number", "N"},
    {"Decimal_Number", "Nd"},
    {"digit", "Nd"},
    {"Letter_Number", "Nl"},
    {"Other_Number", "No"},
    {"Punctuation", "P"},
    {"punct", "P"},
    {"Connector_Punctuation", "Pc"},
    {"Dash_Punctuation", "Pd"},
    {"Open_Punctuation", "Ps"},
    {"Close_Punctuation", "Pe"},
    {"Initial_Punctuation", "Pi"},
    {"Final_Punctuation", "Pf"},
    {"Other_Punctuation", "Po"},
    {"Symbol", "S"},
    {"Math_Symbol", "Sm"},
    {"Currency_Symbol", "Sc"},
    {"Modifier_Symbol", "Sk"},
    {"Other_Symbol", "So"},
    {"Separator", "Z"},
    {"Space_Separator", "Zs"},
    {"Line_Separator", "Zl"},
    {"Paragraph_Separator", "Zp"},
    {"Other", "C"},
    {"Control", "Cc"},
    {"cntrl", "Cc"},
    {"Format", "Cf"},
    {"Surrogate", "Cs"},
    {"Private_Use", "Co"},
    {"Unassigned", "Cn"},
};

static void add_property(reader *r, const char *name, size_t len)
{
    static const char *const prefixes[] = {"General_Category=", "gc="};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        size_t n = strlen(prefixes[i]);
        if (len > n && memcmp(name, prefixes[i], n) == 0) {
            name += n;
            len -= n;
        }
    }
    for (size_t i = 0; i < sizeof categories / sizeof categories[0]; i++) {
        if (strlen(categories[i].name) == len && memcmp(name, categories[i].name, len) == 0) {
            rqi_buf_adds(r->out, categories[i].brief);
            return;
        }
    }
    rqi_buf_add(r->out, name, len);
}

/* \p{Letter}; without braces ECMA-262 means the letter p. */
static void read_property(reader *r)
{
    size_t start = r->i + 3;
    const char *end = at(r, 2) == '{' ? memchr(r->text + start, '}', r->len - start) : NULL;
    if (end == NULL) {
        refuse(r, "\\p and \\P need a property in braces, such as \\p{Letter}");
        return;
    }
    size_t len = (size_t)(end - (r->text + start));
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_=" DIGITS;
    for (size_t i = 0; i < len; i++) {
        if (strchr(allowed, r->text[start + i]) == NULL || r->text[start + i] == '\0') {
            refuse(r, "the property in braces has no such name");
            return;
        }
    }
    rqi_buf_add(r->out, r->text + r->i, 3);
    add_property(r, r->text + start, len);
    rqi_buf_addc(r->out, '}');
    r->i = start + len + 1;
}

static void read_control(reader *r)
{
    char c = at(r, 2);
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) {
        refuse(r, "\\c needs a letter");
        return;
    }
    add_char(r, c % 32, 3);
}

static void read_space(reader *r)
{
    const char *set = at(r, 1) == 's' ? SPACES : OTHERS;
    rqi_buf_addf(r->out, r->in_class ? "%s" : "[%s]", set);
    r->i += 2;
    if (r->in_class && at(r, 0) == '-') {
        rqi_buf_adds(r->out, "\\-"); /* beside a set it is no range */
        r->i++;
    }
}

static void read_tab(reader *r)
{
    add_char(r, '\v', 2);
}

static void read_zero(reader *r)
{
    if (strchr(DIGITS, at(r, 2)) != NULL && at(r, 2) != '\0') {
        refuse(r, "an octal escape; write \\x and two hexadecimal digits");
        return;
    }
    add_char(r, 0, 2);
}

/* \k<name>, the name as in (?<name>...) */
static void read_named(reader *r)
{
    if (at(r, 2) != '<') {
        refuse(r, "\\k needs a group's name, as in \\k<name>");
        return;
    }
    rqi_buf_add(r->out, r->text + r->i, 2);
    r->i += 2;
}

static const struct escape {
    char letter;
    void (*read)(reader *r);
} escapes[] = {
    {'u', read_unicode}, {'x', read_byte},  {'p', read_property}, {'P', read_property},
    {'c', read_control}, {'s', read_space}, {'S', read_space},    {'v', read_tab},
    {'0', read_zero},    {'k', read_named},
};

static void read_escape(reader *r)
{
    char c = at(r, 1);
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        if (c == escapes[i].letter && r->i + 1 < r->len) {
            escapes[i].read(r);
            return;
        }
    }
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (r->i + 1 >= r->len) {
        refuse(r, "it ends with a backslash");
    } else if (is_letter && strchr("dDwWbBfnrt", c) == NULL) {
        refuse(r, "ECMA-262 has no such escape; for the end of the text write $, for its start ^");
    }
    rqi_buf_add(r->out, r->text + r->i, 2 <= r->len - r->i ? 2 : r->len - r->i);
    r->i += 2;
}

/* --- The rest --------------------------------------------------------------------------------- */

static void copy(reader *r, size_t n)
{
    rqi_buf_add(r->out, r->text + r->i, n);
    r->i += n;
}

/* Length of {n}, {n,} or {n,m}; 0 for a brace that is only that. */
static size_t quantifier_length(const reader *r)
{
    size_t n = 1;
    size_t digits = 0;
    while (at(r, n) != '\0' && strchr(DIGITS, at(r, n)) != NULL) {
        n++;
        digits++;
    }
    if (digits == 0) {
        return 0;
    }
    n += at(r, n) == ',';
    while (at(r, n) != '\0' && strchr(DIGITS, at(r, n)) != NULL) {
        n++;
    }
    return at(r, n) == '}' ? n + 1 : 0;
}

static void read_quantifier(reader *r, size_t len)
{
    copy(r, len);
    if (at(r, 0) == '?') {
        copy(r, 1);
    }
    r->after_quantifier = true;
}

/* What may follow "(?". */
static void read_group(reader *r)
{
    static const char *const begins[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!"};
    if (at(r, 1) == '*') {
        refuse(r, "there is nothing to repeat before '*'");
        return;
    }
    if (at(r, 1) != '?') {
        copy(r, 1);
        return;
    }
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        size_t n = strlen(begins[i]);
        if (r->len - r->i >= n && memcmp(r->text + r->i, begins[i], n) == 0) {
            copy(r, n);
            return;
        }
    }
    if (at(r, 2) == '<') {
        copy(r, 3);
        return;
    }
    refuse(r, "after (? ECMA-262 has :, =, !, <=, <! or <name> only");
}

static void read_class_char(reader *r)
{
    char c = at(r, 0);
    if (c == ']') {
        r->in_class = false;
    }
    if (c == '[') {
        rqi_buf_addc(r->out, '\\');
    }
    copy(r, 1);
}

static void open_class(reader *r)
{
    copy(r, at(r, 1) == '^' ? 2 : 1);
    r->in_class = true;
}

static void read_plain(reader *r)
{
    char c = at(r, 0);
    size_t braces = c == '{' ? quantifier_length(r) : 0;
    bool repeats = braces > 0 || c == '*' || c == '+' || c == '?';
    if (repeats && r->after_quantifier) {
        refuse(r, "there is nothing to repeat before a second quantifier");
        return;
    }
    r->after_quantifier = false;
    if (repeats) {
        read_quantifier(r, braces > 0 ? braces : 1);
    } else if (c == '{') {
        rqi_buf_addc(r->out, '\\');
        copy(r, 1);
    } else if (c == '(') {
        read_group(r);
    } else if (c == '[') {
        open_class(r);
    } else if (c == '.') {
        rqi_buf_adds(r->out, NO_LINE_END);
        r->i++;
    } else {
        copy(r, 1);
    }
}

const char *rqi_js_regex_text(const char *text, size_t len, rqi_buf *out, size_t *ret_at)
{
    reader r = {.text = text, .len = len, .out = out};
    while (r.i < len && r.wrong == NULL) {
        if (at(&r, 0) == '\\') {
            r.after_quantifier = false;
            read_escape(&r);
        } else if (r.in_class) {
            read_class_char(&r);
        } else {
            read_plain(&r);
        }
    }
    *ret_at = r.i < len ? r.i : len;
    return r.wrong;
}
