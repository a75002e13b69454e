# SPDX-License-Identifier: MIT
"""tools/install: what it writes, what it leaves alone, and what it says when it cannot. No emulator and no root but where a test says so.

The firmware's variables are files on which the real efibootmgr works (tests/install).
"""
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import disks
from machine import ROOT
from suite_loader import expect

sys.path[:0] = [str(ROOT / "tests" / "install"), str(ROOT / "tools")]
from load_option import started_once  # noqa: E402  (after the path is set)
from world import OTHER_LOADER, TOOL, World  # noqa: E402

VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
HOME = "EFI/testudo"
CHANGED = b"# changed by its user\n"


class Judge:
    """Collects what is wrong over several steps."""
    def __init__(self, report):
        self.report, self.wrong, self.log = report, [], []

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.report.log.parent.mkdir(parents=True, exist_ok=True)
        self.report.log.write_text("".join(self.log), encoding="utf-8")
        if kind is None:
            self.report.judge(self.wrong)

    def that(self, holds, what):
        if not holds:
            self.wrong.append(what)

    def run(self, world, *words, status=0, says=(), **more):
        """A run that must end so, and say each of these."""
        ended, output = world.run(*words, **more)
        self.log.append(f"install {' '.join(map(str, words))}: {ended}\n{output}\n")
        self.that(ended == status, f"status {ended} of {words}: {' '.join(output.split())[-200:]}")
        for text in says:
            self.that(text in output, f"{words} does not say \"{text}\"")
        if status:
            self.that("install: cure: " in output, f"{words} tells no cure")
            self.that("Traceback" not in output, f"{words} breaks")
        return output


def refused(report, prepare, *words, says=(), **more):
    """With this the installation ends with these words and nothing is changed."""
    with World() as world, Judge(report) as judge:
        prepare(world)
        before = world.snapshot()
        judge.run(world, *words, status=1, says=says, **more)
        judge.that(world.snapshot() == before, "something was changed")


def fresh(report):
    with World() as world, Judge(report) as judge:
        before = world.snapshot()
        judge.run(world, "--dry-run", says=["would be written", "would be made"])
        judge.that(world.snapshot() == before, "--dry-run changes something")
        judge.run(world, says=["Boot0001 \"Testudo\" created, in the boot order, after others"])
        judge.that((world.esp / HOME / "testudo.efi").read_bytes() == disks.LOADER.read_bytes(), "the loader is another")
        judge.that((world.esp / HOME / "testudo.cfg").read_bytes() == (ROOT / "tools/usb/testudo.cfg").read_bytes(), "the example is another")
        judge.that(world.numbers("BootOrder") == [0, 2, 1] and not world.numbers("BootNext"), "the boot order is another")
        judge.that({path: data for path, data in world.snapshot().items() if path in before and "BootOrder" not in path}
                   == {path: data for path, data in before.items() if "BootOrder" not in path}, "something of the other system was changed")
        after = world.snapshot()
        judge.run(world, says=["is up to date", "is there already"])
        judge.that(world.snapshot() == after, "a second run changes something")


def taken_away(report):
    """With every kind of file, and the entry first and next."""
    with World() as world, Judge(report) as judge:
        before = world.snapshot()
        world.put(world.work / "initrd", b"initrd")
        judge.run(world, "--first", "--once", "--fallback", "--l1", disks.START, "--options", "a", "--with", world.work / "initrd",
                  says=["first in the boot order", "the next start goes through Testudo"])
        judge.that(world.numbers("BootOrder") == [1, 0, 2] and world.numbers("BootNext") == [1], "it is not first and next")
        for path in ("EFI/BOOT/BOOTX64.EFI", f"{HOME}/l1/start.efi", f"{HOME}/l1/initrd"):
            judge.that((world.esp / path).is_file(), f"there is no {path}")
        present = world.snapshot()
        judge.run(world, "--uninstall", "--dry-run", says=["would be removed"])
        judge.that(world.snapshot() == present, "--dry-run removes something")
        judge.run(world, "--uninstall", says=["boot entry Boot0001 \"Testudo\" removed"])
        judge.that(world.snapshot() == before, "not all is as it was")
        judge.run(world, "--uninstall", status=1, says=["nothing was installed there"])


def newer(report):
    """Another loader over the first one; the user's configuration stays, and so does a loader that the user has changed."""
    with World() as world, Judge(report) as judge:
        config, loader, other = world.esp / HOME / "testudo.cfg", world.esp / HOME / "testudo.efi", world.work / "other.efi"
        other.write_bytes(disks.LOADER.read_bytes() + b"newer")
        judge.run(world, "--l1", r"\EFI\debian\grubx64.efi")
        judge.that(config.read_text(encoding="utf-8").startswith("l1 = \\EFI\\debian\\grubx64.efi\n"), "L1 is not in the configuration")
        judge.run(world, "--loader", other)
        judge.that(loader.read_bytes() == other.read_bytes(), "the loader is not the newer one")
        judge.that(config.read_text(encoding="utf-8").startswith("l1 = "), "the configuration is gone")
        judge.run(world, "--options", "quiet")
        judge.that(config.read_text(encoding="utf-8").startswith("options = quiet\n"), "an unchanged configuration is not replaced")
        config.write_bytes(CHANGED)
        judge.run(world, "--options", "loud", says=["is yours and stays", r"\EFI\testudo\testudo.cfg.new written"])
        judge.that(config.read_bytes() == CHANGED, "the user's configuration was changed")
        loader.write_bytes(OTHER_LOADER)
        judge.run(world, status=1, says=["no longer, what this program has installed"])
        judge.that(loader.read_bytes() == OTHER_LOADER, "the user's loader was changed")
        judge.run(world, "--uninstall", says=[r"testudo.cfg was changed since it was installed, and stays", r"testudo.efi was changed", "has other files in it"])
        left = {path.name for path in (world.esp / HOME).iterdir()}
        judge.that(left == {"testudo.cfg", "testudo.efi"}, f"{left} are left")


def settings(report):
    """Load options come out of the loader's own parser as they went in."""
    odd = 'root="a b" # "" \\x  end '
    with World() as world:
        status, output = world.run("--l1", disks.BUILD / "efi/hello.efi", "--options", odd, "--no-boot-entry", "--fallback")
        if status:
            report.fail(output)
            return
        result = report.machine(folder=world.esp, seconds=120)
    expect(report, result, [r"^testudo\[0\]: .*1 of 1 processors run under Testudo", f'^hello: options "{odd.replace(chr(92), chr(92) * 2)}"'])


PARTITION = "c4a7ee1a-6d7c-4c08-9a5e-0123456789ab"	# tests/install/efibootmgr


def started_by_entry(report):
    """The firmware starts the entry that was made, once, and finds loader and configuration; then its boot order goes on."""
    with World() as world:
        status, output = world.run("--once", "--options", "seen")
        if status:
            report.fail(output)
            return
        entry = next(world.variables.glob("Boot0001-*")).read_bytes()[4:]	# behind its attributes
        world.put(world.work / "variables", started_once(VARIABLES.read_bytes(), entry))
        with (world.esp / HOME / "testudo.cfg").open("a", encoding="utf-8") as config:
            config.write("\ncolour = blue\n")
        disk, esp = world.work / "disk", world.work / "esp.img"
        subprocess.run([ROOT / "tools/mkesp", "--size", "64", "--folder", world.esp, esp], check=True)
        subprocess.run(["truncate", "-s", "66M", disk], check=True)
        subprocess.run(["/usr/sbin/sgdisk", "--new=1:2048:+64M", "--typecode=1:ef00", f"--partition-guid=1:{PARTITION}", disk],
                       check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["dd", f"if={esp}", f"of={disk}", "bs=1M", "seek=1", "conv=notrunc", "status=none"], check=True)
        result = report.machine(backend="qemu-tcg", image=disk, variables=world.work / "variables", seconds=120, until="Interactive Shell")
    expect(report, result, [r'^BdsDxe: starting Boot0100 "Testudo" from HD\(1,GPT,', r"line \d+\b.*colour", r"VMX .*TCG", "Interactive Shell"], ends=("until",))


def killed(report):
    """Ended at any moment it leaves old files or new ones, never parts of one; done again, and taken away, all is well."""
    with World() as world, Judge(report) as judge:
        before = world.snapshot()
        large, other = world.work / "initrd", world.work / "other.efi"
        other.write_bytes(disks.LOADER.read_bytes() + b"newer")
        loader, copy = world.esp / HOME / "testudo.efi", world.esp / HOME / "l1/initrd"
        whole, broken = {None, disks.LOADER.read_bytes(), other.read_bytes()}, 0
        for step in range(16):
            for path in world.esp.rglob("*.testudo-tmp"):
                path.unlink()
            large.write_bytes(bytes([step]) * (8 << 20))
            earlier = copy.read_bytes() if copy.exists() else None
            words = ["--system", world.system, "--esp", world.esp, "--loader", other if step % 2 else disks.LOADER, "--with", large]
            process = subprocess.Popen([*TOOL, *words], env=world.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while process.poll() is None and not list(world.esp.rglob("*.testudo-tmp")):
                pass
            time.sleep(0.002 * step)
            process.kill()
            process.wait()
            broken += bool(list(world.esp.rglob("*.testudo-tmp")))
            judge.that((loader.read_bytes() if loader.exists() else None) in whole, f"step {step}: a part of the loader")
            judge.that((copy.read_bytes() if copy.exists() else None) in (earlier, large.read_bytes()), f"step {step}: a part of the copy")
        judge.that(broken, "it was never in the middle when it was killed")
        report.note(f"killed {broken} of 16 times in the middle")
        judge.run(world, "--with", large)
        judge.run(world, "--uninstall")
        for entry in set(path for path in world.snapshot() if "Boot0" in path) - set(before):
            judge.that(False, f"{entry} is left")
        judge.that({path for path in world.snapshot()} == set(before), f"left: {set(world.snapshot()) ^ set(before)}")


def both_notations(report):
    """efibootmgr writes paths otherwise from version 18 on."""
    from installer.entries import ENTRY, Entry
    partition = f"HD(1,GPT,{PARTITION},0x800,0x20000)"
    wrong = []
    for path, ours in ((rf"{partition}/File(\EFI\testudo\testudo.efi)", True), (rf"{partition}/\EFI\testudo\testudo.efi", True),
                       (rf"{partition}/File(\EFI\TESTUDO\TESTUDO.EFI)l.1.=.x.", True), (rf"{partition}/\EFI\testudo\testudo.efi.old", False),
                       (rf"{partition}/File(\EFI\other\testudo.efi)", False)):
        entry = Entry(ENTRY.fullmatch(f"Boot000A* A (name)\t{path}"))
        if (entry.number, entry.label, entry.partition, entry.starts(r"\EFI\testudo\testudo.efi")) != ("000A", "A (name)", partition, ours):
            wrong.append(f"{path}: {vars(entry)}")
    report.judge(wrong)


def full(report):
    """On a file system of 100 KB, where one may be mounted; the loader has more."""
    script = 'mount -t tmpfs -o size=100k none "$1" && shift && exec "$@"'
    with World() as world, Judge(report) as judge:
        command = ["unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh", world.esp]
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
            report.skip("this user may not mount a file system of its own", "mounted")
        else:
            tool = [*TOOL, "--any-folder", "--system", world.system, "--esp", world.esp]
            done = subprocess.run([*command, "sh", "-c", '"$@"; echo status $?; ls -A "$ESP"', "sh", *tool], capture_output=True, text=True,
                                  check=False, env={**world.environment, "ESP": str(world.esp)})
            output = done.stdout + done.stderr
            judge.that("has 100 KB free, and" in output and "nothing was written" in output, f"it says: {output}")
            judge.that(done.stdout.strip().endswith("status 1"), f"something was written, or it went well: {done.stdout}")
        before = world.snapshot()
        # Files of at most 50 KB: the loader breaks off in its middle, as on a file system that turns out to be full.
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (51200, 51200))  # noqa: E731
        judge.run(world, status=1, says=["File too large", "what had been written was removed again"], preexec_fn=limit)
        judge.that(world.snapshot() == before, "something is left")


def not_allowed(report):
    """A user who may not write there, and one who may not set the firmware's variables."""
    with World() as world, Judge(report) as judge:
        if os.getuid() == 0:
            other = {"user": 65534, "group": 65534, "extra_groups": []}
        else:
            world.esp.chmod(0o555)
            other = {}
        if subprocess.run([*TOOL, "--help"], capture_output=True, check=False, **other).returncode:
            report.skip("no other user may read the sources")
            return
        judge.run(world, status=1, says=["may not be written by this user", "run this as root"], **other)
        world.esp.chmod(0o755)


def entry_fails(report):
    with World() as world, Judge(report) as judge:
        judge.run(world, status=1, says=["No space left on device. The files are in place; only the boot entry is not"], environment={"EFIBOOTMGR_FAILS": "1"})
        judge.that(world.numbers("BootOrder") == [0, 2], "the boot order was changed")
        judge.run(world, says=["created"])
        judge.that(world.numbers("BootOrder") == [0, 2, 1], "it was not made the second time")


def no_variables(report):
    """A system that was not started by UEFI; an empty boot order is left empty."""
    with World() as world, Judge(report) as judge:
        hidden = world.work / "hidden"
        world.variables.rename(hidden)
        judge.run(world, says=["was not started by UEFI", r"testudo.efi written"])
        hidden.rename(world.variables)
        next(world.variables.glob("BootOrder-*")).unlink()
        judge.run(world, says=["created, in no boot order, as there is none"])
        judge.that(not world.numbers("BootOrder"), "there is a boot order now")


def warnings(report):
    """What is said of the machine; nothing of it ends the installation."""
    with World() as world, Judge(report) as judge:
        world.put(world.system / "proc/cpuinfo", b"flags\t\t: fpu svm\n")
        world.variable("SecureBoot", b"\1")
        world.put(world.system / "run/udev/data/b8:1", b"E:ID_PART_ENTRY_TYPE=ebd0a0a2-b9e5-4433-87c0-68b6b72699c7\n")
        judge.run(world, says=["shows no VMX", "Secure Boot is on and the loader is not signed", "does not call"])
        world.put(world.system / "proc/cpuinfo", b"flags\t\t: vmx\n")
        world.variable("SecureBoot", b"\0")
        world.put(world.system / "run/udev/data/b8:1", b"E:ID_PART_ENTRY_TYPE=c12a7328-f81f-11d2-ba4b-00a0c93ec93b\n")
        output = judge.run(world)
        judge.that("note:" not in output, f"a note where nothing is wrong: {output}")


def nothing(_):
    pass


def refusing(prepare, *words, says, **more):
    return lambda report: refused(report, prepare, *words, says=says, **more)


def no_partition(world):
    (world.system / "sys/devices/sdz/sdz1/partition").unlink()


def other_fallback(world):
    world.put(world.esp / "EFI/BOOT/BOOTX64.EFI", OTHER_LOADER)


def other_testudo(world):
    world.put(world.esp / HOME / "testudo.efi", OTHER_LOADER)


def add(suite):
    for name, test in (("fresh", fresh), ("taken-away", taken_away), ("newer", newer), ("settings-arrive", settings), ("started-by-entry", started_by_entry), ("full", full), ("killed", killed),
                       ("both-notations", both_notations),
                       ("not-allowed", not_allowed), ("entry-fails", entry_fails), ("no-variables", no_variables), ("warnings", warnings)):
        suite.add(f"install/{name}", test)
    for name, test in (
            ("not-fat", refusing(lambda world: world.mount(kind="ext4"), says=["is on ext4, not on FAT", "mount the EFI system partition"])),
            ("not-mounted", refusing(lambda world: world.mount(point="/elsewhere"), says=["is on ext4, not on FAT", "FAT is mounted at /elsewhere"])),
            ("folder-inside", refusing(lambda world: world.mount(point=world.work), says=["is a folder inside the file system at"])),
            ("read-only", refusing(lambda world: world.mount(how="ro"), says=["is mounted read-only", "remount,rw"])),
            ("no-folder", refusing(nothing, "--esp", "/nowhere/at/all", says=["/nowhere/at/all is no folder", "FAT is mounted at"])),
            ("no-partition", refusing(no_partition, says=["is on no partition of a disk", "--no-boot-entry"])),
            ("other-loader", refusing(other_fallback, "--fallback", says=[r"\EFI\BOOT\BOOTX64.EFI is another loader's"])),
            ("by-hand", refusing(other_testudo, says=[r"\EFI\testudo\testudo.efi is there already"])),
            ("no-loader", refusing(nothing, "--loader", "/nowhere.efi", says=["the loader /nowhere.efi cannot be read", "`make` builds"])),
            ("no-application", refusing(nothing, "--l1", ROOT / "README.md", says=["is no UEFI application for x86-64"])),
            ("missing-l1", refusing(nothing, "--l1", "/nowhere.efi", says=["L1's image /nowhere.efi cannot be read"])),
            ("bad-options", refusing(nothing, "--l1", r"\x", "--options", "a\nb", says=["has a line end"]))):
        suite.add(f"install/{name}", test)
