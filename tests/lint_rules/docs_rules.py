# SPDX-License-Identifier: MIT
"""Rules that hold the documents against the code and the programs."""
import os
import re
import subprocess

from tree import Missing, rule

CLI = 'docs/CLI.md'
CONFIG = 'docs/CONFIG.md'
PROTOCOL = 'docs/PROTOCOL.md'

OPTION = re.compile(r'(?<![\w-])--[a-z][a-z-]*[a-z]')
HELP_ROW = re.compile(r'^\s+(?:-\w,\s+)?(--[a-z][a-z-]*[a-z])', re.M)


def help_of(*command):
    ran = subprocess.run([*command, '--help'], capture_output=True, text=True, timeout=10)
    if ran.returncode != 0:
        raise Missing(f'{" ".join(command)} --help ended with status {ran.returncode}')
    return ran.stdout


class Section:
    def __init__(self, title, line):
        self.title = title
        self.line = line
        self.lines = []

    def text(self):
        return '\n'.join(self.lines)

    def options(self):
        """Each option with the line that names it."""
        for number, line in enumerate(self.lines, self.line + 1):
            for match in OPTION.finditer(line):
                yield match.group(0), number

    def first_cells(self):
        """What stands as code in the first column of tables, with its line."""
        for number, line in enumerate(self.lines, self.line + 1):
            if line.startswith('|'):
                for word in re.findall(r'`([^`]+)`', line.split('|')[1]):
                    yield word, number


# Of any level below the first when it begins with a command, which is in lower case.
COMMAND_HEADING = r'## |###+ (?=`?[a-z])'


def sections_of(file, heading='## '):
    """By headings, of the second level if not told otherwise; what comes before them has no title."""
    sections = [Section('', 0)]
    for number, line in enumerate(file.lines, 1):
        match = re.match(heading, line)
        if match:
            sections.append(Section(line[match.end():].strip(), number))
        else:
            sections[-1].lines.append(line)
    return sections


def named(sections, name):
    for section in sections:
        words = section.title.replace('`', '').split()
        if words and words[0] == name:
            return section
    return None


def need(tree, path):
    file = tree.get(path)
    if file is None:
        raise Missing(f'{path} is missing; the rules compare it with the code')
    return file


class Programs:
    """What the built programs offer, by their own help."""

    def __init__(self, tree):
        refq = tree.built('client/refq')
        worker = tree.built('worker/refq-worker')
        text = help_of(refq)
        self.common = set(HELP_ROW.findall(text))
        block = re.search(r'^commands:\n((?:  .*\n|\n(?=  ))+)', text, re.M)
        names = re.findall(r'^  ([a-z][a-z-]*(?: [a-z][a-z-]*)?)', block.group(1), re.M) if block else []
        self.commands = {name: set(HELP_ROW.findall(help_of(refq, *name.split()))) | self.common
                         for name in names}
        self.worker = set(HELP_ROW.findall(help_of(worker)))

    def all(self):
        return self.worker.union(self.common, *self.commands.values())


# --- The command lines ------------------------------------------------------------------------

NAME = re.compile(r'[a-z][a-z-]*(?: [a-z][a-z-]*)?')


class Described:
    """The sections of docs/CLI.md, and which commands each is about. A title names commands, with
    commas or "and" between them; the first word of several ("dead" of "dead list") stands for all."""

    def __init__(self, sections, offered):
        self.offered = offered
        self.about = [(section, self.commands_of(section.title)) for section in sections]

    def commands_of(self, title):
        found = []
        for part in re.split(r',| and ', title.replace('`', '')):
            match = NAME.match(part.strip())
            name = match.group(0) if match else None
            found += [c for c in self.offered if name and (c == name or c.startswith(name + ' '))]
        return found

    def sections_about(self, command):
        """Those that name it; of those for its whole group only such that mention it."""
        for section, commands in self.about:
            if command in commands and (command in section.title or command in section.text()):
                yield section


@rule('cli')
def command_line(tree):
    """docs/CLI.md has every command and option of the programs, and no others"""
    programs = Programs(tree)
    sections = sections_of(need(tree, CLI), COMMAND_HEADING)
    offered = dict(programs.commands, **{'refq-worker': programs.worker})
    described = Described(sections, offered)
    common = named(sections, 'Options')
    shared = {option for option, _ in common.options()} if common else set()
    yield from compare_common(programs, common)
    for name, options in offered.items():
        about = list(described.sections_about(name))
        if not about:
            yield CLI, 1, f"'{name}' has no section; add '## {name}'"
            continue
        known = {option for section in about for option, _ in section.options()}
        if name != 'refq-worker':
            known |= shared
        for option in sorted(options - known):
            yield CLI, about[0].line, f'{name} {option} is not described; add it to this section'
    yield from invented(programs, described)


def compare_common(programs, common):
    if common is None:
        yield CLI, 1, "the options of every command have no section; add '## Options of every command'"
        return
    known = {option for option, _ in common.options()}
    for option in sorted(programs.common - known):
        yield CLI, common.line, f'{option} is not described; add it to this section'


def invented(programs, described):
    for section, commands in described.about:
        if not commands and re.match(r'[a-z]', section.title.replace('`', '')):
            yield CLI, section.line, f"no program has a command '{section.title}'; remove the section"
            continue
        known = set().union(*(described.offered[c] for c in commands)) if commands else programs.all()
        for option, number in section.options():
            if option not in known:
                yield CLI, number, f'{option} does not exist here; --help has what does'


@rule('man')
def man_pages(tree):
    """a manual page has the commands and options of --help, and no others"""
    pages = tree.matching(r'docs/man/.*\.scd$')
    if not pages:
        return
    programs = Programs(tree)
    offered = {'refq': programs.common.union(*programs.commands.values()),
               'refq-worker': programs.worker}
    offered.update((f'refq-{name}', options) for name, options in programs.commands.items())
    for page in pages:
        name = os.path.basename(page.path).split('.')[0]
        if name not in offered:
            continue
        text = page.text.replace('\\', '')
        written = set(OPTION.findall(text))
        for option in sorted(offered[name] - written):
            yield page.path, 1, f'{name} {option} is not described; add it'
        for option in sorted(written - offered[name]):
            line = text.count('\n', 0, text.index(option)) + 1
            yield page.path, line, f'{option} does not exist; --help has what does'
        if name == 'refq':
            for command in programs.commands:
                if not re.search(rf'[*_]{command}\b', text):
                    yield page.path, 1, f"the command '{command}' is not described; add it"


# --- Configuration ----------------------------------------------------------------------------

KEY_TABLE = re.compile(r'rqi_key\s+\w+\[\]\s*=\s*\{(.*?)\n\};', re.S)


def keys_in_code(tree):
    for file in tree.matching(r'lib/src/config/[^/]*\.c$'):
        for table in KEY_TABLE.finditer(file.text):
            for row in re.finditer(r'^\s*\{(?:\.name = )?"(\w+)"', table.group(1), re.M):
                yield row.group(1), file.path, file.line_at(table.start(1) + row.start(1))


@rule('keys')
def task_file_keys(tree):
    """docs/CONFIG.md has every key of the task file, and no others"""
    keys = list(keys_in_code(tree))
    if not keys:
        raise Missing('no table of rqi_key is left in lib/src/config/: teach keys_in_code() the new form')
    section = next((s for s in sections_of(need(tree, CONFIG)) if s.title == 'The task file'), None)
    if section is None:
        yield CONFIG, 1, "the keys have no section; add '## The task file'"
        return
    written = dict(section.first_cells())
    for name, path, number in keys:
        if name not in written:
            yield path, number, f"the key '{name}' is not in {CONFIG}; add a row under 'The task file'"
    known = {name for name, _, _ in keys}
    for name, number in written.items():
        if name not in known:
            yield CONFIG, number, f"the task file has no key '{name}'; remove the row"


@rule('options')
def worker_options(tree):
    """docs/CONFIG.md has every option of refq-worker, and no others"""
    offered = Programs(tree).worker
    section = next((s for s in sections_of(need(tree, CONFIG)) if s.title.startswith("The worker's options")),
                   None)
    if section is None:
        yield CONFIG, 1, "the options have no section; add '## The worker's options'"
        return
    written = {}
    for cell, number in section.first_cells():
        for option in OPTION.findall(cell):
            written[option] = number
    for option in sorted(offered - set(written)):
        yield CONFIG, section.line, f'refq-worker {option} has no row; add one'
    for option, number in written.items():
        if option not in offered:
            yield CONFIG, number, f'refq-worker has no {option}; remove the row'


@rule('environment')
def environment(tree):
    """docs/CONFIG.md has every environment variable that is read or given, and no others"""
    sections = [s for s in sections_of(need(tree, CONFIG)) if s.title.startswith('Environment')]
    if not sections:
        yield CONFIG, 1, "the variables have no section; add '## Environment variables'"
        return
    written = {name: number for s in sections for name, number in s.first_cells()}
    code = tree.matching(r'(lib/src|worker|client/cli|client/mcp)/.*\.c$')
    seen = set()
    for file in code:
        for match in re.finditer(r'getenv\("(\w+)"\)|"(REFQ_[A-Z][A-Z_]*)"', file.text):
            name = match.group(1) or match.group(2)
            seen.add(name)
            if name not in written:
                yield (file.path, file.line_at(match.start()), f'{name} is not in {CONFIG}; add a '
                       "row under 'Environment variables'")
    quoted = '\n'.join(file.text for file in code)
    for name, number in written.items():
        if name not in seen and f'"{name}"' not in quoted:
            yield CONFIG, number, f'nothing reads or gives {name}; remove the row'


# A row of a test's table: the variable's name, a good value and a bad one; not a list of names.
TRIED = re.compile(r'\{"([A-Z][A-Z_]*)",\s*(?!"[A-Z_]+")[^\s,{}][^,{}]*,\s*[^\s,{}][^,{}]*[,}]')


@rule('tried')
def variables_are_tried(tree):
    """an environment variable that is read has a row with a good and a bad value in a C test"""
    tried = {match.group(1) for file in tree.matching(r'tests/.*\.c$') for match in TRIED.finditer(file.text)}
    for section in sections_of(need(tree, CONFIG)):
        if section.title.startswith('Environment'):
            given = next((number for number, line in enumerate(section.lines, section.line + 1)
                          if line.startswith('Given to programs')), float('inf'))
            for name, number in section.first_cells():
                if number < given and name not in tried:
                    yield CONFIG, number, f'no test tries {name}; add a row {{"{name}", good, bad, ...}} to one'


# --- The rest ---------------------------------------------------------------------------------

@rule('protocol')
def protocol(tree):
    """docs/PROTOCOL.md names every function of the library in Redis"""
    functions = []
    for file in tree.matching(r'lib/src/task/lua/.*\.lua$'):
        for match in re.finditer(r"^register\('(\w+)'", file.text, re.M):
            functions.append((match.group(1), file, file.line_at(match.start())))
    text = need(tree, PROTOCOL).text
    for name, file, number in functions:
        if not re.search(rf'`{name}\b', text):
            yield file.path, number, f"the function '{name}' is not in {PROTOCOL}; describe it there"


@rule('heads-lua')
def lua_heads(tree):
    """a function's file begins with its KEYS, ARGV and REPLY"""
    for file in tree.matching(r'lib/src/task/lua/.*\.lua$'):
        if re.search(r"^register\('", file.text, re.M):
            head = re.match(r'(--.*\n)*', file.text).group(0)
            for word in ('KEYS', 'ARGV', 'REPLY'):
                if word not in head:
                    yield file.path, 1, f'the comment at the top does not say {word}; add it'


@rule('links')
def links(tree):
    """links and paths in the documents lead somewhere"""
    for file in tree.matching(r'[^/]*\.md$', r'docs/.*\.md$'):
        folder = os.path.dirname(file.path)
        for number, line in enumerate(file.lines, 1):
            for target in re.findall(r'\]\(([^)#\s]+)[^)]*\)', line):
                if '://' not in target and not exists(tree, os.path.join(folder, target)):
                    yield file.path, number, f'the link to {target} leads nowhere; correct it'
            for path in re.findall(r'`((?:lib|worker|client|tests|deploy|docs)/[\w./-]+)`', line):
                if not exists(tree, path):
                    yield file.path, number, f'there is no {path}; name what is there now'


def exists(tree, path):
    return os.path.exists(os.path.join(tree.root, path))


ACCEPTANCE = 'docs/ACCEPTANCE.md'
NAMED_TEST = re.compile(r'`(\w+): (\w+)`')


@rule('acceptance')
def acceptance_tests(tree):
    """docs/ACCEPTANCE.md names tests that are there"""
    page = tree.get(ACCEPTANCE)
    if page is None:
        return
    sources = {}
    for file in tree.matching(r'tests/.*\.(c|py)$'):
        sources.setdefault(os.path.splitext(os.path.basename(file.path))[0], []).append(file.text)
    for number, line in enumerate(page.lines, 1):
        for program, test in NAMED_TEST.findall(line):
            if not any(re.search(rf'\b{test}\b', text) for text in sources.get(program, [])):
                yield ACCEPTANCE, number, f"there is no test '{test}' in tests/**/{program}; name one that is there"
