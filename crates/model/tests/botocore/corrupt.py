"""Writes specs that break exactly one constraint of the service model, each with the path of the fault.

Valid instances are walked beside their shapes; at every place each constraint of the shape is broken
once, in a copy. Every place of every spec is visited.
"""

import copy
import json
import random
import sys

from instances import Drawing, covering
from service import KINDS, bounds, is_union, spec_shape, values_of

UNKNOWN = "unknownMember"
OUTSIDE_EVERY_PATTERN = "é"


def walk(shape, value, path=()):
    """Yields the shape and the value at every place of an instance."""
    yield shape, value, path
    if shape.type_name == "structure":
        for name, member in value.items():
            yield from walk(shape.members[name], member, path + (name,))
    elif shape.type_name == "list":
        for index, item in enumerate(value):
            yield from walk(shape.member, item, path + (index,))


def faults(shape, value):
    """Yields (what is broken, the broken value, the path of the fault from here)."""
    wrong_type = 7 if shape.type_name in ("structure", "string", "boolean", "list") else "text"
    yield "type", wrong_type, ()
    if shape.type_name == "structure":
        yield from structure_faults(shape, value)
        yield "list for a structure", list(value.values()), ()
    elif shape.type_name == "string":
        yield from string_faults(shape, value)
    elif shape.type_name in ("integer", "long"):
        least, greatest = bounds(shape)
        yield "least number", least - 1, ()
        yield "greatest number", greatest + 1, ()
        yield "fraction", 80.5, ()
    elif shape.type_name == "list":
        yield from list_faults(shape, value)


def structure_faults(shape, value):
    if not is_union(shape):
        yield "unknown member", value | {UNKNOWN: "text"}, (UNKNOWN,)
        for name in shape.required_members:
            yield "required member", {k: v for k, v in value.items() if k != name}, (name,)
        return
    yield "unknown member", {UNKNOWN: "text"}, (UNKNOWN,)
    yield "empty union", {}, ()
    for name in shape.members.keys() - value.keys():
        other = Drawing(random.Random(0), 0.0, "least").draw(shape.members[name])
        yield f"{name} beside another member", value | {name: other}, ()


def string_faults(shape, value):
    if values_of(shape):
        yield "value", "no-such-value", ()
        yield "case", value.swapcase(), ()
    if "pattern" in shape.metadata:
        yield "pattern", OUTSIDE_EVERY_PATTERN, ()
    if least := shape.metadata.get("min"):
        yield "least length", "a" * (least - 1), ()
    if greatest := shape.metadata.get("max"):
        yield "greatest length", "a" * (greatest + 1), ()


def list_faults(shape, value):
    if least := shape.metadata.get("min"):
        yield "least size", value[: least - 1], ()
    if greatest := shape.metadata.get("max"):
        item = value[0] if value else Drawing(random.Random(0), 0.0, "least").draw(shape.member)
        yield "greatest size", (value + [item] * (greatest + 1))[: greatest + 1], ()


def replaced(spec, path, value):
    if not path:
        return value
    spec = copy.deepcopy(spec)
    holder = spec
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return spec


def written(path):
    return "spec" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def main(seed):
    for kind in KINDS:
        seen = set()
        for spec in covering(kind, seed, 1):
            for shape, value, path in walk(spec_shape(kind), spec):
                place = tuple("[]" if isinstance(step, int) else step for step in path)
                for fault, broken, below in faults(shape, value):
                    if (place, fault, below) in seen:
                        continue
                    seen.add((place, fault, below))
                    line = {"kind": kind, "fault": fault, "path": written(path + below)}
                    print(json.dumps(line | {"spec": replaced(spec, path, broken)}))


main(sys.argv[1])
