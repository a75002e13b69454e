# SPDX-License-Identifier: MIT
"""Trace rings out of serial logs and memory dumps (docs/tracing.md; vmx/trace.h has the structs).

Whatever is damaged, cut off or no ring at all becomes a complaint and is left out; nothing of it is guessed. Must not know what is made of the
records.
"""
import re
import struct
from dataclasses import dataclass, field

MAGIC = b"TESTUDO TRACE\r\n\0"
VERSION = 1
HEADER = struct.Struct("<16sHHHHIIQQIIQ32x")
RECORD_SIZE = 48
TRANSITION = struct.Struct("<QHBBIIBBHQQQ")
REFUSAL = struct.Struct("<QHHHHIIQQQ")
KIND_NOTHING, KIND_REFUSAL, KIND_TRANSITION = 0, 1, 2
# What no ring of Testudo's passes: the configuration has a limit.
MOST_RECORDS = (16384 << 10) // RECORD_SIZE
LINE = re.compile(rb"\btrace (\d{1,5}) (\d{1,9}) ([0-9a-f]{96}) ([0-9a-f]{8})(?![0-9a-f])")
LIKE_LINE = re.compile(rb"\btrace \d+ \d+ [0-9a-f]{2}")
NO_ADDRESS = (1 << 64) - 1


def checksum(data):
    """FNV-1a of 32 bits."""
    result = 0x811c9dc5
    for byte in data:
        result = (result ^ byte) * 0x01000193 & 0xffffffff
    return result


@dataclass
class Transition:
    number: int
    tsc: int
    level: int
    next: int
    reason: int
    cost: int
    owner: int      # 0: L0 handled it, 1: L1
    way: int        # 0: the quick one
    cpu: int
    qualification: int
    rip: int
    vmcs: int
    follows: bool = False   # every record since the transition before it is there

    @property
    def end(self):
        return self.tsc + self.cost

    @property
    def basic(self):
        return self.reason & 0xffff


@dataclass
class Refusal:
    number: int
    tsc: int
    rule: int
    result: int
    field: int
    value: int
    vmcs: int
    detail: int


@dataclass
class Ring:
    cpu: int
    capacity: int
    ticks_per_second: int
    address: int
    count: int
    is_on: bool
    records: list = field(default_factory=list)
    complaints: list = field(default_factory=list)
    raw: bytes = b""        # header and records, as far as they were found

    @property
    def lost(self):
        """Records that newer ones have overwritten."""
        return max(0, self.count - self.capacity)

    @property
    def transitions(self):
        return [r for r in self.records if isinstance(r, Transition)]


def parse_header(data):
    """A Ring without records, or why it is none."""
    if len(data) < HEADER.size:
        return "the header is cut off"
    magic, version, header_size, record_size, cpu, capacity, _, hertz, address, total, is_on, count = HEADER.unpack_from(data)
    if magic != MAGIC:
        return "no magic"
    if total != checksum(data[:RECORD_SIZE]):
        return "the header's checksum is wrong"
    if version != VERSION or header_size != HEADER.size or record_size != RECORD_SIZE:
        return f"version {version}, of which this tool knows nothing"
    if not 0 < capacity <= MOST_RECORDS:
        return f"a ring of {capacity} records"
    return Ring(cpu, capacity, hertz, address, count, bool(is_on), raw=bytes(data[:HEADER.size]))


def parse_record(data, number, cpu):
    """A Transition or Refusal, None for an empty place, or a complaint."""
    kind = struct.unpack_from("<H", data, 8)[0]
    if kind == KIND_TRANSITION:
        tsc, _, *rest = TRANSITION.unpack(data)
        result = Transition(number, tsc, *rest)
        good = result.level in (1, 2) and result.next in (1, 2) and result.owner in (0, 1) and result.way in (0, 1) and result.cpu == cpu
        return result if good else f"record {number} makes no sense"
    if kind == KIND_REFUSAL:
        tsc, _, rule, result, _, vmcs_field, _, value, vmcs, detail = REFUSAL.unpack(data)
        return Refusal(number, tsc, rule, result, vmcs_field, value, vmcs, detail)
    return None if kind == KIND_NOTHING and not any(data) else f"record {number} is of kind {kind}, which does not exist"


def number_at(ring, place):
    """Which of all records ever written is at that place; None: none yet."""
    if place >= min(ring.count, ring.capacity):
        return None
    return ring.count - 1 - (ring.count - 1 - place) % ring.capacity


def fill(ring, places):
    """`places`: the bytes at each place that was found."""
    missing = 0
    for place in range(min(ring.count, ring.capacity)):
        ring.raw += places.get(place, bytes(RECORD_SIZE))
        if place not in places:
            missing += 1
            continue
        record = parse_record(places[place], number_at(ring, place), ring.cpu)
        if isinstance(record, str):
            ring.complaints.append(record)
        elif record:
            ring.records.append(record)
    if missing:
        ring.complaints.append(f"{missing} records are missing")
    # The ring may have gone on while it was read, so that a place has a newer record than its number says.
    ring.records.sort(key=lambda r: r.tsc)
    found = {record.number for record in ring.records}
    for before, after in zip(ring.transitions, ring.transitions[1:]):
        after.follows = before.number < after.number and all(n in found for n in range(before.number, after.number))
    return ring


def from_memory(data):
    """Rings found by their magic, and complaints about what only looks like one."""
    rings, complaints, at = [], [], -1
    while (at := data.find(MAGIC, at + 1)) >= 0:
        ring = parse_header(data[at:at + HEADER.size])
        if isinstance(ring, str):
            # The magic alone is in the image of each Testudo, too.
            if ring != "the header's checksum is wrong":
                complaints.append(f"at {at:#x}: {ring}")
            continue
        first, places = at + HEADER.size, {}
        for place in range(min(ring.count, ring.capacity)):
            record = data[first + place * RECORD_SIZE:first + (place + 1) * RECORD_SIZE]
            if len(record) < RECORD_SIZE:
                break
            places[place] = record
        rings.append(fill(ring, places))
    return rings, complaints


def from_lines(data):
    """Rings out of the lines of dumps between other text. Of several dumps of a processor the last one counts."""
    dumps, current, damaged = {}, {}, 0
    for line in data.splitlines():
        found = LINE.search(line)
        if not found:
            damaged += bool(LIKE_LINE.search(line))
            continue
        cpu, number, body = int(found[1]), int(found[2]), bytes.fromhex(found[3].decode())
        if checksum(struct.pack("<QQ", cpu, number) + body) != int(found[4], 16):
            damaged += 1
            continue
        if number == 0:
            current[cpu] = dumps[cpu] = {}
        # Where the first line is damaged no later one says what they belong to.
        if cpu in current:
            current[cpu][number] = body
    complaints = [f"{damaged} lines of a dump are damaged"] if damaged else []
    rings = []
    for cpu, lines in sorted(dumps.items()):
        ring = parse_header(lines[0] + lines.get(1, b""))
        if isinstance(ring, str):
            complaints.append(f"processor {cpu}: {ring}")
        elif ring.cpu != cpu:
            complaints.append(f"processor {cpu}: the header is that of {ring.cpu}")
        else:
            rings.append(fill(ring, {number - 2: body for number, body in lines.items() if number >= 2}))
    return rings, complaints
