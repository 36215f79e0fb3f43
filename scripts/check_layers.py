#!/usr/bin/python3
"""Holds every #include under src/ to the floor plan in CMakeLists.txt.

usage: scripts/check_layers.py [ROOT]

The plan is the list of pedigree_room() lines. Refused: a room that asks to see itself or a room
below its own line (so no cycles), an include of a room that is not seen, a header of another room
that is not behind its door, a library's header in a door or outside the rooms it belongs to, a
folder that is no room, and a source of more than 500 lines.
"""

import pathlib
import re
import sys

# Which rooms may include a library's headers. fmt and JSON are vocabulary.
HOMES = {
    "openssl": {"base"}, "tbb": {"base"}, "oneapi": {"base"}, "utf8proc": {"base"},
    "yaml-cpp": {"model"}, "Eigen": {"compare"}, "boost": {"cli"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)


def rooms_of(text):
    """{room: (rooms it sees, at any depth; extra doors)} in the order of the lines."""
    rooms, faults = {}, []
    for name, rest in re.findall(r"^pedigree_room\((\S+)([^)]*)\)", text, re.M):
        lists, key = {"SEES": [], "USES": [], "DOORS": [], "SETS": []}, None
        for word in rest.split():
            if word in lists:
                key = word
            elif key:
                lists[key].append(word)
        seen = set()
        for lower in lists["SEES"]:
            if lower in rooms:
                seen |= {lower} | rooms[lower][0]
            else:
                faults.append(f"CMakeLists.txt: {name} asks to see {lower}, which is not below it")
        rooms[name] = (seen, set(lists["DOORS"]))
    return rooms, faults


def doors_of(room, extra, includes):
    """The room's headers others may include; all of them where it has no front door."""
    front = f"{room}/{room}.h"
    if front not in includes:
        return {path for path in includes if path.startswith(room + "/")}
    open_list, found = [front] + [f"{room}/{name}" for name in extra], set()
    while open_list:
        header = open_list.pop()
        if header in found:
            continue
        found.add(header)
        open_list += [path for quote, path, _ in includes.get(header, [])
                      if quote == '"' and path.startswith(room + "/")]
    return found


def faults_of_file(path, room, rooms, doors, includes):
    for quote, header, line in includes[path]:
        place = f"src/{path}:{line}"
        top = header.split("/")[0]
        if quote == '"':
            if top not in rooms:
                yield f"{place}: {header} is in no room"
            elif top != room and top not in rooms[room][0]:
                yield f"{place}: {room} does not see {top}"
            elif top != room and header not in doors[top]:
                yield f"{place}: {header} is private to {top}"
        else:
            library = top.removesuffix(".h")
            if room not in HOMES.get(library, {room}):
                yield f"{place}: <{header}> belongs in {', '.join(sorted(HOMES[library]))}"
            if path in doors[room] and path.endswith(".h") and re.search(r"[./]", header) \
                    and room != "base":
                yield f"{place}: <{header}> is a library's header in a front door"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    rooms, faults = rooms_of((root / "CMakeLists.txt").read_text())
    source = root / "src"
    includes = {}
    for path in sorted([*source.rglob("*.h"), *source.rglob("*.cc")]):
        text = path.read_text()
        name = path.relative_to(source).as_posix()
        includes[name] = [(m[1], m[2], text.count("\n", 0, m.start(2)) + 1)
                          for m in INCLUDE.finditer(text)]
        if text.count("\n") > 500:
            faults.append(f"src/{name}: more than 500 lines")
    doors = {room: doors_of(room, rooms[room][1], includes) for room in rooms}
    for name in includes:
        room = name.split("/")[0]
        if room not in rooms:
            faults.append(f"src/{name}: {room} is no room of CMakeLists.txt")
            continue
        faults += faults_of_file(name, room, rooms, doors, includes)
    for fault in faults:
        print(fault)
    print(f"layers: {len(includes)} files, {len(rooms)} rooms, {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
