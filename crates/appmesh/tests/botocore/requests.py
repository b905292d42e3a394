"""Turns lines of {operation, input} into the HTTP requests that botocore would send."""

import json
import sys
from urllib.parse import urlencode

from botocore.serialize import create_serializer
from service import MODEL

serializer = create_serializer("rest-json")

for line in sys.stdin:
    call = json.loads(line)
    operation = MODEL.operation_model(call["operation"])
    request = serializer.serialize_to_request(call["input"], operation)
    query = urlencode(request["query_string"])
    body = request["body"]
    print(
        json.dumps(
            {
                "method": request["method"],
                "uri": request["url_path"] + ("?" + query if query else ""),
                "body": body.decode() if isinstance(body, bytes) else body,
            }
        )
    )
