# SPDX-License-Identifier: MIT
"""L0's lines on a screen, looked at in the picture that the emulator shows: until L1 takes the screen, and of a panic all that fits.

The graphics card's driver is tests/emu/screen.c, because OVMF's does not start in Bochs. Of each line the picture has the first 32 characters.
"""
import re

import disks
from disks import BUILD, L1
from rfb import Picture
from suite_kernel import HALTED, numbers

LINES = f"{L1}/lines.efi"
LINES_FILE = f"{LINES}={BUILD}/efi/lines.efi"
CONFIG = "EFI/testudo/testudo.cfg"
SECONDS = 90
HEADER, HEIGHT, ROWS_OF_GLYPH = 32, 768, 19     # Bochs's own bar; tests/emu/screen.c; the firmware's font
CHARS, SHOWN = 128, 32                          # of a row, and what the picture has of it
ROWS = HEIGHT // ROWS_OF_GLYPH
THIRD = ROWS - ROWS // 3
OF_LOADER = re.compile(r"^testudo\[0\]: (Testudo |reserved |\d+ of \d+ processors|starting )")


def with_screen(loader, settings):
    return [f"{disks.FIRST}={BUILD}/efi/screen.efi", f"{disks.NEXT}={loader}", f"{CONFIG}:=" + "\n".join(settings), LINES_FILE]


def picture_of(result):
    """The screen alone; four of the card's pixels are one of the firmware's."""
    shown = result.screen
    return Picture(shown.width // 4, [row[::4] for row in shown.rows[HEADER:HEADER + HEIGHT]])


def rows_of(lines):
    return [line[at:at + CHARS][:SHOWN] for line in lines for at in range(0, len(line), CHARS)]


def said(result):
    """L0's own lines."""
    return [line for line in result.lines if re.match(r"testudo\[\d+\]: ", line) and not OF_LOADER.match(line)]


def wrong_rows(picture, first, lines):
    """Each line in its row, and nothing anywhere else."""
    rows = rows_of(lines)[:ROWS - first]
    wrong = picture.text(rows, first * ROWS_OF_GLYPH, ROWS_OF_GLYPH)[:5]
    if not picture.is_blank(0, first * ROWS_OF_GLYPH):
        wrong.append("there is something above")
    if not picture.is_blank((first + len(rows)) * ROWS_OF_GLYPH, HEIGHT):
        wrong.append("there is something below")
    return wrong


def until_taken(option, setting="log = info", shown=True):
    """One line before L1 takes the screen and one after it; with `setting` there may be none at all."""
    def test(report):
        options = [f"options = {option}"] if option else []
        result = report.machine(files=with_screen(disks.LOADER, [f"l1 = {disks.efi_path(LINES)}", setting] + options), cpu="corei7_skylake_x",
                                screen=True, seconds=SECONDS, until="^lines: done")
        wrong = [] if result.end == "until" and "lines: the screen is taken" in result.lines else [f"the machine ended by {result}"]
        if "lines: the screen is not taken" in result.lines:
            wrong.append("L1 could not take the screen")
        lines = said(result)
        if len(lines) < 3 or "PIN_BASED" not in lines[-2] or "PROCESSOR_BASED" not in lines[-1]:
            wrong.append("L0 has not said what it should")
        if not wrong:
            picture = picture_of(result)
            wrong = wrong_rows(picture, THIRD, [line for line in lines[:-1] if shown])
        report.judge(wrong, good=f"{len(lines) - 1 if shown else 0} lines")
    return test


def panic(test):
    """The whole screen is the panic's, from what came right before it to where the screen ends."""
    def body(report):
        image = f"{BUILD}/selftest/{numbers()[test]}/BOOTX64.EFI"
        result = report.machine(files=with_screen(image, []), screen=True, seconds=SECONDS, until=HALTED)
        wrong = [] if result.end == "until" else [f"the machine ended by {result}"]
        lines = said(result)
        if "testudo[0]: PANIC" not in lines or len(rows_of(lines)) < 35:
            wrong.append(f"the panic has {len(lines)} lines")
        if not wrong:
            wrong = wrong_rows(picture_of(result), 0, lines)
        report.judge(wrong, good=f"{min(ROWS, len(rows_of(lines)))} rows of {len(rows_of(lines))}")
    return body


def add(suite):
    suite.add("screen/until-exit-boot-services", until_taken(""))
    suite.add("screen/until-set-mode", until_taken("mode"))
    suite.add("screen/off", until_taken("", "screen = off", False))
    suite.add("screen/panic", panic("PANIC"))
    suite.add("screen/exception", panic("WRITE_TO_CODE"))
