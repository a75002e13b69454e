# SPDX-License-Identifier: MIT
"""A trace as trace-event JSON, the format that Perfetto and Chrome's viewer open: a process for each processor with a thread for each level.

On L0's thread a slice is an exit while L0 handles it, on L1's and L2's it is how long they ran; arrows lead from each exit of L2 that is L1's to L1.
Where records are missing nothing is drawn.
"""
from .names import owner_name, reason_name, vmcs_name
from .rings import Refusal

LEVELS = (0, 1, 2)
COLOURS = {"L0": "thread_state_running", "L1": "thread_state_iowait", "VM entry by L1": "thread_state_runnable"}


def metadata(process, name):
    common = {"ph": "M", "pid": process, "ts": 0}
    yield {**common, "name": "process_name", "tid": 0, "args": {"name": name}}
    for level in LEVELS:
        yield {**common, "name": "thread_name", "tid": level, "args": {"name": f"L{level}"}}
        yield {**common, "name": "thread_sort_index", "tid": level, "args": {"sort_index": level}}


def exit_event(record, limit, clock):
    """`limit`: the next exit, until which L0 must have been done."""
    owner = owner_name(record)
    return {"ph": "X", "name": reason_name(record.reason), "cat": "exit", "tid": 0, "ts": clock.at(record.tsc),
            "dur": clock.span(min(record.end, limit) - record.tsc), "cname": COLOURS[owner],
            "args": {"from": f"L{record.level}", "to": f"L{record.next}", "handled by": owner, "way": "long" if record.way else "quick",
                     "ticks": record.cost, "rip": f"{record.rip:#x}", "qualification": f"{record.qualification:#x}",
                     "reason": record.reason, "vmcs": vmcs_name(record.vmcs)}}


def run_event(before, after, clock):
    """How long the level ran that was entered; None where something is missing between them."""
    if not after.follows or after.tsc < before.end or before.next != after.level:
        return None
    return {"ph": "X", "name": f"L{after.level}", "cat": "run", "tid": after.level, "ts": clock.at(before.end),
            "dur": clock.span(after.tsc - before.end), "args": {"until": reason_name(after.reason), "vmcs": vmcs_name(after.vmcs)}}


def arrow(record, number, clock):
    common = {"cat": "reflected", "name": "given to L1", "id": number}
    yield {"ph": "s", "tid": 0, "ts": clock.at(record.tsc), **common}
    yield {"ph": "f", "bp": "e", "tid": 1, "ts": clock.at(record.end), **common}


def refusal_event(record, clock):
    return {"ph": "i", "name": f"VM entry refused, rule {record.rule}", "cat": "refusal", "s": "t", "tid": 0, "ts": clock.at(record.tsc),
            "args": {"field": f"{record.field:#x}", "value": f"{record.value:#x}", "vmcs": vmcs_name(record.vmcs)}}


def of_ring(ring, clock, numbers):
    for record in ring.records:
        if isinstance(record, Refusal):
            yield refusal_event(record, clock)
    found = ring.transitions
    for before, record, following in zip([None] + found, found, found[1:] + [None]):
        run = run_event(before, record, clock) if before else None
        if run:
            yield run
        if run and before.level == 2 and before.next == 1:
            yield from arrow(before, next(numbers), clock)
        yield exit_event(record, following.tsc if following else record.end, clock)


def processes(rings):
    """A number and a name for each ring: its processor's, unless Testudos on each other have rings of the same."""
    taken = set()
    for ring in rings:
        number, name = ring.cpu, f"processor {ring.cpu}"
        if number in taken:
            number, name = 1000 + len(taken), f"{name}, ring at {ring.address:#x}"
        taken.add(number)
        yield number, name, ring


def events(rings, clock):
    """The whole file as an object."""
    numbers = iter(range(1, 1 << 62))
    all_events = []
    for process, name, ring in processes(rings):
        all_events += metadata(process, name)
        all_events += [{**event, "pid": process} for event in of_ring(ring, clock, numbers)]
    return {"traceEvents": all_events, "displayTimeUnit": "ns",
            "otherData": {"program": "Testudo", "hertz": clock.hertz, "overwritten": sum(ring.lost for ring in rings)}}
