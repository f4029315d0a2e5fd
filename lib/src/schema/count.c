/* SPDX-License-Identifier: MIT */
#include "schema/count.h"

#include "schema/number.h"

refq_err rqi_js_read_count(rqi_js_compile *c, const rqi_js_site *site, const char *keyword,
                           const json_t *value, uint64_t *ret)
{
    return rqi_js_number_count(value, ret)
               ? REFQ_OK
               : rqi_js_compile_expected(c, site, keyword, "a whole number from 0 on", value);
}

refq_err rqi_js_compile_count(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                              rqi_js_check *ret)
{
    return rqi_js_read_count(c, site, ret->keyword->name, value, &ret->count);
}
