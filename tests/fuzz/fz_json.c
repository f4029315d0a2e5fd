/* SPDX-License-Identifier: MIT */
/* Values of the ref cache: what is measured is what is written, writing again changes nothing, what
 * is portable or strict is taken by jansson, previews keep their budget and pages lose nothing. */
#include "fuzz/fz.h"

#include "codec/value.h"
#include "json/parts.h"
#include "json/portable.h"
#include "json/pytext.h"

#include <refq/preview.h>

#include <stdlib.h>
#include <string.h>

#define PAGES_MAX 64

static bool same(const rqi_buf *a, const rqi_buf *b)
{
    return a->len == b->len && memcmp(rqi_buf_str(a), rqi_buf_str(b), a->len) == 0;
}

static void check_python(refq_bytes text, rqi_buf *python)
{
    rqi_buf again = {0};
    size_t chars = 0;
    RQT_HOLDS(rqi_pytext_write(text, python, NULL) == REFQ_OK);
    RQT_HOLDS(rqi_pytext_measure(text, &chars, NULL) == REFQ_OK && chars == python->len);
    for (size_t i = 0; i < python->len; i++) {
        RQT_HOLDS(python->ptr[i] >= ' ' && python->ptr[i] < 0x7f);
    }
    RQT_HOLDS(rqi_pytext_write(rqi_buf_bytes(python), &again, NULL) == REFQ_OK);
    RQT_HOLDS(same(python, &again));
    rqi_buf_done(&again);
}

/* jansson takes no zero character in keys. */
static bool has_zero(refq_bytes text)
{
    return memmem(text.ptr, text.len, "\\u0000", 6) != NULL;
}

static void check_strict(refq_bytes text)
{
    rqi_buf portable = {0};
    rqi_buf a = {0};
    rqi_buf b = {0};
    json_t *value = NULL;
    RQT_HOLDS(rqi_portable_write(text, &portable, NULL) == REFQ_OK);
    RQT_HOLDS(rqi_strict_write(text, &a, NULL) == REFQ_OK);
    RQT_HOLDS(rqi_strict_write(rqi_buf_bytes(&portable), &b, NULL) == REFQ_OK);
    /* Keys that differed in a lone surrogate only are one in the portable text. */
    RQT_HOLDS(b.len <= a.len);
    bool loads = rqi_value_load(text, text.len, 0, &value, NULL) == REFQ_OK;
    RQT_HOLDS(loads || has_zero(text) || b.len < a.len);
    if (loads) {
        json_decref(value);
    }
    rqi_buf_done(&portable);
    rqi_buf_done(&a);
    rqi_buf_done(&b);
}

static void check_pages(refq_bytes text, refq_preview_options o)
{
    int64_t pages = 1;
    int64_t items = 0;
    int64_t total = 0;
    o.strategy = REFQ_PREVIEW_PAGINATE;
    o.has_page = 1;
    for (o.page = 1; o.page <= pages && o.page <= PAGES_MAX; o.page++) {
        refq_preview *p = NULL;
        RQT_HOLDS(refq_preview_make(text, &o, &p, NULL) == REFQ_OK);
        bool divisible = strchr("[{\"", p->json[0]) != NULL;
        RQT_HOLDS(!divisible || p->preview_size <= o.max_size || p->sampled_items <= 1);
        pages = p->total_pages;
        total = p->total_items;
        items += p->sampled_items;
        refq_preview_free(p);
    }
    RQT_HOLDS(pages > PAGES_MAX || items == total);
}

static void check_previews(refq_bytes text, int64_t budget)
{
    refq_preview_options o = {.struct_size = sizeof o,
                              .measure = {.unit = REFQ_UNIT_CHARACTERS},
                              .has_max_size = 1,
                              .max_size = budget};
    for (int i = REFQ_PREVIEW_SAMPLE; i <= REFQ_PREVIEW_TRUNCATE; i++) {
        refq_preview *p = NULL;
        o.strategy = (refq_preview_strategy)i;
        RQT_HOLDS(refq_preview_make(text, &o, &p, NULL) == REFQ_OK);
        RQT_HOLDS(rqi_scan_check((refq_bytes){p->json, p->len}, 0, NULL, NULL) == REFQ_OK);
        bool cut = p->strategy == REFQ_PREVIEW_TRUNCATE;
        RQT_HOLDS(!cut || p->preview_size <= budget || p->sampled_items <= 0);
        refq_preview_free(p);
    }
    check_pages(text, o);
}

static void check_parts(refq_bytes text, rqi_scan_kind kind)
{
    rqi_parts parts;
    rqi_part part;
    size_t bytes = 0;
    rqi_parts_open(&parts, text, NULL);
    while (rqi_parts_next(&parts, &part)) {
        RQT_HOLDS(rqi_scan_check(part.value, 0, NULL, NULL) == REFQ_OK);
        bytes += part.value.len;
    }
    bool container = kind == RQI_SCAN_ARRAY || kind == RQI_SCAN_OBJECT;
    RQT_HOLDS((rqi_parts_rc(&parts) == REFQ_OK) == container && bytes <= text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t budget = rqt_fz_byte(&data, &size);
    char *copy = rqt_fz_text(data, size);
    refq_bytes text = {copy, size};
    refq_error err = {0};
    rqi_buf python = {0};
    rqi_pydoc doc;
    if (rqi_pydoc_open(text, true, &doc, &err) == REFQ_OK) {
        check_python(text, &python);
        check_strict(text);
        check_previews(text, budget);
        check_parts(text, doc.kind);
        rqi_pydoc_done(&doc);
    } else {
        RQT_HOLDS(err.text[0] != '\0');
        RQT_HOLDS(rqi_pytext_write(text, &python, NULL) == err.code && python.len == 0);
        RQT_HOLDS(rqi_scan_check(text, 0, NULL, NULL) == err.code);
    }
    rqi_buf_done(&python);
    free(copy);
    return 0;
}
