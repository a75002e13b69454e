# SPDX-License-Identifier: MIT
"""One row of the benchmark for one subject, and build/bench.json, which is an array of them.

Counts are those of one round of the row: ticks as the guest's time-stamp counter has them, exits to L0, VMCS accesses that L0 made, VM
transitions of the processor (an exit and an entry are two). None is what nobody can know. Must not know how rows are measured or shown.
"""
import json
from dataclasses import asdict, dataclass

from results import measures

SUBJECTS = ("bare", "testudo", "kvm")
ACCESSES = ("vmreads", "vmwrites", "vmptrlds", "vmclears")
COUNTS = ("ticks", "exits", "accesses", "transitions")


@dataclass
class Row:
    name: str
    subject: str
    ticks: float = None
    exits: float = None
    accesses: float = None
    transitions: float = None
    mean: float = None      # ticks; the median is in `ticks`
    vmreads: float = None   # what `accesses` is made of
    vmwrites: float = None
    vmptrlds: float = None
    vmclears: float = None
    cycles: float = None    # by the cost model


def number(text):
    value = float(text)
    return int(value) if value == int(value) else value


def whole(value):
    return int(value) if value is not None and value == int(value) else value


def make(name, subject, ticks, counters=(), entries=None, mean=None):
    """A row of what is known: `counters` are L0's (exits and ACCESSES), `entries` L1's own VM entries. Bare there is no L0 to do anything."""
    known = dict(counters)
    if subject == "bare":
        known = {"exits": 0, **{kind: 0 for kind in ACCESSES}}
    parts = [known.get(kind) for kind in ACCESSES]
    passes = entries if subject == "bare" else known.get("exits")
    return Row(name, subject, whole(ticks), whole(known.get("exits")), None if None in parts else whole(round(sum(parts), 2)),
               None if passes is None else whole(round(2 * passes, 2)), whole(mean), *map(whole, parts))


def of_guest(lines, subject):
    """The rows that the guest `bench` has printed: "B name ticks", and name.WHAT for what else it knows of the row."""
    rows, found = [], {name: number(value) for name, value in measures(lines).items()}
    for name, ticks in found.items():
        if "." in name:
            continue
        counters = {kind: found[f"{name}.l0_{kind}"] for kind in ("exits", *ACCESSES) if f"{name}.l0_{kind}" in found}
        rows.append(make(name, subject, ticks, counters, found.get(f"{name}.entries"), found.get(f"{name}.mean")))
    return rows


def by_name(rows):
    """name -> subject -> Row, in the order of the first mention."""
    table = {}
    for row in rows:
        table.setdefault(row.name, {})[row.subject] = row
    return table


def problems(rows):
    """What is wrong with a list of rows, as plain objects (what the JSON file holds)."""
    seen, wrong = set(), []
    if not isinstance(rows, list) or not rows:
        return ["it is no array with rows"]
    for number_, row in enumerate(rows):
        where = f"row {number_}"
        if not isinstance(row, dict) or not isinstance(row.get("name"), str) or not row["name"]:
            wrong.append(f"{where} has no name")
            continue
        where = f"{row['name']} ({row.get('subject')})"
        if row.get("subject") not in SUBJECTS:
            wrong.append(f"{where}: no such subject")
        if (row["name"], row.get("subject")) in seen:
            wrong.append(f"{where} comes twice")
        seen.add((row["name"], row.get("subject")))
        for key in COUNTS:
            value = row.get(key, "missing")
            if value is None and key != "ticks":
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
                wrong.append(f"{where}: {key} is {value!r}")
    return wrong


def save(rows, path):
    lines = ",\n".join("  " + json.dumps(asdict(row)) for row in rows)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def load(path):
    """Raises ValueError with the reasons when the file is not what it should be."""
    found = json.loads(path.read_text(encoding="utf-8"))
    wrong = problems(found)
    if wrong:
        raise ValueError(f"{path}: " + "; ".join(wrong))
    known = Row.__dataclass_fields__
    return [Row(**{key: value for key, value in row.items() if key in known}) for row in found]
