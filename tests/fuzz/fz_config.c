/* SPDX-License-Identifier: MIT */
/* The task file: what is taken is complete and what the library takes, too; what is refused is
 * refused with a line. */
#include "fuzz/fz.h"

#include "config/config.h"
#include "run/exec_def.h"

#include <string.h>

static void check(const rqi_config *config)
{
    refq_error err = {0};
    RQT_HOLDS(refq_queue_check(config->queue, &err) == REFQ_OK);
    RQT_HOLDS(config->n >= 1 && config->n <= RQI_CONFIG_MAX_TASKS);
    for (size_t i = 0; i < config->n; i++) {
        const rqi_config_task *task = &config->tasks[i];
        RQT_HOLDS(refq_name_check(task->def.name, &err) == REFQ_OK);
        RQT_HOLDS(task->line > 0 && task->exec_line > 0);
        RQT_HOLDS(task->exec.argv[0] != NULL && task->exec.directory[0] == '/');
        RQT_HOLDS(rqi_exec_def_check(&task->exec, &err) == REFQ_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    refq_error err = {0};
    rqi_config config;
    if (rqi_config_parse((refq_bytes){data, size}, "t.yaml", "/srv", &config, &err) == REFQ_OK) {
        check(&config);
        rqi_config_done(&config);
    } else {
        RQT_HOLDS(strncmp(err.text, "t.yaml:", 7) == 0);
    }
    return 0;
}
