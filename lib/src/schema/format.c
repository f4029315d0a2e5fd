/* SPDX-License-Identifier: MIT */
#include "schema/format.h"

#include <arpa/inet.h>
#include <string.h>

#define LETTERS    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS     "0123456789"
#define HEX        DIGITS "abcdefABCDEF"
#define UNRESERVED LETTERS DIGITS "-._~"
#define SUB_DELIMS "!$&'()*+,;="

/* --- Dates and times (RFC 3339) --------------------------------------------------------------- */

/* The number of exactly n digits; -1 when they are not there. */
static int number(const char *text, size_t n)
{
    int value = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Of the first ten characters. */
static bool is_date(const char *text)
{
    int year = number(text, 4);
    int month = year >= 0 && text[4] == '-' ? number(text + 5, 2) : -1;
    int day = month >= 1 && month <= 12 && text[7] == '-' ? number(text + 8, 2) : -1;
    return day >= 1 && day <= days_of(year, month);
}

static bool fits_date(const char *text, size_t len)
{
    return len == 10 && is_date(text);
}

/* Minutes east of UTC in *ret: Z, +01:00. */
static bool read_offset(const char *text, size_t len, int *ret)
{
    if (len == 1 && (text[0] == 'Z' || text[0] == 'z')) {
        *ret = 0;
        return true;
    }
    if (len != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') {
        return false;
    }
    int hours = number(text + 1, 2);
    int minutes = number(text + 4, 2);
    *ret = (text[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
    return hours >= 0 && hours <= 23 && minutes >= 0 && minutes <= 59;
}

/* A leap second is the last one of a day in UTC. */
static bool is_leap_second(int hour, int minute, int offset)
{
    return (hour * 60 + minute - offset + 2 * 24 * 60) % (24 * 60) == 23 * 60 + 59;
}

static bool fits_time(const char *text, size_t len)
{
    if (len < 9 || text[2] != ':' || text[5] != ':') {
        return false;
    }
    int hour = number(text, 2);
    int minute = number(text + 3, 2);
    int second = number(text + 6, 2);
    size_t at = 8;
    if (text[at] == '.') {
        size_t digits = strspn(text + at + 1, DIGITS);
        if (digits == 0) {
            return false;
        }
        at += 1 + digits;
    }
    int offset;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 ||
        !read_offset(text + at, len - at, &offset)) {
        return false;
    }
    return second < 60 || is_leap_second(hour, minute, offset);
}

static bool fits_date_time(const char *text, size_t len)
{
    return len > 11 && is_date(text) && (text[10] == 'T' || text[10] == 't') &&
           fits_time(text + 11, len - 11);
}

/* --- Addresses -------------------------------------------------------------------------------- */

static bool fits_ipv4(const char *text, size_t len)
{
    unsigned char address[16];
    return strlen(text) == len && inet_pton(AF_INET, text, address) == 1;
}

static bool fits_ipv6(const char *text, size_t len)
{
    unsigned char address[16];
    return strlen(text) == len && inet_pton(AF_INET6, text, address) == 1;
}

static bool fits_uuid(const char *text, size_t len)
{
    if (len != 36) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : text[i] == '\0' || strchr(HEX, text[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* Parts of letters, digits and `extra`, none empty, between dots. */
static bool is_dotted(const char *text, size_t len, const char *extra)
{
    bool empty = true;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '.') {
            if (empty) {
                return false;
            }
            empty = true;
            continue;
        }
        if (text[i] == '\0' ||
            (strchr(LETTERS DIGITS, text[i]) == NULL && strchr(extra, text[i]) == NULL)) {
            return false;
        }
        empty = false;
    }
    return !empty;
}

/* "anything, with \" escaped" */
static bool is_quoted(const char *text, size_t len)
{
    if (len < 2 || text[0] != '"' || text[len - 1] != '"') {
        return false;
    }
    for (size_t i = 1; i < len - 1; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < ' ' || c > '~' || c == '"' || (c == '\\' && ++i == len - 1)) {
            return false;
        }
    }
    return true;
}

/* [192.0.2.1] or [IPv6:2001:db8::1] */
static bool is_address_literal(const char *text, size_t len)
{
    char address[64];
    if (len < 3 || len > sizeof address || text[0] != '[' || text[len - 1] != ']') {
        return false;
    }
    bool six = strncmp(text, "[IPv6:", 6) == 0;
    size_t start = six ? 6 : 1;
    size_t n = len - 1 - start;
    memcpy(address, text + start, n);
    address[n] = '\0';
    return six ? fits_ipv6(address, n) : fits_ipv4(address, n);
}

/* Labels neither begin nor end with a dash. */
static bool is_domain(const char *text, size_t len)
{
    if (!is_dotted(text, len, "-") || len > 253) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        bool edge = i == 0 || i + 1 == len || text[i - 1] == '.' || text[i + 1] == '.';
        if (text[i] == '-' && edge) {
            return false;
        }
    }
    return true;
}

static bool fits_email(const char *text, size_t len)
{
    const char *at = memrchr(text, '@', len);
    if (at == NULL) {
        return false;
    }
    size_t local = (size_t)(at - text);
    size_t rest = len - local - 1;
    return (is_dotted(text, local, "!#$%&'*+/=?^_`{|}~-") || is_quoted(text, local)) &&
           (is_domain(at + 1, rest) || is_address_literal(at + 1, rest));
}

/* --- URIs (RFC 3986) -------------------------------------------------------------------------- */

/* Only these characters and %XX escapes. */
static bool is_made_of(const char *text, size_t len, const char *allowed)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%' && i + 2 < len && strspn(text + i + 1, HEX) >= 2) {
            i += 2;
        } else if (text[i] == '\0' || strchr(allowed, text[i]) == NULL) {
            return false;
        }
    }
    return true;
}

static bool is_host(const char *text, size_t len)
{
    if (len >= 2 && text[0] == '[') {
        return text[len - 1] == ']' &&
               is_made_of(text + 1, len - 2, LETTERS DIGITS ":.~" SUB_DELIMS);
    }
    return is_made_of(text, len, UNRESERVED SUB_DELIMS);
}

static bool is_authority(const char *text, size_t len)
{
    const char *at = memrchr(text, '@', len);
    if (at != NULL) {
        size_t user = (size_t)(at - text);
        if (!is_made_of(text, user, UNRESERVED SUB_DELIMS ":")) {
            return false;
        }
        text += user + 1;
        len -= user + 1;
    }
    size_t port = len;
    while (port > 0 && text[port - 1] >= '0' && text[port - 1] <= '9') {
        port--;
    }
    return is_host(text, port > 0 && text[port - 1] == ':' ? port - 1 : len);
}

static bool fits_uri(const char *text, size_t len)
{
    size_t scheme = strspn(text, LETTERS DIGITS "+-.");
    if (strlen(text) != len || scheme == 0 || strchr(LETTERS, text[0]) == NULL ||
        text[scheme] != ':') {
        return false;
    }
    text += scheme + 1;
    if (strncmp(text, "//", 2) == 0) {
        size_t n = strcspn(text + 2, "/?#");
        if (!is_authority(text + 2, n)) {
            return false;
        }
        text += 2 + n;
    }
    size_t path = strcspn(text, "?#");
    size_t query = strcspn(text + path, "#");
    const char *fragment = text + path + query;
    return is_made_of(text, path, UNRESERVED SUB_DELIMS ":@/") &&
           is_made_of(text + path, query, UNRESERVED SUB_DELIMS ":@/?") &&
           (*fragment == '\0' ||
            is_made_of(fragment + 1, strlen(fragment + 1), UNRESERVED SUB_DELIMS ":@/?"));
}

static const rqi_js_format formats[] = {
    {"date", fits_date}, {"time", fits_time}, {"date-time", fits_date_time}, {"email", fits_email},
    {"ipv4", fits_ipv4}, {"ipv6", fits_ipv6}, {"uuid", fits_uuid},           {"uri", fits_uri},
};

const rqi_js_format *rqi_js_format_find(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (strcmp(name, formats[i].name) == 0) {
            return &formats[i];
        }
    }
    return NULL;
}
