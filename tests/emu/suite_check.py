# SPDX-License-Identifier: MIT
"""The setting `check`: each thing that Testudo needs or can use is found, or missing with cause and cure, and nothing is changed."""
import re
import subprocess
import tempfile
from pathlib import Path

import disks
from disks import BUILD
from suite_loader import HELLO_FILE, expect

END, STILL = r"check: done; returning to the firmware", r"^still here"
STARTED = r"processors run under Testudo"
CONFIG = "EFI/testudo/testudo.cfg"
LINE = re.compile(r"^testudo\[0\]:   (found  |MISSING|unknown)  (.*)$")


def states(lines):
    """How many lines tell of something found, missing and unknown."""
    found = [match[1].strip() for match in map(LINE.match, lines) if match]
    return [found.count(word) for word in ("found", "MISSING", "unknown")]


def check(wanted, unwanted=(STARTED,), setting="check = on", **machine):
    """By the configuration file, at the firmware's own boot."""
    def test(report):
        result = report.machine(files=[f"{disks.FIRST}={disks.LOADER}", f"{CONFIG}:={setting}"], seconds=180, until=END, **machine)
        expect(report, result, list(wanted) + [END], unwanted, ends=("until",))
        # 79 capabilities, memory and ACPI tables at the least; more lines for lacks of other processors.
        told = sum(states(result.lines))
        report.judge([] if told >= 81 else [f"only {told} lines"], "lines", f"{states(result.lines)}")
    return test


def shell(commands, files, wanted, unwanted=(), last=STILL, **machine):
    """By commands of the UEFI shell; the machine runs until a line matches `last`, the word of the shell that comes after them."""
    def test(report):
        script = "\r\n".join(["@echo -off", "fs0:"] + commands + ["echo still here"])
        result = report.machine(files=[f"t.efi={disks.LOADER}", f"startup.nsh:={script}"] + files, seconds=240, until=last, **machine)
        expect(report, result, list(wanted) + [last], unwanted, ends=("until",))
        return result
    return test


def changes_nothing(report):
    """After two checks Testudo starts, and takes the same memory that each check had taken and given back."""
    result = shell(["t.efi check", "t.efi log=debug check=on", "t.efi l1=EFI\\testudo\\l1\\hello.efi"],
                   HELLO_FILE, [r"2 of 2 processors run under Testudo"], last=r'^hello: hypervisor "Testudo L0  "', cpus=2)(report)
    blocks = [match[1] for match in (re.search(r"reserved \d+ MB for L0 at (0x[0-9a-f]+)", line) for line in result.lines) if match]
    report.judge([] if len(blocks) == 3 and len(set(blocks)) == 1 else [f"blocks at {', '.join(blocks)}"], "memory", ", ".join(blocks[:1]))


def saves(report):
    """The file has the same lines as the console, and a longer one of before is gone."""
    long_before = "x" * 40000 + "the old end"
    result = shell(["t.efi check=save", "echo from the file", "type EFI\\testudo\\check.txt"], [f"EFI/testudo/check.txt:={long_before}"],
                   [r"check: saved as \\EFI\\testudo\\check\.txt"], ["the old end"], backend="qemu-tcg")(report)
    middle = next((i for i, line in enumerate(result.lines) if line.startswith("from the file")), len(result.lines))
    said, saved = ([match[0] for match in map(LINE.match, part) if match] for part in (result.lines[:middle], result.lines[middle:]))
    report.judge([] if said and said == saved else [f"{len(said)} lines were said, {len(saved)} are in the file"], "file", f"{len(saved)} lines")


NOT_SAVED = r"check: \\EFI\\testudo\\check\.txt is not saved: "


def fill(image, left):
    """Leaves so many bytes on a disk."""
    told = subprocess.run(["mdir", "-i", image, "::"], check=True, stdout=subprocess.PIPE, text=True).stdout
    free = int(re.search(r"([\d ]+) bytes free", told)[1].replace(" ", ""))
    with tempfile.NamedTemporaryFile() as filler:
        filler.truncate(free - left)
        subprocess.run(["mcopy", "-i", image, filler.name, "::filler"], check=True)


def saves_nothing(why, left=None, **machine):
    """On a volume that takes no file: all lines are on the console, then why it is not saved, and the firmware gets control back as ever; no part
    of the file is there."""
    def test(report):
        with tempfile.TemporaryDirectory() as folder:
            image = Path(folder) / "esp.img"
            script = "\r\n".join(["@echo -off", "fs0:", "t.efi check=save", "echo lasterror %lasterror%", "ls EFI\\testudo\\check.txt", "echo still here"])
            subprocess.run([disks.ROOT / "tools" / "mkesp", image, f"t.efi={disks.LOADER}", f"startup.nsh:={script}",
                            "EFI/testudo/testudo.cfg:=log = info"], check=True)
            if left is not None:
                fill(image, left)
            result = report.machine(image=image, backend="qemu-tcg", seconds=240, until=STILL, **machine)
        expect(report, result, [NOT_SAVED + why, END, r"^lasterror 0x3", r"File Not Found", STILL], [r"check: saved as"], ends=("until",))
        report.judge([] if sum(states(result.lines)) >= 79 else [f"only {sum(states(result.lines))} lines"], "lines")
    return test


def on_linux(report):
    """tools/check-machine on the machine that runs the tests, whatever it has: status, verdict and lines agree."""
    status, output = report.command(["tools/check-machine"], 120)
    lines = output.splitlines()
    told = [line[2:9] for line in lines if re.match(r"  (found  |MISSING|unknown)  ", line)]
    if status == 2:
        wrong = [] if re.search(r"cannot be opened: .*; cure: sudo modprobe msr", output) and not told else ["status 2 without its reason"]
    else:
        verdict = {0: "verdict: Testudo can run here", 1: "verdict: Testudo cannot run here"}.get(status, "no such status")
        wrong = [] if lines and lines[-1].startswith(verdict) else [f"status {status}, but \"{lines[-1:]}\""]
        wrong += [] if len(told) == 79 and ("MISSING" in told[:22]) == (status == 1) else [f"{len(told)} lines with status {status}"]
    report.judge(wrong, good=f"status {status}")


def collects(report):
    """tools/report: everything that was given is in one file, without control characters; what cannot be read is named."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "testudo.cfg").write_text("log = info\ncolour = blue\n", encoding="utf-8")
        (folder / "check.txt").write_text("testudo[0]: verdict: Testudo can run here\r\n", encoding="utf-8")
        (folder / "serial.log").write_bytes(b"first\r\n\x1b[2Jsecond\x00\xff\nlast")
        given = ["--config", folder / "testudo.cfg", "--check", folder / "check.txt", "--log", folder / "serial.log"]
        full, lacking = folder / "full.txt", folder / "lacking.txt"
        status, _ = report.command(["tools/report", *given, "--output", full, "it", "hangs"], 120)
        text = full.read_bytes()
        wrong = [] if status == 0 else [f"status {status}"]
        wrong += [f"{part} is not there" for part in (b"\nit hangs\n", b"Testudo: ", b"\ncommit: ", b"\nprocessors: ", b"\ncolour = blue\n",
                                                     b'there is no key "colour"', b"\ntestudo[0]: verdict: Testudo can run here\n",
                                                     b"\nfirst\n[2Jsecond\xff\nlast\n") if part not in text]
        wrong += [f"byte {byte:#x} is there" for byte in (0, 0x0d, 0x1b) if byte in text]
        report.judge(wrong, good=f"{len(text)} bytes")
        status, output = report.command(["tools/report", *given, "--log", folder / "none.log", "--output", lacking], 120)
        named = "=== serial log: none.log\nMISSING" in lacking.read_text(encoding="utf-8", errors="replace")
        report.judge([] if status == 1 and named and "1 cannot be read" in output else [f"status {status}, {output.strip()}"], "missing")
        status, output = report.command(["tools/report", *given, "--output", folder / "no" / "where.txt"], 120)
        report.judge([] if status == 2 and "cannot be written" in output else [f"status {status}, {output.strip()}"], "no-room")


def add(suite):
    suite.add("check/all-found", check(
        [r"found    VMX ", r"found    VMCS shadowing", r"MISSING  ENCLS exiting", r"found: 22 of 22 needed, 4\d of 57 optional",
         r"processors: 2, of which 2", r"found    all that is needed, on each", r"found    memory for Testudo", r"MISSING  ACPI tables",
         r"family 6, model 85 ", r"verdict: Testudo can run here"], [STARTED, "unknown"], cpu="skylake-x", cpus=2))
    suite.add("check/no-ept", check(
        [r"found    VMX ", r"MISSING  extended page tables.*; cause: this processor is too old; cure: ", r"unknown  INVEPT of all",
         r"MISSING  VMCS shadowing", r"verdict: Testudo cannot run here"], cpu="core2_penryn_t9600"))
    suite.add("check/other-maker", check([r"MISSING  VMX .*SVM instead of VMX; cure: ", r"verdict: Testudo cannot run here"], cpu="ryzen"))
    suite.add("check/no-vmx", check(
        [r"MISSING  VMX .*TCG.*; cure: ", r"unknown  VMCS shadowing", r'hypervisor: "TCGTCGTCGTCG" is beneath', r"found    ACPI tables",
         r"Secure Boot: off", r"verdict: Testudo cannot run here"], backend="qemu-tcg", setting="check = on\nunsupported = boot"))
    suite.add("check/locked-on-second-processor", shell(
        ["lock.efi", "t.efi check"], [f"lock.efi={BUILD}/efi/lock.efi"],
        [r"found    permission for VMXON", r"MISSING  on the processor with APIC ID 1: permission for VMXON .*; cure: turn",
         r"verdict: Testudo cannot run here"], [STARTED, r"found    all that is needed"], cpus=2))
    suite.add("check/changes-nothing", changes_nothing)
    suite.add("check/saves", saves)
    suite.add("check/saves-nothing-on-a-full-volume", saves_nothing(r"the volume is full; cure: delete", left=2048))
    suite.add("check/saves-nothing-write-protected", saves_nothing(r"the volume is write-protected; cure: take", read_only=True))
    suite.add("check/under-testudo", check(
        [r"1 of 1 processors run", r"hypervisor: Testudo is beneath", r"found: 22 of 22 needed", r"verdict: Testudo can run here"],
        unwanted=(), setting=f"l1 = {disks.efi_path(disks.FIRST)}\noptions = check"))
    suite.add("check/on-linux", on_linux)
    suite.add("check/report", collects)
