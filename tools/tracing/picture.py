# SPDX-License-Identifier: MIT
"""A trace's summary as an SVG: where the time went by level, and the exits by reason and owner with what they cost.

Needs no explanation beside it, so everything is written in it. A level's time is counted only where nothing is missing before and after.
"""
from xml.sax.saxutils import escape

from .names import reason_name

# Who handles an exit, from whom it came: colour and words.
KINDS = {"l1": ("#1a73e8", "exits of L1: L0 answers"), "entry": ("#12b5cb", "VMLAUNCH and VMRESUME of L1: L0 enters L2"),
         "l2_l0": ("#9334e6", "exits of L2 that L0 handles by itself"), "l2_l1": ("#e8710a", "exits of L2 given to L1")}
LEVELS = (("L0", "#5f6368"), ("L1", "#1a73e8"), ("L2", "#188038"))
MARGIN, LEFT, BARS, RIGHT, ROW = 24, 300, 420, 300, 22
WIDTH = LEFT + BARS + RIGHT
MOST_ROWS = 30


def text(x, y, words, size=12, anchor="start", colour="#202124", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}">'
            f'{escape(words)}</text>')


def box(x, y, width, height, colour, words=""):
    title = f"<title>{escape(words)}</title>" if words else ""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.2f}" height="{height}" fill="{colour}">{title}</rect>'


def kind_of(record):
    if record.level == 1:
        return "entry" if record.next == 2 else "l1"
    return "l2_l1" if record.owner else "l2_l0"


def time_by_level(ring):
    """Ticks of L0, L1, L2 between transitions that follow each other."""
    ticks, before = [0, 0, 0], None
    for record in ring.transitions:
        ticks[0] += record.cost
        if before and record.follows and record.tsc >= before.end:
            ticks[record.level] += record.tsc - before.end
        before = record
    return ticks


def by_reason(rings):
    """Reasons with their records by kind, the most frequent first."""
    found = {}
    for ring in rings:
        for record in ring.transitions:
            found.setdefault(reason_name(record.reason), {}).setdefault(kind_of(record), []).append(record)
    return sorted(found.items(), key=lambda item: -sum(map(len, item[1].values())))


def in_words(microseconds):
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:,.2f} {unit}"
    return f"{microseconds:,.2f} µs"


def level_bars(rings, clock, y):
    out = [text(MARGIN, y, "Time by level", 15, weight="bold")]
    x = LEFT
    for name, colour in LEVELS:
        out += [box(x, y - 10, 11, 11, colour), text(x + 16, y, name)]
        x += 60
    y += 14
    for ring in rings:
        ticks = time_by_level(ring)
        whole, x = sum(ticks) or 1, LEFT
        out.append(text(LEFT - 12, y + 14, f"processor {ring.cpu}", anchor="end"))
        for part, (name, colour) in zip(ticks, LEVELS):
            out.append(box(x, y + 2, BARS * part / whole, ROW - 6, colour, f"{name}: {in_words(clock.span(part))}"))
            x += BARS * part / whole
        shares = ", ".join(f"{name} {100 * part / whole:.1f} %" for part, (name, _) in zip(ticks, LEVELS))
        out.append(text(LEFT + BARS + 12, y + 14, f"{shares} of {in_words(clock.span(whole if sum(ticks) else 0))}", 11, colour="#5f6368"))
        y += ROW
    return out, y


def legend(y):
    out, x = [], MARGIN
    for colour, words in KINDS.values():
        out += [box(x, y - 10, 11, 11, colour), text(x + 16, y, words)]
        x += 38 + 6.8 * len(words)
    return out


def reason_bar(name, kinds, longest, y):
    out, x = [text(LEFT - 12, y + 14, name, anchor="end")], LEFT
    records = [record for some in kinds.values() for record in some]
    for kind, (colour, words) in KINDS.items():
        count = len(kinds.get(kind, ()))
        if count:
            out.append(box(x, y + 2, BARS * count / longest, ROW - 6, colour, f"{count} {words}"))
            x += BARS * count / longest
    costs = sorted(record.cost for record in records)
    mean, quick = sum(costs) / len(costs), sum(record.way == 0 for record in records)
    out.append(text(x + 8, y + 14, f"{len(records):,} · mean {mean:,.0f}, most {costs[-1]:,} ticks · {100 * quick / len(costs):.0f} % quick", 11,
                    colour="#5f6368"))
    return out


def picture(rings, clock):
    rows = by_reason(rings)
    total = sum(len(ring.transitions) for ring in rings)
    lost = sum(ring.lost for ring in rings)
    body = [text(MARGIN, 34, "Testudo: transitions between levels", 20, weight="bold")]
    words = f"{total:,} transitions on {len(rings)} processor{'' if len(rings) == 1 else 's'}"
    words += f"; {lost:,} older ones were overwritten" if lost else "; none was overwritten"
    words += f"; time-stamp counter of {clock.hertz / 1e6:,.0f} MHz" + ("" if clock.is_known else ", assumed")
    body.append(text(MARGIN, 56, words, colour="#5f6368"))
    damaged = [complaint for ring in rings for complaint in ring.complaints]
    if damaged:
        body.append(text(MARGIN, 74, "Not whole: " + "; ".join(damaged[:3]), colour="#d93025"))
    out, y = level_bars(rings, clock, 104)
    body += out
    y += 34
    body.append(text(MARGIN, y, "Exits by reason and owner", 15, weight="bold"))
    body += legend(y + 22)
    y += 34
    longest = max((sum(map(len, kinds.values())) for _, kinds in rows), default=1)
    for name, kinds in rows[:MOST_ROWS]:
        body += reason_bar(name, kinds, longest, y)
        y += ROW
    if len(rows) > MOST_ROWS:
        body.append(text(LEFT, y + 14, f"and {len(rows) - MOST_ROWS} rarer reasons", colour="#5f6368"))
        y += ROW
    if not total:
        body.append(text(LEFT, y + 14, "nothing was recorded", colour="#5f6368"))
        y += ROW
    height = y + 24
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
            f'font-family="DejaVu Sans, Helvetica, Arial, sans-serif"><rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n' +
            "\n".join(body) + "\n</svg>\n")
