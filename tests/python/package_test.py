# SPDX-License-Identifier: MIT
"""The package itself: what is in it, and that it belongs to the C build beside it."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

import pytest
import redis
from fleet import BUILD, QUEUE, REFQ, ROOT

import refq
import refq.server
from refq import Tasks

CLIENT = ROOT / 'client' / 'python'


@pytest.fixture
def folder():
    """pytest's own tmp_path stays behind."""
    with tempfile.TemporaryDirectory(prefix='refq-py.') as name:
        yield pathlib.Path(name)


def run(*command, **options):
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_what_is_tested_is_what_was_installed():
    assert CLIENT not in pathlib.Path(refq.__file__).parents


def test_the_library_has_the_name_of_the_build():
    header = (BUILD / 'lib' / 'generated' / 'task' / 'library_name.h').read_text(encoding='utf-8')
    assert re.search(r'#define RQI_LIBRARY_NAME "(.*)"', header).group(1) == refq.server.read_library()[0]


def test_both_use_one_library_on_the_server(own_fleet):
    """The text that refq-worker loads is that of the package, to the byte."""
    name, source = refq.server.read_library()
    own_fleet.hire()
    with Tasks(own_fleet.url, queue=QUEUE) as tasks, redis.Redis.from_url(own_fleet.url, decode_responses=True) as raw:
        assert tasks.library == name
        tasks.enqueue('echo')
        (listed,) = raw.function_list(withcode=True)
    told = listed if isinstance(listed, dict) else dict(zip(listed[::2], listed[1::2], strict=True))  # RESP3, RESP2
    assert (told['library_name'], told['library_code']) == (name, source)


def test_the_version_is_that_of_the_programs():
    told = run(REFQ, '--version')
    stated = re.search(r'^version = "(.*)"$', (CLIENT / 'pyproject.toml').read_text(encoding='utf-8'), re.M).group(1)
    assert stated in told.split()


def copy_of_the_tree(folder):
    """As much of the tree as the package is built from."""
    for part in ('client/python', 'lib/src/task/lua'):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns('build', '*.egg-info', '__pycache__'))
    return folder / 'client' / 'python'


BUILD_WITH = 'import setuptools.build_meta as b, sys; print(getattr(b, sys.argv[1])(sys.argv[2]))'


def test_a_source_distribution_carries_the_library(folder):
    """From it a wheel can be built where lib/ is not."""
    project = copy_of_the_tree(folder / 'tree')
    run(sys.executable, '-c', BUILD_WITH, 'build_sdist', str(folder), cwd=project)
    (sdist,) = folder.glob('*.tar.gz')
    shutil.unpack_archive(sdist, folder / 'alone')
    (alone,) = (folder / 'alone').iterdir()
    run(sys.executable, '-c', BUILD_WITH, 'build_wheel', str(folder), cwd=alone)
    (wheel,) = folder.glob('*.whl')
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read('refq/library.lua').decode() == refq.server.read_library()[1]
        assert 'refq/py.typed' in archive.namelist()


def test_a_package_without_the_library_is_not_built(folder):
    project = copy_of_the_tree(folder)
    shutil.rmtree(folder / 'lib')
    ran = subprocess.run([sys.executable, '-c', BUILD_WITH, 'build_wheel', str(folder)], cwd=project, text=True,
                         capture_output=True, timeout=120, check=False)
    assert ran.returncode != 0 and 'build the package inside of the source tree' in ran.stderr


def test_it_can_be_imported_without_mcp_refcache():
    """Only RefqTaskBackend needs it."""
    run(sys.executable, '-c', 'import sys; sys.modules["mcp_refcache"] = None; import refq; refq.Tasks')
    with pytest.raises(AttributeError):
        getattr(refq, 'nonsense')


def test_the_types_are_right():
    cache = BUILD.parent / 'mypy'
    run(sys.executable, '-m', 'mypy', '--config-file', str(CLIENT / 'pyproject.toml'), '--cache-dir', str(cache),
        cwd=CLIENT)
