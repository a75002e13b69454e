# SPDX-License-Identifier: MIT
"""What is installed: the loader, its configuration, L1's image and what goes with it. Bytes in, bytes out; writes nothing."""
import os
import struct
from pathlib import Path

from installer.esp import Failure

HOME = "EFI/testudo"
LOADER = f"{HOME}/testudo.efi"
CONFIG = f"{HOME}/testudo.cfg"
L1 = f"{HOME}/l1"
FALLBACK = "EFI/BOOT/BOOTX64.EFI"
FOLDERS = (HOME, L1, "EFI/BOOT")
NOT_IN_NAMES = set('"*:<>?|\\')
LONGEST_PATH, LONGEST_OPTIONS = 511, 4095	# bytes, boot/uefi/config.h


def efi_path(path):
    return "\\" + path.replace("/", "\\")


class Image:
    """The head of a PE image (Microsoft PE format, "Optional Header")."""
    def __init__(self, data):
        self.is_application = self.is_signed = False
        try:
            at = struct.unpack_from("<I", data, 0x3C)[0]
            machine, magic, subsystem = (struct.unpack_from("<H", data, at + offset)[0] for offset in (4, 24, 24 + 68))
            directories, certificates = (struct.unpack_from("<I", data, at + 24 + offset)[0] for offset in (108, 112 + 4 * 8 + 4))
        except struct.error:
            return
        self.is_application = (data[:2], data[at:at + 4], machine, magic, subsystem) == (b"MZ", b"PE\0\0", 0x8664, 0x20B, 10)
        self.is_signed = self.is_application and directories > 4 and certificates > 0


def read(path, what):
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Failure(f"{what} {path} cannot be read: {error.strerror}", "name a file that is there" + (
            "; `make` builds the loader" if what == "the loader" else "")) from error


def application(path, what):
    data = read(path, what)
    if not Image(data).is_application:
        raise Failure(f"{what} {path} is no UEFI application for x86-64",
                      "L1 has to be one: a kernel with its EFI stub, GRUB, xen.efi; for the loader, build/BOOTX64.EFI")
    return data


def beside_l1(path, suffix=""):
    """Where on the partition a file of this system goes."""
    name = Path(path).name
    if not name.lower().endswith(suffix):
        name += suffix
    if NOT_IN_NAMES & set(name):
        raise Failure(f"{name} is no name that FAT allows", "give a copy with another name")
    return f"{L1}/{name}"


def choose_l1(esp, wanted):
    """(path for the configuration, files to copy, remarks). On the partition already, or a file of this system, which is copied."""
    if wanted.startswith("\\"):
        there = esp.read(wanted.replace("\\", "/").lstrip("/")) is not None
        return wanted, {}, [] if there else [f"there is no {wanted} on the partition yet"]
    real = Path(wanted).resolve()
    if esp.real in real.parents:
        application(real, "L1's image")
        return efi_path(str(real.relative_to(esp.real))), {}, []
    path = beside_l1(wanted, ".efi")
    return efi_path(path), {path: application(wanted, "L1's image")}, []


def value(text, what, longest):
    """As testudo.cfg has it: in quotes where it would be read otherwise."""
    if any(ord(c) < 32 for c in text):
        raise Failure(f"{what} has a line end or a control character in it", "give it in one line")
    if len(text.encode()) > longest:
        raise Failure(f"{what} has more than {longest} bytes", "shorten it")
    if text != text.strip() or '"' in text or "#" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def configuration(example, l1, options):
    """The example, in which everything is explained, after the settings that were asked for."""
    lines = [f"l1 = {value(l1, 'the path of L1', LONGEST_PATH)}\n"] if l1 else []
    lines += [f"options = {value(options, 'OPTIONS', LONGEST_OPTIONS)}\n"] if options else []
    text = example.decode("utf-8")
    return ("".join(lines) + ("\n" if lines else "") + text).encode()


def first_of(*paths):
    return next((path for path in paths if os.path.exists(path)), paths[0])
