"""Prints every operation as one line of JSON."""

import json

from service import operations

for operation in operations():
    print(
        json.dumps(
            {
                "name": operation.name,
                "method": operation.http["method"],
                "path": operation.http["requestUri"],
                "members": sorted(operation.input_shape.members),
                "errors": sorted(shape.name for shape in operation.error_shapes),
            }
        )
    )
