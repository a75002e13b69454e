# SPDX-License-Identifier: MIT
"""The benchmark's table: on the terminal with its columns aligned, in build/bench.md as it is. Lines only; must not measure or judge."""
from dataclasses import replace

import bench_targets
from bench_cost import cycles, least
from bench_rows import by_name

HEAD = ("ticks of one", "bare", "Testudo", "KVM", "KVM ÷ Testudo", "KVM's exits", "exits", "VMCS accesses", "targets on Testudo")


def figure(value):
    if value is None:
        return "–"
    return f"{value:,.0f}" if value == int(value) or value >= 100 else f"{value:,.2f}"


def kvm_ticks(name, row):
    """(ticks, whether they are the reference's)."""
    if row is not None:
        return row.ticks, False
    return bench_targets.REFERENCE.get(name), True


def share(value, of):
    if not value or not of:
        return "–"
    return f"{value / of:,.1f}" if value >= of / 10 else f"{value / of:.3f}"


def judged(known, table):
    """The targets of a row in one cell; a row without any has none, and what was not measured is neither met nor missed."""
    words = []
    for limit, met in bench_targets.verdicts(known, table):
        words.append(limit + {True: " met", False: " MISSED", None: " ?"}[met])
    return ", ".join(words)


def cells(known, table):
    rows = table[known.name]
    testudo, bare = rows.get("testudo"), rows.get("bare")
    kvm, reference = kvm_ticks(known.name, rows.get("kvm"))
    ticks = testudo.ticks if testudo else None
    return (known.text, figure(bare.ticks if bare else None), figure(ticks), figure(kvm) + ("*" if reference and kvm else ""), share(kvm, ticks),
            *(figure(getattr(row, "exits", None)) for row in (rows.get("kvm"), testudo)), figure(getattr(testudo, "accesses", None)),
            judged(known, table))


def modelled_of(known, row, costs):
    """(cycles, what stands before them and behind): with KVM's accesses of the reference where there are any, else at least so many."""
    if row is None or row.cycles is not None:
        return getattr(row, "cycles", None), "", ""
    accesses = bench_targets.REFERENCE_ACCESSES.get(known.name) if row.subject == "kvm" else None
    if accesses:
        return cycles(replace(row, **accesses), costs), "", "**"
    return least(row, costs), "≥ ", ""


def modelled(known, table, costs):
    values = [modelled_of(known, table[known.name].get(subject), costs) for subject in ("bare", "testudo", "kvm")]
    ratio = share(values[2][0], values[1][0])
    return (known.text, *("–" if value is None else before + figure(value) + behind for value, before, behind in values),
            ratio if ratio == "–" else values[2][1] + ratio)


def aligned(head, groups, plain):
    """Markdown; on a terminal (plain) with blanks that align the columns."""
    every = [head] + [line for _, lines in groups for line in lines]
    widths = [max(len(line[i]) for line in every) if plain else 0 for i in range(len(head))]

    def row(line):
        last = len(head) - 1
        return "| " + " | ".join(cell.ljust(w) if i in (0, last) and len(head) > 6 or not i else cell.rjust(w)
                                 for i, (cell, w) in enumerate(zip(line, widths))) + " |"
    yield row(head)
    yield "|" + "|".join("-" * (w + 2) if plain else "---" if not i else "---:" for i, w in enumerate(widths)) + "|"
    for title, lines in groups:
        yield row((title if plain else f"**{title}**",) + ("",) * (len(head) - 1))
        yield from map(row, lines)


LEVELS = (("bare machine", "l2_cpuid", "bare"), ("one Testudo", "l2_cpuid", "testudo"), ("two", "l3_cpuid_testudo", "testudo"),
          ("three", "l4_cpuid_testudo", "testudo"))


def growth(table):
    """What the guest's CPUID round trip costs on more and more Testudos, and how many times more than on one less."""
    words, before = [], None
    for name, row, subject in LEVELS:
        found = table.get(row, {}).get(subject)
        if found is None:
            break
        words.append(f"{name} {figure(found.ticks)}" + (f" (× {share(found.ticks, before)})" if before else ""))
        before = found.ticks
    if len(words) > 2:
        yield "growth per level: " + ", ".join(words)


def summary(table):
    """How many targets are met, and which are not."""
    met, missed, unknown = 0, [], []
    for _, rows in bench_targets.groups(list(table)):
        for known in rows:
            for limit, verdict in bench_targets.verdicts(known, table):
                met += verdict is True
                if not verdict:
                    (missed if verdict is False else unknown).append(f"{known.text}: {limit}")
    yield f"targets: {met} met, {len(missed)} missed, {len(unknown)} not measured"
    listed = {known.name for rows in bench_targets.GROUPS.values() for known in rows if known.limits}
    absent = sorted(listed - set(table))
    if absent:
        yield "rows with a target that were not measured: " + ", ".join(absent)


def lines(rows, costs, plain):
    table = by_name(rows)
    groups = [(title, [cells(known, table) for known in group]) for title, group in bench_targets.groups(list(table))]
    yield from aligned(HEAD, groups, plain)
    yield ""
    if any("*" in line[3] for _, group in groups for line in group):
        yield f"*: {bench_targets.REFERENCE_NAME}"
        yield ""
    groups = [(title, [modelled(known, table, costs) for known in group]) for title, group in bench_targets.groups(list(table))]
    groups = [(title, [line for line in group if set(line[1:4]) != {"–"}]) for title, group in groups if not title.startswith("VMREAD")]
    groups = [(title, group) for title, group in groups if group]
    yield from aligned(("modelled cycles of one", "bare", "Testudo", "KVM", "KVM ÷ Testudo"), groups, plain)
    yield ""
    yield "cost model: " + ", ".join(f"{name} {value:g}" for name, value in costs.items()) + "; ≥: without KVM's VMCS accesses"
    yield ""
    if any("**" in line[3] for _, group in groups for line in group):
        yield "**: with KVM's VMCS accesses as they were counted once in a trace (docs/performance.md)"
        yield ""
    yield from growth(table)
    yield from summary(table)
