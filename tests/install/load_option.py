# SPDX-License-Identifier: MIT
"""Boot entries as the firmware keeps them: EFI_LOAD_OPTION and device paths (UEFI specification, "Boot Manager" and "Device Path Protocol").

And a way to put such an entry into OVMF's variables.
"""
import struct
import uuid

GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
ACTIVE = 1
ATTRIBUTES = 7		# non-volatile, boot and run time
FIRST_VARIABLE = 0x64	# behind the headers of the volume and of the store
ADDED = 0x3F


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


def started_once(store, option):
    """A store of OVMF's variables that has no variable yet (EDK II's VariableFormat.h), with an entry that is started once."""
    at = FIRST_VARIABLE
    if store[at:at + 2] != b"\xff\xff":
        raise ValueError("the variable store is not an empty one")
    for name, data in (("Boot0100", option), ("BootNext", struct.pack("<H", 0x100))):
        name = (name + "\0").encode("utf-16-le")
        # A monotonic count, a time stamp and the number of a key are for authenticated variables.
        record = struct.pack("<HBBIQ16sIII", 0x55AA, ADDED, 0, ATTRIBUTES, 0, b"", 0, len(name), len(data))
        record += uuid.UUID(GLOBAL).bytes_le + name + data
        store = store[:at] + record + store[at + len(record):]
        at += -(-len(record) // 4) * 4
    return store
