# SPDX-License-Identifier: MIT
"""The same answers as bare: the guests' scenarios and random launches, on one Testudo or on several, compared with the bare machine.

`make same` runs all of it at one depth (tests/same); `make check` a part. The depth is the number of the innermost guest: at depth 2 the guest
hypervisor is L1 and its guest L2, at depth 4 L0, L1 and L2 are Testudo, the guest hypervisor is L3 and its guest L4.
"""
import disks
from borders import NOT_OFFERED, TWO_FAILURES, read_run, unexplained
from differences import RULES, SAVED, SCENARIOS
from results import BARE, CPU, TALLY, judge, ran, results
from suite_guests import ELSEWHERE

CHECK_SEED, CHECK_LAUNCHES = 1, 2000
LAUNCH_FAULTS = RULES | {fault.name: fault for fault in SAVED.values()}
SETTINGS = ["log = debug"]
# `bench` only measures, and `stop` belongs to the self-tests.
WITHOUT_RESULTS = ("bench", "stop")
SECONDS_FOR_A_DEPTH = {2: 300, 3: 1200, 4: 3600}
# From this depth on the guests take fewer random steps, bare and on Testudo alike.
DEEP, DEEP_OPTIONS = 4, "steps=300"
# Each character of a line costs the time of a serial port: on a slow machine fewer instructions.
LAUNCH_IPS = 20000000


def seconds(depth):
    return SECONDS_FOR_A_DEPTH.get(depth, 12 * 3600)


def levels(report, result, depth):
    """As many Testudos as were asked for must have been there."""
    launches = sum("1 of 1 processors run under Testudo" in line for line in result.lines)
    report.judge([] if launches == depth - 1 else [f"{launches} launches of Testudo instead of {depth - 1}"], "levels",
                 f"{depth - 1} of Testudo beneath the guest hypervisor")


def progress(report, prefix, expected):
    """Tells how many of the expected lines there are yet: deep runs take long."""
    seen = 0

    def on_line(_, line):
        nonlocal seen
        if line.startswith(prefix):
            seen += 1
            report.reached(f", {seen} of {expected}")
    return on_line


def scenarios(name, depth):
    def test(report):
        options = DEEP_OPTIONS if depth >= DEEP else ""
        bare = BARE.get(report, name, options=options)
        result = report.machine("testudo", files=disks.guest(name, depth - 1, SETTINGS, options), cpu=CPU, seconds=seconds(depth),
                                on_line=progress(report, "T ", len(results(bare.lines))))
        levels(report, result, depth)
        judge(report, bare, result)
    return test


def launches(depth, count, seed):
    options = f"seed={seed} launches={count}"

    def run(report, part, testudos):
        return report.machine(part, files=disks.guest("borders", testudos, SETTINGS, options), cpu=CPU, ips=LAUNCH_IPS,
                              seconds=seconds(depth) + count / 10, on_line=progress(report, "L ", count))

    def test(report):
        report.note(f"{report.name}: seed {seed}, {count} launches")
        bare, result = run(report, "bare", 0), run(report, "testudo", depth - 1)
        levels(report, result, depth)
        for way, one in (("bare", bare), ("testudo", result)):
            wrong = ran(one, set())
            found = len(read_run(one.lines).launches)
            report.judge(wrong + ([] if found == count else [f"{found} launches instead of {count}"]), way, f"{found} launches, {one}")
        judge_launches(report, bare, result)
    return test


def judge_launches(report, bare, result):
    first, second = read_run(bare.lines), read_run(result.lines)
    differences, served, silent = unexplained(first, second)
    for name, text in differences.items():
        report.fail(text, name)
    if not differences:
        report.ok("same", f"{len(first.launches)} launches agree")
    report.judge([f"{len(silent)} refusals without a reason: " + "; ".join(silent[:3])] if silent else [], "reasons", "every refusal has its reason")
    for why, times in sorted(served.items()):
        report.note(f"{times:6} launches explained: {why}" + (f" - {LAUNCH_FAULTS[why]}" if why in LAUNCH_FAULTS else ""))
    unequal = [name for name, said in results(bare.lines).items() if results(result.lines).get(name) != said]
    report.judge([f"{name} is not the same" for name in unequal], "kinds", f"{len(results(bare.lines))} kinds of L2")
    TALLY.add(seen=results(bare.lines), launches=len(first.launches), differences=len(differences) + len(unequal),
              explained=sum(times for why, times in served.items() if why != NOT_OFFERED), not_offered=served.get(NOT_OFFERED, 0),
              needed=[why for why in served if why not in (NOT_OFFERED, TWO_FAILURES)])


def guests():
    names = sorted(image.stem for image in (disks.BUILD / "guests").glob("*.efi"))
    return [name for name in names if name not in WITHOUT_RESULTS + ELSEWHERE]


def add_all(suite, depth, count, seed):
    for name in guests():
        suite.add(f"same/{name}", scenarios(name, depth))
    suite.add("same/borders", launches(depth, count, seed))


def add(suite):
    """In `make check` the group `guests` compares all scenarios at depth 2; this is what it does not."""
    suite.add("same/borders", launches(2, CHECK_LAUNCHES, CHECK_SEED))
    suite.add("same/depth-3/borders", launches(3, 200, CHECK_SEED))
    for name in ("hyper", "insn"):
        suite.add(f"same/depth-3/{name}", scenarios(name, 3))
    suite.add("same/depth-4/borders", launches(4, 60, CHECK_SEED))


def summary():
    """The lines at the end of `make same`."""
    possible = {name for name in SCENARIOS if name in TALLY.seen} | (set(LAUNCH_FAULTS) if TALLY.launches else set())
    lines = [f"in tests/emu/differences.py, but not needed by this run: {name}" for name in sorted(possible - TALLY.needed)]
    excused = len(TALLY.excused)
    lines.append(f"{excused} scenarios were not compared, because the emulator goes wrong on the bare machine: on Testudo only the guest judged them")
    return lines + [f"{TALLY.scenarios - excused} scenarios, {TALLY.launches} launches: {TALLY.differences} differences; {TALLY.explained} launches "
                    f"explained by what the emulator does not check, {TALLY.not_offered} by controls that are not offered"]
