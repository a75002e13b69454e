#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that every file includes only its own level and lower ones, and that no two headers include each other.

Levels, lowest first: arch, drivers, mm, the vocabulary of vmx/, vmx/nested, the loop of vmx/ (LOOP below), monitor, boot/root. boot/handoff.h and
boot/hide.def are level 0, as the loader and all of the kernel read them. boot/uefi is a program of its own: of the kernel it may see only what UEFI_MAY names.
Assembly and the tests are not looked at. Prints one verdict line; exit status 0 only if nothing was found.
"""
import re
import subprocess
import sys
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
FOLDERS = {"arch": 0, "drivers": 1, "mm": 2, "vmx": 3, "vmx/nested": 4, "monitor": 6, "boot/root": 7}
LOOP_LEVEL = 5
# vmx/ files around the loop: they may know the nested part.
LOOP = re.compile(r"vmx/(run|quick|exits|trace_exits|handle_\w+|handlers?|emulate|nmi|inject|vmx_operand)\.[ch]$")
HANDOFF = ("boot/handoff.h", "boot/hide.def")
UEFI_MAY = re.compile(r"boot/(uefi/.*|handoff\.h|hide\.def)$|arch/(types|compiler|bits|x86|string|version)\.h$|drivers/(uart|line_style)\.h$|arch/string\.c$")


def level(path):
    if path in HANDOFF:
        return 0
    if LOOP.match(path):
        return LOOP_LEVEL
    return FOLDERS.get(str(Path(path).parent))


def includes(path):
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(1)


def breach(path, target):
    """Why `path` may not include `target`, or None."""
    if not Path(target).exists():
        return None if target.startswith("asm_offsets") else "does not exist (paths start at the root)"
    if path.startswith("boot/uefi/"):
        return None if UEFI_MAY.match(target) else "is not for the loader"
    own, other = level(path), level(target)
    if own is None:
        return None
    if other is None:
        return "belongs to no level of the kernel"
    return f"is of level {other}, this file of level {own}" if other > own else None


def cycles(graph):
    """Headers that reach themselves."""
    done = set()

    def visit(node, way):
        if node in way:
            yield way[way.index(node):] + [node]
            return
        if node in done:
            return
        for following in graph.get(node, ()):
            yield from visit(following, way + [node])
        done.add(node)

    for start in graph:
        yield from visit(start, [])


def main():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "arch", "drivers", "mm", "vmx", "monitor", "boot"],
                            stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    files = [path for path in listed if path.endswith((".c", ".h", ".def", ".in")) and Path(path).exists()]
    problems, graph = [], {}
    for path in files:
        for number, target in includes(path):
            why = breach(path, target)
            if why:
                problems.append(f"{path}:{number}: {target} {why}")
            if path.endswith(".h"):
                graph.setdefault(path, []).append(target)
    problems += ["cycle: " + " -> ".join(way) for way in cycles(graph)]
    if len(files) < 20:
        problems.append(f"only {len(files)} files found: wrong folder?")
    for problem in problems:
        print(problem)
    print(f"layering: {len(files)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
