# SPDX-License-Identifier: MIT
"""Previews compared with mcp-refcache itself, on random values.

  python preview_diff.py TOOL [--seed N] [--count N]

TOOL is the built preview_tool. Needs mcp-refcache (0.2.1) and, for the rank file, tiktoken. Checked for each value:

  the text as Python writes it, and its size;  portable and strict text loads and means the same;
  sample and truncate are mcp-refcache's, in characters, in tokens of four, by byte pair encoding;
  all pages together are the value, each keeps the budget, and with room enough they are mcp-refcache's.

Exit: 0 all equal, 1 a difference (with the request that shows it), 64 wrong use.
"""
import argparse
import base64
import json
import math
import random
import re
import struct
import subprocess
import sys
import tempfile

import tiktoken
from mcp_refcache.context import CharacterFallback, CharacterMeasurer, TokenMeasurer
from mcp_refcache.preview import PaginateGenerator, SampleGenerator, TruncateGenerator
from tiktoken_ext import openai_public

sys.setrecursionlimit(10000)

# --- Random values -----------------------------------------------------------------------------

CHARACTERS = ['a', 'Z', ' ', '"', '\\', '/', '\n', '\t', '\b', '\x00', '\x1f', '\x7f', '\x80', 'é', '€', '日', '😀',
              '\U0010ffff', '\ud800', '\udfff', '\ud83d', '\ude00', '\ufffd', '\u2028', "'s", 'tion', 'the ', '12']
NUMBERS = [0, -1, 2**63, -2**63, 2**64, 2**70, 10**30, 0.0, -0.0, 1e22, 1e21, 1e16, 1e15, 123456789012345680.0, 1e-4,
           1e-5, 5e-324, 1.7976931348623157e308, 2.2250738585072014e-308, 0.1 + 0.2, float('nan'), float('inf'),
           -float('inf'), 2.0**-44, 9007199254740993.0]
NUMBER_TEXTS = ['-0', '1E2', '1e400', '-1e400', '1e-400', '0e999999', '1.0000', '100e-2', '0.10000000000000000555',
                '123456789012345678', '1234567890123456789.5', '0.000001', '4.9406564584124654e-324', '2.50E+003']


def some_text(r):
    return ''.join(r.choice(CHARACTERS) for _ in range(r.choice([0, 1, 3, 10, 60])))


def some_float(r):
    kind = r.randrange(5)
    if kind == 0:
        value = struct.unpack('<d', r.getrandbits(64).to_bytes(8, 'little'))[0]
        return value if math.isfinite(value) else 0.5
    if kind == 1:
        return math.ldexp(1.0, r.randrange(-1074, 1024))
    if kind == 2:
        return round(r.random() * 10**r.randrange(18), r.randrange(10))
    return r.choice([r.random(), r.uniform(-1e6, 1e6), r.uniform(0, 1) * 1e-310])


def some_scalar(r):
    kind = r.randrange(8)
    if kind < 2:
        return some_text(r)
    if kind == 2:
        return r.choice(NUMBERS)
    if kind == 3:
        return some_float(r)
    if kind == 4:
        return r.choice([None, True, False])
    return r.randrange(-10**r.randrange(1, 25), 10**r.randrange(1, 25))


def some_value(r, depth=0):
    kind = r.randrange(10)
    if depth > 4 or kind < 3:
        return some_scalar(r)
    n = r.choice([0, 1, 2, 3, 7, 30 if depth == 0 else 4, 200 if depth == 0 else 2])
    if kind < 5:
        scalar = r.choice([some_scalar, lambda r: r.randrange(1000)])
        return [scalar(r) for _ in range(n)]
    if kind < 7:
        return [some_value(r, depth + 1) for _ in range(n)]
    return {r.choice([some_text(r), f'key_{i}']): some_value(r, depth + 1) for i in range(n)}


class Writer:
    """Text for a value as others might write it: blanks, escapes, other spellings of numbers, keys twice."""

    def __init__(self, r):
        self.r = r
        self.plain = r.random() < 0.3

    def blank(self):
        return '' if self.plain else self.r.choice(['', '', '', ' ', '\n', '\t ', '\r\n'])

    def character(self, c):
        if c in '"\\' or c < ' ' or '\ud800' <= c <= '\udfff' or self.r.random() < 0.2:
            units = c.encode('utf-16-be', 'surrogatepass')
            text = ''.join(f'\\u{units[i]:02x}{units[i + 1]:02X}' for i in range(0, len(units), 2))
            short = json.dumps(c)[1:-1]
            return short if self.r.random() < 0.5 else text
        return '\\/' if c == '/' and self.r.random() < 0.5 else c

    def string(self, text):
        return json.dumps(text) if self.plain else '"' + ''.join(map(self.character, text)) + '"'

    def number(self, value):
        if self.plain or self.r.random() < 0.7:
            return json.dumps(value)
        if isinstance(value, float) and math.isfinite(value) and self.r.random() < 0.7:
            return format(value, f'.{self.r.randrange(16, 25)}{self.r.choice("eE")}')
        return self.r.choice(NUMBER_TEXTS)

    def value(self, value):
        if isinstance(value, str):
            return self.string(value)
        if value is None or isinstance(value, bool):
            return json.dumps(value)
        if isinstance(value, (int, float)):
            return self.number(value)
        if isinstance(value, list):
            return '[' + ','.join(self.blank() + self.value(v) + self.blank() for v in value) + self.blank() + ']'
        members = list(value.items())
        if members and not self.plain and self.r.random() < 0.2:
            members += [(self.r.choice(members)[0], some_value(self.r, 3)) for _ in range(self.r.randrange(3))]
        return '{' + ','.join(self.blank() + self.string(k) + self.blank() + ':' + self.blank() + self.value(v)
                              for k, v in members) + self.blank() + '}'


# --- The other side ----------------------------------------------------------------------------

class Tool:
    def __init__(self, path, *args):
        self.process = subprocess.Popen([path, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + '\n')
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Difference(f'the tool ended on {json.dumps(request)}')
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


class Difference(Exception):
    pass


def same(what, ours, theirs, request):
    if ours != theirs:
        raise Difference(f'{what}: ours {ours!r}\n  theirs {theirs!r}\n  for {json.dumps(request)}')


def without_surrogates(text):
    return re.sub('[\ud800-\udfff]', '\ufffd', text)


def portable(value):
    """What strict parsers can be told of a value, as text to compare."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, list):
        return [portable(v) for v in value]
    if isinstance(value, dict):
        return [[without_surrogates(k), portable(v)] for k, v in value.items()]
    return value


def pairs(text):
    """Loads text like portable() does: members as a list, because keys may fall together."""
    return json.loads(text, object_pairs_hook=lambda members: [list(m) for m in members],
                      parse_constant=lambda name: sys.exit(f'{name} in portable text'))


def spelled(value):
    """Tells 1 from 1.0 and True."""
    return json.dumps(value)


# --- Checks ------------------------------------------------------------------------------------

GENERATORS = {'sample': SampleGenerator(), 'paginate': PaginateGenerator(), 'truncate': TruncateGenerator()}


class Tokenizer:
    model_name = 'test'

    def __init__(self, encoding):
        self.encoding = encoding

    def encode(self, text):
        return self.encoding.encode_ordinary(text)

    def count_tokens(self, text):
        return len(self.encode(text))


def check_texts(tool, text, value):
    request = {'op': 'python', 'text': text}
    theirs = json.dumps(value)
    same('python', tool.ask(**request).get('json'), theirs, request)
    for op in 'portable', 'strict':
        answer = tool.ask(op=op, text=text)
        if op == 'portable':
            json.loads(answer['json'], parse_constant=lambda name: sys.exit(f'{name} in portable text'))
        else:
            ours = spelled(pairs(answer['json']))
            wanted = spelled(strict(value))
            same(op, ours, wanted, {'op': op, 'text': text})


def strict(value):
    if isinstance(value, list):
        return [strict(v) for v in value]
    if isinstance(value, dict):
        return [[without_surrogates(k), strict(v)] for k, v in value.items()]
    if isinstance(value, int) and not isinstance(value, bool) and not -2**63 <= value < 2**63:
        return str(value)
    return portable(value)


def number_or(value, otherwise):
    return otherwise if value is None else value


def check_preview(tool, op, text, value, unit, measurer, budget):
    request = {'op': op, 'text': text, 'unit': unit, 'max_size': budget}
    ours = tool.ask(**request)
    if 'error' in ours:
        raise Difference(f'{ours["error"]} for {json.dumps(request)}')
    theirs = GENERATORS[op].generate(value, budget, measurer)
    same('preview', spelled(pairs(ours['json'])), spelled(portable(theirs.preview)), request)
    same('strategy', ours['strategy'], theirs.strategy.value, request)
    for name in 'original_size', 'preview_size':
        same(name, ours[name], getattr(theirs, name), request)
    for name in 'total_items', 'sampled_items':
        same(name, ours[name], number_or(getattr(theirs, name), -1), request)


def joined(pages, value):
    """The value that pages make together."""
    if isinstance(value, str):
        return ''.join(pages)
    return [part for page in pages for part in page] if isinstance(value, (list, dict)) else pages[0]


def check_pages(tool, text, value, unit, measurer, budget, page_size):
    request = {'op': 'paginate', 'text': text, 'unit': unit, 'max_size': budget, 'page_size': page_size}
    pages = []
    total = 1
    while len(pages) < max(total, 1):
        ours = tool.ask(page=len(pages) + 1, **request)
        total = ours['total_pages']
        page = pairs(ours['json'])
        pages.append(page)
        if isinstance(value, (list, dict, str)) and ours['preview_size'] > budget and ours['sampled_items'] > 1:
            raise Difference(f'page {len(pages)} exceeds the budget: {ours} for {json.dumps(request)}')
        if isinstance(value, (list, dict, str)) and ours['sampled_items'] > page_size:
            raise Difference(f'page {len(pages)} has too many items: {ours} for {json.dumps(request)}')
    wanted = portable(value)
    ours = joined(pages, value)
    if isinstance(value, str):
        wanted = without_surrogates(value)
    same('all pages', spelled(ours), spelled(wanted), request)


def check_roomy_pages(tool, text, value, unit, measurer, page_size):
    """With room enough a page is mcp-refcache's."""
    if not isinstance(value, (list, dict)):
        return
    n = math.ceil(len(value) / page_size)
    for page in {1, n, n + 1} - {0}:
        request = {'op': 'paginate', 'text': text, 'unit': unit, 'max_size': 10**9, 'page': page,
                   'page_size': page_size}
        ours = tool.ask(**request)
        theirs = GENERATORS['paginate'].generate(value, 10**9, measurer, page, page_size)
        same('page', spelled(pairs(ours['json'])), spelled(portable(theirs.preview)), request)
        for name in 'original_size', 'preview_size', 'total_items', 'sampled_items', 'page', 'total_pages':
            same(name, ours[name], getattr(theirs, name), request)


def check_value(r, tool, measurers, round_):
    text = Writer(r).value(some_value(r))
    value = json.loads(text)
    check_texts(tool, text, value)
    for unit, measurer in measurers.items():
        if unit == 'bpe' and round_ % 4 != 0:
            continue
        size = measurer.measure(value)
        request = {'op': 'measure', 'text': text, 'unit': unit}
        same('measure', tool.ask(**request).get('size'), size, request)
        budget = r.choice([0, 1, 5, 20, 50, size // 2, max(size - 1, 0), size, size + 1, size + 3])
        for op in 'sample', 'truncate':
            check_preview(tool, op, text, value, unit, measurer, budget)
        page_size = r.choice([1, 2, 3, 7, 20, 1000])
        check_roomy_pages(tool, text, value, unit, measurer, page_size)
        if len(text) < 3000:
            check_pages(tool, text, value, unit, measurer, max(budget, 10), page_size)


# --- A rank file -------------------------------------------------------------------------------

def train(r, n):
    """Ranks of the 256 bytes and n merges of random neighbours, frequent words first."""
    words = ['the', 'tion', 'u00', '\\u', 'ing', 'key_', 'null', 'true', 'false', '", "', '": ', '\\ud8', 'aaaa',
             '1234', '0000', ', ', ' [', ']}', 'and', "'s", 'ZZ']
    ranks = {bytes([i]): i for i in range(256)}
    for word in words:
        for end in range(2, len(word) + 1):
            ranks.setdefault(word[:end].encode(), len(ranks))
    known = list(ranks)
    while len(ranks) < 256 + n:
        token = r.choice(known) + r.choice(known[32:127] + known[256:])
        if len(token) < 12 and token not in ranks:
            ranks[token] = len(ranks)
            known.append(token)
    return ranks


def pattern_of(name):
    """tiktoken's own pattern, without its ranks, which it would download."""
    loader = openai_public.load_tiktoken_bpe
    openai_public.load_tiktoken_bpe = lambda *args, **kwargs: {}
    try:
        return getattr(openai_public, f'{name}_base')()['pat_str']
    finally:
        openai_public.load_tiktoken_bpe = loader


def check_tokens(r, tool, tokenizer, count):
    """Text that is not JSON: newlines, runs of blanks, contractions."""
    parts = ['a', 'B', 'the', 'The', 'HTML', "'s", "'LL", "'", ' ', '  ', '\n', '\r\n', '\t', '1', '12345', '!', '//',
             '"', ', ', '\\u00e9', 'x' * 30, '{"', '<|endoftext|>']
    for _ in range(count):
        text = ''.join(r.choice(parts) for _ in range(r.randrange(1, 30)))
        request = {'op': 'tokens', 'text': text}
        same('tokens', tool.ask(**request)['size'], tokenizer.count_tokens(text), request)


def run(args, pattern, folder):
    r = random.Random(args.seed)
    ranks = train(r, 2000)
    path = f'{folder}/ranks.tiktoken'
    with open(path, 'w', encoding='ascii') as out:
        for token, rank in ranks.items():
            out.write(f'{base64.b64encode(token).decode()} {rank}\n')
    tokenizer = Tokenizer(tiktoken.Encoding('test', pat_str=pattern_of(pattern), mergeable_ranks=ranks,
                                            special_tokens={}))
    measurers = {'characters': CharacterMeasurer(), 'tokens': TokenMeasurer(CharacterFallback()),
                 'bpe': TokenMeasurer(tokenizer)}
    tool = Tool(args.tool, pattern, path)
    check_tokens(r, tool, tokenizer, args.count)
    for i in range(args.count):
        check_value(r, tool, measurers, i)
    if tool.close() != 0:
        raise Difference('the tool ended with an error')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.error = lambda text: (sys.stderr.write(f'preview_diff: {text}\n'), sys.exit(64))
    parser.add_argument('tool')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--count', type=int, default=2000)
    args = parser.parse_args()
    for pattern in 'o200k', 'cl100k':
        with tempfile.TemporaryDirectory() as folder:
            try:
                run(args, pattern, folder)
            except Difference as difference:
                print(f'preview_diff: seed {args.seed}, {pattern}: {difference}')
                return 1
    print(f'preview_diff: {2 * args.count} values are previewed as mcp-refcache does (seed {args.seed})')
    return 0


if __name__ == '__main__':
    sys.exit(main())
