"""Makes outlines.bin from Natural Earth 1:10m, as the npm package world-atlas has it.

    python3 outlines.py world-atlas-2.0.2.tgz        needs nothing else

outlines.bin    the rings of land and of what lies within it (the Caspian Sea), one after another: the number of
                points as LEB128, then for each the step from the one before (the first from 0, 0) east and
                north in units of UNIT degrees, each as zigzag LEB128; a ring across 180 degrees goes on beyond it
"""
import json, sys, tarfile
from pathlib import Path

HERE = Path(__file__).parent
UNIT = 0.01         # degrees
TOLERANCE = 0.015   # degrees that a coast may be off its source
LEAST = 0.001       # square degrees of the least island that is kept: some 10 km²


def rings_of(topology):
    (sx, sy), (tx, ty) = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * sx + tx, y * sy + ty))
        arcs.append(points)
    for one in topology["objects"]["land"]["geometries"]:
        for polygon in [one["arcs"]] if one["type"] == "Polygon" else one["arcs"]:
            for indexes in polygon:
                points = []
                for index in indexes:
                    part = arcs[index] if index >= 0 else arcs[~index][::-1]
                    points += part[1:] if points else part
                yield points


def unwrapped(points):
    """Without leaps at 180 degrees: longitudes go on beyond it. A ring around a pole goes on to the pole."""
    turn, whole = 0, []
    for x, y in points:
        if whole and x + turn - whole[-1][0] > 180:
            turn -= 360
        elif whole and x + turn - whole[-1][0] < -180:
            turn += 360
        whole.append((x + turn, y))
    if abs(whole[-1][0] - whole[0][0]) > 180:
        whole += [(whole[-1][0], -90), (whole[0][0], -90), whole[0]]
    east = [x for x, _ in whole]
    shift = 360 * round((min(east) + max(east)) / 720)
    return [(x - shift, y) for x, y in whole]


def area(points):
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(points, points[1:] + points[:1]))) / 2


def simplified(points):
    """By Douglas and Peucker, from the first point and the one farthest from it."""
    points = points[:-1] if points[0] == points[-1] else points
    if len(points) < 4:
        return points
    far = max(range(len(points)), key=lambda at: (points[at][0] - points[0][0]) ** 2 + (points[at][1] - points[0][1]) ** 2)
    ring = points + points[:1]
    kept, waiting = {0, far}, [(0, far), (far, len(points))]
    while waiting:
        first, last = waiting.pop()
        (ax, ay), (bx, by) = ring[first], ring[last]
        dx, dy = bx - ax, by - ay
        length = dx * dx + dy * dy
        worst, at = 0, None
        for middle in range(first + 1, last):
            px, py = ring[middle][0] - ax, ring[middle][1] - ay
            along = 0 if length == 0 else max(0, min(1, (px * dx + py * dy) / length))
            off = (px - along * dx) ** 2 + (py - along * dy) ** 2
            if off > worst:
                worst, at = off, middle
        if worst > TOLERANCE ** 2:
            kept.add(at)
            waiting += [(first, at), (at, last)]
    return [points[at] for at in sorted(kept) if at < len(points)]


def leb128(number, out):
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)


def main(path):
    with tarfile.open(path) as files:
        topology = json.load(files.extractfile("package/land-10m.json"))
    out, count = bytearray(), [0, 0]
    for ring in map(unwrapped, rings_of(topology)):
        # Natural Earth keeps an island of a square metre at 0°, 0°, to find data without a place: too small too.
        if area(ring) < LEAST:
            continue
        whole = []
        for x, y in simplified(ring):
            point = (round(x / UNIT), round(y / UNIT))
            if not whole or point != whole[-1]:
                whole.append(point)
        if len(whole) < 3:
            continue
        leb128(len(whole), out)
        x = y = 0
        for px, py in whole:
            for step in (px - x, py - y):
                leb128(step << 1 if step >= 0 else (-step << 1) - 1, out)
            x, y = px, py
        count = [count[0] + 1, count[1] + len(whole)]
    (HERE / "outlines.bin").write_bytes(out)
    print(count[0], "rings,", count[1], "points,", len(out), "bytes")


if __name__ == "__main__":
    main(sys.argv[1])
