# SPDX-License-Identifier: MIT
"""Rules about C code."""
import os
import re
import subprocess

from tree import rule

SOURCES = r'(lib|worker|client|tests)/.*\.[ch]$'
SHIPPED = r'(lib|worker|client)/.*\.[ch]$'

# What each folder of lib/src may include besides itself and the public headers.
MAY_INCLUDE = {
    'base': '',
    'json': 'base',
    'codec': 'base json',
    'access': 'base codec',
    'redis': 'base codec',
    'schema': 'base codec',
    'task': 'base codec access redis',
    'preview': 'base json',
    'entry': 'base json codec access task',
    'reply': 'base codec',
    'cache': 'base json entry reply',
    'inputs': 'base json codec task entry',
    'run': 'base json codec access',
    'backend': 'base codec redis task entry inputs run',
    'call': 'base codec reply entry cache client',
    'work': 'base codec redis task entry inputs run',
    'client': 'base codec redis task backend',
    'store': 'base json redis client',
    'config': 'base codec run',
}

# What the programs may include from lib/src; all else is what users of the library have, too. The
# longest beginning of a path counts.
PROGRAM_MAY_INCLUDE = {
    'worker/': 'base codec run config',
    'client/': 'base codec',
    'client/examples/': '',
    'client/cli/': 'base codec json access client config',  # client/raw.h: doctor and dev look at the server itself
}

STANDARD_HEADERS = {'stdarg.h', 'stdbool.h', 'stddef.h', 'stdint.h', 'stdio.h'}


def includes(file):
    for number, line in enumerate(file.lines, 1):
        match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if match:
            yield number, match.group(1) == '"', match.group(2)


@rule('includes')
def include_direction(tree):
    """folders include each other in one direction only"""
    yield from library_includes(tree)
    yield from program_includes(tree)
    for file in tree.matching(r'lib/include/.*\.h$'):
        for number, quoted, name in includes(file):
            if quoted or not (name.startswith('refq/') or name in STANDARD_HEADERS):
                yield (file.path, number, f'a public header includes {name}; only <refq/...> and '
                       f'{", ".join(sorted(STANDARD_HEADERS))} are there for every user')


def library_includes(tree):
    for file in tree.matching(r'lib/src/[^/]+/.*\.[ch]$'):
        room = file.path.split('/')[2]
        if room not in MAY_INCLUDE:
            yield (file.path, 1, f'the folder lib/src/{room} has no row in MAY_INCLUDE of '
                   'tests/lint_rules/c_rules.py; say there what it may include')
            continue
        allowed = set(MAY_INCLUDE[room].split()) | {room}
        for number, quoted, name in includes(file):
            top = name.split('/')[0]
            if quoted and '/' in name and top not in allowed:
                yield (file.path, number, f'{room}/ includes {name}, but may include only '
                       f'{MAY_INCLUDE[room] or "nothing"}; move what is needed down, or pass it in')


def program_includes(tree):
    for file in tree.matching(r'(worker|client)/.*\.[ch]$'):
        program = file.path.split('/')[0]
        row = max((p for p in PROGRAM_MAY_INCLUDE if file.path.startswith(p)), key=len)
        allowed = set(PROGRAM_MAY_INCLUDE[row].split())
        for number, quoted, name in includes(file):
            top = name.split('/')[0]
            own = os.path.isdir(os.path.join(tree.root, program, top))
            if quoted and '/' in name and top not in allowed and not own:
                yield (file.path, number, f'{program}/ includes {name}, but may include only the '
                       f'public headers{" and " if allowed else ""}{", ".join(sorted(allowed))}; '
                       'use the public interface')


# --- Names ------------------------------------------------------------------------------------

SHARED_PREFIX = [
    (r'lib/src/.*\.c$', ('refq_', 'rqi_')),
    (r'worker/.*\.c$', ('rqi_',)),
    (r'client/cli/.*\.c$', ('cli_',)),
    (r'client/mcp/.*\.c$', ('mcp_',)),
    (r'tests/support/.*\.c$', ('rqt_',)),
]


@rule('names')
def names(tree):
    """shared functions carry their folder's prefix, static ones none"""
    for pattern, prefixes in SHARED_PREFIX:
        for file in tree.matching(pattern):
            for fn in tree.functions(file):
                yield from check_name(fn, prefixes)


def check_name(fn, prefixes):
    prefixed = fn.name.startswith(('refq_', 'rqi_', 'rqt_', 'cli_', 'mcp_'))
    if fn.is_static and prefixed:
        yield (fn.file.path, fn.first, f'{fn.name}() is static: drop the prefix, it says "shared"')
    if not fn.is_static and fn.name != 'main' and not fn.name.startswith(prefixes):
        yield (fn.file.path, fn.first, f'{fn.name}() is shared: make it static, or begin its name '
               f'with {" or ".join(prefixes)}')


@rule('exports')
def exports(tree):
    """librefq.so exports refq_* and nothing else"""
    library = tree.built('lib/librefq.so')
    listed = subprocess.run(['nm', '-D', '--defined-only', library], check=True,
                            capture_output=True, text=True).stdout
    for line in listed.splitlines():
        name = line.split()[-1].split('@')[0]
        if not name.startswith('refq_'):
            yield ('lib/CMakeLists.txt', 1, f'librefq.so exports {name}; make it static or hidden '
                   '(REFQ_API is for refq_* only)')


# --- Calls ------------------------------------------------------------------------------------

BANNED = [
    # where, the functions, what instead
    (SOURCES, 'strcpy strcat stpcpy strncpy strncat', 'use rqi_buf, or snprintf with the size'),
    (SOURCES, 'sprintf vsprintf', 'use rqi_buf_addf, or snprintf with the size'),
    (SOURCES, 'strtok strtok_r', 'use strcspn or memchr: they leave the text alone'),
    (SOURCES, 'atoi atol atoll atof', 'use rqi_parse_int: it tells errors from zero'),
    (SOURCES, 'gets', 'use fgets or read with a size'),
    (SOURCES, 'system popen', 'start programs without a shell: posix_spawn, or rqt_run in tests'),
    (SOURCES, 'mktemp tmpnam tempnam', 'use mkstemp or mkdtemp'),
    (SOURCES, 'alloca', 'use malloc, or an array of fixed size'),
    (SOURCES, 'sleep usleep', 'wait for a condition: RQT_UNTIL in tests, an event in programs'),
    (r'tests/(unit|component|system|fuzz)/.*\.c$', 'nanosleep clock_nanosleep',
     'wait for a condition with RQT_UNTIL'),
    (r'lib/src/.*\.[ch]$', 'exit abort', 'return an error: a library does not end its program'),
    (r'lib/src/.*\.[ch]$', 'printf puts putchar perror',
     'return an error or use rqi_log: standard output is not the library\'s'),
    (r'lib/src/.*\.[ch]$', 'setenv putenv unsetenv', 'the environment belongs to the program'),
    (SHIPPED, 'rand srand random srandom rand_r', 'use rqi_rand_below'),
    (SHIPPED, 'redisCommand redisvCommand redisAppendCommand redisvAppendCommand '
     'redisFormatCommand redisvFormatCommand redisAsyncCommand redisvAsyncCommand',
     'build commands with rqi_cmd: lengths, never formats'),
]


# (file, call): why it is right there.
ALLOWED = {
    ('tests/system/st_races.c', 'nanosleep'): 'how long a race is let run is what the seed decides',
}


@rule('banned')
def banned(tree):
    """calls that go wrong easily are not made"""
    for where, functions, instead in BANNED:
        call = re.compile(r'(?<![\w.>])(' + '|'.join(functions.split()) + r')\s*\(')
        for file in tree.matching(where):
            for match in call.finditer(file.code):
                if (file.path, match.group(1)) in ALLOWED:
                    continue
                yield (file.path, file.line_at(match.start()), f'{match.group(1)}(): {instead}')


@rule('scanf')
def scanf_widths(tree):
    """scanf reads texts with a width only"""
    for file in tree.matching(SOURCES):
        for match in re.finditer(r'\b[fsv]*scanf\s*\(', file.code):
            end = file.code.find(';', match.end())
            if re.search(r'%m?[s\[]', file.text[match.end():end]):
                yield (file.path, file.line_at(match.start()),
                       'scanf without a width writes past the end: write %64s, or take it apart '
                       'with strcspn')


# --- Layout -----------------------------------------------------------------------------------

MAX_LINES = 60
MAX_NESTING = 3
MAX_COLUMNS = 100

# Function: why it may be long.
LONG_FUNCTIONS = {}


@rule('ifdef')
def conditional_code(tree):
    """no #if inside a function"""
    for file in tree.matching(SOURCES):
        for fn in tree.functions(file) if file.path.endswith('.c') else ():
            for number in range(fn.first, fn.last):
                if re.match(r'\s*#\s*(if|ifdef|ifndef|else|elif)\b', file.code_lines[number - 1]):
                    yield (file.path, number, f'#if inside {fn.name}(): put the difference into a '
                           'function, a macro or a file of its own')


@rule('length')
def function_length(tree):
    """functions of at most 60 lines, nested at most 3 deep"""
    for file in tree.matching(SOURCES):
        for fn in tree.functions(file) if file.path.endswith('.c') else ():
            if fn.length() > MAX_LINES and fn.name not in LONG_FUNCTIONS:
                yield (file.path, fn.first, f'{fn.name}() has {fn.length()} lines, {MAX_LINES} are '
                       'allowed; take parts out, or turn cases into a table')
            yield from check_nesting(file, fn)


def check_nesting(file, fn):
    stack = []
    for number in range(fn.first + 1, fn.last):
        line = file.code_lines[number - 1]
        for at, char in enumerate(line):
            if char == '{':
                before = line[:at].strip()
                stack.append(before == '' or before.endswith((') ', ')', 'else', 'do'))
                             and line[at + 1:].strip() == '' and line[at - 1] == ' ')
                if stack[-1] and sum(stack) == MAX_NESTING + 1:
                    yield (file.path, number, f'{fn.name}() nests deeper than {MAX_NESTING}: return '
                           'early, or take the inner part out')
            elif char == '}' and stack:
                stack.pop()


@rule('columns')
def columns(tree):
    """C lines of at most 100 columns, without tabs"""
    for file in tree.matching(SOURCES):
        for number, line in enumerate(file.lines, 1):
            if len(line) > MAX_COLUMNS:
                yield (file.path, number, f'{len(line)} columns, {MAX_COLUMNS} are allowed; break '
                       'the line')
            if '\t' in line:
                yield file.path, number, 'a tab; indent with 4 spaces, write \\t in strings'


@rule('heads')
def file_heads(tree):
    """C files say what they are for: a comment at the top, or in the header of the same name"""
    for file in tree.matching(r'(lib|worker|client|tests)/.*\.h$'):
        if not file.lines[1:] or not file.lines[1].startswith('/*'):
            yield file.path, 2, 'no sentence that says what this header is for, after the SPDX line'
    for file in tree.matching(r'(lib/src|worker|client)/.*\.c$'):
        has_header = tree.get(file.path[:-1] + 'h') is not None
        if not has_header and (not file.lines[1:] or not file.lines[1].startswith('/*')):
            yield (file.path, 2, 'has neither a header of the same name nor a comment that says '
                   'what it is for')


@rule('guards')
def include_guards(tree):
    """every header has a guard named after its path"""
    for file in tree.matching(SOURCES):
        if file.path.endswith('.h'):
            stem = re.sub(r'\W', '_', os.path.basename(file.path)).upper()
            if not re.search(rf'#ifndef (\w+_)?{stem}\n#define (\w+_)?{stem}\n', file.text):
                yield (file.path, 1, f'no include guard; begin with #ifndef and #define of a name '
                       f'that ends in {stem}')
