# SPDX-License-Identifier: MIT
"""The benchmark as a picture, build/bench.svg: horizontal bars on a logarithmic scale, a colour for each subject, the ratio in words.

Needs no explanation beside it, so everything is written in it. Must not know how the rows were measured.
"""
import math
from xml.sax.saxutils import escape

import bench_targets
from bench_rows import by_name
from bench_table import kvm_ticks

COLOURS = {"bare": "#9aa0a6", "testudo": "#1a73e8", "kvm": "#e8710a"}
NAMES = {"bare": "bare machine", "testudo": "on Testudo", "kvm": "on Linux/KVM"}
LEFT, WIDTH, RIGHT = 300, 600, 290
BAR, GAP, TOP, HEADING = 11, 12, 122, 26


def text(x, y, words, size=12, anchor="start", colour="#202124", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}">'
            f'{escape(words)}</text>')


def box(x, y, width, height, colour, extra=""):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" fill="{colour}"{extra}/>'


def shown(table):
    """(heading, rows) of what belongs into the picture and was measured on Testudo."""
    for title, rows in bench_targets.groups(list(table)):
        rows = [known for known in rows if known.picture and "testudo" in table[known.name]]
        if rows:
            yield title, rows


def compared(ratio):
    """KVM's ticks in parts of Testudo's, in words."""
    words, colour = (f"{ratio:,.1f} times leaner", "#188038") if ratio >= 1 else (f"{1 / ratio:,.1f} times heavier", "#d93025")
    return words + " than KVM", colour


def bars(known, table, y, scale):
    """The subjects' bars of one row with their figures, and the ratio behind them."""
    rows, out, top = table[known.name], [], y
    kvm, reference = kvm_ticks(known.name, rows.get("kvm"))
    values = {"bare": getattr(rows.get("bare"), "ticks", None), "testudo": rows["testudo"].ticks, "kvm": kvm}
    for subject, value in values.items():
        if value is None:
            continue
        faded = ' fill-opacity="0.55"' if subject == "kvm" and reference else ""
        out.append(box(LEFT, y, scale(value), BAR, COLOURS[subject], faded))
        words = f"{value:,.0f}" + ("*" if subject == "kvm" and reference else "")
        out.append(text(LEFT + scale(value) + 5, y + BAR - 2, words, 10, colour="#5f6368"))
        y += BAR + 1
    if kvm and values["testudo"]:
        words, colour = compared(kvm / values["testudo"])
        out.append(text(LEFT + WIDTH + RIGHT - 15, (top + y) / 2 + 4, words, 13, "end", colour, "bold"))
    return out, y


def grid(scale, longest, bottom):
    for power in range(0, math.ceil(math.log10(longest)) + 1):
        x = LEFT + scale(10 ** power)
        if x <= LEFT + WIDTH + 1:
            yield f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom}" stroke="#e0e0e0"/>'
            yield text(x, TOP - 14, f"{10 ** power:,}", 10, "middle", "#5f6368")


def legend():
    x = 20
    for subject in COLOURS:
        yield box(x, 62, 14, 12, COLOURS[subject])
        yield text(x + 20, 73, NAMES[subject], 13)
        x += 40 + 8 * len(NAMES[subject])
    yield text(x + 10, 73, "shorter is better; each gridline is ten times the one before it", 12, colour="#5f6368")


def body(table, scale):
    out, y = [], TOP
    for title, group in shown(table):
        out.append(text(20, y + 14, title, 14, weight="bold"))
        y += HEADING
        for known in group:
            drawn, end = bars(known, table, y, scale)
            out.append(text(LEFT - 10, (y + end) / 2 + 3, known.text, 12, "end"))
            out += drawn
            y = end + GAP
        y += 6
    return out, y


def picture(rows, unit="instructions"):
    table = by_name(rows)
    ticks = [row.ticks for known in (k for _, group in shown(table) for k in group) for row in table[known.name].values() if row.ticks]
    ticks += [bench_targets.REFERENCE[k.name] for _, group in shown(table) for k in group if k.name in bench_targets.REFERENCE]
    longest = max(ticks, default=10)

    def scale(value):
        return max(1.0, WIDTH * math.log10(max(value, 1)) / math.ceil(math.log10(longest)))
    drawn, bottom = body(table, scale)
    starred = any(k.name in bench_targets.REFERENCE and "kvm" not in table[k.name] for _, group in shown(table) for k in group)
    width, height = LEFT + WIDTH + RIGHT, bottom + 34
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="sans-serif">',
            box(0, 0, width, height, "white"),
            text(20, 29, "What nested virtualization costs: one guest hypervisor, the same image in three places", 18, weight="bold"),
            text(20, 50, f"{unit.capitalize()} for one operation of L1, the guest hypervisor, or of L2, its guest; L1's own work is included", 13, colour="#5f6368")]
    foot = [text(20, height - 12, f"*: {bench_targets.REFERENCE_NAME}", 11, colour="#5f6368")] if starred else []
    return "\n".join(head + list(legend()) + list(grid(scale, longest, bottom)) + drawn + foot + ["</svg>"]) + "\n"
