/* SPDX-License-Identifier: MIT */
#include "support/history_observe.h"

#include "base/buf.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* What the value says of itself (see tools/chaos_result.h). Values are compact JSON with their
 * members in a fixed order, so that printing the parsed value again gives the handler's own text.
 */
static void add_value(rqi_buf *b, const char *entry, size_t len)
{
    json_t *root = json_loadb(entry, len, 0, NULL);
    json_t *value = json_object_get(root, "value");
    char *text = value != NULL ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    const char *ref = json_string_value(json_object_get(value, "ref"));
    const char *fence = json_string_value(json_object_get(value, "fence"));
    if (text != NULL) {
        rqi_buf_addf(b, " value=%016" PRIx64, rqt_history_hash(text, strlen(text)));
        rqi_buf_addf(b, " vref=%s vfence=%s", ref != NULL ? ref : "-", fence != NULL ? fence : "-");
        rqi_buf_addf(b, " vattempt=%lld",
                     (long long)json_integer_value(json_object_get(value, "attempt")));
    }
    free(text);
    json_decref(root);
}

static void add_task(rqi_buf *b, const refq_task *task)
{
    static const char *const names[] = {"failures", "deaths", "releases", "reason"};
    rqi_buf_addf(b, "status=%s", refq_status_name(refq_task_status(task)));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *text = refq_task_field(task, names[i]);
        if (text != NULL) {
            rqi_buf_addf(b, " %s=%s", names[i], text);
        }
    }
}

static void write_task(int fd, rqt_event_kind kind, const refq_task *task, const char *entry,
                       size_t len)
{
    char ref[REFQ_REF_MAX + 1];
    rqi_buf b = {0};
    const char *fence = refq_task_field(task, "entry");
    add_task(&b, task);
    if (entry != NULL) {
        add_value(&b, entry, len);
    }
    rqt_history_add(fd, kind, refq_ref_format(refq_task_ref(task), ref),
                    (unsigned)refq_task_number(task, "attempt", 0), fence, "%s", rqi_buf_str(&b));
    rqi_buf_done(&b);
}

bool rqt_history_observe(int fd, rqt_event_kind kind, refq_client *client, const refq_ref *ref,
                         refq_error *err)
{
    char text[REFQ_REF_MAX + 1];
    refq_task *task = NULL;
    char *entry = NULL;
    size_t len = 0;
    refq_err rc = refq_client_result(client, ref, &task, &entry, &len, err);
    if (rc == REFQ_ERR_NOTFOUND && task == NULL) {
        /* No task, or a task without its value: the record tells. */
        rc = refq_client_status(client, ref, &task, err);
    }
    if (task != NULL) {
        write_task(fd, kind, task, entry, len);
    } else if (rc == REFQ_ERR_NOTFOUND) {
        rqt_history_add(fd, kind, refq_ref_format(ref, text), 0, NULL, "status=none");
    }
    bool answered = task != NULL || rc == REFQ_ERR_NOTFOUND;
    refq_task_free(task);
    free(entry);
    return answered;
}
