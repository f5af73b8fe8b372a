"""Makes countries.txt and land.bin from Natural Earth 1:10m, as the npm package world-atlas has it.

    python3 derive.py world-atlas-2.0.2.tgz        needs shapely 2 and pycountry

countries.txt   code, land in km², then boxes: west south east north in hundredths of a degree each
land.bin        whether there is land in each cell of 0.25°, row by row from 90° south, each from
                180° west: lengths of runs as LEB128, the first of sea
"""
import json, math, sys, tarfile
from pathlib import Path

import numpy
import pycountry
import shapely
from shapely import affinity
from shapely.geometry import MultiPoint, Polygon, box

HERE = Path(__file__).parent
CELL = 0.25      # degrees
SHORE = 0.05     # degrees that the coast may be off, or that a plot reaches over it
BORDER = 0.1     # degrees that a border may be off
BOXES_MAX = 12
EARTH_RADIUS_KM = 6371.0088

# Natural Earth has one shape for these countries and what ISO 3166-1 gives codes of its own.
WITHOUT_CODE = {"Kosovo": ["XK", "RS"], "N. Cyprus": ["CY"], "Somaliland": ["SO"],
                "Siachen Glacier": ["IN", "PK", "CN"], "Indian Ocean Ter.": ["CX", "CC"],
                "Ashmore and Cartier Is.": ["AU"], "Akrotiri": ["CY", "GB"], "Dhekelia": ["CY", "GB"],
                "Cyprus U.N. Buffer Zone": ["CY"], "Baikonur": ["KZ", "RU"], "USNB Guantanamo Bay": ["CU", "US"],
                "Bir Tawil": ["EG", "SD"], "Brazilian I.": ["BR", "UY"], "S. Patagonian Ice Field": ["AR", "CL"],
                "Bajo Nuevo Bank": ["CO", "JM"], "Serranilla Bank": ["CO", "JM", "HN"], "Scarborough Reef": ["CN", "PH"],
                "Spratly Is.": ["CN", "PH", "VN", "MY", "TW"], "Coral Sea Is.": ["AU"]}
# What more than one country calls its own, and what lies in another's shape: raised with none of them.
ALSO = {"UA": [(32.4, 44.3, 36.7, 46.3)], "IN": [(72.5, 32.0, 80.4, 37.2), (91.5, 26.5, 97.5, 29.6)],
        "PK": [(72.5, 32.0, 80.4, 37.2)], "CN": [(78.0, 31.0, 80.6, 36.0), (91.5, 26.5, 97.5, 29.6), (119.0, 21.5, 122.5, 26.5)],
        "MA": [(-17.3, 20.6, -8.5, 27.8)], "SY": [(35.5, 32.6, 36.2, 33.5)], "IL": [(34.1, 31.1, 36.0, 33.5)],
        "PS": [(34.1, 31.1, 35.7, 32.7)], "GE": [(40.0, 41.0, 46.8, 43.7)], "MD": [(26.5, 45.3, 30.3, 48.6)],
        "AZ": [(44.6, 38.3, 50.7, 42.0)], "SD": [(33.0, 21.7, 37.2, 23.3), (26.0, 9.0, 29.0, 10.6)],
        "SS": [(26.0, 9.0, 29.0, 10.6)], "EG": [(33.0, 21.7, 37.2, 23.3)], "KE": [(33.9, 4.1, 36.1, 5.6)],
        "ET": [(33.9, 4.1, 36.1, 5.6)], "JP": [(145.2, 43.2, 149.0, 45.7)], "GY": [(-61.5, 1.1, -56.4, 8.7)],
        "VE": [(-61.5, 1.1, -58.0, 8.7)], "RS": [(20.0, 41.8, 21.9, 43.4)], "FK": [(-61.5, -52.6, -57.6, -50.9)],
        "AR": [(-61.5, -52.6, -57.6, -50.9)],
        "GF": [(-54.7, 2.0, -51.5, 5.9)], "GP": [(-61.9, 15.8, -61.0, 16.6)], "MQ": [(-61.3, 14.3, -60.8, 15.0)],
        "RE": [(55.1, -21.5, 55.9, -20.8)], "YT": [(44.9, -13.1, 45.4, -12.6)], "BQ": [(-68.5, 12.0, -68.1, 12.4), (-63.3, 17.4, -62.9, 17.7)],
        "SJ": [(-9.2, 70.7, -7.8, 71.3), (10.0, 74.2, 34.0, 81.0)], "CX": [(105.5, -10.6, 105.8, -10.4)],
        "CC": [(96.7, -12.3, 97.0, -11.8)], "TK": [(-172.6, -9.5, -171.1, -8.5)], "BV": [(3.2, -54.5, 3.5, -54.3)],
        "UM": [(-177.5, -0.5, -159.9, 6.5), (-169.6, 16.6, -169.4, 16.9), (166.5, 19.2, 166.7, 19.4), (-75.1, 18.3, -74.9, 18.5)],
        "GI": [(-5.4, 36.1, -5.3, 36.2)], "TV": [(176.0, -10.8, 180.0, -5.6)]}
# Islands with trees that are too small for the shapes.
ISLANDS = [(-172.6, -9.5, -171.1, -8.5), (96.7, -12.3, 97.0, -11.8), (105.5, -10.6, 105.8, -10.4), (176.0, -10.8, 180.0, -5.6),
           (72.5, -0.8, 73.8, 7.2), (71.0, -8.0, 73.0, -4.5), (-162.6, 5.6, -159.3, 6.6), (166.5, 19.2, 166.7, 19.4)]


def shapes(topology, name):
    """The geometries of a TopoJSON object."""
    (sx, sy), (tx, ty) = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * sx + tx, y * sy + ty))
        arcs.append(points)

    def ring(indexes):
        points = []
        for index in indexes:
            part = arcs[index] if index >= 0 else arcs[~index][::-1]
            points += part[1:] if points else part
        return points

    def polygon(rings):
        rings = [ring(it) for it in rings]
        if len(rings[0]) < 4:  # an islet, of which rounding left a line
            return MultiPoint(rings[0]).convex_hull.buffer(0.001)
        rings = [it for it in rings if len(it) >= 4]
        return Polygon(rings[0], rings[1:])

    for one in topology["objects"][name]["geometries"]:
        kind = one["type"]
        parts = [] if kind is None else [one["arcs"]] if kind == "Polygon" else one["arcs"]
        found = [shapely.make_valid(polygon(it)) for it in parts]
        yield one.get("id"), (one.get("properties") or {}).get("name"), found


def area_km2(shape):
    """On a sphere, by the cylinder that keeps areas."""
    flat = shapely.transform(shape, lambda p: numpy.column_stack(
        [p[:, 0] * math.pi / 180, numpy.sin(p[:, 1] * math.pi / 180)]))
    return flat.area * EARTH_RADIUS_KM ** 2


def boxes(parts):
    """At most BOXES_MAX boxes that hold the parts: those that waste least are put together first."""
    found = [it.bounds for it in parts]
    join = lambda a, b: (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))
    size = lambda a: (a[2] - a[0]) * (a[3] - a[1])
    cost = lambda a, b: size(join(a, b)) - size(a) - size(b)
    while len(found) > 1:
        best = min(((cost(a, b), i, j) for i, a in enumerate(found) for j, b in enumerate(found[:i])))
        if best[0] > 0.5 and len(found) <= BOXES_MAX:
            break
        _, i, j = best
        found[j] = join(found[i], found[j])
        del found[i]
    return found


def cells_of(polygons):
    """The cells that polygons reach into, or that are within SHORE of them."""
    columns, rows = int(360 / CELL), int(180 / CELL)
    grid = numpy.zeros((rows, columns), bool)
    rings = []
    waiting = list(polygons)
    while waiting:
        part = waiting.pop()
        waiting += getattr(part, "geoms", [])
        if part.geom_type == "Polygon":
            rings += [numpy.asarray(ring.coords)[:, :2] for ring in (part.exterior, *part.interiors)]
    begin = numpy.concatenate([ring[:-1] for ring in rings])
    end = numpy.concatenate([ring[1:] for ring in rings])
    # Along each coast, points no farther apart than the shore is wide, each with its surroundings.
    steps = numpy.maximum(1, numpy.ceil(numpy.abs(end - begin).max(axis=1) / SHORE)).astype(int)
    share = numpy.arange(steps.sum()) - numpy.repeat(numpy.cumsum(steps) - steps, steps)
    share = (share / numpy.repeat(steps, steps))[:, None]
    points = numpy.repeat(begin, steps, axis=0) * (1 - share) + numpy.repeat(end, steps, axis=0) * share
    for east, north in ((0, 0), (SHORE, 0), (-SHORE, 0), (0, SHORE), (0, -SHORE)):
        row = ((points[:, 1] + north + 90) // CELL).astype(int).clip(0, rows - 1)
        grid[row, ((points[:, 0] + east + 180) // CELL).astype(int) % columns] = True
    # Between the coasts: along the middle of each row, by how many times a coast was crossed.
    (x1, y1), (x2, y2) = begin.T, end.T
    for row in range(rows):
        north = -90 + (row + 0.5) * CELL
        at = (y1 <= north) != (y2 <= north)
        east = x1[at] + (north - y1[at]) / (y2[at] - y1[at]) * (x2[at] - x1[at])
        crossed = numpy.zeros(columns + 1, int)
        numpy.add.at(crossed, ((east + 180) / CELL + 0.5).astype(int).clip(0, columns), 1)
        grid[row] |= numpy.cumsum(crossed)[:columns] % 2 == 1
    return grid


def land_map(land, parts):
    """land.bin."""
    whole = [it for _, _, found in shapes(land, "land") for it in found]
    grid = cells_of(whole)
    islets = [it.bounds for found in parts.values() for it in found if it.area < 0.1] + ISLANDS
    for west, south, east, north in islets:
        column = lambda east: int((east + 180) // CELL) % grid.shape[1]
        grid[int((south - SHORE + 90) // CELL):int((north + SHORE + 90) // CELL) + 1, column(west - SHORE):column(east + SHORE) + 1] = True
    # Natural Earth keeps an island of a square metre at 0°, 0°, to find data without a place.
    middle_row, middle_column = grid.shape[0] // 2, grid.shape[1] // 2
    grid[middle_row - 1:middle_row + 1, middle_column - 1:middle_column + 1] = False
    runs, last, length = bytearray(), False, 0

    def end(length):
        while length >= 128:
            runs.append(length & 127 | 128)
            length >>= 7
        runs.append(length)

    for here in grid.ravel().tolist():
        if here != last:
            end(length)
            last, length = here, 0
        length += 1
    end(length)
    return runs


def main(path):
    with tarfile.open(path) as files:
        read = lambda name: json.load(files.extractfile(f"package/{name}-10m.json"))
        countries, land = read("countries"), read("land")
    parts, areas = {}, {}
    for number, name, found in shapes(countries, "countries"):
        known = pycountry.countries.get(numeric=number) if number else None
        codes = [known.alpha_2] if known else WITHOUT_CODE.get(name)
        if codes is None:
            print("without a code:", number, name)
            continue
        area = sum(area_km2(it) for it in found)
        for code in codes:
            parts.setdefault(code, []).extend(found)
            areas[code] = areas.get(code, 0) + area
    for code, more in ALSO.items():
        parts.setdefault(code, []).extend(box(*it) for it in more)
        areas[code] = areas.get(code, 0) + sum(area_km2(box(*it)) for it in more)
    codes = sorted({it.alpha_2 for it in pycountry.countries} | {"XK"})
    lines = []
    for code in codes:
        padded = [it.buffer(BORDER) for it in parts.get(code, [])]
        cells = [round(100 * v) for one in boxes(padded) for v in (max(-180, one[0]), max(-90, one[1]), min(180, one[2]), min(90, one[3]))] if padded else []
        lines.append(" ".join(map(str, [code, math.ceil(areas.get(code, 0)), *cells])))
    (HERE / "countries.txt").write_text("\n".join(lines) + "\n")
    print("no shape:", [line for line in lines if len(line.split()) < 3])

    runs = land_map(land, parts)
    (HERE / "land.bin").write_bytes(runs)
    print(len(lines), "codes,", (HERE / "countries.txt").stat().st_size, "bytes;", len(runs), "bytes of land")


if __name__ == "__main__":
    main(sys.argv[1])
