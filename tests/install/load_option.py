# SPDX-License-Identifier: MIT
"""Boot entries as the firmware keeps them: EFI_LOAD_OPTION and device paths (UEFI specification, "Boot Manager" and "Device Path Protocol").

And a script for the UEFI shell that has the firmware start such an entry once.
"""
import struct

GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
ACTIVE = 1
MARK = r"fs0:\again.txt"
GOES_ON = "the boot order goes on"


def node(kind, below, data):
    return struct.pack("<BBH", kind, below, 4 + len(data)) + data


END = node(0x7F, 0xFF, b"")


def file_on_partition(part, begin, sectors, guid, path):
    disk = struct.pack("<IQQ16sBB", part, begin, sectors, guid.bytes_le, 2, 2)
    return node(4, 1, disk) + node(4, 4, (path + "\0").encode("utf-16-le")) + END


def uri(text):
    return node(3, 24, text.encode()) + END


def load_option(label, path, options=""):
    text = (options + "\0").encode("utf-16-le") if options else b""
    return struct.pack("<IH", ACTIVE, len(path)) + (label + "\0").encode("utf-16-le") + path + text


def start_once(option):
    """startup.nsh: the shell comes to it before the reset, and again when the entry has returned and the boot order goes on."""
    how = f"-guid {GLOBAL} -nv -bs -rt"
    return "\r\n".join(["@echo -off", f"if exist {MARK} then", f"echo {GOES_ON}", "reset -s", "endif", f"echo x > {MARK}",
                        f"setvar Boot0100 {how} ={option.hex()}", f"setvar BootNext {how} =0001", "reset"])
