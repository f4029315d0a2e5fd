# SPDX-License-Identifier: MIT
"""The example server as a client of MCP sees it, over the demo's fleet: real PDF, real tesseract."""
import asyncio
import importlib.util
import os
import subprocess
import sys
import time

import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError
from fleet import BUDGET_S, ROOT

EXAMPLE = ROOT / 'client' / 'python' / 'examples' / 'ocr_server.py'
DEMO = ROOT / 'deploy' / 'demo'
LETTER = str(DEMO / 'letter.pdf')
PAGES = 3
READING_S = 120


@pytest.fixture
def server(own_fleet, monkeypatch):
    """The example as a module, with patience for no call: each takes longer."""
    own_fleet.hire(config=DEMO / 'tasks.yaml')
    monkeypatch.setenv('REFQ_REDIS', own_fleet.url)
    spec = importlib.util.spec_from_file_location('ocr_server', EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, 'PATIENCE_S', 0.05)
    yield module
    module.fleet.shutdown()


@pytest.fixture
def letter(own_fleet):
    """The first pages of the demo's letter: reading all of it would take too long."""
    subprocess.run(['pdfseparate', '-l', str(PAGES), LETTER, own_fleet.path('page%d.pdf')], check=True)
    path = own_fleet.path('letter.pdf')
    subprocess.run(['pdfunite', *(own_fleet.path(f'page{n}.pdf') for n in range(1, PAGES + 1)), path], check=True)
    return path


def talk(server, story):
    async def run():
        async with Client(server.mcp) as client:
            async def call(tool, **arguments):
                return (await client.call_tool(tool, arguments)).structured_content
            return await story(call)
    return asyncio.run(run())


async def poll(call, ref_id, wanted, seen=None):
    end = time.monotonic() + READING_S
    while True:
        reply = await call('get_cached_result', ref_id=ref_id)
        if seen is not None:
            seen.append(reply)
        if wanted(reply):
            return reply
        assert time.monotonic() < end, reply
        await asyncio.sleep(0.05)


def test_a_letter_is_read(server, letter):
    async def story(call):
        first = await call('ocr_pdf', path=letter)
        assert (first['is_async'], first['is_complete']) == (True, False)
        ref, seen = first['ref_id'], []
        await poll(call, ref, lambda r: not r.get('is_async'), seen)
        pages = [r['progress']['current'] for r in seen if r.get('progress')]
        assert pages == sorted(pages) and len(set(pages)) > 1
        assert 'get_cached_result' in seen[0]['message']
        whole = await call('get_cached_result', ref_id=ref, full=True)
        assert whole['retrieval_mode'] == 'full' and whole['is_complete']
        assert len(whole['value']) == PAGES
        small = await call('get_cached_result', ref_id=ref, max_size=20)
        assert len(small['preview']) == 1 and small['preview_size'] < small['original_size']
        assert not small['is_complete']
        page = await call('get_cached_result', ref_id=ref, page=1, page_size=1, max_size=100000)
        assert (page['page'], page['total_pages'], page['preview']) == (1, PAGES, whole['value'][:1])
        return await call('cancel_async_task', ref_id=ref)
    assert talk(server, story)['success'] is False


def test_a_document_that_is_none_fails_with_its_reason(server):
    async def story(call):
        first = await call('ocr_pdf', path=str(DEMO / 'tasks.yaml'))
        return await poll(call, first['ref_id'], lambda r: r.get('status') == 'failed')
    reply = talk(server, story)
    assert 'is not a PDF that can be opened' in reply['error'] and reply['can_retry'] is False


def test_reading_can_be_cancelled(server, letter):
    async def story(call):
        first = await call('ocr_pdf', path=letter)
        stopped = await call('cancel_async_task', ref_id=first['ref_id'])
        return stopped, await call('get_cached_result', ref_id=first['ref_id'], full=True)
    stopped, reply = talk(server, story)
    assert stopped['success'] and (reply['status'], reply['is_async']) == ('cancelled', True)


def test_what_is_wrong_is_told_and_not_raised(server):
    async def story(call):
        unknown = await call('get_cached_result', ref_id='docs:' + 32 * '0')
        invalid = await call('ocr_pdf', path=2_000_000 * 'x')
        with pytest.raises(ToolError):
            await call('get_cached_result', ref_id='docs:' + 32 * '0', page=0)
        return unknown, invalid
    unknown, invalid = talk(server, story)
    assert unknown['error'] == 'Invalid or inaccessible reference' and invalid['error'] == 'Invalid input'


def test_it_speaks_mcp_on_its_standard_streams(own_fleet):
    """As it is started by an MCP client: the list of tools is all that is asked."""
    asked = ('{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},'
             '"clientInfo":{"name":"test","version":"0"}}}\n{"jsonrpc":"2.0","method":"notifications/initialized"}\n'
             '{"jsonrpc":"2.0","id":2,"method":"tools/list"}\n')
    with subprocess.Popen([sys.executable, str(EXAMPLE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env={**os.environ, 'REFQ_REDIS': own_fleet.url}) as server:
        server.stdin.write(asked)
        server.stdin.flush()
        replies = [server.stdout.readline(), server.stdout.readline()]
        server.communicate(timeout=BUDGET_S)
    assert '"get_cached_result"' in replies[1]
