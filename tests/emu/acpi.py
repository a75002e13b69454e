# SPDX-License-Identifier: MIT
"""ACPI tables for Bochs's PIIX4, as raw bytes: a FADT and a DSDT that is little more than sleep states.

OVMF has none of its own there; tables.efi installs these, and the firmware computes checksums and links DSDT to FADT. Must stay what the
hardware does: power management at 0xb000, where OVMF puts it.
"""
import struct

from disks import BUILD

POWER_BASE = 0xb000
TYPES = {1: 4, 3: 1, 4: 2, 5: 0}	# SLP_TYP of the PIIX4, by sleep state


def table(signature, revision, body):
    header = struct.pack("<4sIBB6s8sI4sI", signature, 36 + len(body), revision, 0, b"TSTUDO", b"TESTS   ", 1, b"TEST", 1)
    return header + body


def constant(value):
    return bytes([value]) if value < 2 else bytes([0x0a, value])


def dsdt():
    """Scope (\\) { Name (_S3, Package () { 1, 1, 0, 0 }) ... }"""
    states = b""
    for state, value in TYPES.items():
        content = bytes([4]) + 2 * constant(value) + bytes([0, 0])
        states += bytes([0x08]) + b"_S%d_" % state + bytes([0x12, 1 + len(content)]) + content
    scope = bytes([0x5c, 0x00]) + states	# root, NullName
    return table(b"DSDT", 1, bytes([0x10, 1 + len(scope)]) + scope)


def fadt():
    body = bytearray(116 - 36)
    put = lambda offset, form, *values: struct.pack_into("<" + form, body, offset - 36, *values)
    put(46, "H", 9)				# SCI
    put(56, "I", POWER_BASE)			# PM1a event
    put(64, "I", POWER_BASE + 4)		# PM1a control
    put(76, "I", POWER_BASE + 8)		# timer
    put(88, "BBBB", 4, 2, 0, 4)			# their lengths
    put(112, "I", 0x01)				# WBINVD
    return table(b"FACP", 1, bytes(body))


def spcr(port):
    """The firmware's console is a 16550 at that port. The path of the table's file."""
    body = bytearray(80 - 36)
    struct.pack_into("<B3xBBBBQ", body, 0, 0, 1, 8, 0, 1, port)
    path = BUILD / "acpi" / "spcr.aml"
    path.write_bytes(table(b"SPCR", 2, bytes(body)))
    return path


def files():
    """Writes the tables; returns their paths, FADT first."""
    folder = BUILD / "acpi"
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, content in (("facp", fadt()), ("dsdt", dsdt())):
        paths.append(folder / f"{name}.aml")
        paths[-1].write_bytes(content)
    return paths
