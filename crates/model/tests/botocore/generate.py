"""Writes valid specs as JSON lines, each as botocore's serializer puts it on the wire."""

import json
import sys

from botocore.serialize import create_serializer
from botocore.validate import ParamValidator

from instances import covering
from service import KINDS, MODEL

SERIALIZER = create_serializer("rest-json", include_validation=False)


def on_the_wire(kind, spec):
    operation = MODEL.operation_model(f"Create{KINDS[kind]}")
    params = {"spec": spec}
    for name in operation.input_shape.required_members:
        params.setdefault(name, "name")
    report = ParamValidator().validate(params, operation.input_shape)
    assert not report.has_errors(), report.generate_report()
    return json.loads(SERIALIZER.serialize_to_request(params, operation)["body"])["spec"]


def main(seed, at_least):
    for kind in KINDS:
        for spec in covering(kind, seed, at_least):
            print(json.dumps({"kind": kind, "spec": on_the_wire(kind, spec)}))


main(sys.argv[1], int(sys.argv[2]))
