/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The tree is built from libyaml's events with a stack of our own, so
 * depth, number of nodes and entries are checked before anything is allocated
 * and no input can make this file recurse. Anchors and aliases are refused: a
 * task file gains little from them and a few lines of them expand to gigabytes.
 * Tags are refused because they would only change what a plain value means.
 * Duplicate keys are an error here, once for all maps.
 */
#include "config/yaml_node.h"

#include "base/error.h"
#include "base/utf8.h"
#include "config/place.h"

#include <string.h>
#include <yaml.h>

struct frame {
    rqi_yaml_node *node; /* a list or map that is still open */
    rqi_yaml_node *last; /* its last child so far */
    const char *key;     /* in a map: the key that waits for its value */
    unsigned key_line;
};

struct builder {
    const char *file;
    rqi_arena *arena;
    refq_error *err;
    struct frame stack[RQI_YAML_MAX_DEPTH];
    unsigned depth;
    unsigned nodes;
    unsigned documents;
    rqi_yaml_node *root;
};

typedef refq_err event_fn(struct builder *b, const yaml_event_t *event);

static unsigned line_of(const yaml_event_t *event)
{
    return (unsigned)event->start_mark.line + 1;
}

static struct frame *top(struct builder *b)
{
    return b->depth == 0 ? NULL : &b->stack[b->depth - 1];
}

static bool wants_key(struct builder *b)
{
    struct frame *frame = top(b);
    return frame != NULL && frame->node->kind == RQI_YAML_MAP && frame->key == NULL;
}

static refq_err refuse_extras(struct builder *b, unsigned line, const yaml_char_t *anchor,
                              const yaml_char_t *tag)
{
    if (anchor != NULL) {
        return rqi_fail_at(
            b->err, REFQ_ERR_INVALID, b->file, line,
            "anchors (&%.40s) are not supported; write the value out where it is used",
            (const char *)anchor);
    }
    if (tag != NULL) {
        return rqi_fail_at(b->err, REFQ_ERR_INVALID, b->file, line,
                           "tags (%.60s) are not supported; quote a value to make it a text",
                           (const char *)tag);
    }
    return REFQ_OK;
}

static refq_err check_room(struct builder *b, unsigned line)
{
    const struct frame *frame = top(b);
    if (frame != NULL && frame->node->count >= RQI_YAML_MAX_ENTRIES) {
        return rqi_fail_at(b->err, REFQ_ERR_LIMIT, b->file, line,
                           "more than %d entries in one list or map", RQI_YAML_MAX_ENTRIES);
    }
    if (b->nodes >= RQI_YAML_MAX_NODES) {
        return rqi_fail_at(b->err, REFQ_ERR_LIMIT, b->file, line, "more than %d values in the file",
                           RQI_YAML_MAX_NODES);
    }
    return REFQ_OK;
}

static void link_child(struct builder *b, rqi_yaml_node *node)
{
    struct frame *frame = top(b);
    if (frame == NULL) {
        b->root = node;
        return;
    }
    node->key = frame->key;
    node->key_line = frame->key_line;
    frame->key = NULL;
    frame->key_line = 0;
    if (frame->last == NULL) {
        frame->node->first = node;
    } else {
        frame->last->next = node;
    }
    frame->last = node;
    frame->node->count++;
}

static refq_err add_node(struct builder *b, rqi_yaml_kind kind, unsigned line,
                         rqi_yaml_node **ret_node)
{
    refq_err e = check_room(b, line);
    if (e != REFQ_OK) {
        return e;
    }
    rqi_yaml_node *node = rqi_arena_alloc(b->arena, 1, sizeof *node);
    if (node == NULL) {
        return rqi_fail(b->err, REFQ_ERR_NOMEM, "out of memory");
    }
    b->nodes++;
    node->kind = kind;
    node->line = line;
    link_child(b, node);
    *ret_node = node;
    return REFQ_OK;
}

static refq_err take_key(struct builder *b, const char *key, unsigned line)
{
    struct frame *frame = top(b);
    for (const rqi_yaml_node *child = frame->node->first; child != NULL; child = child->next) {
        if (strcmp(child->key, key) == 0) {
            return rqi_fail_at(b->err, REFQ_ERR_INVALID, b->file, line,
                               "duplicate key '%.60s'; it was first given on line %u", key,
                               child->key_line);
        }
    }
    frame->key = key;
    frame->key_line = line;
    return REFQ_OK;
}

static refq_err on_scalar(struct builder *b, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    unsigned line = line_of(event);
    refq_err e = refuse_extras(b, line, event->data.scalar.anchor, event->data.scalar.tag);
    if (e != REFQ_OK) {
        return e;
    }
    if (strlen(value) != event->data.scalar.length) {
        return rqi_fail_at(b->err, REFQ_ERR_INVALID, b->file, line,
                           "a text must not hold a zero byte");
    }
    char *text = rqi_arena_copy(b->arena, value, event->data.scalar.length);
    if (text == NULL) {
        return rqi_fail(b->err, REFQ_ERR_NOMEM, "out of memory");
    }
    if (wants_key(b)) {
        return take_key(b, text, line);
    }
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    rqi_yaml_node *node = NULL;
    e = add_node(b, plain ? rqi_yaml_scalar_kind(text) : RQI_YAML_TEXT, line, &node);
    if (node != NULL) {
        node->text = text;
    }
    return e;
}

static refq_err open_node(struct builder *b, rqi_yaml_kind kind, unsigned line)
{
    if (wants_key(b)) {
        return rqi_fail_at(b->err, REFQ_ERR_INVALID, b->file, line, "a key must be a text, not %s",
                           rqi_yaml_kind_name(kind));
    }
    if (b->depth == RQI_YAML_MAX_DEPTH) {
        return rqi_fail_at(b->err, REFQ_ERR_LIMIT, b->file, line, "nested deeper than %d levels",
                           RQI_YAML_MAX_DEPTH);
    }
    rqi_yaml_node *node = NULL;
    refq_err e = add_node(b, kind, line, &node);
    if (e == REFQ_OK) {
        b->stack[b->depth++] = (struct frame){.node = node};
    }
    return e;
}

static refq_err on_list(struct builder *b, const yaml_event_t *event)
{
    unsigned line = line_of(event);
    refq_err e =
        refuse_extras(b, line, event->data.sequence_start.anchor, event->data.sequence_start.tag);
    return e != REFQ_OK ? e : open_node(b, RQI_YAML_LIST, line);
}

static refq_err on_map(struct builder *b, const yaml_event_t *event)
{
    unsigned line = line_of(event);
    refq_err e =
        refuse_extras(b, line, event->data.mapping_start.anchor, event->data.mapping_start.tag);
    return e != REFQ_OK ? e : open_node(b, RQI_YAML_MAP, line);
}

static refq_err on_close(struct builder *b, const yaml_event_t *event)
{
    (void)event;
    b->depth--;
    return REFQ_OK;
}

static refq_err on_alias(struct builder *b, const yaml_event_t *event)
{
    return rqi_fail_at(b->err, REFQ_ERR_INVALID, b->file, line_of(event),
                       "aliases (*%.40s) are not supported; write the value out",
                       (const char *)event->data.alias.anchor);
}

static refq_err on_document(struct builder *b, const yaml_event_t *event)
{
    if (b->documents++ == 0) {
        return REFQ_OK;
    }
    return rqi_fail_at(b->err, REFQ_ERR_INVALID, b->file, line_of(event),
                       "a second document starts here; a task file holds only one");
}

static event_fn *const on_event[] = {
    [YAML_DOCUMENT_START_EVENT] = on_document, [YAML_ALIAS_EVENT] = on_alias,
    [YAML_SCALAR_EVENT] = on_scalar,           [YAML_SEQUENCE_START_EVENT] = on_list,
    [YAML_SEQUENCE_END_EVENT] = on_close,      [YAML_MAPPING_START_EVENT] = on_map,
    [YAML_MAPPING_END_EVENT] = on_close,
};

static unsigned line_at(refq_bytes text, size_t offset)
{
    const char *at = text.ptr;
    unsigned line = 1;
    for (size_t i = 0; i < offset && i < text.len; i++) {
        line += at[i] == '\n';
    }
    return line;
}

static refq_err fail_syntax(struct builder *b, const yaml_parser_t *parser, refq_bytes text)
{
    const char *problem = parser->problem != NULL ? parser->problem : "no reason given";
    if (parser->error == YAML_MEMORY_ERROR) {
        return rqi_fail(b->err, REFQ_ERR_NOMEM, "out of memory");
    }
    if (parser->error == YAML_READER_ERROR) {
        return rqi_fail_at(b->err, REFQ_ERR_INVALID, b->file, line_at(text, parser->problem_offset),
                           "not valid YAML: %s", problem);
    }
    unsigned line = (unsigned)parser->problem_mark.line + 1;
    if (parser->context == NULL) {
        return rqi_fail_at(b->err, REFQ_ERR_INVALID, b->file, line, "not valid YAML: %s", problem);
    }
    return rqi_fail_at(b->err, REFQ_ERR_INVALID, b->file, line,
                       "not valid YAML: %s (%s that began on line %u)", problem, parser->context,
                       (unsigned)parser->context_mark.line + 1);
}

static refq_err build(struct builder *b, yaml_parser_t *parser, refq_bytes text)
{
    bool more = true;
    while (more) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            return fail_syntax(b, parser, text);
        }
        event_fn *fn =
            event.type < sizeof on_event / sizeof on_event[0] ? on_event[event.type] : NULL;
        refq_err e = fn != NULL ? fn(b, &event) : REFQ_OK;
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        if (e != REFQ_OK) {
            return e;
        }
    }
    return REFQ_OK;
}

refq_err rqi_yaml_parse(refq_bytes text, const char *file, rqi_arena *arena,
                        const rqi_yaml_node **ret_root, refq_error *err)
{
    struct builder b = {.file = file, .arena = arena, .err = err};
    size_t valid = rqi_utf8_valid(text.ptr, text.len);
    if (valid != text.len) {
        return rqi_fail_at(err, REFQ_ERR_INVALID, file, line_at(text, valid),
                           "not valid UTF-8 (byte 0x%02x)",
                           ((const unsigned char *)text.ptr)[valid]);
    }
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    /* libyaml takes a byte order mark for the start of a document that never comes. */
    if (text.len >= 3 && memcmp(text.ptr, "\xef\xbb\xbf", 3) == 0) {
        text = (refq_bytes){.ptr = (const char *)text.ptr + 3, .len = text.len - 3};
    }
    yaml_parser_set_input_string(&parser, text.ptr, text.len);
    refq_err e = build(&b, &parser, text);
    yaml_parser_delete(&parser);
    if (e == REFQ_OK) {
        *ret_root = b.root;
    }
    return e;
}
