"""Reads lines of {operation, status, headers, body} as botocore would, and prints {result, faults}.

botocore drops members that it does not know and does not miss those that it requires, so both are looked
for here: a fault is a member of the body that the service model does not have there, or the other way round.
"""

import datetime
import json
import sys

from botocore.parsers import create_parser
from service import MODEL

parser = create_parser("rest-json")


def faults(shape, value, path):
    if shape.type_name == "structure":
        if not isinstance(value, dict):
            return [f"{path} is no object"]
        unknown = [f"{path}.{name} is unknown" for name in value if name not in shape.members]
        missing = [f"{path}.{name} is missing" for name in shape.required_members if name not in value]
        inner = [
            fault
            for name, member in shape.members.items()
            if name in value
            for fault in faults(member, value[name], f"{path}.{name}")
        ]
        return unknown + missing + inner
    if shape.type_name == "list":
        return [fault for item in value for fault in faults(shape.member, item, f"{path}[]")]
    expected = {
        "string": str,
        "integer": int,
        "long": int,
        "boolean": bool,
        "timestamp": (int, float),
    }[shape.type_name]
    wrong_enum = getattr(shape, "enum", None) and value not in shape.enum
    return [f"{path} is {value!r}"] if not isinstance(value, expected) or wrong_enum else []


def body_shape(operation):
    output = operation.output_shape
    payload = output.serialization.get("payload")
    return output.members[payload] if payload else output


def plain(value):
    return value.timestamp() if isinstance(value, datetime.datetime) else str(value)


for line in sys.stdin:
    answer = json.loads(line)
    operation = MODEL.operation_model(answer["operation"])
    body = answer["body"]
    response = {"status_code": answer["status"], "headers": answer["headers"], "body": body.encode()}
    result = parser.parse(response, operation.output_shape)
    found = [] if answer["status"] != 200 else faults(body_shape(operation), json.loads(body), "body")
    print(json.dumps({"result": result, "faults": found}, default=plain))
