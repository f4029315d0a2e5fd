/* SPDX-License-Identifier: MIT */
#include "readers.h"

#include "base/error.h"
#include "base/parse.h"

#include <stdio.h>
#include <string.h>

#define COUNT_MAX         INT64_C(1000000000000)
#define PAGE_MAX          1000
#define RETRIES_MAX       1000
#define PERIOD_DEFAULT_MS 2000
#define PERIOD_MIN_MS     100

static refq_err read_int(const char *text, int64_t min, int64_t max, void *target, refq_error *err)
{
    cli_number number = {.given = true};
    refq_err code = rqi_parse_int(text, min, max, &number.value, err);
    if (code == REFQ_OK) {
        *(cli_number *)target = number;
    }
    return code;
}

refq_err cli_read_status(const char *text, void *target, refq_error *err)
{
    refq_status status = REFQ_PENDING;
    if (refq_status_parse(text, &status) != REFQ_OK) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "'%.40s' is not a status; use pending, processing, complete, failed or "
                        "cancelled",
                        text);
    }
    *(cli_number *)target = (cli_number){.given = true, .value = status};
    return REFQ_OK;
}

refq_err cli_read_ended(const char *text, void *target, refq_error *err)
{
    refq_status status = REFQ_PENDING;
    if (refq_status_parse(text, &status) != REFQ_OK || !refq_status_is_terminal(status)) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "'%.40s' is not the status of a task that is over; use complete, failed or "
                        "cancelled",
                        text);
    }
    *(cli_number *)target = (cli_number){.given = true, .value = status};
    return REFQ_OK;
}

refq_err cli_read_task(const char *text, void *target, refq_error *err)
{
    refq_err code = refq_name_check(text, err);
    if (code == REFQ_OK) {
        *(const char **)target = text;
    }
    return code;
}

refq_err cli_read_count(const char *text, void *target, refq_error *err)
{
    return read_int(text, 1, COUNT_MAX, target, err);
}

refq_err cli_read_natural(const char *text, void *target, refq_error *err)
{
    return read_int(text, 0, COUNT_MAX, target, err);
}

refq_err cli_read_page(const char *text, void *target, refq_error *err)
{
    return read_int(text, 1, PAGE_MAX, target, err);
}

refq_err cli_read_lane(const char *text, void *target, refq_error *err)
{
    if (refq_lane_parse(text, target) != REFQ_OK) {
        return rqi_fail(err, REFQ_ERR_INVALID, "'%.40s' is not a lane; use high, normal or low",
                        text);
    }
    return REFQ_OK;
}

refq_err cli_read_retries(const char *text, void *target, refq_error *err)
{
    return read_int(text, 0, RETRIES_MAX, target, err);
}

refq_err cli_read_reply_format(const char *text, void *target, refq_error *err)
{
    return refq_format_parse(text, target, err);
}

/* --- Rates and periods ------------------------------------------------------------------------ */

static int64_t unit_ms(const char *unit)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"/s", 1000}, {"/m", 60000}, {"/h", 3600000}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(units[i].name, unit) == 0) {
            return units[i].ms;
        }
    }
    return 0;
}

refq_err cli_read_rate(const char *text, void *target, refq_error *err)
{
    char digits[16] = "";
    int64_t n = 0;
    size_t len = strcspn(text, "/");
    int64_t ms = unit_ms(text + len);
    if (len < sizeof digits) {
        (void)snprintf(digits, sizeof digits, "%.*s", (int)len, text);
    }
    if (ms == 0 || rqi_parse_int(digits, 1, 1000, &n, NULL) != REFQ_OK) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "'%.40s' is not a rate; write 1 to 1000 and a unit, such as 5/s, 30/m or "
                        "100/h",
                        text);
    }
    *(cli_number *)target = (cli_number){.given = true, .value = ms / n};
    return REFQ_OK;
}

refq_err cli_read_period(const char *text, void *target, refq_error *err)
{
    cli_number period = {.given = true, .value = PERIOD_DEFAULT_MS};
    char seconds[32];
    if (text != NULL) {
        bool bare = text[0] != '\0' && strspn(text, "0123456789.") == strlen(text);
        (void)snprintf(seconds, sizeof seconds, "%.20s%s", text, bare ? "s" : "");
        refq_err code = rqi_parse_duration(bare ? seconds : text, &period.value, err);
        if (code != REFQ_OK) {
            return code;
        }
    }
    if (period.value < PERIOD_MIN_MS) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "'%.40s' is less than the 100ms allowed", text);
    }
    *(cli_number *)target = period;
    return REFQ_OK;
}
