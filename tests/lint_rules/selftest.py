# SPDX-License-Identifier: MIT
"""Each rule against a small tree that breaks it, and all of them against one that is clean."""
import os
import shutil
import subprocess
import tempfile

from tree import RULES, Tree

SPDX_C = '/* SPDX-License-Identifier: MIT */\n'
HEAD = SPDX_C + '/* What this file is for. */\n'

HELP = {
    'refq': """usage: refq COMMAND [options]

commands:
  submit TASK               queue a task
  dead list                 list dead letters
  dead purge [REF...]       remove them

options of every command:
      --redis URL           server
""",
    'refq submit': """usage: refq submit TASK

options:
  -q, --queue Q             where to queue it
""",
    'refq dead list': 'usage: refq dead list\n',
    'refq dead purge': 'usage: refq dead purge\n\n      --all                 all of them\n',
    'refq-worker': 'Usage: refq-worker\n\n  --config FILE  the task file\n',
}

CLEAN = {
    'lib/include/refq/ref.h': HEAD + '#ifndef REFQ_REF_H\n#define REFQ_REF_H\n\n#include <stddef.h>\n\n#endif\n',
    'lib/src/base/buf.h': HEAD + '#ifndef RQI_BASE_BUF_H\n#define RQI_BASE_BUF_H\n\n'
                                 'int rqi_buf_n(int n);\n\n#endif\n',
    'lib/src/base/buf.c': SPDX_C + '#include "base/buf.h"\n\nstatic int twice(int n)\n{\n    return 2 * n;\n}\n\n'
                                   'int rqi_buf_n(int n)\n{\n    return twice(n);\n}\n',
    'lib/src/codec/json.c': HEAD + '#include "base/buf.h"\n',
    'lib/src/task/lua/get.lua': '-- get: reads.\n-- KEYS  1 meta\n-- ARGV  1 hex\n-- REPLY status\n'
                                "register('get', get, {})\n",
    'lib/src/config/config.c': HEAD + 'static const rqi_key top_keys[] = {\n    {"queue", read_queue},\n};\n\n'
                              'static const char *server(void)\n{\n    return getenv("REFQ_REDIS");\n}\n',
    'docs/CLI.md': '# CLI\n\n## Options of every command\n\n`--redis`\n\n## submit TASK\n\n'
                   '### Where to\n\n`--queue`\n\n'
                   '## dead\n\n`dead list` and `dead purge --all`\n\n## refq-worker\n\n`--config`\n',
    'docs/CONFIG.md': '# Configuration\n\n## The task file\n\n| key |\n|---|\n| `queue` |\n\n'
                      "## The worker's options\n\n| option |\n|---|\n| `--config` |\n\n"
                      '## Environment variables\n\n| variable |\n|---|\n| `REFQ_REDIS` |\n',
    'docs/PROTOCOL.md': '# Protocol\n\n`get` reads. See [CLI](CLI.md) and `lib/src/base/buf.c`.\n',
    'tests/run': '#!/usr/bin/env bash\n# SPDX-License-Identifier: MIT\necho "$1"\n',
    'tests/unit/ut_x.c': HEAD + 'static const char *const x[][3] = {{"REFQ_REDIS", "a", "b"}};\n',
    'tests/x.py': '# SPDX-License-Identifier: MIT\nprint(1)\n',
}


def c_body(*lines):
    return HEAD + '\nstatic void run(int n)\n{\n' + ''.join(f'    {line}\n' for line in lines) + '}\n'


def nested(depth):
    lines = ['    ' * level + 'if (n > 0) {' for level in range(depth)]
    return lines + ['    ' * level + '}' for level in reversed(range(depth))]


# rule: bad trees, each as (what, {path: text or None to remove}, the path that must be named)
BAD = {
    'includes': [
        ('upward', {'lib/src/base/up.c': HEAD + '#include "codec/json.h"\n'}, 'lib/src/base/up.c'),
        ('sideward', {'lib/src/run/x.c': HEAD + '#include "redis/conn.h"\n'}, 'lib/src/run/x.c'),
        ('unknown folder', {'lib/src/misc/x.c': HEAD}, 'lib/src/misc/x.c'),
        ('client from worker', {'worker/x.c': HEAD + '#include "client/cli/out.h"\n'}, 'worker/x.c'),
        ('worker from client', {'client/cli/x.c': HEAD + '#include "worker/config.h"\n'}, 'client/cli/x.c'),
        ('insides in an example', {'client/examples/x.c': HEAD + '#include "base/buf.h"\n'}, 'client/examples/x.c'),
        ('insides in a public header',
         {'lib/include/refq/x.h': HEAD + '#ifndef REFQ_X_H\n#define REFQ_X_H\n#include "base/buf.h"\n#endif\n'},
         'lib/include/refq/x.h'),
        ('a library in a public header',
         {'lib/include/refq/x.h': HEAD + '#ifndef REFQ_X_H\n#define REFQ_X_H\n#include <jansson.h>\n#endif\n'},
         'lib/include/refq/x.h'),
    ],
    'names': [
        ('shared without prefix', {'lib/src/base/x.c': HEAD + '\nint twice(int n)\n{\n    return n;\n}\n'},
         'lib/src/base/x.c'),
        ('static with prefix', {'worker/x.c': HEAD + '\nstatic int rqi_n(int n)\n{\n    return n;\n}\n'},
         'worker/x.c'),
        ('public in a program', {'worker/x.c': HEAD + '\nint refq_n(int n)\n{\n    return n;\n}\n'}, 'worker/x.c'),
    ],
    'exports': [('a stray symbol', {}, 'lib/CMakeLists.txt')],
    'banned': [
        (call, {path: c_body(f'{call}(n);')}, path) for path, call in (
            ('lib/src/base/x.c', 'strcpy'), ('lib/src/base/x.c', 'strcat'), ('worker/x.c', 'sprintf'),
            ('worker/x.c', 'vsprintf'), ('client/cli/x.c', 'strtok'), ('tests/unit/x.c', 'atoi'),
            ('worker/x.c', 'gets'), ('worker/x.c', 'system'), ('tests/unit/x.c', 'popen'),
            ('worker/x.c', 'mktemp'), ('lib/src/base/x.c', 'alloca'), ('tests/unit/x.c', 'sleep'),
            ('lib/src/base/x.c', 'usleep'), ('tests/system/x.c', 'nanosleep'), ('lib/src/base/x.c', 'exit'),
            ('lib/src/base/x.c', 'printf'), ('lib/src/base/x.c', 'setenv'), ('worker/x.c', 'rand'),
            ('lib/src/redis/x.c', 'redisCommand'), ('lib/src/redis/x.c', 'redisFormatCommand'))],
    'scanf': [
        ('no width', {'worker/x.c': c_body('sscanf(a, "%s", b);')}, 'worker/x.c'),
        ('no width of a set', {'worker/x.c': c_body('fscanf(a,', '       "%d %[a-z]", b, c);')}, 'worker/x.c'),
    ],
    'ifdef': [('in a function', {'worker/x.c': HEAD + 'static void f(void)\n{\n#ifdef A\n    g();\n#endif\n}\n'},
               'worker/x.c')],
    'length': [
        ('61 lines', {'worker/x.c': c_body(*['g();'] * 61)}, 'worker/x.c'),
        ('4 deep', {'worker/x.c': c_body(*nested(4))}, 'worker/x.c'),
    ],
    'columns': [
        ('101 columns', {'worker/x.c': HEAD + '/* ' + 'x' * 95 + ' */\n'}, 'worker/x.c'),
        ('a tab', {'worker/x.c': HEAD + 'int\tn;\n'}, 'worker/x.c'),
    ],
    'heads': [
        ('a header', {'lib/src/base/x.h': SPDX_C + '#ifndef X_H\n#define X_H\n#endif\n'}, 'lib/src/base/x.h'),
        ('a source without header', {'lib/src/base/x.c': SPDX_C + 'int n;\n'}, 'lib/src/base/x.c'),
    ],
    'guards': [('none', {'lib/src/base/x.h': HEAD + 'int rqi_n(void);\n'}, 'lib/src/base/x.h')],
    'cli': [
        ('a command without section', {'docs/CLI.md': CLEAN['docs/CLI.md'].replace('## submit', '## Submit')},
         'docs/CLI.md'),
        ('an option that is not described', {'docs/CLI.md': CLEAN['docs/CLI.md'].replace('`--queue`', '')},
         'docs/CLI.md'),
        ('a common option that is not described', {'docs/CLI.md': CLEAN['docs/CLI.md'].replace('`--redis`', '')},
         'docs/CLI.md'),
        ('an option of the worker', {'docs/CLI.md': CLEAN['docs/CLI.md'].replace('`--config`', '')}, 'docs/CLI.md'),
        ('an invented option', {'docs/CLI.md': CLEAN['docs/CLI.md'] + '`--fast`\n'}, 'docs/CLI.md'),
        ('one of several commands', {'docs/CLI.md': CLEAN['docs/CLI.md'].replace('dead list', '')}, 'docs/CLI.md'),
        ('an option of one of several', {'docs/CLI.md': CLEAN['docs/CLI.md'].replace('--all', '')}, 'docs/CLI.md'),
        ('an invented command', {'docs/CLI.md': CLEAN['docs/CLI.md'] + '\n## purge\n'}, 'docs/CLI.md'),
    ],
    'man': [
        ('lacks an option', {'docs/man/refq-worker.1.scd': 'refq-worker(1)\n'}, 'docs/man/refq-worker.1.scd'),
        ('invents an option', {'docs/man/refq-worker.1.scd': '*\\--config* *\\--fast*\n'},
         'docs/man/refq-worker.1.scd'),
        ('lacks a command', {'docs/man/refq.1.scd': '*--redis* *--queue*\n'}, 'docs/man/refq.1.scd'),
    ],
    'keys': [
        ('not described', {'docs/CONFIG.md': CLEAN['docs/CONFIG.md'].replace('`queue`', 'queue')},
         'lib/src/config/config.c'),
        ('invented', {'docs/CONFIG.md': CLEAN['docs/CONFIG.md'].replace('`queue`', '`queue` `lane`')},
         'docs/CONFIG.md'),
    ],
    'options': [
        ('not described', {'docs/CONFIG.md': CLEAN['docs/CONFIG.md'].replace('`--config`', '')}, 'docs/CONFIG.md'),
        ('invented', {'docs/CONFIG.md': CLEAN['docs/CONFIG.md'].replace('`--config`', '`--config` `--fast`')},
         'docs/CONFIG.md'),
    ],
    'environment': [
        ('not described', {'docs/CONFIG.md': CLEAN['docs/CONFIG.md'].replace('`REFQ_REDIS`', '')},
         'lib/src/config/config.c'),
        ('by a table', {'worker/x.c': HEAD + 'static const char *names[] = {"REFQ_SECRET"};\n'}, 'worker/x.c'),
        ('invented', {'docs/CONFIG.md': CLEAN['docs/CONFIG.md'] + '| `REFQ_FAST` |\n'}, 'docs/CONFIG.md'),
    ],
    'tried': [
        ('in no test', {'tests/unit/ut_x.c': HEAD}, 'docs/CONFIG.md'),
        ('without a bad value', {'tests/unit/ut_x.c': HEAD + 'const char *x[] = {"REFQ_REDIS", "a"};\n'},
         'docs/CONFIG.md'),
        ('among names', {'tests/unit/ut_x.c': HEAD + 'const char *x[] = {"REFQ_REDIS", "REFQ_A", "REFQ_B"};\n'},
         'docs/CONFIG.md'),
    ],
    'acceptance': [
        ('no such test', {'docs/ACCEPTANCE.md': '# A\n\n`ut_x: nothing_of_it`\n'}, 'docs/ACCEPTANCE.md'),
        ('no such program', {'docs/ACCEPTANCE.md': '# A\n\n`ut_y: x`\n'}, 'docs/ACCEPTANCE.md'),
    ],
    'protocol': [('a function', {'lib/src/task/lua/x.lua': "register('purge', purge, {})\n"},
                  'lib/src/task/lua/x.lua')],
    'heads-lua': [('no REPLY', {'lib/src/task/lua/x.lua': "-- KEYS\n-- ARGV\nregister('get', get, {})\n"},
                   'lib/src/task/lua/x.lua')],
    'links': [
        ('a link', {'README.md': '[here](docs/NONE.md)\n'}, 'README.md'),
        ('a path', {'README.md': '`lib/src/base/none.c`\n'}, 'README.md'),
    ],
    'spdx': [
        ('in C', {'worker/x.c': '/* What this file is for. */\n'}, 'worker/x.c'),
        ('in a script', {'tests/run': '#!/bin/sh\necho 1\n'}, 'tests/run'),
    ],
    'blanks': [
        ('trailing', {'README.md': 'a \n'}, 'README.md'),
        ('carriage return', {'README.md': 'a\r\n'}, 'README.md'),
        ('no newline', {'README.md': 'a'}, 'README.md'),
        ('blank line at the end', {'README.md': 'a\n\n'}, 'README.md'),
    ],
    'later': [(word, {'README.md': f'{word}: more\n'}, 'README.md') for word in ('TO' + 'DO', 'FIX' + 'ME', 'X' * 3)],
    'machine': [
        ('a folder of its own', {'tests/run': CLEAN['tests/run'] + 'cd /' + 'data/x\n'}, 'tests/run'),
        ('a quoted one', {'worker/x.c': HEAD + 'const char *p = "/' + 'home/jo/x";\n'}, 'worker/x.c'),
        ('under tmp', {'tests/run': CLEAN['tests/run'] + 'cd /tmp/' + 'mine\n'}, 'tests/run'),
        ('an address', {'README.md': 'redis://10.' + '1.2.3\n'}, 'README.md'),
        ('a name', {'README.md': 'redis://db.' + 'internal\n'}, 'README.md'),
    ],
    'width': [
        ('121 columns', {'tests/run': CLEAN['tests/run'] + '# ' + 'x' * 119 + '\n'}, 'tests/run'),
        ('a tab', {'tests/run': CLEAN['tests/run'] + '\techo\n'}, 'tests/run'),
    ],
    'format': [('two blanks', {'worker/x.c': HEAD + 'int  n;\n'}, 'worker/x.c')],
    'shell': [('unquoted', {'tests/run': CLEAN['tests/run'] + 'echo $1\n'}, 'tests/run')],
    'python': [('a bad line', {'tests/x.py': CLEAN['tests/x.py'] + 'def\n'}, 'tests/x.py')],
}

# Looks like a finding and is none.
INNOCENT = {
    'worker/fine.c': HEAD + """
/* system() and sprintf() in a comment */
static const char text[] = "strcpy(a, b)";

static void run(struct thing *t)
{
    int list[] = {1, 2};
    struct thing copy = (struct thing){.n = list[0]};
    t->exit(&copy);
    sscanf(text, "%64s %d", t->name, &t->n);
    for (int i = 0; i < 3; i++) {
        if (i > 0) {
            while (i > t->n) {
                t->list[i] = (struct thing){.n = 1};
            }
        }
    }
}
""",
    'docs/FINE.md': 'A mkstemp template: /tmp/refq-XXXXXX. In `/usr/bin/env`, and/or; $HOME/x/y.\n',
}

FAKE = """#!/bin/sh
case "${{0##*/}} $*" in
{cases}esac
"""


def write(root, path, text):
    full = os.path.join(root, path)
    if text is None:
        os.remove(full)
        return
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, 'w', encoding='utf-8', newline='') as handle:
        handle.write(text)


def fake_program(build, path, entries):
    cases = ''.join(f"'{name}')\ncat <<'END'\n{text}END\n;;\n" for name, text in entries)
    write(build, path, FAKE.format(cases=cases))
    os.chmod(os.path.join(build, path), 0o755)


def fake_build(build, symbol):
    fake_program(build, 'client/refq', [(f'{name} --help', text) for name, text in HELP.items()])
    fake_program(build, 'worker/refq-worker', [('refq-worker --help', HELP['refq-worker'])])
    os.makedirs(os.path.join(build, 'lib'))
    subprocess.run(['cc', '-shared', '-fPIC', '-x', 'c', '-o', os.path.join(build, 'lib/librefq.so'), '-'],
                   check=True, input=f'int {symbol}(void) {{ return 0; }}\n', text=True)


def make(root, changes):
    shutil.copy(os.path.join(os.path.dirname(__file__), '../../.clang-format'), root)
    for path, text in {**CLEAN, **changes}.items():
        if text is not None:
            write(root, path, text)


class Test:
    def __init__(self, folder):
        self.folder = folder
        self.failed = []
        self.count = 0
        self.builds = {}
        for name, symbol in (('good', 'refq_open'), ('stray', 'helper')):
            self.builds[name] = os.path.join(folder, name)
            fake_build(self.builds[name], symbol)

    def findings(self, name, changes, build='good'):
        root = tempfile.mkdtemp(dir=self.folder)
        make(root, changes)
        found = list(RULES[name](Tree(root, self.builds[build])))
        shutil.rmtree(root)
        return found

    def expect(self, good, text):
        self.count += 1
        if not good:
            self.failed.append(text)

    def fires(self, name, what, changes, path):
        found = self.findings(name, changes, 'stray' if name == 'exports' else 'good')
        self.expect(any(f[0] == path and f[1] >= 1 and f[2] for f in found),
                    f'{name} does not fire on: {what}; it says {found}')

    def quiet(self, name):
        for what, changes in (('the clean tree', {}), ('what looks bad and is not', INNOCENT)):
            if name != 'format' or not changes:
                found = self.findings(name, changes)
                self.expect(not found, f'{name} fires on {what}: {found}')


def run(names):
    with tempfile.TemporaryDirectory(prefix='refq-lint-') as folder:
        test = Test(folder)
        for name in names:
            test.expect(name in BAD, f'{name} has no bad tree in tests/lint_rules/selftest.py')
            test.quiet(name)
            for what, changes, path in BAD.get(name, ()):
                test.fires(name, what, changes, path)
    for text in test.failed:
        print(f'FAILED: {text}')
    print(f'lint: {len(names)} rules, {test.count} checks of the linter, {len(test.failed)} failed')
    return 1 if test.failed else 0
