#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks what a reader of the tree may rely on, line by line, and names each breach as FILE:LINE.

Licence line at the head, indentation by tabs in C and assembly, no blanks at line ends, lines of at most 140 columns (tabs count 8), a line
feed at the end, no file of C or assembly above 700 lines. Prints one verdict line; exit status 0 only if nothing was found.
"""
import subprocess
import sys

COLUMNS = 140
LINES = 700
SOURCES = (".c", ".h", ".def", ".asm", ".in", ".mk", ".py", ".sh", ".ld")


def breaches(path):
    text = open(path, encoding="utf-8").read()
    lines = text.split("\n")
    code = path.endswith((".c", ".h", ".asm"))
    if not any("SPDX-License-Identifier: MIT" in line for line in lines[:3]):
        yield 1, "has no licence line"
    if lines.pop() != "":
        yield len(lines), "does not end in a line feed"
    if code and len(lines) > LINES:
        yield len(lines), f"is longer than {LINES} lines"
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield number, "ends in a blank"
        if code and line.startswith("        "):
            yield number, "is indented by blanks"
        if path.endswith((".c", ".h", ".asm", ".def")) and len(line.expandtabs(8)) > COLUMNS:
            yield number, f"is longer than {COLUMNS} columns"


def main():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True).stdout
    found = checked = 0
    for path in listed.splitlines():
        if not path.endswith(SOURCES):
            continue
        try:
            for number, breach in breaches(path):
                print(f"{path}:{number}: {breach}")
                found += 1
            checked += 1
        except FileNotFoundError:
            continue  # deleted, not yet committed
    print(f"style: {checked} files, {found} breaches")
    return 1 if found or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
