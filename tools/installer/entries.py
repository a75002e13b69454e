# SPDX-License-Identifier: MIT
"""The firmware's boot entries, by efibootmgr. Only entries for one loader on one partition are ever changed or deleted.

Both ways in which efibootmgr has written device paths are understood: `HD(…)/File(\\PATH)` and, from version 18 on, `HD(…)/\\PATH`.
"""
import re
import shutil
import subprocess

from installer.esp import Failure

ENTRY = re.compile(r"Boot([0-9A-Fa-f]{4})([* ])\s*(.*?)\t(.*)")
PARTITION = re.compile(r"HD\([^)]*\)")


class Entry:
    def __init__(self, match):
        self.number, self.label, self.path = match[1].upper(), match[3].strip(), match[4]
        partition = PARTITION.search(self.path)
        self.partition = partition[0] if partition else ""

    def starts(self, loader):
        return re.search(re.escape(loader) + r"(\)|/|\s|$)", self.path, re.I) is not None


class BootEntries:
    """What the firmware has."""
    def __init__(self):
        self.program = shutil.which("efibootmgr") or shutil.which("efibootmgr", path="/usr/sbin:/sbin")
        if not self.program:
            raise Failure("there is no efibootmgr, which makes and removes boot entries", "install the package efibootmgr, or use --no-boot-entry")
        self.look()

    def call(self, *words):
        done = subprocess.run([self.program, *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = " ".join(done.stderr.split()) or f"status {done.returncode}"
            raise Failure(f"efibootmgr {' '.join(words)}: {said}",
                          "run this as root; where the firmware has no room for variables, delete boot entries that are no longer used")
        return done.stdout

    def look(self):
        text = self.call("--verbose")
        self.entries = [Entry(match) for match in (ENTRY.fullmatch(line) for line in text.splitlines()) if match]
        order = re.search(r"^BootOrder: (.*)$", text, re.M)
        following = re.search(r"^BootNext: (\w+)", text, re.M)
        self.order = order[1].upper().replace(" ", "").split(",") if order else []
        self.next = following[1].upper() if following else None

    def matching(self, loader, partitions):
        return [entry for entry in self.entries if entry.starts(loader) and entry.partition in partitions]

    def create(self, disk, part, loader, label):
        """A new entry, in no order yet."""
        before = {entry.number for entry in self.entries}
        self.call("--create-only", "--disk", disk, "--part", str(part), "--loader", loader, "--label", label)
        self.look()
        made = [entry for entry in self.entries if entry.number not in before and entry.starts(loader)]
        if len(made) != 1:
            raise Failure("efibootmgr has made no boot entry that can be found again", "look at `efibootmgr --verbose`")
        return made[0]

    def place(self, number, first):
        """In the boot order: first, or last if it is not in it. An order that is empty stays so: an only entry would be the first one."""
        rest = [other for other in self.order if other != number]
        wanted = [number] + rest if first else self.order if number in self.order else rest + [number] if rest else []
        if wanted and wanted != self.order:
            self.call("--bootorder", ",".join(wanted))
            self.look()
        if not wanted:
            return "in no boot order, as there is none"
        return "first in the boot order" if wanted[0] == number else "in the boot order, after others"

    def start_once(self, number):
        self.call("--bootnext", number)

    def delete(self, number):
        if self.next == number:
            self.call("--delete-bootnext")
        self.call("--bootnum", number, "--delete-bootnum")
        self.look()
