/* SPDX-License-Identifier: MIT */
/*
 * Previews: a large value made small enough for its reader.
 *
 * A value is JSON text as mcp-refcache stores it: NaN, infinities, integers of any length and lone
 * surrogates are fine, at most 1024 levels and 512 MiB. Its size is that of the text which Python's
 * json.dumps() makes of it (", " and ": ", only ASCII), counted in characters or tokens; a budget
 * is a size. Three ways to keep a budget:
 *
 *   sample    items of an array or members of an object, evenly spaced; a text is cut
 *   paginate  a page after the other; all pages together are the whole value
 *   truncate  the value's text, cut, with "..." at the end
 *
 * Functions here keep nothing between calls: any thread may call them at any time.
 */
#ifndef REFQ_PREVIEW_H
#define REFQ_PREVIEW_H

#include <refq/bytes.h>
#include <refq/error.h>
#include <refq/export.h>

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- Measures --------------------------------------------------------------------------------- */

typedef enum refq_unit {
    REFQ_UNIT_TOKENS = 0, /* by the tokenizer; without one a token is four characters */
    REFQ_UNIT_CHARACTERS
} refq_unit;

/* Counts the tokens of text (ASCII, not terminated). Called on the thread that asked for the
 * preview, several times for one preview. SIZE_MAX when it cannot. */
typedef size_t refq_tokenizer(void *arg, const char *text, size_t len);

/* How sizes are counted. Zero-initialised: tokens of four characters, rounded up. */
typedef struct refq_measure {
    refq_unit unit;
    refq_tokenizer *tokenizer; /* NULL = four characters are a token; not used for characters */
    void *arg;                 /* handed to the tokenizer; borrowed */
} refq_measure;

/* The size of a value in one pass over its text, without building anything. measure NULL = the
 * zero-initialised one. REFQ_ERR_INVALID when value is not JSON, REFQ_ERR_LIMIT when it is nested
 * too deep or too long, REFQ_ERR_NOMEM, REFQ_ERR_UNSUPPORTED when the tokenizer fails. */
REFQ_API REFQ_MUST_USE refq_err refq_preview_measure(refq_bytes value, const refq_measure *measure,
                                                     int64_t *ret_size, refq_error *err);

/* --- Previews --------------------------------------------------------------------------------- */

typedef enum refq_preview_strategy {
    REFQ_PREVIEW_SAMPLE = 0,
    REFQ_PREVIEW_PAGINATE,
    REFQ_PREVIEW_TRUNCATE
} refq_preview_strategy;

#define REFQ_PREVIEW_MAX_SIZE  1000 /* the budget when none is given */
#define REFQ_PREVIEW_PAGE_SIZE 20   /* items of a page when nothing else is given */

/* Zero-initialised but for struct_size: a sample of at most 1000 tokens of four characters. */
typedef struct refq_preview_options {
    size_t struct_size; /* sizeof(refq_preview_options) */
    refq_preview_strategy strategy;
    refq_measure measure;
    int has_max_size; /* 0 = REFQ_PREVIEW_MAX_SIZE */
    int64_t max_size; /* the budget; from 0 */
    int has_page;     /* a page is asked for: paginate is used where sample would be; truncate has
                         no pages and ignores it */
    int64_t page;     /* from 1 */
    int has_page_size;
    int64_t page_size; /* at most so many items on a page, characters when the value is a string;
                          from 1. Without it 20 items; of a string what the budget allows */
} refq_preview_options;

/* A preview. Made by the library only: it may grow at its end. */
typedef struct refq_preview {
    char *json; /* what to show: JSON text that strict parsers take, terminated. NaN and infinities
                   became null, lone surrogates U+FFFD; otherwise as Python writes it */
    size_t len; /* bytes of json */
    refq_preview_strategy strategy; /* that made it: truncate for a string that was sampled */
    int64_t original_size;          /* of the value, in the measure's unit */
    int64_t preview_size;           /* of the preview, before anything became null */
    int64_t total_items;            /* items, members, or characters of a string; -1 = none of it */
    int64_t sampled_items;          /* how many of them are in the preview; -1 as above */
    int64_t page;                   /* the page asked for; 0 = not paginated */
    int64_t total_pages;            /* 0 = not paginated, or no items */
    int complete;                   /* json is the whole value */
} refq_preview;

/* The name in mcp-refcache's replies: "sample", "paginate" or "truncate". Never NULL. */
REFQ_API const char *refq_preview_strategy_name(refq_preview_strategy strategy);

/* Makes a preview; options NULL = the zero-initialised ones. value and options are borrowed for the
 * call. The caller owns *ret (refq_preview_free()).
 *
 * A page holds the next items as long as there are at most page_size and they keep the budget; an
 * item that alone exceeds it has a page of its own. So the pages 1 to total_pages are the value,
 * for the same page_size, budget and measure. Beyond the last page is an empty page.
 *
 * Errors as refq_preview_measure(), and REFQ_ERR_INVALID for a page or page_size below 1, a
 * max_size below 0, a wrong struct_size or an unknown strategy or unit. */
REFQ_API REFQ_MUST_USE refq_err refq_preview_make(refq_bytes value,
                                                  const refq_preview_options *options,
                                                  refq_preview **ret, refq_error *err);

/* Frees a preview; NULL is fine. */
REFQ_API void refq_preview_free(refq_preview *preview);

/* --- A tokenizer from a rank file ------------------------------------------------------------- */

/* Byte pair encoding as tiktoken does it, from a file of its format: a line for each token, its
 * bytes in base64, a blank, its rank. Text is taken apart first by one of tiktoken's patterns.
 * Special tokens ("<|endoftext|>") count as the text they are. Previews measure ASCII only; in
 * other text every byte beyond ASCII counts as a letter, which tiktoken knows better. */
typedef struct refq_bpe refq_bpe;

typedef enum refq_bpe_pattern {
    REFQ_BPE_O200K = 0, /* o200k_base: gpt-4o and later */
    REFQ_BPE_CL100K     /* cl100k_base: gpt-4, gpt-3.5 */
} refq_bpe_pattern;

/* Reads a rank file. The caller owns *ret (refq_bpe_free()). REFQ_ERR_IO when it cannot be read,
 * REFQ_ERR_INVALID with the line when it is no rank file or one of the 256 bytes has no rank,
 * REFQ_ERR_LIMIT when it has more than 64 MiB or a million tokens, REFQ_ERR_NOMEM. */
REFQ_API REFQ_MUST_USE refq_err refq_bpe_open(const char *path, refq_bpe_pattern pattern,
                                              refq_bpe **ret, refq_error *err);

/* A refq_tokenizer whose arg is a refq_bpe, which is only read: any threads may share one. */
REFQ_API size_t refq_bpe_count(void *bpe, const char *text, size_t len);

/* Frees it; NULL is fine. */
REFQ_API void refq_bpe_free(refq_bpe *bpe);

#ifdef __cplusplus
}
#endif
#endif
