#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the official JSON Schema test suite (draft 2020-12) through schema_tool.

  tests/python/schema_suite.py [--markdown] TOOL SUITE

SUITE is the suite's folder, with tests/draft2020-12 and remotes (it comes with the source distribution of jsonschema,
in json/). Prints a table: file, passed, total. Exit 1 unless the failures are exactly those of EXPECTED, in the
required tests and in the optional ones; each of them has its reason in docs/SCHEMA.md.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

# (file, group) of tests that fail, and how many of the group do.
EXPECTED = {
    ('optional/bignum.json', 'integer'): 2,
    ('optional/bignum.json', 'number'): 2,
    ('optional/bignum.json', 'string'): 1,
    ('optional/bignum.json', 'maximum integer comparison'): 1,
    ('optional/bignum.json', 'minimum integer comparison'): 1,
    ('optional/cross-draft.json', 'refs to historic drafts are processed as historic drafts'): 1,
}

# What refq asserts when asked to; tests of other formats have nothing to say about it.
ASSERTED = ['date', 'date-time', 'email', 'ipv4', 'ipv6', 'time', 'unknown', 'uri', 'uuid']


def load_remotes(folder):
    documents = {}
    for root, _, names in os.walk(folder):
        for name in sorted(names):
            path = os.path.join(root, name)
            relative = os.path.relpath(path, folder)
            if name.endswith('.json') and (relative.startswith('draft2020-12/') or os.sep not in relative):
                with open(path, encoding='utf-8') as file:
                    documents['http://localhost:1234/' + relative] = json.load(file)
    return documents


def cases_of(folder):
    for root, _, names in os.walk(folder):
        for name in sorted(names):
            path = os.path.join(root, name)
            with open(path, encoding='utf-8') as file:
                for group in json.load(file):
                    yield os.path.relpath(path, folder), group


def run(tool, options, lines):
    done = subprocess.run([tool, *options], input='\n'.join(lines) + '\n', text=True, capture_output=True, timeout=300,
                          check=True)
    return [json.loads(line) for line in done.stdout.split('\n')[:-1]]


def failures(tool, groups, options):
    """Yields (file, group, test, wanted, answer, passed)."""
    lines, tests = [], []
    for file, group in groups:
        for test in group['tests']:
            lines.append(json.dumps({'schema': group['schema'], 'data': test['data']}))
            tests.append((file, group['description'], test['description'], 'valid' if test['valid'] else 'invalid'))
    answers = run(tool, options, lines)
    if len(answers) != len(tests):
        sys.exit(f'schema_suite: {len(tests)} tests, but {len(answers)} answers')
    for (file, group, test, wanted), answer in zip(tests, answers):
        yield file, group, test, wanted, answer, answer['result'] == wanted


def report(title, table, markdown):
    form = '| `{}` | {} | {} |' if markdown else '{:50} {:>4} / {}'
    print(f'\n{title}\n')
    if markdown:
        print('| file | passed | tests |\n|---|---|---|')
    for file in sorted(table):
        print(form.format(file, *table[file]))
    passed, total = (sum(row[i] for row in table.values()) for i in (0, 1))
    print(('| all | {} | {} |' if markdown else 'all: {} / {}').format(passed, total))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--markdown', action='store_true')
    parser.add_argument('tool')
    parser.add_argument('suite')
    args = parser.parse_args()
    folder = os.path.join(args.suite, 'tests', 'draft2020-12')
    groups = {'required': [], 'optional': [], 'format': []}
    for file, group in cases_of(folder):
        kind = ('format' if file.startswith('optional/format/') else
                'optional' if file.startswith('optional/') else 'required')
        if kind != 'format' or os.path.basename(file)[:-len('.json')] in ASSERTED:
            groups[kind].append((file, group))
    failed, why = {}, []
    with tempfile.NamedTemporaryFile('w', suffix='.json') as remotes:
        json.dump(load_remotes(os.path.join(args.suite, 'remotes')), remotes)
        remotes.flush()
        for kind, options in (('required', []), ('optional', []), ('format', ['--formats'])):
            table = {}
            for file, group, test, wanted, answer, ok in failures(args.tool, groups[kind],
                                                                  ['--documents', remotes.name, *options]):
                row = table.setdefault(file, [0, 0])
                row[0] += ok
                row[1] += 1
                if not ok:
                    failed[file, group] = failed.get((file, group), 0) + 1
                    why.append(f'{file}: {group}: {test}: wanted {wanted}, got {answer["result"]} {answer["text"]}')
            report({'required': 'Required tests', 'optional': 'Optional tests',
                    'format': 'Optional tests of the formats that can be asserted'}[kind], table, args.markdown)
    if failed != EXPECTED:
        print('\nThe failures are not the documented ones:', file=sys.stderr)
        for key in sorted(set(failed) | set(EXPECTED)):
            if failed.get(key, 0) != EXPECTED.get(key, 0):
                print(f'  {key}: {failed.get(key, 0)} fail, {EXPECTED.get(key, 0)} are documented', file=sys.stderr)
        print('\n'.join(why), file=sys.stderr)
        return 1
    return 0


sys.exit(main())
