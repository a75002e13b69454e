# SPDX-License-Identifier: MIT
"""Is what the guest `bench` printed whole? Every row in every subject, each fit for build/bench.json, and fit to be shown.

No figure is judged here: a figure that moves has a cause, and `make bench` shows it beside its target.
"""
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import asdict

import bench_cost
import bench_rows
import bench_table
import bench_targets
from bench_picture import picture
from machine import ROOT

OF_OTHERS = re.compile(r".*_without_shadowing$")


def expected():
    """The rows that the guest has to print: those of bench_targets.py, and a VMREAD and a VMWRITE for each field of its table."""
    names = {known.name for title, rows in bench_targets.GROUPS.items() if not title.startswith("Linux") for known in rows if not OF_OTHERS.match(known.name)}
    source = (ROOT / "tests/guests/bench/instructions.c").read_text(encoding="utf-8")
    for kind, field in re.findall(r"^\t(FREQUENT|RARE|EXIT_DATA)\(\w+, \"(\w+)\"\)", source, re.M):
        instructions = ("vmread",) if kind == "EXIT_DATA" else ("vmread", "vmwrite")
        names |= {f"{instruction}_{field}" + ("_rare" if kind == "RARE" else "") for instruction in instructions}
    return names


def rows_of(runs):
    """The rows of all subjects: `runs` is subject -> lines."""
    return [row for subject, lines in runs.items() for row in bench_rows.of_guest(lines, subject)]


def complaints(runs):
    rows, wrong = rows_of(runs), []
    for subject in runs:
        names = {row.name for row in rows if row.subject == subject}
        wrong += [f"{subject} has no row {name}" for name in sorted(expected() - names)]
        wrong += [f"{subject} has a row {name} that bench_targets.py does not know" for name in sorted(names - expected())]
    wrong += bench_rows.problems([asdict(row) for row in rows])
    wrong += [f"{row.name}: L0's counters are not known" for row in rows if row.subject == "testudo" and None in (row.exits, row.accesses)]
    bench_cost.apply(rows, bench_cost.COSTS)
    text = "\n".join(bench_table.lines(rows, bench_cost.COSTS, plain=True))
    wrong += [f"the table has no line for {name}" for name in sorted(names) if not any(known.text in text for known in described(name))]
    ElementTree.fromstring(picture(rows))
    return wrong


def described(name):
    return [known for _, rows in bench_targets.groups([name]) for known in rows]


def check(report, runs):
    """As a verdict of a test: `runs` is subject -> lines of the guest."""
    report.judge(complaints(runs), "rows", f"{len(expected())} rows of {', '.join(runs)}")
