# SPDX-License-Identifier: MIT
"""Tests that need no emulator: static checks, unit tests, fuzzers, coverage, sizes."""
import os
import re

from disks import BUILD, LOADER

LOADER_LIMIT = 512 * 1024


def lint(report):
    status, output = report.command(["make", "--no-print-directory", "-s", "lint"], 600)
    bad = re.findall(r"^FAIL (\S+)", output, re.M)
    if status != 0 or bad:
        report.fail((", ".join(bad) or f"status {status}") + f"; see {report.log}")
    else:
        report.ok(why=", ".join(re.findall(r"^ok +lint\.(\S+)", output, re.M)))


def unit(program):
    def test(report):
        status, output = report.command(["tests/unit/run", program], 330)
        count = re.search(r"^unit: (\d+) passed, (\d+) failed$", output, re.M)
        if status == 0 and count and int(count[1]) > 0:
            report.ok(why=f"{count[1]} cases")
        else:
            report.fail(", ".join(re.findall(r"^\[  FAILED  \] (\w+)$", output, re.M)) or f"status {status}; see {report.log}")
    return test


def fuzz(program, seconds):
    def test(report):
        status, output = report.command(["tests/fuzz/run", str(seconds), BUILD / "fuzz", program], seconds + 180)
        count = re.search(r"(\d+) runs in", output)
        if status == 0 and count:
            report.ok(why=f"{count[1]} inputs in {seconds} s")
        else:
            report.fail(f"status {status}; see {report.log}")
    return test


def coverage(report):
    status, output = report.command(["make", "--no-print-directory", "-s", "coverage"], 600)
    total = re.search(r"^coverage: \S+ ([\d.]+ % of \d+ lines), ([\d.]+ % of \d+ branches)", output, re.M)
    if status == 0 and total:
        report.ok(why=f"{total[1]}, {total[2]}")
    else:
        report.fail(f"{total[1]} reached" if total else f"status {status}; see {report.log}")


def loader_size(report):
    size = LOADER.stat().st_size
    report.judge([f"{size} bytes, more than {LOADER_LIMIT}"] if size > LOADER_LIMIT else [], good=f"{size} bytes of {LOADER_LIMIT}")


def add(suite):
    suite.add("lint", lint)
    suite.add("size/loader", loader_size)
    suite.add("coverage", coverage)
    for program in sorted((BUILD / "unit").glob("test_*")):
        if os.access(program, os.X_OK) and program.is_file():
            suite.add(f"unit/{program.name[5:]}", unit(program))
    seconds = int(os.environ.get("FUZZ_SECONDS", "10"))
    for program in sorted((BUILD / "fuzz").glob("fuzz_*")):
        if os.access(program, os.X_OK) and program.is_file():
            suite.add(f"fuzz/{program.name[5:]}", fuzz(program, seconds))
