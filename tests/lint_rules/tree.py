# SPDX-License-Identifier: MIT
"""The files that are looked at, and C text without what the compiler does not see."""
import os
import re
import subprocess

RULES = {}


class Missing(Exception):
    """Something a rule needs is not there: nothing can be said, so nothing is passed."""


def rule(name):
    """Registers fn(tree), which yields (file, line, text). Its docstring says what it wants."""
    def add(fn):
        RULES[name] = fn
        return fn
    return add


def blank(text):
    return re.sub(r'[^\n]', ' ', text)


# A comment, a string, or a character constant.
C_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


class File:
    """One text file. code has comments and the insides of strings blanked, lines kept."""

    def __init__(self, root, path):
        self.path = path
        with open(os.path.join(root, path), 'rb') as handle:
            raw = handle.read()
        self.binary = b'\0' in raw
        self.text = '' if self.binary else raw.decode('utf-8', 'replace')
        self.lines = self.text.split('\n')
        self.is_c = path.endswith(('.c', '.h'))
        self.code = C_TOKEN.sub(self._hide, self.text) if self.is_c else self.text
        self.code_lines = self.code.split('\n')

    @staticmethod
    def _hide(match):
        text = match.group(0)
        if text[0] in '"\'':
            return text[0] + blank(text[1:-1]) + text[0]
        return blank(text)

    def line_at(self, offset):
        return self.text.count('\n', 0, offset) + 1

    def is_script(self):
        return self.text.startswith('#!')

    def is_shell(self):
        return re.match(r'#!.*\b(ba|da)?sh\b', self.lines[0]) is not None


class Function:
    """A function's definition in a .c file, found by the layout that clang-format gives it."""

    def __init__(self, file, name, head, first, last):
        self.file = file
        self.name = name
        self.is_static = re.search(r'\bstatic\b', head) is not None
        self.first = first  # the line of its opening brace, from 1
        self.last = last    # the line of its closing brace

    def length(self):
        return self.last - self.first - 1


def functions_of(file):
    first = None
    head = []
    for number, line in enumerate(file.code_lines, 1):
        if first is None:
            if line == '{':
                first = number
            elif line.startswith(('}', '#')) or line.endswith(';') or not line.strip():
                head = []
            else:
                head.append(line)
        elif line.startswith('}'):
            text = ' '.join(head)
            name = re.search(r'(\w+)\s*\(', text)
            if name:
                yield Function(file, name.group(1), text, first, number)
            first, head = None, []


class Tree:
    def __init__(self, root, build):
        self.root = root
        self.build = build
        self.files = [File(root, path) for path in self._paths()]
        self.files = [file for file in self.files if not file.binary]
        self._functions = {}

    def _paths(self):
        if os.path.exists(os.path.join(self.root, '.git')):
            ran = subprocess.run(['git', '-C', self.root, 'ls-files', '-co', '--exclude-standard'],
                                 capture_output=True, text=True)
            if ran.returncode == 0:  # git refuses a tree of another user
                return sorted(p for p in set(ran.stdout.split('\n'))
                              if p and os.path.isfile(os.path.join(self.root, p)))
        found = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = [f for f in folders if f not in ('build', '.git')]
            found += [os.path.relpath(os.path.join(folder, n), self.root) for n in names]
        return sorted(found)

    def matching(self, *patterns):
        """Files whose path matches one of the regular expressions from its start."""
        joined = re.compile('|'.join(f'(?:{p})' for p in patterns))
        return [file for file in self.files if joined.match(file.path)]

    def get(self, path):
        return next((file for file in self.files if file.path == path), None)

    def functions(self, file):
        if file.path not in self._functions:
            self._functions[file.path] = list(functions_of(file))
        return self._functions[file.path]

    def built(self, *names):
        """The path of what the build made; names are tried in turn."""
        if self.build is None:
            raise Missing('there is no build to ask; make one with: cmake --preset dev && '
                          'cmake --build build/dev')
        for name in names:
            path = os.path.join(self.build, name)
            if os.path.exists(path):
                return path
        raise Missing(f'{self.build} has no {names[0]}; finish the build first')
