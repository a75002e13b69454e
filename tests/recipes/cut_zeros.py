#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cut_zeros.py IN OUT: an ELF program without the zeros at its end.

Linux' last segment ends in memory that is zero and, for the sake of a section behind it, is in the file all the same: 24 of 65 MB, which
firmware would have to read. They become the part of the segment that the loader clears. The section headers, of no use to who loads a kernel,
go with them.
"""
import struct
import sys

PT_LOAD = 1


def segments(data):
    """Where each program header lies, and its type, flags, file offset, addresses, file size and memory size."""
    start, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    return [(start + i * size, struct.unpack_from("<IIQQQQQ", data, start + i * size)) for i in range(count)]


def cut(data):
    place, (_, _, offset, _, _, size, _) = max((s for s in segments(data) if s[1][0] == PT_LOAD), key=lambda s: s[1][2])
    size = len(data[offset:offset + size].rstrip(b"\0"))
    struct.pack_into("<Q", data, place + 32, size)
    struct.pack_into("<Q", data, 40, 0)  # e_shoff
    struct.pack_into("<HH", data, 60, 0, 0)  # e_shnum, e_shstrndx
    return data[:offset + size]


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as target:
        target.write(cut(bytearray(source.read())))
