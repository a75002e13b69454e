# SPDX-License-Identifier: MIT
"""What numbers in a trace are called, by the tables of vmx/, and ticks in microseconds."""
import re
from pathlib import Path

from .rings import NO_ADDRESS

ROOT = Path(__file__).resolve().parents[2]
ENTRY_FAILURE = 1 << 31
# Where the processor does not tell its frequency: then a tick is shown as a nanosecond.
ASSUMED_HERTZ = 1_000_000_000

REASONS = {int(number): name for number, name in re.findall(r"^X\(\s*(\d+), (\w+),", (ROOT / "vmx/exits.def").read_text(encoding="utf-8"), re.M)}


def reason_name(reason):
    name = REASONS.get(reason & 0xffff, f"reason {reason & 0xffff}")
    return name + (" (failed entry)" if reason & ENTRY_FAILURE else "")


def owner_name(record):
    if record.level == 1:
        return "VM entry by L1" if record.next == 2 else "L0"
    return "L1" if record.owner else "L0"


def vmcs_name(address):
    return "-" if address == NO_ADDRESS else f"{address:#x}"


class Clock:
    """Microseconds since the first record of all rings."""
    def __init__(self, rings, megahertz=None):
        told = next((ring.ticks_per_second for ring in rings if ring.ticks_per_second), 0)
        self.hertz = int(megahertz * 1e6) if megahertz else told or ASSUMED_HERTZ
        self.is_known = bool(megahertz or told)
        self.start = min((ring.records[0].tsc for ring in rings if ring.records), default=0)

    def span(self, ticks):
        return ticks * 1e6 / self.hertz

    def at(self, tsc):
        return self.span(tsc - self.start)
