# SPDX-License-Identifier: MIT
"""The configuration: its checker on the host, entries and the menu of them, and features that are hidden from L1.

The menu is the loader's, so most of it runs in QEMU without VMX, where `unsupported = boot` lets an entry start all the same.
"""
import re
import tempfile
from pathlib import Path

import disks
from differences import SCENARIOS
from disks import BUILD, L1
from results import BARE, CPU, SECONDS, complaints, results

HELLO = disks.efi_path(f"{L1}/hello.efi")
EXAMPLE = disks.ROOT / "docs" / "testudo.cfg.example"
SETTINGS = ["unsupported = boot", "default = second", "timeout = 3"]
ENTRIES = ["[first]", "title = The first one", f"l1 = {HELLO}", "options = I am one", "[second]", f"l1 = {HELLO}", "options = I am two"]
READY = "arrow key stops that"
UP, DOWN, ENTER = "\x1b[A", "\x1b[B", "\r"


def disk(lines):
    return [f"{disks.FIRST}={disks.LOADER}", f"{L1}/hello.efi={BUILD}/efi/hello.efi", "EFI/testudo/testudo.cfg:=" + "\n".join(lines)]


def complain(lines, wanted, unwanted=()):
    wrong = [f'no line matches "{p}"' for p in wanted if not any(re.search(p, line) for line in lines)]
    return wrong + [f'a line matches "{p}"' for p in unwanted if any(re.search(p, line) for line in lines)]


def menu(wanted, unwanted=(), keys=(), settings=(), **machine):
    """One run of the loader with two entries. Keys: (regex, text, port); a port at another address than COM2's is nobody's but the loader's."""
    def test(report):
        result = report.machine(backend="qemu-tcg", files=disk(SETTINGS + list(settings) + ENTRIES), keys=list(keys), seconds=60, **machine)
        wrong = complain(result.lines, wanted, unwanted)
        if result.end != "shutdown":
            wrong.append(f"the machine ended by {result}")
        report.judge(wrong, good=str(result))
    return test


SHOWN = [r"^testudo\[0\]:     1  The first one$", r"^testudo\[0\]: ->  2  second$"]
ONE, TWO = [r'^hello: options "I am one"$', r"entry first$"], [r'^hello: options "I am two"$', r"entry second$"]
OWN_PORT = {"settings": ["console = com3"], "two_ports": True, "base2": 0x3e8}


def from_shell(words, wanted, unwanted=()):
    """The loader, started from the UEFI shell with load options."""
    script = "\r\n".join(["@echo -off", "fs0:", f"EFI\\testudo\\t.efi {words}", "echo back in the shell", "EFI\\testudo\\l1\\hello.efi"])

    def test(report):
        files = [entry.replace(disks.FIRST, "EFI/testudo/t.efi") for entry in disk(SETTINGS + ENTRIES + ["[self]", "l1 = \\EFI\\testudo\\t.efi",
                                                                                                    "options = entry=self"])]
        result = report.machine(backend="qemu-tcg", files=files + [f"startup.nsh:={script}"], seconds=90)
        wrong = complain(result.lines, wanted, unwanted)
        if result.end != "shutdown":
            wrong.append(f"the machine ended by {result}")
        report.judge(wrong, good=str(result))
    return test


def menu_on_bochs(report):
    """With Testudo beneath, and the chosen entry's settings in force in the root kernel."""
    lines = ["timeout = 2", "log = info"] + ENTRIES[:4] + ["log = debug"] + ENTRIES[4:]
    result = report.machine(files=disk(lines), seconds=120)
    wrong = complain(result.lines, ONE + [r"processors run under Testudo", r"VMCS shadowing: "])
    report.judge(wrong + ([] if result.end == "shutdown" else [f"the machine ended by {result}"]), good=str(result))


# What is hidden together in one run, and which bits of which MSR, as the guest caps prints them, must be gone: SDM "VMX Capability Reporting Facility".
HIDDEN = "ept-1g, vpid, shadowing, unrestricted, posted-interrupts, tpr-shadow, preemption-timer"
GONE = {
    "IA32_VMX_EPT_VPID_CAP": 1 << 17 | 1 << 32 | 0xf << 40,
    "IA32_VMX_PROCBASED_CTLS2": (1 << 5 | 1 << 7 | 1 << 14 | 1 << 4 | 1 << 8 | 1 << 9) << 32,
    "IA32_VMX_TRUE_PROCBASED_CTLS": 1 << 21 + 32,
    "IA32_VMX_TRUE_PINBASED_CTLS": (1 << 6 | 1 << 7) << 32,
    "IA32_VMX_TRUE_EXIT_CTLS": 1 << 22 + 32,
}


def shown(lines):
    return {m[1]: int(m[2], 16) for m in (re.match(r"I (IA32_VMX_\w+) (0x[0-9a-f]+)$", line) for line in lines) if m}


def hidden(report):
    """What is hidden is gone, with what needs it, and nothing else is; the guest finds its controls and fields consistent."""
    runs = [report.machine(part, files=disks.guest("caps", 1, settings), cpu=CPU, seconds=SECONDS)
            for part, settings in (("whole", []), ("less", [f"hide = {HIDDEN}"]))]
    whole, less = (shown(run.lines) for run in runs)
    wrong = [f"the machine ended by {run}" for run in runs if run.end != "shutdown"]
    for name, bits in GONE.items():
        if name not in whole or name not in less:
            wrong.append(f"{name} was not printed")
        elif less[name] != whole[name] & ~bits or not whole[name] & bits:
            wrong.append(f"{name} is {less[name]:#x}, and {whole[name]:#x} with nothing hidden")
    expected = {"caps.essentials", "caps.ept"}
    wrong += [f"{name} went otherwise than the guest expects" for name in set(complaints(runs[1].lines)) - expected]
    report.judge(wrong, good=f"{len(results(runs[1].lines))} checks of consistency")


NO_FIELD = re.compile(r"vmwrite 0x?[0-9a-f]*: VMfailValid 12$")
TRIED_WITH_THEM = ("ept.gigabyte", "timer", "apic.tpr_shadow", "vpid.separates", "mode.real", "shadow_vmcs.vm_entry", "virtual_apic.posted_to_running")
# Scenarios of the guest hyper that write fields of a hidden feature without asking for it.
NEEDING = {"limits.borders", "vmcs.random_steps", "vmcs.random_steps_again"}


def hidden_in_use(report):
    """A guest that uses what it finds: what it still tries comes out as on the bare machine, and a field of what is hidden does not exist."""
    bare = BARE.get(report, "hyper")
    run = report.machine(files=disks.guest("hyper", 1, [f"hide = {HIDDEN}"]), cpu=CPU, seconds=SECONDS)
    first, second = results(bare.lines), results(run.lines)
    wrong = [] if run.end == "shutdown" else [f"the machine ended by {run}"]
    wrong += [f"{name}: {second[name]}" for name in second
              if second[name] != first.get(name) and name not in SCENARIOS and not (name in NEEDING and NO_FIELD.match(second[name]))]
    wrong += [f"{name} was tried" for name in TRIED_WITH_THEM if name in second or name not in first]
    same = sum(first.get(name) == second[name] for name in second)
    if same < 200 or not any(line.startswith("DONE ") for line in run.lines):
        wrong.append(f"only {same} scenarios as bare")
    report.judge(wrong[:6], good=f"{same} of {len(first)} scenarios as bare, {len(first) - len(second)} no longer tried")


def hidden_vmx(report):
    """L1 is a Testudo that finds no VMX, whatever it tries, and goes on as it does on such a machine."""
    files = disks.on_levels(2, f"{L1}/caps.efi", settings=["hide = vmx", "unsupported = boot"]) + [f"{L1}/caps.efi={BUILD}/guests/caps.efi"]
    result = report.machine(files=files, cpu=CPU, seconds=SECONDS)
    wrong = complain(result.lines, [r"1 of 1 processors run under Testudo", r"^testudo\[0\]:   VMX \(CPUID.1:ECX bit 5\): the Testudo that this one", r"going on without Testudo",
                                    r"^T caps.without_vmx: msr #13\(0\) cr4 #13\(0\) vmxon #6$", r"^DONE passed=1 failed=0"])
    report.judge(wrong + ([] if result.end == "shutdown" else [f"the machine ended by {result}"]), good=str(result))


def hidden_from_kvm(report):
    """KVM finds a processor without these, says so, and runs a guest all the same."""
    without = {"ept": "ept", "vpid": "vpid", "shadowing": "enable_shadow_vmcs", "virtual-nmis": "vnmi", "tpr-shadow": "flexpriority",
               "preemption-timer": "preemption_timer", "pml": "pml"}
    files = disks.linux(True, "l1.only=tiny", [f"hide = {', '.join(without)}"])
    result = report.machine(files=files, memory=768, seconds=600)
    wrong = complain(result.lines, [rf"^L1: kvm_intel {parameter} = [N0]$" for parameter in without.values()]
                     + [r"^tiny L2: cpuid \d+, io \d+, mmio \d+: ok$", r"^VERDICT: PASS$"])
    report.judge(wrong + ([] if result.end == "shutdown" else [f"the machine ended by {result}"]), good=str(result))


def checker(report):
    """tools/config on the example, which names every key and every feature, and on files with mistakes."""
    status, output = report.command(["tools/config", EXAMPLE], 120)
    report.judge([] if status == 0 else [f"status {status}: {output.strip().splitlines()[:1]}"], "example")
    stick = (disks.ROOT / "tools/usb/testudo.cfg").read_text(encoding="utf-8")
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
        # What is commented out there is right too.
        file.write(re.sub(r"^# ?(?=[a-z0-9]+ = |\[)", "", stick, flags=re.M))
        file.flush()
        status, output = report.command(["tools/config", file.name], 120)
        report.judge([] if status == 0 and "[old] " in output else [f"status {status}: {output.strip().splitlines()[:1]}"], "stick")
    source = (disks.ROOT / "boot/uefi/config_keys.c").read_text(encoding="utf-8")
    keys = set(re.findall(r'^\t(?:\[KEY_\w+\] = )?\{ "(\w+)"', source, re.M))
    words = set(re.findall(r'^H\("([\w-]+)"', (disks.ROOT / "boot/hide.def").read_text(encoding="utf-8"), re.M))
    page = (disks.ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    example = EXAMPLE.read_text(encoding="utf-8")
    lacking = [f"the page lacks `{word}`" for word in sorted(keys | words) if f"`{word}`" not in page]
    lacking += [f"the example lacks {key}" for key in sorted(keys - {"entry"}) if not re.search(rf"^{key} =", example, re.M)]
    report.judge(lacking + ([] if len(keys) > 10 and len(words) > 10 else ["the tables were not found"]), "documented",
                 f"{len(keys)} keys, {len(words)} features")
    with tempfile.TemporaryDirectory() as folder:
        check_mistakes(report, Path(folder))


def check_mistakes(report, folder):
    esp, file = folder / "esp", folder / "testudo.cfg"
    (esp / "EFI" / "Testudo").mkdir(parents=True)
    (esp / "EFI" / "Testudo" / "Good.efi").write_bytes(b"MZ and more")
    (esp / "EFI" / "Testudo" / "initrd").write_bytes(b"07")
    file.write_text("log = info\n[good]\nl1 = \\efi\\testudo\\GOOD.EFI\noptions = initrd=\\EFI\\testudo\\initrd quiet\n", encoding="utf-8")
    status, output = report.command(["tools/config", file, "--esp", esp], 60)
    report.judge([] if status == 0 and "config: 0 problems" in output else [f"status {status}: {output.strip().splitlines()[:1]}"], "esp")
    file.write_text("log = loud\nl2 = x\n[a b]\n[bad]\nhide = eptt\nl1 = \\efi\\testudo\\initrd\noptions = initrd=\\no quiet\n"
                    "[worse]\nl1 = \\nowhere.efi\nconsole = com1\n", encoding="utf-8")
    status, output = report.command(["tools/config", file, "--esp", esp], 60)
    wrong = complain(output.splitlines(), [
        r"line 1: log cannot be \"loud\"; allowed: quiet, info, debug, trace", r"line 2: there is no key \"l2\" here; there are l1, ",
        r"line 3: \"\[a b\]\" heads no entry", r"line 5: hide cannot be \"eptt\"; allowed: none, vmx, ept, ", r"line 10: console has no effect here",
        r"^\[bad\]: l1 = .*initrd: this is no UEFI application", r"^\[bad\]: initrd = \\no: there is no such file",
        r"^\[worse\]: l1 = \\nowhere.efi: there is no such file", r"^config: 8 problems$"])
    report.judge(wrong + ([] if status == 1 else [f"status {status}"]), "mistakes")


def add(suite):
    suite.add("config/checker", checker)
    suite.add("config/menu-default", menu(SHOWN + TWO, [r"The first one is started"]))
    suite.add("config/menu-digit", menu(SHOWN + ONE, keys=[(READY, "1", 1)]))
    suite.add("config/menu-arrows", menu(ONE + [r"^testudo\[0\]: ->  1  The first one$"],
                                         keys=[(READY, DOWN, 1), (r"->  1  ", UP, 1), (r"->  2  ", UP, 1), (r"->  1  ", ENTER, 1)]))
    suite.add("config/menu-on-its-own-port", menu(ONE, keys=[(READY, DOWN, 2), (r"->  1  ", ENTER, 2)], **OWN_PORT))
    suite.add("config/menu-noise-is-no-key", menu(TWO, keys=[(READY, "\x00\x07\x85\xfe", 2)], **OWN_PORT))
    suite.add("config/menu-unknown-keys", menu(TWO, [r"->  1  "], keys=[("choose by digit", "\x001\xff", 2), (READY, "xA[;9?", 1)],
                                                              **OWN_PORT))
    suite.add("config/menu-keyboard", menu(ONE + [r"->  1  The first one$"], keys=[(READY, "sendkey down\n", 0), (r"->  1  ", "sendkey ret\n", 0)]))
    suite.add("config/menu-keyboard-and-port", menu(ONE, keys=[(READY, "sendkey down\n", 0), (r"->  1  ", "sendkey up\n", 0),
                                                                 (r"->  2  ", DOWN, 1), (r"->  1  ", ENTER, 1)]))
    suite.add("config/menu-quiet", menu(SHOWN + [TWO[0]], [r"entry second"], settings=["log = quiet"]))
    suite.add("config/no-time-no-menu", menu(TWO, [r"The first one"], settings=["timeout = 0"]))
    suite.add("config/entry-by-load-option", from_shell("entry=first log=debug", ONE, [r"key stops that", r"back in the shell"]))
    suite.add("config/unknown-entry", from_shell("entry=third", [r"load options: there is no entry .third.; there are first, second, self"] + TWO))
    suite.add("config/entry-within-itself", from_shell("entry=self", [r"entry self is what this Testudo was started by", r"^back in the shell",
                                                                      r'^hello: options "EFI']))
    suite.add("config/menu-on-bochs", menu_on_bochs)
    suite.add("config/hidden-features", hidden)
    suite.add("config/hidden-features-in-use", hidden_in_use)
    suite.add("config/hidden-vmx", hidden_vmx)
    suite.add("config/hidden-from-kvm", hidden_from_kvm)
