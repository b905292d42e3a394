"""The ways in which people write parameters, by the real program: all must reach the server as one thing."""

import json
import pathlib
import tempfile

from clients import appmesh, aws, aws_process
from operations import CANARY_SPEC, RETRIES, ROUTER_SPEC, route

MESH = ["--mesh-name", "m"]
ROUTER = [*MESH, "--virtual-router-name", "r"]


def main():
    with tempfile.TemporaryDirectory() as directory:
        check(pathlib.Path(directory))


def check(directory):
    mesh = aws_process("create-mesh", *MESH, "--spec", "egressFilter={type=DROP_ALL}", "--tags", "key=a,value=b").json()
    assert mesh["mesh"]["spec"] == {"egressFilter": {"type": "DROP_ALL"}}, mesh
    arn = mesh["mesh"]["metadata"]["arn"]
    assert aws("list-tags-for-resource", "--resource-arn", arn).json() == {"tags": [{"key": "a", "value": "b"}]}
    aws("tag-resource", "--resource-arn", arn, "--tags", "key=c,value=d", "key=e,value=").json()
    aws("untag-resource", "--resource-arn", arn, "--tag-keys", "a", "e").json()
    assert aws("list-tags-for-resource", "--resource-arn", arn, "--query", "tags[0].key").json() == "c"

    node = directory / "node.json"
    node.write_text(json.dumps(CANARY_SPEC))
    for name in ("n1", "n2"):
        made = aws("create-virtual-node", *MESH, "--virtual-node-name", name, "--spec", f"file://{node}").json()
        assert made["virtualNode"]["spec"] == CANARY_SPEC, made
    made = aws("create-virtual-router", *ROUTER, "--spec", "listeners=[{portMapping={port=3000,protocol=http}}]").json()
    assert made["virtualRouter"]["spec"] == ROUTER_SPEC, made

    # One route, written in five ways.
    spec = route(("n1", 2), ("n2", 1), **RETRIES)
    shorthand = (
        "priority=5,httpRoute={action={weightedTargets=[{virtualNode=n1,weight=2},{virtualNode=n2,weight=1}]},"
        "match={prefix=/},retryPolicy={maxRetries=10,perRetryTimeout={unit=s,value=2},httpRetryEvents=[server-error]}}"
    )
    whole = directory / "route.json"
    whole.write_text(json.dumps({"meshName": "m", "virtualRouterName": "r", "routeName": "r4", "spec": spec}))
    part = directory / "spec.json"
    part.write_text(json.dumps(spec))
    for number, ways in enumerate(
        [
            [*ROUTER, "--route-name", "r0", "--spec", shorthand],
            [*ROUTER, "--route-name", "r1", "--spec", json.dumps(spec)],
            [*ROUTER, "--route-name", "r2", "--spec", part.as_uri()],
            # An option wins over what the file says.
            ["--cli-input-json", whole.as_uri(), "--route-name", "r3"],
            ["--cli-input-json", whole.read_text()],
        ]
    ):
        made = aws("create-route", *ways).json()["route"]
        assert made["spec"] == spec and made["routeName"] == f"r{number}", made

    text = aws("list-routes", *ROUTER, "--query", "routes[].[routeName,version]", "--output", "text")
    assert text.stdout == "".join(f"r{number}\t1\n" for number in range(5)), text
    table = aws("describe-mesh", *MESH, "--output", "table")
    assert table.code == 0 and "DROP_ALL" in table.stdout, table
    owned = aws("describe-mesh", *MESH, "--mesh-owner", "111122223333").json()["mesh"]
    assert owned == appmesh_json("describe-mesh"), owned
    # The workshop's abbreviation, where the command line still allows it.
    abbreviated = aws_process("delete-route", "--mesh", "m", "--virtual-router-name", "r", "--route-name", "r0")
    assert abbreviated.code == 2 and "ambiguous option: --mesh" in abbreviated.stderr, abbreviated
    # Times are such that boto3 reads them.
    created = appmesh().describe_mesh(meshName="m")["mesh"]["metadata"]["createdAt"]
    assert created.tzinfo and abs(created.timestamp() - owned["metadata"]["createdAt"]) < 0.001, created


def appmesh_json(command):
    return aws(command, *MESH).json()["mesh"]


if __name__ == "__main__":
    main()
