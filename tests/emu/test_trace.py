#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Unit tests of tools/trace on made-up rings: whole, empty, overwritten, cut off, damaged, between garbage; and of what it writes."""
import json
import random
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from trace_schema import wrong_events  # noqa: E402  (after the path is set)
from tracing.events import events  # noqa: E402
from tracing.listing import listing  # noqa: E402
from tracing.names import REASONS, Clock  # noqa: E402
from tracing.picture import by_reason, picture, time_by_level  # noqa: E402
from tracing.rings import MAGIC, NO_ADDRESS, checksum, from_lines, from_memory  # noqa: E402

CPUID, VMLAUNCH, VMRESUME = 10, 20, 24
RIP = 0xffffffff81000000


def transition(tsc, level, following, reason, cost=10, owner=0, cpu=0, way=0):
    vmcs = NO_ADDRESS if level == following == 1 else 0x7000
    return struct.pack("<QHBBIIBBHQQQ", tsc, 2, level, following, reason, cost, owner, way, cpu, 0, RIP, vmcs)


def refusal(tsc):
    return struct.pack("<QHHHHIIQQQ", tsc, 1, 451, 0x8021, 0, 0x6820, 0, 0, 0x7000, 4)


def header(count, capacity, cpu=0, hertz=1_000_000_000, version=1):
    first = struct.pack("<16sHHHHIIQQ", MAGIC, version, 96, 48, cpu, capacity, 0, hertz, 0x12345000)
    return first + struct.pack("<IIQ32x", checksum(first), 1, count)


def round_trips(count, start=1000, cpu=0):
    """VMRESUME and CPUID in turn, 100 ticks apart."""
    return [transition(start + 100 * i, 2 if i % 2 else 1, 1 if i % 2 else 2, CPUID if i % 2 else VMRESUME, owner=i % 2, cpu=cpu)
            for i in range(count)]


def ring(records, capacity, cpu=0):
    """Memory of a ring that all of `records` went through."""
    places = [bytes(48)] * capacity
    for number, record in enumerate(records):
        places[number % capacity] = record
    return header(len(records), capacity, cpu) + b"".join(places)


def lines(memory, cpu=0, count=None):
    out = []
    for number in range(len(memory) // 48 if count is None else count):
        body = memory[48 * number:48 * number + 48]
        out.append(f"testudo[{cpu}]: trace {cpu} {number} {body.hex()} {checksum(struct.pack('<QQ', cpu, number) + body):08x}")
    return out


def as_log(rows):
    return ("\r\n".join(rows) + "\r\n").encode()


class Memory(unittest.TestCase):
    def test_whole_ring(self):
        (one,), complaints = from_memory(bytes(100) + ring(round_trips(10), 20) + bytes(7))
        self.assertEqual((len(one.records), one.lost, complaints, one.complaints), (10, 0, [], []))
        self.assertEqual([r.reason for r in one.records[:2]], [VMRESUME, CPUID])
        self.assertEqual((one.records[0].rip, one.records[0].cost, one.records[1].owner), (RIP, 10, 1))
        self.assertEqual([r.follows for r in one.records], [False] + [True] * 9)

    def test_full_and_overwritten(self):
        for count in (20, 21, 39, 40, 55):
            (one,), _ = from_memory(ring(round_trips(count), 20))
            self.assertEqual((len(one.records), one.lost), (20, count - 20))
            self.assertEqual([r.tsc for r in one.records], [1000 + 100 * i for i in range(count - 20, count)])
            self.assertEqual([r.number for r in one.records], list(range(count - 20, count)))

    def test_empty_ring(self):
        (one,), complaints = from_memory(ring([], 20))
        self.assertEqual((one.records, one.lost, complaints, one.complaints), ([], 0, [], []))

    def test_rings_of_several_processors_in_garbage(self):
        noise = random.Random(1)
        data = b"".join(noise.randbytes(noise.randrange(300)) + ring(round_trips(9, cpu=cpu), 8, cpu) for cpu in range(3)) + noise.randbytes(99)
        rings, complaints = from_memory(data)
        self.assertEqual(([r.cpu for r in rings], [len(r.records) for r in rings], complaints), ([0, 1, 2], [8, 8, 8], []))

    def test_magic_alone_is_no_ring(self):
        self.assertEqual(from_memory(b"abc" + MAGIC + bytes(500)), ([], []))
        self.assertEqual(from_memory(MAGIC + bytes(3)), ([], ["at 0x0: the header is cut off"]))

    def test_other_version_is_told(self):
        rings, complaints = from_memory(header(0, 8, version=2) + bytes(400))
        self.assertEqual((rings, len(complaints)), ([], 1))
        self.assertIn("version 2", complaints[0])

    def test_cut_off(self):
        whole = ring(round_trips(20), 20)
        for size in (96, 97, 143, 144, 500, len(whole) - 1):
            (one,), _ = from_memory(whole[:size])
            self.assertEqual(len(one.records), (size - 96) // 48)
            self.assertEqual(one.complaints, [f"{20 - (size - 96) // 48} records are missing"])

    def test_damaged_records_are_left_out(self):
        records = round_trips(6)
        records[2] = transition(1200, 7, 1, CPUID)
        records[4] = b"\xff" * 48
        (one,), _ = from_memory(ring(records, 8))
        self.assertEqual([r.number for r in one.records], [0, 1, 3, 5])
        self.assertEqual(len(one.complaints), 2)
        self.assertEqual([r.follows for r in one.records], [False, True, False, False])

    def test_impossible_headers(self):
        for capacity in (0, 1 << 31):
            rings, complaints = from_memory(header(5, capacity))
            self.assertEqual((rings, len(complaints)), ([], 1))

    def test_random_bytes_never_stop_it(self):
        noise, whole = random.Random(2), ring(round_trips(30), 20)
        for _ in range(300):
            data = bytearray(whole)
            for _ in range(noise.randrange(1, 40)):
                data[noise.randrange(len(data))] = noise.randrange(256)
            rings, _ = from_memory(bytes(data[:noise.randrange(len(data))]))
            clock = Clock(rings)
            listing(rings, clock)
            ElementTree.fromstring(picture(rings, clock))
            self.assertEqual(wrong_events(json.loads(json.dumps(events(rings, clock)))), [])


class Lines(unittest.TestCase):
    def test_between_other_lines(self):
        rows = [row for line in lines(ring(round_trips(10), 10)) for row in ("[    1.2] Linux says trace 1", line)]
        (one,), complaints = from_lines(as_log(rows))
        self.assertEqual((len(one.records), complaints, one.complaints), (10, [], []))
        self.assertEqual(one.raw, ring(round_trips(10), 10))

    def test_lines_not_yet_used_are_not_missed(self):
        (one,), complaints = from_lines(as_log(lines(ring(round_trips(3), 10), count=5)))
        self.assertEqual((len(one.records), complaints, one.complaints), (3, [], []))

    def test_a_damaged_line_is_one_record(self):
        rows = lines(ring(round_trips(10), 10))
        rows[5] = rows[5][:70] + ("0" if rows[5][70] != "0" else "1") + rows[5][71:]
        rows[6] = rows[6][:90]
        (one,), complaints = from_lines(as_log(rows))
        self.assertEqual((len(one.records), complaints, one.complaints),
                         (8, ["2 lines of a dump are damaged"], ["2 records are missing"]))

    def test_a_line_of_another_number_is_damaged(self):
        rows = lines(ring(round_trips(10), 10))
        rows[7] = rows[7].replace("trace 0 7", "trace 0 8")
        (one,), complaints = from_lines(as_log(rows))
        self.assertEqual((len(one.records), complaints), (9, ["1 lines of a dump are damaged"]))

    def test_cut_off(self):
        (one,), _ = from_lines(as_log(lines(ring(round_trips(10), 10))[:7]))
        self.assertEqual((len(one.records), one.complaints), (5, ["5 records are missing"]))

    def test_without_its_header(self):
        rows = lines(ring(round_trips(10), 10))
        self.assertEqual(from_lines(as_log(rows[1:])), ([], []))
        rings, complaints = from_lines(as_log(rows[:1] + rows[2:]))
        self.assertEqual((rings, complaints), ([], ["processor 0: the header is cut off"]))

    def test_the_last_dump_counts(self):
        rows = lines(ring(round_trips(10), 10)) + lines(ring(round_trips(4, start=9000), 10), count=6)
        (one,), _ = from_lines(as_log(rows))
        self.assertEqual([r.tsc for r in one.records], [9000, 9100, 9200, 9300])

    def test_processors_whose_lines_alternate(self):
        both = zip(lines(ring(round_trips(10, cpu=0), 10, 0), 0), lines(ring(round_trips(10, cpu=1), 10, 1), 1))
        rings, complaints = from_lines(as_log([line for pair in both for line in pair]))
        self.assertEqual(([len(r.records) for r in rings], complaints), ([10, 10], []))

    def test_a_ring_that_goes_on_while_it_is_read(self):
        """Places that were overwritten behind the header's back stand at their time."""
        places = round_trips(10)
        places[0] = transition(2000, 1, 2, VMRESUME)
        (one,), _ = from_lines(as_log(lines(header(10, 10) + b"".join(places))))
        self.assertEqual([r.tsc for r in one.records], [*range(1100, 2000, 100), 2000])
        self.assertFalse(one.records[-1].follows)

    def test_garbage(self):
        noise = random.Random(3)
        self.assertEqual(from_lines(b""), ([], []))
        from_lines(noise.randbytes(20000))


class Written(unittest.TestCase):
    def setUp(self):
        records = [transition(1000, 1, 2, VMLAUNCH, 50), transition(1150, 2, 2, 48, 20, 0), transition(1300, 2, 1, CPUID, 30, 1),
                   refusal(1400), transition(1390, 1, 1, VMRESUME, 40), transition(1500, 1, 2, VMRESUME, 50)]
        self.rings, _ = from_memory(ring(records, 8))
        self.clock = Clock(self.rings)

    def test_time_by_level(self):
        # L0: all costs; L2: 1050-1150, 1170-1300; L1: 1330-1390, 1430-1500.
        self.assertEqual(time_by_level(self.rings[0]), [190, 130, 230])

    def test_by_reason(self):
        counts = {name: {kind: len(some) for kind, some in kinds.items()} for name, kinds in by_reason(self.rings)}
        self.assertEqual(counts, {"VMLAUNCH": {"entry": 1}, "EPT_VIOLATION": {"l2_l0": 1}, "CPUID": {"l2_l1": 1},
                                  "VMRESUME": {"l1": 1, "entry": 1}})

    def test_events(self):
        written = json.loads(json.dumps(events(self.rings, self.clock)))
        self.assertEqual(wrong_events(written), [])
        drawn = [(e["tid"], e["name"], e["ts"], e["dur"]) for e in written["traceEvents"] if e["ph"] == "X"]
        self.assertIn((0, "CPUID", 0.3, 0.03), drawn)
        self.assertIn((2, "L2", 0.05, 0.1), drawn)
        self.assertEqual(sum(e["ph"] == "s" for e in written["traceEvents"]), 1)
        self.assertEqual(sum(e["ph"] == "i" for e in written["traceEvents"]), 1)

    def test_nothing_is_drawn_across_a_gap(self):
        records = round_trips(6)
        records[2] = b"\xff" * 48
        rings, _ = from_memory(ring(records, 8))
        runs = [e for e in events(rings, Clock(rings))["traceEvents"] if e.get("cat") == "run"]
        self.assertEqual(len(runs), 3)

    def test_the_checker_refuses(self):
        good = events(self.rings, self.clock)
        for change in ({"ph": "Y"}, {"ts": "1"}, {"dur": -1}, {"pid": None}, {"name": ""}, {"ts": float("nan")}):
            bad = json.loads(json.dumps(good))
            next(e for e in bad["traceEvents"] if e["ph"] == "X").update(change)
            self.assertNotEqual(wrong_events(bad), [], change)
        self.assertNotEqual(wrong_events({}), [])
        lonely = json.loads(json.dumps(good))
        lonely["traceEvents"] = [e for e in lonely["traceEvents"] if e["ph"] != "f"]
        self.assertNotEqual(wrong_events(lonely), [])

    def test_picture(self):
        root = ElementTree.fromstring(picture(self.rings, self.clock))
        words = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
        self.assertIn("EPT_VIOLATION", words)
        self.assertTrue(any("L0 34.5 %" in word for word in words), words)

    def test_listing(self):
        text = listing(self.rings, self.clock).splitlines()
        self.assertEqual(len(text), 4 + 6)
        self.assertRegex(text[6], r"0\.300 +0 L2 +L1 CPUID +L1 +quick +30 +0xffffffff81000000")
        self.assertTrue(any("refused: rule 451" in line for line in text))

    def test_unknown_frequency_is_told(self):
        data = bytearray(ring(round_trips(2), 4))
        first = struct.pack("<16sHHHHIIQQ", MAGIC, 1, 96, 48, 0, 4, 0, 0, 0)
        data[:52] = first + struct.pack("<I", checksum(first))
        rings, _ = from_memory(bytes(data))
        self.assertIn("assumed", listing(rings, Clock(rings)))
        self.assertNotIn("assumed", listing(rings, Clock(rings, megahertz=2400)))

    def test_names_come_from_the_table(self):
        self.assertEqual((REASONS[10], REASONS[48]), ("CPUID", "EPT_VIOLATION"))
        self.assertGreater(len(REASONS), 50)


class Program(unittest.TestCase):
    def run_it(self, data, *options):
        with tempfile.TemporaryDirectory(prefix="testudo-trace.") as folder:
            path = Path(folder) / "in"
            path.write_bytes(data)
            done = subprocess.run([sys.executable, ROOT / "tools/trace", path, *options], capture_output=True, text=True, cwd=folder)
            return done, {p.name: p.read_bytes() for p in Path(folder).iterdir() if p.name != "in"}

    def test_memory_to_all(self):
        memory = ring(round_trips(30), 20)
        done, files = self.run_it(bytes(64) + memory, "--memory", "--text", "t", "--json", "j", "--svg", "s", "--bin", "b")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertEqual(wrong_events(json.loads(files["j"])), [])
        ElementTree.fromstring(files["s"])
        self.assertEqual(files["b"], memory)
        self.assertIn(b"10 older ones overwritten", files["t"])

    def test_no_ring(self):
        done, _ = self.run_it(b"nothing here")
        self.assertEqual(done.returncode, 2)
        self.assertIn("trace = on", done.stderr)

    def test_damage_is_told(self):
        done, _ = self.run_it(ring(round_trips(20), 20)[:-60], "--memory")
        self.assertEqual(done.returncode, 1)
        self.assertIn("2 records are missing", done.stderr)
        self.assertIn("2 records are missing", done.stdout)

    def test_no_file(self):
        done = subprocess.run([sys.executable, ROOT / "tools/trace", "/nonexistent"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("No such file", done.stderr)


if __name__ == "__main__":
    unittest.main()
