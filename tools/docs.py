#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that the documents tell the truth where a script can know it.

Every link leads to a file; every path in backquotes that begins with a folder of the tree exists (`tests/unit/test_X.c` and other patterns with
*, … or a word in capitals are taken for patterns or passed over); every name_with_underscores in backquotes occurs in the sources; every
`make TARGET` is a target; README's packages are those of tools/packages; the monitor's commands are those of its table.
Prints one verdict line; exit status 0 only if nothing was found.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("arch/", "boot/", "docs/", "drivers/", "mm/", "monitor/", "tests/", "tools/", "vmx/")
CODE = re.compile(r"`([^`\n]+)`")
NAME = re.compile(r"[A-Za-z]\w*_\w+$")
LINK = re.compile(r"\]\(([^)#\s]+)\)")


def exists(path):
    name = path.split()[0].split("#")[0]
    if re.search(r"…|\b[A-Z]+\b|_X\b", name):
        return True
    return bool(list(ROOT.glob(name.rstrip("/")))) if "*" in name else (ROOT / name).exists()


def targets():
    found = set()
    for path in [ROOT / "Makefile", *ROOT.glob("tools/*.mk"), *ROOT.glob("tests/*/*.mk"), *ROOT.glob("boot/*/*.mk")]:
        for line in path.read_text(encoding="utf-8").splitlines():
            match = re.match(r"([a-z][a-z -]*):([^=]|$)", line)
            found |= set(match[1].split()) if match else set()
    return found


def words_of_sources():
    found = set()
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and folder != "docs/" and "corpus" not in path.parts:
                found |= set(re.findall(r"\w+", path.read_text(encoding="utf-8", errors="replace")))
    return found | set(re.findall(r"\w+", (ROOT / "Makefile").read_text(encoding="utf-8")))


def listed_packages():
    """The first alternative of each line of tools/packages: Debian 12's."""
    lines = (ROOT / "tools/packages").read_text(encoding="utf-8").splitlines()
    return [line.split("#")[0].split()[0].split("|")[0] for line in lines if line.split("#")[0].strip()]


def complaints(page, known, words):
    text = page.read_text(encoding="utf-8")
    for target in LINK.findall(text):
        if "://" not in target and not (page.parent / target).exists():
            yield f"the link to {target} leads nowhere"
    for code in CODE.findall(text):
        for word in code.split():
            if word.startswith(FOLDERS) and not exists(word.rstrip(",;:.)")):
                yield f"{word} does not exist"
        if NAME.match(code) and not re.search(r"_[A-Z]$", code) and code not in words:
            yield f"{code} is in no source"
    for target in re.findall(r"(?:^    |`)make ([a-z]+)(?![a-z/])", text, re.M):
        if target not in known:
            yield f"make {target} is no target"
    if page.name == "README.md":
        match = re.search(r"<!-- packages -->(.*)<!-- /packages -->", text, re.S)
        named = match[1].replace("\\", " ").split()[3:] if match else []
        if named != listed_packages():
            yield "its packages are not those of tools/packages"


def monitor_commands():
    """The table in docs/monitor.md is that of monitor/commands.c."""
    source = (ROOT / "monitor/commands.c").read_text(encoding="utf-8")
    rows = re.findall(r'^\t\{ "([^"]+)", "([^"]*)", "([^"]+)", \d', source, re.M)
    known = [(f"{name} {arguments}".strip(), text) for name, arguments, text in rows]
    page = (ROOT / "docs/monitor.md").read_text(encoding="utf-8").partition("<!-- commands -->")[2].partition("\n\n")[0]
    told = [(command.replace("\\|", "|"), text) for command, text in re.findall(r"^\| `([^`]+)` \| (.*) \|$", page, re.M)]
    if len(known) < 10 or told != known:
        yield "its commands are not those of monitor/commands.c: " + ", ".join(sorted({c for c, _ in set(told) ^ set(known)}))


def main():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    known, words, found = targets(), words_of_sources(), 0
    for page in pages:
        for complaint in complaints(page, known, words):
            print(f"{page.relative_to(ROOT)}: {complaint}")
            found += 1
    for complaint in monitor_commands():
        print(f"docs/monitor.md: {complaint}")
        found += 1
    print(f"docs: {len(pages)} pages, {found} problems")
    return 1 if found or len(pages) < 2 else 0


if __name__ == "__main__":
    sys.exit(main())
