/* SPDX-License-Identifier: MIT */
/* How the contract of backends is run on a backend of one's own: here on the one in memory.
 * `contract --list` prints its tests, `contract --only cancel` runs some. */
#include <refq/contract.h>
#include <refq/refq.h>

static const refq_contract_setup *current;

/* Starts whatever runs the tasks of setup->queue with setup->handlers. Here the backend does it. */
static refq_err start(void *arg, const refq_contract_setup *setup, refq_error *err)
{
    (void)arg;
    (void)err;
    current = setup;
    return REFQ_OK;
}

static refq_err make_backend(struct event_base *base, void *arg, refq_backend **ret,
                             refq_error *err)
{
    refq_memory_options queue = {.struct_size = sizeof queue,
                                 .queue = current->queue,
                                 .handlers = current->handlers,
                                 .threads = current->slots};
    (void)arg;
    return refq_backend_memory_new(base, &queue, 1, ret, err);
}

static void stop(void *arg)
{
    (void)arg;
}

int main(int argc, char **argv)
{
    const refq_contract_subject subject = {.struct_size = sizeof subject,
                                           .name = "mine",
                                           .start = start,
                                           .backend = make_backend,
                                           .stop = stop};
    return refq_contract_main(&subject, argc, argv);
}
