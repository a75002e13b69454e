# SPDX-License-Identifier: MIT
"""The cost model: what counted instructions and accesses would be in cycles of a real processor.

An emulator's tick hides that a VM transition costs a thousand instructions and a VMREAD thirty. Each cost here is for one more than the
instruction itself, which the ticks have already; docs/performance.md tells where the figures come from. Must not know any row.
"""
from bench_rows import ACCESSES

# cycles: of an ordinary instruction on average, of one transition (an exit or an entry), of one access by L0
COSTS = {"cpi": 0.5, "transition": 500, "vmread": 30, "vmwrite": 35, "vmptrld": 150, "vmclear": 150}


class BadCost(ValueError):
    """A cost that was asked for is no cost."""


def with_changes(changes):
    """The costs with `name=value` words in place of the defaults."""
    costs = dict(COSTS)
    for word in changes:
        name, _, value = word.partition("=")
        if name not in costs:
            raise BadCost(f"there is no cost \"{name}\"; there are {', '.join(costs)}")
        try:
            costs[name] = float(value)
        except ValueError:
            raise BadCost(f"\"{value}\" is no number of cycles") from None
        if not 0 <= costs[name] < 1e9:
            raise BadCost(f"{name} cannot cost {value} cycles")
    return costs


def cycles(row, costs):
    """None where the counts that it takes are not known. What L1's own VMREADs and VMWRITEs cost is left out: it is the same everywhere."""
    parts = [getattr(row, kind) for kind in ACCESSES]
    if row.ticks is None or row.transitions is None or None in parts:
        return None
    accesses = sum(count * costs[kind[:-1]] for kind, count in zip(ACCESSES, parts))
    return round(row.ticks * costs["cpi"] + row.transitions * costs["transition"] + accesses)


def least(row, costs):
    """At least so many cycles, where only the accesses are not known."""
    if row.ticks is None or row.transitions is None:
        return None
    return round(row.ticks * costs["cpi"] + row.transitions * costs["transition"])


def apply(rows, costs):
    for row in rows:
        row.cycles = cycles(row, costs)
