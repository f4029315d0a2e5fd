/* SPDX-License-Identifier: MIT */
#include "access/glob.h"

#include "base/utf8.h"

#include <string.h>

#define RANGE UINT32_MAX /* stands for a hyphen that makes a range; no code point */
#define NONE  SIZE_MAX

/* Characters of a pattern, a set or a name. */
struct text {
    size_t n;
    uint32_t at[REFQ_ACCESS_NAME_MAX];
};

/* --- Characters ------------------------------------------------------------------------------- */

static size_t sequence_length(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

static uint32_t code_point(const unsigned char *p, size_t len)
{
    static const unsigned char payload[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = p[0] & payload[len];
    for (size_t i = 1; i < len; i++) {
        c = c << 6 | (p[i] & 0x3f);
    }
    return c;
}

static bool decode(const char *utf8, struct text *ret)
{
    size_t len = strnlen(utf8, REFQ_ACCESS_NAME_MAX + 1);
    if (len > REFQ_ACCESS_NAME_MAX || rqi_utf8_valid(utf8, len) != len) {
        return false;
    }
    ret->n = 0;
    for (size_t i = 0; i < len;) {
        size_t bytes = sequence_length((unsigned char)utf8[i]);
        ret->at[ret->n++] = code_point((const unsigned char *)utf8 + i, bytes);
        i += bytes;
    }
    return true;
}

static size_t find(const struct text *t, uint32_t c, size_t from)
{
    while (from < t->n && t->at[from] != c) {
        from++;
    }
    return from;
}

/* --- Sets ------------------------------------------------------------------------------------- */

/* A hyphen makes a range unless it is the first or last member, or ends the range before it. */
static void mark_ranges(struct text *set)
{
    size_t from = set->n > 0 && set->at[0] == '!' ? 2 : 1;
    for (size_t k = find(set, '-', from); k + 1 < set->n; k = find(set, '-', k + 3)) {
        set->at[k] = RANGE;
    }
}

/* Takes out ranges that run backwards, ends and all, from the last to the first: what stood around
 * such a range may then be neighbours, as in Python. */
static void drop_backward_ranges(struct text *set)
{
    for (size_t i = set->n; i-- > 0;) {
        bool marked = set->at[i] == RANGE && i > 0 && i + 1 < set->n;
        if (marked && set->at[i - 1] > set->at[i + 1]) {
            memmove(set->at + i - 1, set->at + i + 2, (set->n - i - 2) * sizeof set->at[0]);
            set->n -= 3;
        }
    }
}

static void add_range(rqi_glob *glob, uint32_t from, uint32_t to)
{
    glob->ranges[glob->n_ranges++] = (rqi_glob_range){from, to};
    glob->parts[glob->n - 1].n++;
}

static rqi_glob_part *add_part(rqi_glob *glob)
{
    rqi_glob_part *part = &glob->parts[glob->n++];
    *part = (rqi_glob_part){.first = (uint16_t)glob->n_ranges};
    return part;
}

static void add_members(rqi_glob *glob, const struct text *set, size_t i)
{
    while (i < set->n) {
        uint32_t c = set->at[i] == RANGE ? '-' : set->at[i];
        bool range = i + 2 < set->n && set->at[i + 1] == RANGE;
        add_range(glob, c, range ? set->at[i + 2] : c);
        i += range ? 3 : 1;
    }
}

static void add_set(rqi_glob *glob, struct text *set)
{
    mark_ranges(set);
    drop_backward_ranges(set);
    rqi_glob_part *part = add_part(glob);
    part->negated = set->n > 0 && set->at[0] == '!';
    add_members(glob, set, part->negated);
}

/* Where the set that opens at i closes; the end of the pattern when it does not. */
static size_t closing(const struct text *pattern, size_t i)
{
    i++;
    i += i < pattern->n && pattern->at[i] == '!';
    i += i < pattern->n && pattern->at[i] == ']';
    return find(pattern, ']', i);
}

/* --- Patterns --------------------------------------------------------------------------------- */

/* Adds the part at i; returns what follows it. */
static size_t compile_part(rqi_glob *glob, const struct text *pattern, size_t i)
{
    uint32_t c = pattern->at[i];
    size_t close = c == '[' ? closing(pattern, i) : pattern->n;
    if (close < pattern->n) {
        struct text set = {.n = close - i - 1};
        memcpy(set.at, pattern->at + i + 1, set.n * sizeof set.at[0]);
        add_set(glob, &set);
        return close + 1;
    }
    rqi_glob_part *part = add_part(glob);
    part->star = c == '*';
    part->negated = c == '?';
    if (c != '*' && c != '?') {
        add_range(glob, c, c);
    }
    return i + 1;
}

bool rqi_glob_compile(const char *pattern, rqi_glob *ret)
{
    struct text text;
    if (!decode(pattern, &text)) {
        return false;
    }
    ret->n = 0;
    ret->n_ranges = 0;
    for (size_t i = 0; i < text.n;) {
        i = compile_part(ret, &text, i);
    }
    return true;
}

bool rqi_glob_has(const rqi_glob *glob, const rqi_glob_part *part, uint32_t character)
{
    for (size_t i = part->first; i < (size_t)part->first + part->n; i++) {
        if (glob->ranges[i].from <= character && character <= glob->ranges[i].to) {
            return !part->negated;
        }
    }
    return part->negated;
}

static bool match(const rqi_glob *glob, const struct text *name)
{
    size_t p = 0;
    size_t star = NONE; /* the part after the last star met */
    size_t given = 0;   /* where the text of that star ends */
    for (size_t s = 0; s < name->n;) {
        if (p < glob->n && glob->parts[p].star) {
            star = ++p;
            given = s;
        } else if (p < glob->n && rqi_glob_has(glob, &glob->parts[p], name->at[s])) {
            p++;
            s++;
        } else if (star != NONE) {
            p = star;
            s = ++given;
        } else {
            return false;
        }
    }
    while (p < glob->n && glob->parts[p].star) {
        p++;
    }
    return p == glob->n;
}

bool rqi_glob_match(const rqi_glob *glob, const char *name)
{
    struct text text;
    return decode(name, &text) && match(glob, &text);
}
