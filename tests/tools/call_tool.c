/* SPDX-License-Identifier: MIT */
/*
 * One server instance that calls a task or polls a reference, and prints the response.
 *
 *     call_tool URL call QUEUE TASK ARGS PATIENCE_MS
 *     call_tool URL poll REF_ID
 */
#include <refq/refq.h>

#include "base/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct server {
    refq_client *client;
    refq_store *store;
    refq_cache *cache;
    refq_calls *calls;
};

static refq_err open_server(struct server *s, const char *url, refq_error *err)
{
    refq_redis_options ro = {.struct_size = sizeof ro, .url = url};
    refq_store_options so = {.struct_size = sizeof so, .url = url};
    refq_err rc = refq_client_open(&ro, &s->client, err);
    rc = rc == REFQ_OK ? refq_store_open(&so, &s->store, err) : rc;
    refq_cache_options co = {.struct_size = sizeof co, .name = "tool", .client = s->client};
    rc = rc == REFQ_OK ? refq_cache_open(s->store, &co, &s->cache, err) : rc;
    refq_calls_options o = {.struct_size = sizeof o, .client = s->client, .cache = s->cache};
    return rc == REFQ_OK ? refq_calls_new(&o, &s->calls, err) : rc;
}

static void close_server(struct server *s)
{
    refq_calls_free(s->calls);
    refq_cache_close(s->cache);
    refq_store_close(s->store);
    refq_client_close(s->client);
}

static refq_err serve(struct server *s, char **argv, refq_response *response, refq_error *err)
{
    refq_call_spec spec = {.struct_size = sizeof spec, .has_async_timeout = 1};
    if (strcmp(argv[0], "poll") == 0) {
        return refq_cache_get(s->cache, argv[1], NULL, NULL, response, err);
    }
    spec.queue = argv[1];
    spec.task = argv[2];
    spec.args = argv[3];
    refq_err rc = rqi_parse_int(argv[4], 0, INT32_MAX, &spec.async_timeout_ms, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    return refq_call(s->calls, &spec, response, err);
}

int main(int argc, char **argv)
{
    struct server s = {0};
    refq_error err = {0};
    refq_response response = {0};
    bool call = argc == 7 && strcmp(argv[2], "call") == 0;
    bool poll = argc == 4 && strcmp(argv[2], "poll") == 0;
    if (!call && !poll) {
        (void)fprintf(stderr, "usage: call_tool URL call QUEUE TASK ARGS PATIENCE_MS\n"
                              "       call_tool URL poll REF_ID\n");
        return 64;
    }
    refq_err rc = open_server(&s, argv[1], &err);
    rc = rc == REFQ_OK ? serve(&s, argv + 2, &response, &err) : rc;
    if (rc == REFQ_OK) {
        (void)puts(response.json);
    } else {
        (void)fprintf(stderr, "call_tool: %s\n", err.text);
    }
    refq_response_free(&response);
    close_server(&s);
    return rc == REFQ_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
