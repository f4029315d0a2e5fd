#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares schema_tool with Python's jsonschema on random schemas and values.

  tests/python/schema_diff.py [--count 10000] [--seed 1] TOOL

Needs the package jsonschema (python3-jsonschema, or a virtual environment). What the two are known to see differently
is not made: divisors that are no binary fractions (jsonschema divides doubles), numbers beyond 2^53 with a point (it
takes them for the binary number, refq for the decimal one), and what Python's regular expressions read otherwise than
ECMA-262. Exit 1 on the first differences, which are printed.
"""
import argparse
import json
import random
import subprocess
import sys

import jsonschema

NAMES = ['a', 'b', 'ab', 'abc', 'x y', '~', '/', 'é', '']
TYPES = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object']
PATTERNS = ['a', '^a', 'b$', '^[a-c]+$', '^.{2}$', 'é', r'^\d+$', '(a|b)c?', '^$', r'[^a]', r'[\da]', 'a{2,}']
NUMBERS = [0, 1, -1, 2, 3, 0.5, 1.0, 1.5, -2.25, 1e3, 9007199254740993, 9007199254740992.0, -0.0, 1e15, 2**63 - 1]
DIVISORS = [1, 2, 3, 0.5, 0.25, 1.0, 7]
STRINGS = NAMES + ['aa', 'abc', 'bca', '12', 'éé', '\U0001f600', 'a\nb', '1']


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.keywords = [getattr(self, name) for name in dir(self) if name.startswith('kw_')]

    # --- Values

    def value(self, depth=3):
        kind = self.r.randrange(8 if depth > 0 else 5)
        if kind == 0:
            return self.r.choice([None, True, False])
        if kind in (1, 2):
            return self.r.choice(NUMBERS)
        if kind in (3, 4):
            return self.r.choice(STRINGS)
        if kind == 5:
            return [self.value(depth - 1) for _ in range(self.r.randrange(5))]
        return {self.r.choice(NAMES): self.value(depth - 1) for _ in range(self.r.randrange(5))}

    def few_values(self):
        return [self.value(1) for _ in range(self.r.randrange(1, 5))]

    # --- Schemas

    def schema(self, depth=3):
        if depth == 0 or self.r.random() < 0.1:
            return self.r.choice([True, True, False, {}, {'type': self.r.choice(TYPES)}])
        out = {}
        for _ in range(self.r.choice([1, 1, 2, 2, 3, 4])):
            self.r.choice(self.keywords)(out, depth - 1)
        return out

    def schemas(self, depth):
        return [self.schema(depth) for _ in range(self.r.randrange(1, 4))]

    def by_name(self, depth):
        return {self.r.choice(NAMES): self.schema(depth) for _ in range(self.r.randrange(1, 4))}

    def names(self):
        return self.r.sample(NAMES, self.r.randrange(0, 3))

    def kw_type(self, s, _):
        s['type'] = self.r.choice([self.r.choice(TYPES), self.r.sample(TYPES, self.r.randrange(1, 4))])

    def kw_const(self, s, _):
        s['const'] = self.value(2)

    def kw_enum(self, s, _):
        s['enum'] = self.few_values()

    def kw_number(self, s, _):
        s[self.r.choice(['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'])] = self.r.choice(NUMBERS)

    def kw_multiple(self, s, _):
        s['multipleOf'] = self.r.choice(DIVISORS)

    def kw_count(self, s, _):
        s[self.r.choice(['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties'])] = \
            self.r.choice([0, 1, 2, 2.0, 3])

    def kw_pattern(self, s, _):
        s['pattern'] = self.r.choice(PATTERNS)

    def kw_unique(self, s, _):
        s['uniqueItems'] = self.r.random() < 0.8

    def kw_required(self, s, _):
        s['required'] = self.names()

    def kw_dependent_required(self, s, _):
        s['dependentRequired'] = {name: self.names() for name in self.names()}

    def kw_properties(self, s, depth):
        s['properties'] = self.by_name(depth)

    def kw_pattern_properties(self, s, depth):
        s['patternProperties'] = {self.r.choice(PATTERNS): self.schema(depth) for _ in range(self.r.randrange(1, 3))}

    def kw_additional(self, s, depth):
        s['additionalProperties'] = self.schema(depth)

    def kw_property_names(self, s, depth):
        s['propertyNames'] = self.schema(depth)

    def kw_dependent_schemas(self, s, depth):
        s['dependentSchemas'] = self.by_name(depth)

    def kw_prefix(self, s, depth):
        s['prefixItems'] = self.schemas(depth)

    def kw_items(self, s, depth):
        s['items'] = self.schema(depth)

    def kw_contains(self, s, depth):
        s['contains'] = self.schema(depth)
        if self.r.random() < 0.5:
            s['minContains'] = self.r.randrange(3)
        if self.r.random() < 0.5:
            s['maxContains'] = self.r.randrange(3)

    def kw_logic(self, s, depth):
        s[self.r.choice(['allOf', 'anyOf', 'oneOf'])] = self.schemas(depth)

    def kw_not(self, s, depth):
        s['not'] = self.schema(depth)

    def kw_if(self, s, depth):
        for name in self.r.choice([['if', 'then'], ['if', 'else'], ['if', 'then', 'else'], ['then']]):
            s[name] = self.schema(depth)

    def kw_unevaluated(self, s, depth):
        s[self.r.choice(['unevaluatedItems', 'unevaluatedProperties'])] = self.r.choice([False, self.schema(depth)])

    def kw_ref(self, s, _):
        s['$ref'] = self.r.choice(['#/$defs/x', '#/$defs/y', '#y', 'http://example.com/z', 'http://example.com/z#w'])

    # What is referred to never refers, so nothing goes round in circles.
    def document(self):
        schema = self.schema(4)
        if isinstance(schema, bool):
            return schema
        parts = {'x': self.schema(2), 'y': self.schema(2), 'z': self.schema(2), 'w': self.schema(1)}
        parts = {name: {} if isinstance(part, bool) else self.without_refs(part) for name, part in parts.items()}
        parts['y']['$anchor'] = 'y'
        parts['w']['$anchor'] = 'w'
        parts['z'].update({'$id': 'http://example.com/z', '$defs': {'w': parts.pop('w')}})
        schema['$defs'] = parts
        return schema

    def without_refs(self, part):
        if isinstance(part, dict):
            return {key: self.without_refs(value) for key, value in part.items() if key != '$ref'}
        return [self.without_refs(value) for value in part] if isinstance(part, list) else part


def wanted(schema, data):
    try:
        return 'valid' if jsonschema.Draft202012Validator(schema).is_valid(data) else 'invalid'
    except OverflowError as problem:
        return f'error {problem}'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--count', type=int, default=10000)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('tool')
    args = parser.parse_args()
    maker = Maker(args.seed)
    cases, schema = [], None
    for i in range(args.count):
        if i % 5 == 0:
            schema = maker.document()
        cases.append((schema, maker.value(4)))
    lines = ''.join(json.dumps({'schema': s, 'data': d}) + '\n' for s, d in cases)
    done = subprocess.run([args.tool], input=lines, text=True, capture_output=True, timeout=600, check=True)
    answers = [json.loads(line) for line in done.stdout.split('\n')[:-1]]
    if len(answers) != len(cases):
        sys.exit(f'schema_diff: {len(cases)} cases, but {len(answers)} answers')
    differences, counts = 0, {}
    for (schema, data), answer in zip(cases, answers):
        want = wanted(schema, data)
        counts[want] = counts.get(want, 0) + 1
        if answer['result'] != want and differences < 5:
            differences += 1
            print(f'schema: {json.dumps(schema)}\ndata: {json.dumps(data)}\njsonschema: {want}\n'
                  f'refq: {answer["result"]} {answer["text"]}\n')
    print(f'schema_diff: {len(cases)} cases with seed {args.seed}, {counts}: '
          f'{"the same" if differences == 0 else "differences"}')
    return differences > 0


sys.exit(main())
