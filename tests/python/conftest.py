# SPDX-License-Identifier: MIT
"""Fixtures: a fleet for all tests of a file, or one for a test that breaks it."""
import itertools

import pytest
import redis
from fleet import QUEUE, Fleet

from refq import Tasks

_numbers = itertools.count()


@pytest.fixture
def own_fleet():
    """A server without workers, for one test."""
    made = Fleet()
    try:
        made.start_server()
        yield made
    finally:
        made.close()


@pytest.fixture(scope='module')
def fleet():
    """A server and one worker."""
    made = Fleet()
    try:
        made.start_server()
        made.hire()
        yield made
    finally:
        made.close()


@pytest.fixture
def tasks(fleet):
    with Tasks(fleet.url, queue=QUEUE) as client:
        yield client


@pytest.fixture
def raw(fleet):
    """Redis itself, for looking behind the scenes."""
    with redis.Redis.from_url(fleet.url, decode_responses=True) as client:
        yield client


@pytest.fixture
def gate(fleet):
    """The path of a file that no test has made yet."""
    return fleet.path(f'gate-{next(_numbers)}')
