# SPDX-License-Identifier: MIT
"""A trace as text: one line for each transition, in the order of time, and what is missing."""
from .names import owner_name, reason_name, vmcs_name
from .rings import Refusal

HEAD = f"{'microseconds':>16} {'CPU':>3} {'from':4} {'to':2} {'exit':36} {'handled by':14} {'way':5} {'ticks':>8} {'RIP':>18} {'qualification':>18} VMCS of L2"


def transition(record, clock):
    return (f"{clock.at(record.tsc):16.3f} {record.cpu:3} L{record.level:<3} L{record.next} {reason_name(record.reason):36} {owner_name(record):14} "
            f"{'quick' if record.way == 0 else 'long':5} {record.cost:8} {record.rip:#18x} {record.qualification:#18x} {vmcs_name(record.vmcs)}")


def refusal(record, cpu, clock):
    return (f"{clock.at(record.tsc):16.3f} {cpu:3} VM entry refused: rule {record.rule} (docs/refusals.md), field {record.field:#x} = "
            f"{record.value:#x}, VMCS {vmcs_name(record.vmcs)}")


def listing(rings, clock):
    lines = [f"processor {ring.cpu}: {len(ring.records)} records, {ring.lost} older ones overwritten" +
             "".join(f"; {complaint}" for complaint in ring.complaints) for ring in rings]
    lines.append(f"time-stamp counter: {clock.hertz / 1e6:,.0f} MHz" + ("" if clock.is_known else ", assumed: the processor does not tell"))
    lines += ["", HEAD]
    for record, cpu in sorted(((r, ring.cpu) for ring in rings for r in ring.records), key=lambda pair: pair[0].tsc):
        lines.append(refusal(record, cpu, clock) if isinstance(record, Refusal) else transition(record, clock))
    return "\n".join(lines) + "\n"
