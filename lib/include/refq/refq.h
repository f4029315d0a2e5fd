/* SPDX-License-Identifier: MIT */
/*
 * refq: run long tool calls in a fleet and get references back.
 *
 *     refq_client *client;
 *     refq_error err;
 *     refq_redis_options opt = {.struct_size = sizeof opt, .url = "redis://127.0.0.1"};
 *     if (refq_client_open(&opt, &client, &err) != REFQ_OK) {
 *         errx(1, "%s", err.text);
 *     }
 *     refq_spec spec = {.struct_size = sizeof spec, .task = "ocr_pdf", .args =
 * "{\"path\":\"a.pdf\"}"}; refq_submitted done; if (refq_ref_make("docs", &spec.ref, &err) !=
 * REFQ_OK || refq_client_submit(client, &spec, &done, &err) != REFQ_OK) { errx(1, "%s", err.text);
 *     }
 */
#ifndef REFQ_H
#define REFQ_H

#include <refq/access.h>
#include <refq/backend.h>
#include <refq/bytes.h>
#include <refq/cache.h>
#include <refq/call.h>
#include <refq/client.h>
#include <refq/error.h>
#include <refq/handlers.h>
#include <refq/log.h>
#include <refq/memory.h>
#include <refq/plugin.h>
#include <refq/preview.h>
#include <refq/response.h>
#include <refq/schema.h>
#include <refq/store.h>
#include <refq/task.h>
#include <refq/version.h>
#include <refq/work.h>

#endif
