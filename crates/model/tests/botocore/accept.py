"""Reads specs as JSON lines and says what botocore, or the service model, has against each.

A spec must pass botocore's validator, keep the constraints that the validator leaves to the server,
and come back from botocore's response parser as it was.
"""

import json
import re
import sys

from botocore.parsers import create_parser
from botocore.validate import ParamValidator

from service import KINDS, MODEL, bounds, values_of

PARSER = create_parser("rest-json")


def objections(kind, spec):
    shape = MODEL.shape_for(f"{KINDS[kind]}Spec")
    report = ParamValidator().validate(spec, shape)
    if report.has_errors():
        yield report.generate_report()
        return
    yield from broken_constraints(shape, spec, "spec")
    if (parsed := parsed_response(kind, spec)) != spec:
        yield f"parsed as {parsed}"


def broken_constraints(shape, value, path):
    least, greatest = shape.metadata.get("min", 0), shape.metadata.get("max", float("inf"))
    if shape.type_name == "structure":
        for name, member in value.items():
            yield from broken_constraints(shape.members[name], member, f"{path}.{name}")
    elif shape.type_name == "list":
        if not least <= len(value) <= greatest:
            yield f"{path}: {len(value)} entries"
        for index, item in enumerate(value):
            yield from broken_constraints(shape.member, item, f"{path}[{index}]")
    elif shape.type_name == "string":
        if values_of(shape) and value not in values_of(shape):
            yield f"{path}: {value!r} is no {shape.name}"
        if not least <= len(value) <= greatest:
            yield f"{path}: {len(value)} characters"
        if not re.search(shape.metadata.get("pattern", ""), value):
            yield f"{path}: {value!r} does not match"
    elif shape.type_name in ("integer", "long"):
        if not bounds(shape)[0] <= value <= bounds(shape)[1]:
            yield f"{path}: {value} is out of bounds"


def parsed_response(kind, spec):
    operation = MODEL.operation_model(f"Describe{KINDS[kind]}")
    body = json.dumps({"spec": spec}).encode()
    response = {"status_code": 200, "headers": {}, "body": body}
    return PARSER.parse(response, operation.output_shape)[kind]["spec"]


def main():
    # All input is read before anything is written: the caller writes all before it reads.
    for number, line in enumerate(sys.stdin.readlines(), 1):
        case = json.loads(line)
        for objection in objections(case["kind"], case["spec"]):
            print(f"line {number}: {case['kind']}: {objection}\n    {line.strip()}")


main()
