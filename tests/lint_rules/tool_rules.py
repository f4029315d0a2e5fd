# SPDX-License-Identifier: MIT
"""Rules that other programs check."""
import json
import os
import re
import shutil
import subprocess

from tree import Missing, rule

FORMAT_VERSION = 14


def clang_tool(name):
    """The program of the pinned version, or None: other versions answer otherwise."""
    for program in (f'{name}-{FORMAT_VERSION}', name):
        path = shutil.which(program)
        if path:
            told = subprocess.run([path, '--version'], capture_output=True, text=True).stdout
            if re.search(rf'version {FORMAT_VERSION}\.', told):
                return path
    return None


@rule('format')
def c_format(tree):
    """clang-format 14 has nothing to change"""
    program = clang_tool('clang-format')
    if program is None:
        raise Missing(f'clang-format {FORMAT_VERSION} is not there (other versions format otherwise); '
                      'on Debian 12: deploy/packages ensure lint')
    paths = [file.path for file in tree.files if file.is_c]
    if not paths:
        return
    ran = subprocess.run([program, '--dry-run', '-ferror-limit=0', *paths], cwd=tree.root,
                         capture_output=True, text=True)
    for match in re.finditer(r'^(\S+?):(\d+):\d+: \w+: code should be clang-formatted', ran.stderr, re.M):
        yield (match.group(1), int(match.group(2)), f'is not formatted; run clang-format-{FORMAT_VERSION} -i')


@rule('shell')
def shell(tree):
    """shellcheck has nothing to say"""
    scripts = [file.path for file in tree.files if file.is_shell()]
    if not scripts:
        return
    program = shutil.which('shellcheck')
    if program is None:
        raise Missing('shellcheck is not there; install it with: deploy/packages ensure lint')
    ran = subprocess.run([program, '-f', 'json1', *scripts], cwd=tree.root, capture_output=True, text=True)
    for comment in json.loads(ran.stdout)['comments']:
        yield (comment['file'], comment['line'], f"SC{comment['code']}: {comment['message']}")


@rule('python')
def python(tree):
    """Python scripts compile"""
    for file in tree.files:
        if file.path.endswith('.py') or (file.is_script() and 'python' in file.lines[0]):
            try:
                compile(file.text, file.path, 'exec')
            except SyntaxError as problem:
                yield file.path, problem.lineno or 1, f'{problem.msg}; Python 3.11 must read it'


def tidy(tree):
    """All C files of the build, two at a time; its findings go to standard output as they are."""
    program = clang_tool('clang-tidy')
    if program is None:
        raise Missing(f'clang-tidy {FORMAT_VERSION} is not there; install clang-tidy-{FORMAT_VERSION}')
    database = tree.built('compile_commands.json')
    with open(database, encoding='utf-8') as handle:
        known = {os.path.relpath(os.path.join(c['directory'], c['file']), tree.root)
                 for c in json.load(handle)}
    paths = sorted(known & {file.path for file in tree.files})
    ran = subprocess.run(['xargs', '-P', '2', '-n', '4', program, '-p', tree.build, '--quiet',
                          '--warnings-as-errors=*'], cwd=tree.root, input='\n'.join(paths), text=True)
    print(f'tidy: {len(paths)} files')
    return 1 if ran.returncode else 0
