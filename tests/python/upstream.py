# SPDX-License-Identifier: MIT
"""A plugin for pytest that runs mcp-refcache's own tests of polling over refq: its RefCache gets the task backend of
refq and the cache of a private Redis, wherever the tests make one with MemoryTaskBackend.

    PYTHONPATH=tests/python $(tests/python/venv) -m pytest -p upstream .../mcp-refcache/tests/test_async_timeout.py

These tests are in no package of mcp-refcache, so they come from its repository, and `tests/run`, which fetches from
package indexes alone, cannot run them. bridge_test.py asks the same of tasks that a fleet runs.
"""
import asyncio
import inspect

import pytest
from fleet import QUEUE, Fleet
from mcp_refcache import RefCache
from mcp_refcache.backends.redis import RedisBackend
from mcp_refcache.backends.task_memory import MemoryTaskBackend
from mcp_refcache.context import CharacterFallback

from refq import RefqTaskBackend


def pytest_configure(config):
    config.addinivalue_line('markers', 'asyncio: a coroutine, run here')


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Runs a coroutine without a plugin of its own; true when it was one."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(autouse=True)
def stand_ins(request, monkeypatch):
    """Each test has a server of its own: the functions they cache have the same name and no arguments."""
    fleet = Fleet()
    made = []

    def backend(max_workers):
        made.append(RefqTaskBackend(fleet.url, queue=QUEUE, local=MemoryTaskBackend(max_workers=max_workers)))
        return made[-1]

    def cache(name, task_backend):
        assert task_backend in made, 'the tests make their task backends in another way now'
        return RefCache(name=name, backend=RedisBackend(url=fleet.url), task_backend=task_backend,
                        tokenizer=CharacterFallback())

    monkeypatch.setattr(request.module, 'MemoryTaskBackend', backend)
    monkeypatch.setattr(request.module, 'RefCache', cache)
    try:
        fleet.start_server()
        yield
    finally:
        for each in made:
            each.shutdown()
        fleet.close()
