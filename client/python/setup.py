# SPDX-License-Identifier: MIT
"""Puts the Lua library of the tree that is built into the package, as refq/library.lua.

DESIGN. The functions are joined exactly as lib/cmake/EmbedLua.cmake joins them, so that name and text are those of the
C library of the same tree, and both use one copy on the server. A source distribution carries the joined text, since
lib/ is not part of it.
"""
import hashlib
import pathlib

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = pathlib.Path(__file__).resolve().parent
LUA = HERE.parent.parent / 'lib' / 'src' / 'task' / 'lua'
CARRIED = HERE / 'src' / 'refq' / 'library.lua'


def joined_library() -> bytes:
    names = (LUA / 'library.txt').read_text(encoding='utf-8').split()
    body = b''.join(b'-- %s.lua\n%s' % (name.encode(), (LUA / f'{name}.lua').read_bytes()) for name in names)
    name = 'refq_' + hashlib.sha256(body).hexdigest()[:12]
    return f"#!lua name={name}\nlocal LIBRARY = '{name}'\n".encode() + body


def library() -> bytes:
    if (LUA / 'library.txt').is_file():
        return joined_library()
    if CARRIED.is_file():
        return CARRIED.read_bytes()
    raise SystemExit(f'refq: {LUA} is missing; build the package inside of the source tree of refq, '
                     'or from a source distribution')


class BuildWithLibrary(build_py):
    def run(self) -> None:
        super().run()
        if self.editable_mode:
            CARRIED.write_bytes(library())
            return
        pathlib.Path(self.build_lib, 'refq', CARRIED.name).write_bytes(library())


class SdistWithLibrary(sdist):
    def make_release_tree(self, base_dir, files) -> None:
        super().make_release_tree(base_dir, files)
        target = pathlib.Path(base_dir, 'src', 'refq', CARRIED.name)
        target.unlink(missing_ok=True)  # it may be a hard link to a file of the tree
        target.write_bytes(library())


setup(cmdclass={'build_py': BuildWithLibrary, 'sdist': SdistWithLibrary})
