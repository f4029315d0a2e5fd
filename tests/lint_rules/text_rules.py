# SPDX-License-Identifier: MIT
"""Rules about every text file."""
import re

from tree import rule

# Data, and texts of others.
NOT_OURS = re.compile(r'LICENSE$|\.gitignore$|tests/fuzz/corpus/|tests/python/constraints\.txt$|.*\.(pdf|png|pem)$')
SPDX = 'SPDX-License-Identifier: MIT'


def own(tree):
    return [file for file in tree.files if not NOT_OURS.match(file.path)]


@rule('spdx')
def spdx(tree):
    """the first line names the licence (in scripts the second)"""
    for file in own(tree):
        at = 1 if file.is_script() else 0
        wanted = file.is_script() or file.path.endswith(('.c', '.h', '.py', '.sh'))
        if wanted and (len(file.lines) <= at or SPDX not in file.lines[at]):
            yield file.path, at + 1, f'this line must be a comment with {SPDX}'


@rule('blanks')
def blanks(tree):
    """no trailing blanks, no carriage returns, a newline at the end, no blank line before it"""
    for file in own(tree):
        for number, line in enumerate(file.lines, 1):
            if line != line.rstrip():
                yield file.path, number, 'ends in blanks or a carriage return; remove them'
        if file.text and not file.text.endswith('\n'):
            yield file.path, len(file.lines), 'the last line has no newline; add one'
        if file.text.endswith('\n\n'):
            yield file.path, len(file.lines) - 1, 'blank lines at the end; remove them'


@rule('later')
def later(tree):
    """nothing is left for later"""
    words = re.compile(r'\b(' + '|'.join(('TO' + 'DO', 'FIX' + 'ME', 'X' * 3, 'HA' + 'CK')) + r')\b')
    for file in own(tree):
        for number, line in enumerate(file.lines, 1):
            match = words.search(line)
            if match:
                yield file.path, number, f'{match.group(1)}: do it now, or say it in README\'s limits'


# An absolute path in the text. What follows a word, a variable or another path is part of that.
PATH = re.compile(r'(?<![\w.)}\]>/$*%?+\\-])(?<![A-Z] ")(?<!\w["\x27])/([A-Za-z][\w-]*)/([\w.-]*)')

# Folders that every machine has, and names that are clearly invented.
PLACES = set('bin dev etc lib lib64 opt proc run sbin srv sys usr var'.split())
INVENTED = set('absolute folder no nonexistent path p some src'.split())
# How JSON pointers begin here, which look the same.
POINTERS = set('anyOf const definitions dependencies pages properties'.split())
TEMPORARY = ('refq', 'ut_', 'it_', 'st_', 'fz_', 'rqt', '...')

HOST = re.compile(r'\b((10|192\.168|172\.(1[6-9]|2\d|3[01]))(\.\d{1,3}){2,3}|[\w-]+\.(internal|intranet|corp|lan))\b')


@rule('machine')
def machine(tree):
    """no paths and hosts of one machine"""
    for file in own(tree):
        for number, line in enumerate(file.lines, 1):
            for match in PATH.finditer(line):
                top, rest = match.groups()
                temporary = top == 'tmp' and (not rest or rest.startswith(TEMPORARY))
                if top not in PLACES | INVENTED | POINTERS and not temporary:
                    yield (file.path, number, f'{match.group(0)} is a path of one machine; take it '
                           'from an option, TMPDIR or the source tree')
            host = HOST.search(line)
            if host:
                yield (file.path, number, f'{host.group(0)} is a private host; use 127.0.0.1, '
                       'example.com or 192.0.2.1')


MAX_COLUMNS = 120


@rule('width')
def width(tree):
    """scripts of at most 120 columns, without tabs"""
    for file in own(tree):
        name = file.path.rsplit('/', 1)[-1]
        suffix = name[name.rindex('.'):] if '.' in name[1:] else ''
        script = file.is_script() or suffix in ('.py', '.sh', '.lua', '.cmake') or name == 'CMakeLists.txt'
        for number, line in enumerate(file.lines if script else (), 1):
            if len(line) > MAX_COLUMNS:
                yield file.path, number, f'{len(line)} columns, {MAX_COLUMNS} are allowed; break the line'
            if '\t' in line:
                yield file.path, number, 'a tab; indent with spaces'
