/* SPDX-License-Identifier: MIT */
#include "pages.h"

#include "exit.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_MAX 200 /* tasks asked for at once, so that a long list holds nobody up */

static unsigned page_size(const cli_pages *p)
{
    int64_t left = p->limit > 0 ? p->limit - p->n : PAGE_MAX;
    return (unsigned)(left < PAGE_MAX ? left : PAGE_MAX);
}

/* Takes the cursor over from the page, which is freed by its reader. */
static void take_next(cli_pages *p, refq_list *page)
{
    free(p->next);
    p->next = page->next;
    page->next = NULL;
    p->query.cursor = p->next;
}

static int read_page(refq_client *client, cli_pages *p, int (*each)(void *, const refq_task *),
                     void *arg)
{
    refq_list page = {0};
    refq_error err = {0};
    p->query.limit = page_size(p);
    if (refq_client_list(client, &p->query, &page, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    take_next(p, &page);
    int code = EX_OK;
    for (size_t i = 0; i < page.n && code == EX_OK; i++) {
        code = each(arg, page.tasks[i]);
        p->n++;
    }
    refq_list_free(&page);
    return code;
}

int cli_pages_each(refq_client *client, cli_pages *p, int (*each)(void *arg, const refq_task *task),
                   void *arg)
{
    int code = EX_OK;
    p->query.cursor = p->from;
    do {
        code = read_page(client, p, each, arg);
    } while (code == EX_OK && p->next[0] != '\0' && (p->limit == 0 || p->n < p->limit));
    return code;
}

void cli_pages_done(cli_pages *p)
{
    free(p->next);
    p->next = NULL;
}
