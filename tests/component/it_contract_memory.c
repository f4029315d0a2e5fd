/* SPDX-License-Identifier: MIT */
/* The contract of backends on the memory backend: nothing but this process. */
#include <refq/contract.h>
#include <refq/memory.h>

static const refq_contract_setup *current;

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
    (void)arg;
    refq_memory_options o = {.struct_size = sizeof o,
                             .queue = current->queue,
                             .handlers = current->handlers,
                             .threads = current->slots,
                             .log = current->log};
    return refq_backend_memory_new(base, &o, 1, ret, err);
}

static void stop(void *arg)
{
    (void)arg;
}

int main(int argc, char **argv)
{
    static const refq_contract_subject subject = {.struct_size = sizeof subject,
                                                  .name = "memory",
                                                  .start = start,
                                                  .backend = make_backend,
                                                  .stop = stop};
    return refq_contract_main(&subject, argc, argv);
}
