"""All eight lists page by page: boto3's paginators, and the command line's options for them."""

import json

from botocore import xform_name

from clients import MODEL, appmesh, aws, command_of, options_of
from operations import CANARY_SPEC, GATEWAY_SPEC, ROUTER_SPEC

NAMES = [f"{number} of seven/ü" for number in range(7)]
MESH = {"meshName": NAMES[0]}
ROUTER = {**MESH, "virtualRouterName": NAMES[0]}
GATEWAY = {**MESH, "virtualGatewayName": NAMES[0]}
TO_NODE = {"weightedTargets": [{"virtualNode": NAMES[0], "weight": 1}]}
TO_SERVICE = {"target": {"virtualService": {"virtualServiceName": NAMES[0]}}}
EVERYTHING = {"prefix": "/"}

#: What there are seven of: its name, its parents, its spec, and the list that shows it.
KINDS = [
    ("mesh", {}, {}, "list_meshes"),
    ("virtualNode", MESH, CANARY_SPEC, "list_virtual_nodes"),
    ("virtualRouter", MESH, ROUTER_SPEC, "list_virtual_routers"),
    ("virtualService", MESH, {}, "list_virtual_services"),
    ("virtualGateway", MESH, GATEWAY_SPEC, "list_virtual_gateways"),
    ("route", ROUTER, {"httpRoute": {"action": TO_NODE, "match": EVERYTHING}}, "list_routes"),
    ("gatewayRoute", GATEWAY, {"httpRoute": {"action": TO_SERVICE, "match": EVERYTHING}}, "list_gateway_routes"),
]


def main():
    client = appmesh()
    for kind, parents, spec, _ in KINDS:
        create = getattr(client, f"create_{xform_name(kind)}")
        for name in NAMES:
            create(**parents, **{f"{kind}Name": name}, spec=spec)
    arn = client.describe_mesh(**MESH)["mesh"]["metadata"]["arn"]
    client.tag_resource(resourceArn=arn, tags=[{"key": name, "value": ""} for name in NAMES])

    paged = {"list_tags_for_resource"}
    check_pages(client, "list_tags_for_resource", {"resourceArn": arn}, "tags", "key")
    for kind, parents, _, operation in KINDS:
        plural = "meshes" if kind == "mesh" else f"{kind}s"
        check_pages(client, operation, parents, plural, f"{kind}Name")
        paged.add(operation)
    can_page = {name for name in map(xform_name, MODEL.operation_names) if client.can_paginate(name)}
    assert paged == can_page and len(paged) == 8, can_page


def check_pages(client, operation, parameters, items, name):
    def names(page):
        return [item[name] for item in page[items]]

    for size in (1, 2, 3, 7, 50):
        pages = client.get_paginator(operation).paginate(**parameters, PaginationConfig={"PageSize": size})
        pages = [names(page) for page in pages]
        assert sum(pages, []) == NAMES, (operation, size, pages)
        assert max(map(len, pages)) == min(size, len(NAMES)), (operation, size, pages)

    def listed(*options):
        return aws(command_of(operation), *options_of(parameters), *options).json()

    assert names(listed("--page-size", 2)) == NAMES, operation
    assert names(listed()) == NAMES, operation
    # The command line's own tokens, which may stand in the middle of a page.
    seen, token = [], []
    while True:
        page = listed("--max-items", 3, "--page-size", 2, *token)
        seen.append(names(page))
        if "NextToken" not in page:
            break
        token = ["--starting-token", page["NextToken"]]
    assert seen == [NAMES[:3], NAMES[3:6], NAMES[6:]], (operation, seen)
    # The server's, without the command line's help.
    page = listed("--no-paginate", "--limit", 4)
    assert names(page) == NAMES[:4] and page["nextToken"], page
    rest = listed("--no-paginate", "--next-token", page["nextToken"])
    assert names(rest) == NAMES[4:] and "nextToken" not in rest, rest
    queried = listed("--page-size", 2, "--query", f"{items}[?ends_with({name}, 'ü')].{name} | [1:3]")
    assert queried == NAMES[1:3], queried


if __name__ == "__main__":
    main()
