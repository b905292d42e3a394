"""Writes the service model's error types with their HTTP statuses as one JSON object."""

import json

from service import RAW

errors = {
    name: shape["error"]["httpStatusCode"]
    for name, shape in RAW["shapes"].items()
    if shape.get("exception")
}
print(json.dumps(errors))
