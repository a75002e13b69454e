# SPDX-License-Identifier: MIT
"""The trace: a guest whose exits are known and what tools/trace makes of its ring, and `make run TRACE=1` as it is."""
import json
import re
import sys
import xml.etree.ElementTree as ElementTree

import disks
from results import CPU, SECONDS, complaints, results
from trace_schema import wrong_events

sys.path.insert(0, str(disks.ROOT / "tools"))
from tracing.rings import from_lines, from_memory  # noqa: E402  (after the path is set)

KILOBYTES = 8
CAPACITY = (KILOBYTES * 1024 - 96) // 48
ROUNDS = 5
CPUID, VMLAUNCH, VMRESUME = 10, 20, 24
FILES = ("bin", "txt", "json", "svg")


def tool(report):
    status, output = report.command([sys.executable, "tests/emu/test_trace.py"], 120)
    count = re.search(r"^Ran (\d+) tests", output, re.M)
    if status == 0 and count and int(count[1]) > 0:
        report.ok(why=f"{count[1]} cases")
    else:
        report.fail(", ".join(re.findall(r"^(?:FAIL|ERROR): (\w+)", output, re.M)) or f"status {status}; see {report.log}")


def wrong_transitions(lines, shadowing):
    """The end of the ring: an L2 with five CPUIDs, each reflected, at known places."""
    rings, complaints_of_tool = from_lines("\n".join(lines).encode())
    wrong = list(complaints_of_tool)
    where = next((int(m[1], 16) for m in (re.match(r"I l2 at 0x([0-9a-f]+)$", line) for line in lines) if m), None)
    if len(rings) != 1 or where is None:
        return wrong + [f"{len(rings)} rings, L2 at {where}"]
    ring = rings[0]
    wrong += ring.complaints
    if (ring.capacity, len(ring.records)) != (CAPACITY, CAPACITY) or ring.lost != ring.count - CAPACITY or ring.lost <= 0:
        wrong.append(f"{len(ring.records)} records in a ring of {ring.capacity}, {ring.lost} overwritten")
    # Of the first entry also: EPT violations that L0 alone handles.
    found = [(r.level, r.next, r.reason, r.rip if r.level == 2 else None) for r in ring.transitions if r.level != r.next][-2 * ROUNDS:]
    wanted = [step for i in range(ROUNDS) for step in ((1, 2, VMRESUME if i else VMLAUNCH, None), (2, 1, CPUID, where + 2 * i))]
    if found != wanted:
        wrong.append(f"the last transitions were {found}, not {wanted}")
    if not all(before.end <= after.tsc for before, after in zip(ring.records, ring.records[1:])):
        wrong.append("an exit came before the one before it was handled")
    exits_of_fields = sum(r.reason in (23, 25) for r in ring.transitions)
    if not shadowing and not exits_of_fields:
        wrong.append("L1's VMREADs and VMWRITEs were not recorded")
    return wrong


def wrong_files(report, folder, log):
    """What tools/trace writes of a log: all four files, each readable by what it is for."""
    paths = {suffix: folder / f"{log.stem}.{suffix}" for suffix in FILES}
    status, output = report.command([sys.executable, "tools/trace", str(log)] +
                                    [word for option, suffix in (("bin", "bin"), ("text", "txt"), ("json", "json"), ("svg", "svg"))
                                     for word in (f"--{option}", str(paths[suffix]))], 120)
    if status != 0:
        return [f"tools/trace: status {status}: {output.strip()[-200:]}"]
    return wrong_contents(report, paths)


def wrong_contents(report, paths):
    wrong = [f"{path.name} was not written" for path in paths.values() if not path.exists()]
    if wrong:
        return wrong
    wrong += wrong_events(json.loads(paths["json"].read_text(encoding="utf-8")))[:5]
    rings, told = from_memory(paths["bin"].read_bytes())
    lines = paths["txt"].read_text(encoding="utf-8").splitlines()
    records = sum(len(ring.records) for ring in rings)
    if told or not records or len(lines) != len(rings) + 3 + records:
        wrong.append(f"{records} records in memory, {len(lines)} lines; {told}")
    ElementTree.parse(paths["svg"])
    status, output = report.command(["rsvg-convert", str(paths["svg"]), "-o", str(paths["svg"].with_suffix(".png"))], 60)
    report.judge([] if status == 0 and paths["svg"].with_suffix(".png").stat().st_size > 5000 else [output[-200:]], "rendered")
    return wrong


def guest(setting, shadowing):
    def test(report):
        # With the monitor each character that L1 prints is an exit, and a small ring has nothing else.
        settings = [f"trace = {KILOBYTES}", "log = debug", "monitor = off"] + ([setting] if setting else [])
        result = report.machine("testudo", files=disks.guest("trace", 1, settings), cpu=CPU, seconds=SECONDS)
        wrong = [f"the run ended by {result}"] if result.end != "shutdown" else []
        wrong += [f"{name} is not as it should be" for name in complaints(result.lines)]
        wrong += [line for line in result.lines if line.endswith(": FAILED")]
        if len(results(result.lines)) < 5 or not any(re.match(r"DONE passed=\d+ failed=0$", line) for line in result.lines):
            wrong.append(f"only {len(results(result.lines))} scenarios ran, or one failed")
        report.judge(wrong, "guest", f"{len(results(result.lines))} scenarios")
        report.judge(wrong_transitions(result.lines, shadowing), "transitions", f"{ROUNDS} round trips with their RIPs")
        log = report.log.with_name(f"{report.log.stem}-testudo.log")
        report.judge(wrong_files(report, log.parent, log), "files", "text, events, picture and memory")
    return test


def two_processors(report):
    """A ring for each processor, both whole; the newest of the other's are the CPUIDs that the guest had it execute."""
    result = report.machine("testudo", files=disks.guest("trace", 1, [f"trace = {KILOBYTES}", "log = debug"]), cpu=CPU, cpus=2, seconds=SECONDS)
    wrong = [f"the run ended by {result}"] if result.end != "shutdown" else []
    wrong += [f"{name} is not as it should be" for name in complaints(result.lines)]
    wrong += [] if any(re.match(r"DONE passed=\d+ failed=0$", line) for line in result.lines) else ["a scenario failed"]
    wrong += [] if "trace.others" in results(result.lines) else ["nothing was told of the other processor"]
    rings, told = from_lines("\n".join(result.lines).encode())
    wrong += told + [complaint for ring in rings for complaint in ring.complaints]
    last = [[(r.cpu, r.level, r.next, r.reason) for r in ring.transitions][-7:] for ring in rings]
    if [ring.cpu for ring in rings] != [0, 1] or last[1] != 7 * [(1, 1, 1, CPUID)] or {r[0] for r in last[0]} != {0}:
        wrong.append(f"rings of {[ring.cpu for ring in rings]}, which end with {last}")
    report.judge(wrong, good=" and ".join(f"{len(ring.records)} records" for ring in rings))
    log = report.log.with_name(f"{report.log.stem}-testudo.log")
    report.judge(wrong_files(report, log.parent, log), "files", "text, events, picture and memory of both")


def off(report):
    """Without the setting there is no ring, and the leaf has zeros."""
    result = report.machine("testudo", files=disks.guest("trace", 1, ["log = debug"]), cpu=CPU, seconds=SECONDS)
    wrong = [f"the run ended by {result}"] if result.end != "shutdown" else []
    wrong += [] if "I no trace ring" in result.lines else ["the guest has found a ring"]
    wrong += [line for line in result.lines if "]: trace:" in line]
    report.judge(wrong, good="no ring")


def run(report):
    """What a user does; the L2 of this run is Linux."""
    status, output = report.command(["tools/run", "--backend", "bochs", "--trace"], 1200)
    wrong = [] if status == 0 else [f"status {status}: {output.strip()[-300:]}"]
    paths = {suffix: disks.BUILD / f"trace.{suffix}" for suffix in FILES}
    wrong += wrong_contents(report, paths)
    rings, _ = from_memory(paths["bin"].read_bytes()) if paths["bin"].exists() else ([], [])
    records = [r for ring in rings for r in ring.transitions]
    given, entries = (sum((r.level, r.next) == way for r in records) for way in ((2, 1), (1, 2)))
    if not rings or given < 100 or abs(given - entries) > len(rings):
        wrong.append(f"{entries} entries to L2 and {given} exits given to L1 cannot be")
    report.judge(wrong, good=f"{len(records)} transitions")


def add(suite):
    suite.add("trace/tool", tool)
    suite.add("trace/off", off)
    suite.add("trace/guest", guest("", True))
    suite.add("trace/without-shadowing", guest("shadowing = off", False))
    suite.add("trace/two-processors", two_processors)
    suite.add("trace/run", run)
