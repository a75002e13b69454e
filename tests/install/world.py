# SPDX-License-Identifier: MIT
"""A computer for tests of tools/install: a folder that passes for a mounted EFI system partition with another system's loader on it, what
/proc and /sys say of it, and the firmware's variables, on which the real efibootmgr works.
"""
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from load_option import ATTRIBUTES, GLOBAL

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PYTHON = shutil.which("python3", path="/usr/bin:/bin") or sys.executable	# one that other users may run
TOOL = [PYTHON, ROOT / "tools/install"]
MOUNT = "30 1 8:1 / {point} {how},relatime shared:1 - {type} /dev/sdz1 rw\n"
OTHER_LOADER = b"another system's loader"


class World:
    """Used in a `with`: all of it is gone afterwards."""
    def __enter__(self):
        self.work = Path(tempfile.mkdtemp(prefix="testudo-install."))
        self.work.chmod(0o755)
        self.esp, self.system = self.work / "boot efi", self.work / "system"
        self.variables = self.system / "sys/firmware/efi/efivars"
        self.environment = {**os.environ, "PATH": f"{HERE}:{os.environ['PATH']}", "EFIVARFS_PATH": f"{self.variables}/"}
        self.put(self.esp / "EFI/debian/grubx64.efi", OTHER_LOADER)
        self.put(self.system / "proc/cpuinfo", b"flags\t\t: fpu vmx sse\n")
        self.put(self.system / "sys/devices/sdz/sdz1/partition", b"1\n")
        (self.system / "sys/dev/block").mkdir(parents=True)
        (self.system / "sys/dev/block/8:1").symlink_to("../../devices/sdz/sdz1")
        self.mount()
        self.variables.mkdir(parents=True)
        self.entry(0, "debian", r"\EFI\debian\grubx64.efi")
        self.entry(2, "Testudo", r"\EFI\testudo\testudo.efi.old")
        self.order(0, 2)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.work)

    @staticmethod
    def put(path, data):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def mount(self, kind="vfat", how="rw", point=None):
        """/ is on another file system, and the partition is mounted at `point`."""
        text = MOUNT.format(point="/", how="rw", type="ext4").replace("8:1", "8:9") \
            + MOUNT.format(point=str(point or self.esp).replace(" ", "\\040"), how=how, type=kind)
        self.put(self.system / "proc/self/mountinfo", text.encode())

    def variable(self, name, data):
        self.put(self.variables / f"{name}-{GLOBAL}", struct.pack("<I", ATTRIBUTES) + data)

    def order(self, *numbers):
        self.variable("BootOrder", struct.pack(f"<{len(numbers)}H", *numbers))

    def numbers(self, name):
        """What BootOrder or BootNext says."""
        try:
            data = (self.variables / f"{name}-{GLOBAL}").read_bytes()[4:]
        except FileNotFoundError:
            return []
        return list(struct.unpack(f"<{len(data) // 2}H", data))

    def entry(self, number, label, loader):
        """An entry that another program has made."""
        done = subprocess.run([HERE / "efibootmgr", "--create-only", "--disk", "/dev/sdz", "--part", "1", "--loader", loader, "--label", label],
                              env=self.environment, check=True)
        made = max(self.variables.glob("Boot[0-9]*"), key=lambda path: path.stat().st_mtime_ns)
        made.rename(self.variables / f"Boot{number:04X}-{GLOBAL}")
        return done

    def run(self, *words, esp=None, **more):
        """tools/install; returns its status and all it said."""
        done = subprocess.run([*TOOL, "--system", self.system, "--esp", esp or self.esp, *words],
                              env={**self.environment, **more.pop("environment", {})}, capture_output=True, text=True, check=False, timeout=60, **more)
        return done.returncode, done.stdout + done.stderr

    def snapshot(self):
        """Every folder, file and variable with its content."""
        found = {}
        for top in (self.esp, self.variables):
            for path in sorted(top.rglob("*")):
                found[str(path.relative_to(self.work))] = path.read_bytes() if path.is_file() else None
        return found
