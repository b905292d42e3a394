"""Calls every operation of the service model by one client, in one style of giving it parameters, and
holds each answer against what was sent. The style is the argument.
"""

import json
import pathlib
import sys
import tempfile

from botocore import xform_name

from clients import MODEL, appmesh, aws, command_of, options_of
from operations import MESH_ARN, calls

BOTO3 = appmesh()
SCRATCH = tempfile.TemporaryDirectory()


def by_boto3(operation, parameters):
    answer = getattr(BOTO3, xform_name(operation))(**parameters)
    metadata = answer.pop("ResponseMetadata")
    assert metadata["HTTPStatusCode"] == 200 and metadata["RequestId"], metadata
    return answer


def by_options(operation, parameters):
    return aws(command_of(operation), *options_of(parameters)).json()


def by_files(operation, parameters):
    """Structures from files, as `--spec file://spec.json`."""
    options = [
        text if text.startswith("--") or not text.startswith(("{", "[")) else f"file://{written(text)}"
        for text in options_of(parameters)
    ]
    return aws(command_of(operation), *options).json()


def by_skeleton(operation, parameters):
    """The skeleton that the client itself draws up, filled in."""
    command = command_of(operation)
    skeleton = aws(command, "--generate-cli-skeleton").json()
    filled = json.dumps(fill(skeleton, parameters))
    return aws(command, "--cli-input-json", f"file://{written(filled)}").json()


def fill(skeleton, value):
    if isinstance(value, dict):
        return {name: fill(skeleton[name], member) for name, member in value.items()}
    if isinstance(value, list):
        return [fill(skeleton[0], member) for member in value]
    assert isinstance(value, type(skeleton)), f"{value!r} is not like {skeleton!r}"
    return value


def written(text):
    file = tempfile.NamedTemporaryFile("w", dir=SCRATCH.name, suffix=".json", delete=False)
    with file:
        file.write(text)
    return pathlib.Path(file.name)


def main():
    call = {"boto3": by_boto3, "options": by_options, "files": by_files, "skeleton": by_skeleton}[sys.argv[1]]
    called = set()
    for operation, parameters, spec in calls():
        try:
            check(operation, parameters, spec, call(operation, parameters))
        except BaseException as error:
            error.add_note(f"{operation} {json.dumps(parameters)}")
            raise
        called.add(operation)
    missing = set(MODEL.operation_names) - called
    assert not missing, f"never called: {missing}"
    assert len(called) == 38


def check(operation, parameters, spec, answer):
    if operation.startswith("List"):
        return check_list(operation, parameters, answer)
    if spec is None:
        assert answer == {}, answer
        return
    (resource,) = answer.values()
    names = {name: value for name, value in parameters.items() if name not in ("spec", "tags")}
    assert resource["spec"] == spec, resource["spec"]
    assert {name: resource[name] for name in names} == names, resource
    status = "DELETED" if operation.startswith("Delete") else "ACTIVE"
    assert resource["status"] == {"status": status}, resource["status"]
    metadata = resource["metadata"]
    for verb, version in {"Create": 1, "Describe": 1, "Update": 2}.items():
        assert not operation.startswith(verb) or metadata["version"] == version, metadata
    assert metadata["arn"].startswith(MESH_ARN), metadata
    assert metadata["meshOwner"] == metadata["resourceOwner"] == "111122223333", metadata
    assert metadata["lastUpdatedAt"] >= metadata["createdAt"] and metadata["uid"], metadata


def check_list(operation, parameters, answer):
    (items,) = (value for name, value in answer.items() if name != "nextToken")
    if operation == "ListTagsForResource":
        assert {"key": "more", "value": "1"} in items and len(items) == 3, items
        return
    expected = 2 if operation == "ListVirtualNodes" else 1
    assert len(items) == expected, items
    parents = {name: value for name, value in parameters.items() if name != "limit"}
    for item in items:
        assert {name: item[name] for name in parents} == parents, item
        assert "spec" not in item and "status" not in item and item["arn"].startswith(MESH_ARN), item


if __name__ == "__main__":
    main()
