# SPDX-License-Identifier: MIT
"""What a file of trace events must be for Perfetto and Chrome's viewer, member by member: the "JSON Object Format" of the Trace Event Format.

Stricter than the viewers, which pass over in silence what they do not understand. Must not know how the file was made.
"""
import math


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_time(value):
    return is_number(value) and value >= 0


def is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_name(value):
    return isinstance(value, str) and value != ""


COMMON = {"name": is_name, "ph": is_name, "ts": is_time, "pid": is_whole, "tid": is_whole}
# What each phase must have besides, and may have.
PHASES = {
    "X": ({"dur": is_time, "cat": is_name, "args": lambda v: isinstance(v, dict)}, {"cname": is_name}),
    "M": ({"args": lambda v: isinstance(v, dict) and len(v) == 1}, {}),
    "i": ({"s": lambda v: v in ("g", "p", "t"), "cat": is_name}, {"args": lambda v: isinstance(v, dict)}),
    "s": ({"id": is_whole, "cat": is_name}, {}),
    "f": ({"id": is_whole, "cat": is_name, "bp": lambda v: v == "e"}, {}),
}
METADATA = {"process_name": "name", "thread_name": "name", "thread_sort_index": "sort_index"}


def wrong_event(event):
    """Complaints about one event."""
    if not isinstance(event, dict):
        return ["is no object"]
    if event.get("ph") not in PHASES:
        return [f"phase {event.get('ph')!r} is not among {', '.join(PHASES)}"]
    needed, allowed = PHASES[event["ph"]]
    needed = {**COMMON, **needed}
    wrong = [f"{name} is missing" for name in needed if name not in event]
    wrong += [f"{name} is unknown" for name in event if name not in needed and name not in allowed]
    wrong += [f"{name} is {event[name]!r}" for name, good in {**needed, **allowed}.items() if name in event and not good(event[name])]
    if event["ph"] == "M" and not wrong and set(event["args"]) != {METADATA.get(event["name"])}:
        wrong.append(f"metadata {event['name']} has {event['args']}")
    return wrong


def wrong_flows(found):
    """Each arrow has one begin and one end, not before it."""
    ends = {}
    for event in found:
        if event.get("ph") in ("s", "f"):
            ends.setdefault(event["id"], []).append((event["ts"], event["ph"]))
    return [f"arrow {number}: {sorted(some)}" for number, some in ends.items() if [ph for _, ph in sorted(some, key=lambda e: (e[0], -ord(e[1])))] != ["s", "f"]]


def wrong_nesting(found):
    """Slices of a thread must not overlap: the viewers would draw them over each other, or not at all."""
    wrong, threads = [], {}
    for event in found:
        if event.get("ph") == "X":
            threads.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["dur"]))
    for thread, slices in threads.items():
        end = 0
        for begin, length in sorted(slices):
            # Microseconds are rounded.
            if begin < end - 1e-3:
                wrong.append(f"processor {thread[0]}, L{thread[1]}: slices overlap at {begin}")
            end = max(end, begin + length)
    return wrong


def wrong_events(whole):
    """All complaints; an empty list means that the file is good."""
    if not isinstance(whole, dict) or not isinstance(whole.get("traceEvents"), list):
        return ["there is no list traceEvents"]
    wrong = [f"{name} is unknown" for name in whole if name not in ("traceEvents", "displayTimeUnit", "otherData")]
    if whole.get("displayTimeUnit") not in ("ms", "ns"):
        wrong.append("displayTimeUnit is neither ms nor ns")
    for number, event in enumerate(whole["traceEvents"]):
        wrong += [f"event {number}: {complaint}" for complaint in wrong_event(event)]
    return wrong or wrong_flows(whole["traceEvents"]) + wrong_nesting(whole["traceEvents"])
