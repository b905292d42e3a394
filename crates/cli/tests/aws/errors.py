"""Refusals as the clients show them: boto3's exception class, the command line's message and exit code."""

import uuid

from clients import appmesh, aws, aws_process, command_of, options_of
from operations import CANARY_SPEC, LISTENER, ROUTER_SPEC

CLIENT = appmesh()
MESH = {"meshName": "errors"}
NODE = {**MESH, "virtualNodeName": "node"}
ROUTER = {**MESH, "virtualRouterName": "router"}
ROUTE = {**ROUTER, "routeName": "route"}


def to_node(weights=(1,), node="node", **more):
    targets = [{"virtualNode": node, "weight": weight} for weight in weights]
    return {"httpRoute": {"action": {"weightedTargets": targets}, "match": {"prefix": "/"}}, **more}


def listening(**mapping):
    listener = {**LISTENER, "portMapping": {**LISTENER["portMapping"], **mapping}}
    return {**CANARY_SPEC, "listeners": [listener]}


TCP = {"action": {"weightedTargets": [{"virtualNode": "node", "weight": 1}]}}

#: Operation, parameters, error, and words that its message must have.
REFUSED = [
    ("describe_mesh", {"meshName": "absent"}, "NotFoundException", ["Mesh", "absent"]),
    ("describe_route", {**ROUTER, "routeName": "absent"}, "NotFoundException", ["Route", "absent"]),
    ("describe_virtual_node", {"meshName": "absent", "virtualNodeName": "n"}, "NotFoundException", ["absent"]),
    ("list_virtual_nodes", {"meshName": "absent"}, "NotFoundException", ["absent"]),
    ("list_tags_for_resource", {"resourceArn": "arn:aws:appmesh:us-east-1:111122223333:mesh/absent"}, "NotFoundException", ["absent"]),
    ("create_route", {**ROUTER, "routeName": "r", "spec": to_node(node="absent")}, "NotFoundException", ["VirtualNode", "absent"]),
    ("create_mesh", MESH, "ConflictException", ["errors", "exists"]),
    ("create_virtual_node", {**NODE, "spec": CANARY_SPEC}, "ConflictException", ["node", "exists"]),
    ("delete_mesh", MESH, "ResourceInUseException", ["errors"]),
    ("delete_virtual_node", NODE, "ResourceInUseException", ["node", "oute"]),
    ("delete_virtual_router", ROUTER, "ResourceInUseException", ["router", "oute"]),
    ("create_mesh", {"meshName": "x" * 256}, "BadRequestException", ["meshName", "255"]),
    ("create_mesh", {"meshName": "m", "spec": {"egressFilter": {"type": "DROP_SOME"}}}, "BadRequestException", ["DROP_SOME", "DROP_ALL"]),
    ("update_route", {**ROUTE, "spec": to_node([101])}, "BadRequestException", ["weight", "101", "100"]),
    ("update_route", {**ROUTE, "spec": to_node([1] * 11)}, "BadRequestException", ["weightedTargets", "10"]),
    ("update_route", {**ROUTE, "spec": to_node(priority=1001)}, "BadRequestException", ["priority", "1001", "1000"]),
    ("update_route", {**ROUTE, "spec": to_node(tcpRoute=TCP)}, "BadRequestException", ["httpRoute", "tcpRoute"]),
    ("update_route", {**ROUTE, "spec": {}}, "BadRequestException", ["httpRoute"]),
    ("update_virtual_node", {**NODE, "spec": listening(port=70000)}, "BadRequestException", ["port", "70000", "65535"]),
    ("update_virtual_node", {**NODE, "spec": listening(protocol="quic")}, "BadRequestException", ["quic", "grpc"]),
    ("list_meshes", {"limit": 101}, "BadRequestException", ["limit", "101", "100"]),
    ("list_meshes", {"nextToken": "made up"}, "BadRequestException", ["nextToken"]),
    ("describe_virtual_node", {**NODE, "meshOwner": "999999999999"}, "NotFoundException", ["999999999999"]),
    ("tag_resource", {"resourceArn": "no arn", "tags": []}, "BadRequestException", ["resourceArn", "no arn"]),
]


def main():
    CLIENT.create_mesh(**MESH)
    CLIENT.create_virtual_node(**NODE, spec=CANARY_SPEC)
    CLIENT.create_virtual_router(**ROUTER, spec=ROUTER_SPEC)
    CLIENT.create_route(**ROUTE, spec=to_node())
    arn = CLIENT.describe_mesh(**MESH)["mesh"]["metadata"]["arn"]
    for operation, parameters, error, words in [*REFUSED, too_many_tags(arn), other_spec()]:
        check(operation, parameters, error, words)
    check_quota()
    check_exit_codes()


def check(operation, parameters, error, words):
    try:
        answer = getattr(CLIENT, operation)(**parameters)
    except CLIENT.exceptions.ClientError as caught:
        code, message = caught.response["Error"]["Code"], caught.response["Error"]["Message"]
        assert error == code, f"{operation} {parameters}: {code}: {message}"
        # A type that the service model knows has a class of its own.
        assert type(caught) is getattr(CLIENT.exceptions, code), type(caught)
        assert caught.response["ResponseMetadata"]["HTTPStatusCode"] == STATUS[code], caught.response
    else:
        raise AssertionError(f"{operation} {parameters} was taken: {answer}")
    assert all(word in message for word in words), f"{operation}: {message} has not all of {words}"

    command = aws(command_of(operation), *options_of(parameters))
    assert command.code == 255 and not command.stdout, command
    assert f"({code})" in command.stderr and message in command.stderr, command


STATUS = {
    "BadRequestException": 400, "LimitExceededException": 400, "TooManyTagsException": 400,
    "ForbiddenException": 403, "NotFoundException": 404, "ConflictException": 409, "ResourceInUseException": 409,
}  # fmt: skip


def too_many_tags(arn):
    tags = [{"key": f"k{number}", "value": ""} for number in range(50)]
    CLIENT.tag_resource(resourceArn=arn, tags=tags)
    more = {"resourceArn": arn, "tags": [{"key": "one more", "value": ""}]}
    return "tag_resource", more, "TooManyTagsException", ["50"]


def other_spec():
    token = str(uuid.uuid4())
    first = CLIENT.update_route(**ROUTE, spec=to_node([3]), clientToken=token)["route"]
    again = CLIENT.update_route(**ROUTE, spec=to_node([3]), clientToken=token)["route"]
    assert first == again, (first, again)
    return "update_route", {**ROUTE, "spec": to_node([4]), "clientToken": token}, "ConflictException", ["oken"]


def check_quota():
    spec = {"listeners": [{"portMapping": {"port": 8088, "protocol": "http"}}]}
    for number in range(3):
        CLIENT.create_virtual_gateway(**MESH, virtualGatewayName=f"g{number}", spec=spec)
    fourth = {**MESH, "virtualGatewayName": "g3", "spec": spec}
    check("create_virtual_gateway", fourth, "LimitExceededException", ["virtualGateways", "3"])


def check_exit_codes():
    """Of real processes: refused by the server, refused by the client, and what does not exist."""
    refused = aws_process("describe-mesh", "--mesh-name", "absent")
    assert refused.code == 255 and "(NotFoundException)" in refused.stderr, refused
    misused = aws_process("describe-mesh")
    assert misused.code == 2 and "--mesh-name" in misused.stderr, misused
    empty = aws("create-mesh", "--mesh-name", "")
    assert empty.code != 0 and "valid min length: 1" in empty.stderr, empty
    union = aws("create-virtual-service", *options_of({**MESH, "virtualServiceName": "s", "spec": {"provider": {}}}))
    assert union.code != 0 and "provider" in union.stderr, union
    # The service model has no waiters, so there is nothing to wait by.
    wait = aws_process("wait", "mesh-active")
    assert wait.code == 2 and "Invalid choice" in wait.stderr, wait
    assert CLIENT.waiter_names == []


if __name__ == "__main__":
    main()
