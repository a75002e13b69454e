# SPDX-License-Identifier: MIT
"""What is on the disks of the runs: entries for tools/mkesp, for each image bare and on Testudo.

Both ways of one image use the same files in the same places; only the program that the firmware starts first differs, so that a
difference in a run's output or count is Testudo's doing.
"""
from machine import ROOT

BUILD = ROOT / "build"
LOADER = BUILD / "BOOTX64.EFI"
LINUX = BUILD / "linux"
FIRST = "EFI/BOOT/BOOTX64.EFI"
START = BUILD / "efi" / "start.efi"
SPARE = "EFI/testudo/spare.efi"	# the other way's first program, so that all else lies in the same place on the disk
NEXT = "EFI/BOOT/next.efi"	# what tables.efi starts
L1 = "EFI/testudo/l1"


def efi_path(path):
    return "\\" + path.replace("/", "\\")


def under_testudo(image, options="", settings=()):
    """The loader and its configuration for an L1 image (a path on the disk; "" for none) with load options."""
    lines = list(settings)
    if image:
        lines.append(f"l1 = {efi_path(image)}")
    if options:
        lines.append(f"options = {options}")
    return [f"{FIRST}={LOADER}", "EFI/testudo/testudo.cfg:=" + "\n".join(lines)]


def with_tables(files, tables=()):
    """The same disk with tables.efi in front: it gives the firmware a MADT, and the raw ACPI tables in these files."""
    rest = [NEXT + entry[len(FIRST):] if entry.startswith(FIRST) else entry for entry in files]
    more = [f"EFI/BOOT/acpi/t{number}.aml={path}" for number, path in enumerate(tables)]
    return [f"{FIRST}={BUILD}/efi/tables.efi"] + more + rest


def linux_options(extra=""):
    line = (ROOT / "tests/linux/cmdline.l1").read_text(encoding="utf-8").strip()
    return f"initrd={efi_path(L1)}\\initrd {line} {extra}".strip()


def linux(testudo, extra="", settings=()):
    """Debian's kernel with our initrd; `extra` is added to its command line."""
    files = [f"{L1}/vmlinuz.efi={LINUX}/kernel/vmlinuz", f"{L1}/initrd={LINUX}/initrd"]
    if testudo:
        return files + under_testudo(f"{L1}/vmlinuz.efi", linux_options(extra), settings) + [f"{SPARE}={START}"]
    return files + bare(f"{L1}/vmlinuz.efi", linux_options(extra)) + [f"{SPARE}={LOADER}"]


def linux_rounds(testudo, row, deep=0, settings=()):
    """What `vmm rounds` measures under a row's name, on Linux/KVM; or on as many more of them as `deep` says, each a guest of the one below."""
    return linux(testudo, f"l1.only=rounds l1.row={row} l1.deep={deep}", settings)


# Bochs 3.0 refuses the address of KVM's posted-interrupt descriptor at VM entry, on the models that have one.
WITHOUT_APICV = "enable_apicv=0"


def guest_on_kvm(name, options="", parameters=()):
    """One of our test guests as L1 of Linux/KVM, which is L0 then; its lines come out on Linux' console. Parameters: kvm_intel's."""
    second = f"{L1}/{name}.cpio"
    extra = f"initrd={efi_path(second)} l1.only=guest l1.kvm={','.join((WITHOUT_APICV, *parameters))}" + (f" l1.guest={options}" if options else "")
    return linux(False, extra) + [f"{second}={LINUX}/{name}.cpio"]


def linux_several(testudo, extra="", settings=()):
    """The same for several processors in Bochs: with a MADT, and around what Bochs does not do well (docs/emulators.md)."""
    return with_tables(linux(testudo, f"l1.ept=0 idle=halt {extra}".strip(), settings))


def quoted(text):
    return '"' + text.replace('"', '""') + '"'


def on_levels(count, image, options="", settings=()):
    """`count` Testudos, each the L1 of the one below, and an image (a path on the disk) on top; all have the same settings."""
    words = [setting.replace(" = ", "=") for setting in settings]
    for _ in range(count - 1):
        options = " ".join(words + [f"l1={efi_path(image)}"] + ([f"options={quoted(options)}"] if options else []))
        image = FIRST
    return under_testudo(image, options, settings)


def bare(image, options):
    """An image started by start.efi, in the way that the loader would start it."""
    return [f"{FIRST}={START}", "EFI/BOOT/start.cfg:=" + efi_path(image) + "\n" + options]


def guest(name, testudos, settings=(), options=""):
    """One of our test guests, on any number of Testudos; bare on none."""
    path, image = f"{L1}/{name}.efi", f"{BUILD}/guests/{name}.efi"
    if testudos:
        return [f"{path}={image}"] + on_levels(int(testudos), path, options, settings)
    if options:
        return [f"{path}={image}"] + bare(path, options)
    return [f"{FIRST}={image}"]
