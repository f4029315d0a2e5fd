#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An MCP server whose tool reads scanned documents on a fleet, with FastMCP and mcp-refcache.

    pip install fastmcp './client/python[mcp-refcache]'
    refq-worker --config deploy/demo/tasks.yaml &       # as many as you like, on as many machines as you like
    python client/python/examples/ocr_server.py         # speaks MCP on stdin and stdout

Redis is where REFQ_REDIS says. Any number of these servers may run: a document that one of them has handed in can be
polled at another. A client that gives up on a slow call has its reference, or asks for the same document again.
"""
import os
from typing import Annotated, Any

from fastmcp import FastMCP
from mcp_refcache import PermissionDenied, RefCache
from mcp_refcache.backends.redis import RedisBackend
from mcp_refcache.context import CharacterFallback
from mcp_refcache.models import AsyncResponseFormat, AsyncTaskResponse, TaskStatus
from pydantic import Field

from refq import InvalidError, RefqError, RefqTaskBackend

REDIS = os.environ.get('REFQ_REDIS', 'redis://127.0.0.1:6379')
PATIENCE_S = 5.0  # a call that takes longer is answered with a reference

mcp = FastMCP('ocr')
fleet = RefqTaskBackend(REDIS, queue='docs')
# Sizes are counted as four characters a token: the default loads tokenizers from the network, where it can.
cache = RefCache(name='ocr', backend=RedisBackend(url=REDIS), task_backend=fleet, tokenizer=CharacterFallback())


def in_flight(answer: AsyncTaskResponse) -> dict[str, Any]:
    reply = answer.to_dict(AsyncResponseFormat.FULL)
    if answer.status is not TaskStatus.FAILED:
        reply['message'] = f'{reply["message"]}. Ask again with get_cached_result(ref_id="{answer.ref_id}").'
    return reply


def look(ref_id: str, **view: Any) -> dict[str, Any]:
    """What an agent is told of a reference, whatever became of it."""
    try:
        answer = cache.get(ref_id, **view)
    except (KeyError, PermissionDenied):
        # mcp-refcache has no answer for a cancelled task, and says "not found" for a denied value too.
        info = cache.get_task_status(ref_id)
        if info is not None and info.status is TaskStatus.CANCELLED:
            return {'ref_id': ref_id, 'status': 'cancelled', 'is_complete': False, 'is_async': True,
                    'message': 'Task was cancelled'}
        return {'error': 'Invalid or inaccessible reference', 'ref_id': ref_id,
                'message': 'Reference not found, expired, or access denied'}
    if isinstance(answer, AsyncTaskResponse):
        return in_flight(answer)
    whole = (answer.preview_size or 0) >= (answer.original_size or 0)
    reply = {'ref_id': ref_id, 'is_complete': whole, 'is_async': False,
             'preview': answer.preview, 'preview_strategy': answer.preview_strategy.value,
             'total_items': answer.total_items, 'original_size': answer.original_size,
             'preview_size': answer.preview_size, 'retrieval_mode': 'preview'}
    if answer.page is not None:
        reply.update(page=answer.page, total_pages=answer.total_pages)
    return reply


# FastMCP runs tools that are no coroutines on threads of their own, so these may wait.
@mcp.tool
def ocr_pdf(path: Annotated[str, Field(description='Absolute path of the PDF on the workers.')]) -> dict[str, Any]:
    """Read the text of a scanned PDF. What takes long is answered with a ref_id: poll it with get_cached_result."""
    try:
        ref_id = fleet.tasks.enqueue('ocr_pdf', {'path': path})
        fleet.tasks.wait(ref_id, timeout=PATIENCE_S)
    except InvalidError as error:
        return {'error': 'Invalid input', 'message': str(error)}
    except RefqError:
        return {'error': 'Unavailable', 'message': 'The document could not be handed in; try again later'}
    return look(ref_id)


@mcp.tool
def get_cached_result(ref_id: str, page: Annotated[int, Field(ge=1)] | None = None,
                      page_size: Annotated[int, Field(ge=1, le=100)] | None = None,
                      max_size: Annotated[int, Field(ge=1)] | None = None, full: bool = False) -> dict[str, Any]:
    """Get a result by its ref_id, or how far it is: a preview, a page of it, or with full=True all of it."""
    reply = look(ref_id, page=page, page_size=page_size, max_size=max_size)
    if not full or 'preview' not in reply:
        return reply
    try:
        value = cache.resolve(ref_id)
    except (KeyError, PermissionDenied):  # it went in between
        return look(ref_id)
    return {'ref_id': ref_id, 'value': value, 'is_complete': True, 'is_async': False, 'retrieval_mode': 'full'}


@mcp.tool
def cancel_async_task(ref_id: str) -> dict[str, Any]:
    """Stop a task that is in flight. Its program is ended, and there will be no result."""
    if fleet.cancel(ref_id):
        return {'success': True, 'message': 'Task was cancelled'}
    return {'success': False, 'message': 'There is no such task, or it is over'}


if __name__ == '__main__':
    mcp.run(show_banner=False)  # which would ask the package index for a newer release first
