# SPDX-License-Identifier: MIT
"""What docs/l1 tells to start on Testudo, each tried: EDK2's shell, GRUB then Linux, Xen with Linux as dom0 and as guests.

The programs are Debian's own, fetched by tests/recipes/fetch; one that cannot be had is a SKIP. Linux/KVM and Testudo on Testudo have suites of
their own (suite_linux.py, and levels/ in suite_loader.py). Must not fetch anything else.
"""
import re
import subprocess

import disks
from disks import BUILD, L1, LINUX
from machine import ROOT
from suite_loader import expect

GRUB = "EFI/debian"			# where Debian's GRUB looks for its configuration
DOM0_WORDS = "console=hvc0 quiet mitigations=off cryptomgr.notests lsm= audit=0 init_on_alloc=0 initcall_blacklist=i8042_init"
GUESTS = ("pvh", "one", "shadow")	# of Xen's, as tests/recipes/dom0_init starts them
# What has to be the same bare and on Testudo, but for time stamps and what depends on them: all that Xen says of VMX, and all that dom0 and guests say.
XEN_LINES = re.compile(rf"\(XEN\) (VMX: |HVM: |Brought up| - |Platform timer)|^dom0|^({'|'.join(GUESTS)}): ")
MEASURED = re.compile(r"\[ *\d+\.\d+\] |(?<=kernel log of )\d+ ")
XEN_WANTED = (r"\(XEN\) Xen version ", r"\(XEN\) VMX: Supported advanced features:", r"\(XEN\)  - Extended Page Tables", r"\(XEN\) HVM: VMX enabled",
              r"\(XEN\) HVM: Hardware Assisted Paging \(HAP\) detected", r"^dom0 userspace: Linux version ",
              r"^dom0: type = xen", r"^dom0: properties/capabilities = .*hvm-3\.0-x86_64", r"^dom0: xl list: Domain-0 0 1", r"^dom0: end")
GUEST_WANTED = (r"guest_type = PVH", r"Hypervisor detected: Xen HVM", r"userspace: Linux version ", r"guest: work on 1 processors: ok",
                r"guest: kernel log of \d+ lines: ok", r"end$")
LAUNCHED = r"1 of 1 processors run under Testudo"
NOT_WELL = (r"PANIC", r"Kernel panic", r"\(XEN\) .*(Fatal|FATAL|Panic|Assertion|VMLAUNCH error|crash)", r"^dom0: failed", r"^dom0: xl list: (?!Name |Domain-0)")


def fetched(report, *names):
    """The paths of programs; None, and a SKIP said, where one cannot be had."""
    paths = []
    for name in names:
        done = subprocess.run([ROOT / "tests/recipes/fetch", name], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            report.skip((done.stderr.strip().splitlines() or ["tests/recipes/fetch failed"])[-1])
            return None
        paths.append(done.stdout.strip())
    return paths


def shell(report):
    """The shell comes up, runs the script of the volume, and starts a program, which is an L1, too."""
    files = fetched(report, "shell")
    if files is None:
        return
    script = "\r\n".join(["@echo -off", "echo the shell speaks", "fs0:", "ver", "hello.efi from the shell"])
    result = report.machine(files=[f"{L1}/shellx64.efi={files[0]}", f"hello.efi={BUILD}/efi/hello.efi", f"startup.nsh:={script}"]
                            + disks.under_testudo(f"{L1}/shellx64.efi"), seconds=240)
    expect(report, result, [LAUNCHED, r"^the shell speaks", r"Interactive Shell v\d", r'^hello: options ".*from the shell"',
                            r'^hello: hypervisor "Testudo L0  "'], NOT_WELL)


def shell_exits(report):
    """A script that ends with `exit`: the shell returns to the loader, and that to the firmware's boot order."""
    files = fetched(report, "shell")
    if files is None:
        return
    result = report.machine(files=[f"{L1}/shellx64.efi={files[0]}", "startup.nsh:=@echo -off\r\necho the shell speaks\r\nexit"]
                            + disks.under_testudo(f"{L1}/shellx64.efi"), seconds=240, until=r"has returned with status")
    expect(report, result, [LAUNCHED, r"^the shell speaks", r"shellx64\.efi has returned with status 0$"], NOT_WELL, ends=("until",))


def grub(report):
    """GRUB's menu entry starts Debian's kernel; its userspace speaks and runs a guest of KVM."""
    files = fetched(report, "grub")
    if files is None:
        return
    line = (ROOT / "tests/linux/cmdline.l1").read_text(encoding="utf-8").strip()
    menu = "\n".join(["set timeout=1", 'menuentry "Linux/KVM" {', '  echo "GRUB starts Linux"', "  search --set=root --file /vmlinuz",
                      f"  linux /vmlinuz {line} l1.only=tiny", "  initrd /initrd", "}"])
    result = report.machine(files=[f"{GRUB}/grubx64.efi={files[0]}", f"{GRUB}/grub.cfg:={menu}", f"vmlinuz={LINUX}/kernel/vmlinuz",
                                   f"initrd={LINUX}/initrd"] + disks.under_testudo(f"{GRUB}/grubx64.efi"), memory=768, seconds=600)
    expect(report, result, [LAUNCHED, r"GRUB starts Linux", r"^L1 userspace: Linux version ", r"^tiny L2: .*: ok$", r"^L0: Testudo ",
                            r"^VERDICT: PASS$"], NOT_WELL)


def xen_disk(folder, dom0, testudo):
    """The same files both ways; Xen reads its configuration beside itself. It wants a MADT."""
    subprocess.run([ROOT / "tests/recipes/mkdom0", LINUX / "dom0", LINUX / "tool", LINUX / "kernel/vmlinuz", folder, dom0], check=True)
    settings = "\n".join(["[global]", "default=linux", "", "[linux]",
                          "options=console=com1 com1=115200,8n1 noreboot dom0_mem=384M apicv=0", f"kernel=vmlinux {DOM0_WORDS}", "ramdisk=initrd"])
    files = [f"{L1}/xen.efi={folder}/xen.efi", f"{L1}/xen.cfg:={settings}", f"{L1}/vmlinux={dom0}/vmlinux", f"{L1}/initrd={LINUX}/dom0"]
    return disks.with_tables(files + (disks.under_testudo(f"{L1}/xen.efi") if testudo else disks.bare(f"{L1}/xen.efi", "")))


def xen(report):
    """Bare and on Testudo Xen finds the same processor, dom0 comes to its userspace, and its guests to theirs: one alone, then two at once."""
    files = fetched(report, "xen", "dom0")
    if files is None:
        return
    wanted = list(XEN_WANTED)
    for name in GUESTS:
        wanted += [rf"^dom0: xl create {name}: status 0$"] + [rf"^{name}: {what}" for what in GUEST_WANTED]
    said = {}
    for way in ("bare", "testudo"):
        result = report.machine(way, files=xen_disk(*files, way == "testudo"), cpu="skylake-x", memory=1024, seconds=900)
        more = [LAUNCHED, r"^L0: Testudo ", r"^L0: VM entries refused +0$"] if way == "testudo" else []
        expect(report, result, wanted + more, NOT_WELL, way)
        said[way] = [MEASURED.sub("", line) for line in result.lines if XEN_LINES.search(line)]
    bare, testudo = said["bare"], said["testudo"]
    differ = [f"bare only: {line}" for line in bare if line not in testudo] + [f"Testudo only: {line}" for line in testudo if line not in bare]
    report.judge(differ or (["the order of lines differs"] if bare != testudo else [] if bare else ["no lines"]), "compared", f"{len(bare)} lines")


def add(suite):
    suite.add("recipes/shell", shell)
    suite.add("recipes/shell-exits", shell_exits)
    suite.add("recipes/grub", grub)
    suite.add("recipes/xen", xen)
