# SPDX-License-Identifier: MIT
"""Every rule of VM entry is broken on Testudo, which names it: in the record that CPUID shows, and on the console.

The guest `insn` prints `I rule NAME wanted=N named=N result=N field=0x.. value=0x..` for each of its cases, and `I NAME: not offered, rule N`
for those that this processor does not let it try. docs/refusals.md says what each number means.
"""
import re

from machine import ROOT

CASE = re.compile(r"I rule (\S+) wanted=(\d+) named=(\d+)(?: result=(\d+) field=(\w+) value=(\w+))?$")
NOT_OFFERED = re.compile(r"I (\S+): not offered, rule (\d+)$")
LINE = re.compile(r'testudo\[\d+\]: VM entry refused: (.*) \((\w+) = 0x([0-9a-f]+)\) - SDM "(.*)" \[rule (\d+)\]$')
HEADING = re.compile(r"### (VMfail|exit) (\d+): (.*)")
ROW = re.compile(r"\| (\d+) \| (.*?) \| `(\w+)` \|$")

LONG_MODE = "the guest insn is an L1 in IA-32e mode, and the rule is for one that is not: tests/unit/test_check_host.c"
COUNT = "a count above the maximum is undefined on the bare machine: tests/unit/test_check_controls.c"
LACKING = "no state is known that the processor refuses and all rules let pass: suite_refusals.py and tests/model make some"
# Rules that no case of the guest can break, with the reason. One that is broken after all does not belong here.
OUT_OF_REACH = {
    1: LACKING, 2: LACKING, 3: LACKING,
    104: "no processor has a secondary control that must be 1: tests/unit/test_check_controls.c",
    128: "the processor has accessed and dirty flags: tests/unit/test_check_controls.c",
    204: COUNT, 206: COUNT, 235: COUNT,
    223: "the processor has the monitor trap flag: tests/unit/test_check_controls.c",
    349: LONG_MODE, 370: LONG_MODE, 373: LONG_MODE, 374: LONG_MODE, 377: LONG_MODE, 378: LONG_MODE,
    372: "rules 370 and 371 come first whatever L1's mode: tests/unit/test_check_host.c",
}


def table():
    """{number: (what L1 gets as the record has it, words, field, SDM title)} as docs/refusals.md has it."""
    known = {}
    for line in (ROOT / "docs" / "refusals.md").read_text(encoding="utf-8").splitlines():
        if heading := HEADING.match(line):
            result, title = int(heading[2]) | (0x8000 if heading[1] == "exit" else 0), heading[3]
        elif row := ROW.match(line):
            known[int(row[1])] = result, row[2], row[3], title
    return known


def encodings():
    text = (ROOT / "vmx" / "vmcs_fields.def").read_text(encoding="utf-8")
    return {int(encoding, 16): name for encoding, name in re.findall(r"^F\((0x[0-9a-f]+), *(\w+)", text, re.MULTILINE)}


def wrong_records(lines, known, instead=()):
    """Cases whose record is not that of the rule which they break, or of the one that `instead` has for them."""
    instead = dict(instead)
    names = encodings()
    yield from (f"not understood: {line}" for line in lines if line.startswith("I rule ") and not CASE.match(line))
    for case in filter(None, map(CASE.match, lines)):
        name, named = case[1], int(case[3])
        wanted = instead.get(name, int(case[2]))
        if wanted != named:
            yield f"{name}: rule {named} was named instead of {wanted}"
        elif named and (int(case[4]), names.get(int(case[5], 0))) != (known[named][0], known[named][2]):
            yield f"{name}: the record has result {case[4]} and field {case[5]}"


def wrong_lines(lines, known):
    """Broken rules without a line on the console, and lines in other words than the table's."""
    printed = {}
    for line in filter(None, map(LINE.match, lines)):
        number = int(line[5])
        printed.setdefault(number, set()).add(int(line[3], 16))
        if (line[1], line[2], line[4]) != known[number][1:]:
            yield f"the line of rule {number} is not the table's: {line[0]}"
    for case in filter(None, map(CASE.match, lines)):
        number = int(case[3])
        if number and number not in printed:
            yield f"{case[1]}: no line told of rule {number}"
        elif number and len(printed[number]) < 8 and int(case[6], 0) not in printed[number]:
            yield f"{case[1]}: no line told of rule {number} with the value {case[6]}"


def uncovered(lines, known):
    broken = {int(case[3]) for case in filter(None, map(CASE.match, lines))}
    hidden = {int(case[2]) for case in filter(None, map(NOT_OFFERED.match, lines))}
    for number in sorted(set(known) - broken - hidden - set(OUT_OF_REACH)):
        yield f"no case breaks rule {number}: {known[number][1]}"
    for number in sorted(broken & set(OUT_OF_REACH)):
        yield f"rule {number} is said to be out of reach, and was broken"
    for number in sorted((set(OUT_OF_REACH) | hidden) - set(known)):
        yield f"rule {number} is said to be out of reach or not offered, and is none"


def few(complaints):
    """Not the whole list when everything is wrong."""
    complaints = list(complaints)
    return complaints[:8] + ([f"and {len(complaints) - 8} more"] if len(complaints) > 8 else [])


def check(report, lines):
    known = table()
    cases = [case for case in map(CASE.match, lines) if case]
    hidden = {int(case[2]) for case in filter(None, map(NOT_OFFERED.match, lines))}
    report.judge(few(wrong_records(lines, known)), "rules.recorded", f"{len(cases)} cases, each with the rule that it breaks")
    report.judge(few(wrong_lines(lines, known)), "rules.told", "each in the words of docs/refusals.md")
    broken = len({int(case[3]) for case in cases} - {0})
    report.judge(few(uncovered(lines, known)), "rules.covered",
                 f"{broken} of {len(known)} rules broken, {len(hidden)} not offered by this processor, {len(OUT_OF_REACH)} out of reach")
