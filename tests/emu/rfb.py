# SPDX-License-Identifier: MIT
"""A picture of an emulated screen by the remote framebuffer protocol (RFC 6143), and the text on it.

Knows no font: a line that should be there is compared as shapes. Equal characters have to look the same wherever they stand, different
ones different; so a picture with many known lines proves each.
"""
import os
import select
import socket
import struct
import time
import zlib
from pathlib import Path

GLYPH = 8           # pixels, the width
DESKTOP_SIZE = -223
PATIENCE, ASK_AGAIN = 60, 2     # seconds


class Picture:
    """Rows of pixels of a byte each."""
    def __init__(self, width, rows):
        self.width, self.rows = width, rows

    def cell(self, x, y, height):
        return tuple(bytes(row[x:x + GLYPH]) for row in self.rows[y:y + height])

    def save(self, path):
        """As PNG, of 8 bits of grey: each of the three colours has its share."""
        grey = bytes((c & 7) * 15 + (c >> 3 & 7) * 15 + (c >> 6) * 15 for c in range(256))
        raw = b"".join(b"\0" + bytes(row).translate(grey) for row in self.rows)
        parts = [(b"IHDR", struct.pack(">IIBBBBB", self.width, len(self.rows), 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
        with open(path, "wb") as file:
            file.write(b"\x89PNG\r\n\x1a\n")
            for kind, data in parts:
                file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))

    def text(self, lines, top, height, left=0):
        """Complaints: `lines` do not stand there, from pixel row `top` on, in glyphs of `height` rows."""
        shapes, wrong = {}, []
        for number, line in enumerate(lines):
            for column, c in enumerate(line):
                shape = self.cell(left + column * GLYPH, top + number * height, height)
                if shapes.setdefault(c, shape) != shape:
                    wrong.append(f"line {number}, column {column}: not the \"{c}\" of before")
        for c, shape in shapes.items():
            wrong += [f"\"{c}\" and \"{other}\" look the same" for other in shapes if other < c and shapes[other] == shape]
        return wrong

    def is_blank(self, top, height, left=0, width=None):
        return not any(any(row[left:left + (width or self.width)]) for row in self.rows[top:top + height])


def exactly(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise OSError("the emulator's screen server has gone")
        data += part
    return data


def connect(port):
    """Version, no authentication, the server's own format of a byte a pixel, uncompressed; the size may change."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(exactly(connection, 12))
    if struct.unpack(">I", exactly(connection, 4))[0] != 1:
        raise OSError("the emulator's screen server wants a password")
    connection.sendall(b"\1")
    width, height = struct.unpack(">HH", exactly(connection, 4))
    exactly(connection, 16)
    exactly(connection, struct.unpack(">I", exactly(connection, 4))[0])
    connection.sendall(struct.pack(">BBHii", 2, 0, 2, 0, DESKTOP_SIZE))
    return connection, width, height


def listening_port(pid):
    """The TCP port on which this process listens; 0: none yet."""
    sockets = {os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_symlink()}
    for line in Path(f"/proc/{pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        word = line.split()
        if word[3] == "0A" and f"socket:[{word[9]}]" in sockets:
            return int(word[1].partition(":")[2], 16)
    return 0


def greet(port):
    """Bochs waits for a client, and only one that takes other sizes lets the machine set other modes; afterwards none is needed."""
    with connect(port)[0]:
        time.sleep(2.5)   # it looks once a second


def picture(port):
    """One update of all of it, asked for until it comes: Bochs forgets a request that its own update of a part crosses."""
    connection, width, height = connect(port)
    rows, missing, asked, begin = [bytearray(width) for _ in range(height)], set(range(height)), 0, time.monotonic()
    with connection:
        while missing:
            if time.monotonic() - begin > PATIENCE:
                raise OSError("the emulator's screen server shows no whole picture")
            if time.monotonic() - asked > ASK_AGAIN:
                connection.sendall(struct.pack(">BBHHHH", 3, 0, 0, 0, width, height))
                asked = time.monotonic()
            if not select.select([connection], [], [], ASK_AGAIN)[0]:
                continue
            kind, _, count = struct.unpack(">BBH", exactly(connection, 4))
            if kind != 0:
                raise OSError(f"the emulator's screen server says {kind}")
            for _ in range(count):
                x, y, w, h, encoding = struct.unpack(">HHHHi", exactly(connection, 12))
                if encoding == DESKTOP_SIZE:
                    continue
                if encoding != 0:
                    raise OSError(f"the emulator's screen server uses encoding {encoding}")
                for row in range(y, y + h):
                    rows[row][x:x + w] = exactly(connection, w)
                if (x, w) == (0, width):
                    missing -= set(range(y, y + h))
        return Picture(width, rows)
