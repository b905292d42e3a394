"""One call of each of the 38 operations at least, in an order in which all of them succeed.

Specs are rich on purpose: what goes in must come out of every answer as it was.
"""

MESH = {"meshName": "every operation"}
ROUTER = {**MESH, "virtualRouterName": "router"}
GATEWAY = {**MESH, "virtualGatewayName": "gateway"}
ROUTE = {**ROUTER, "routeName": "a b/c?d=1&e#f"}
GATEWAY_ROUTE = {**GATEWAY, "gatewayRouteName": "100%/ü+雪"}
NODE = {**MESH, "virtualNodeName": "node"}
CANARY = {**MESH, "virtualNodeName": "canary"}
SERVICE = {**MESH, "virtualServiceName": "crystal service/a.local"}

LISTENER = {
    "portMapping": {"port": 3000, "protocol": "http"},
    "healthCheck": {
        "protocol": "http", "path": "/health", "port": 3000, "healthyThreshold": 3, "unhealthyThreshold": 3,
        "intervalMillis": 10000, "timeoutMillis": 5000,
    },
}  # fmt: skip
NODE_SPEC = {
    "listeners": [
        {
            **LISTENER,
            "timeout": {"http": {"idle": {"unit": "s", "value": 60}, "perRequest": {"unit": "ms", "value": 900}}},
            "connectionPool": {"http": {"maxConnections": 50, "maxPendingRequests": 10}},
            "outlierDetection": {
                "maxServerErrors": 5, "interval": {"unit": "s", "value": 10},
                "baseEjectionDuration": {"unit": "s", "value": 30}, "maxEjectionPercent": 50,
            },
        }
    ],
    "serviceDiscovery": {
        "awsCloudMap": {
            "namespaceName": "a.local", "serviceName": "crystal", "attributes": [{"key": "set", "value": "vanilla"}],
        }
    },
    "backends": [{"virtualService": {"virtualServiceName": "not there yet.local"}}],
    "logging": {"accessLog": {"file": {"path": "/dev/stdout"}}},
}  # fmt: skip
CANARY_SPEC = {"listeners": [LISTENER], "serviceDiscovery": {"dns": {"hostname": "canary.local"}}}
ROUTER_SPEC = {"listeners": [{"portMapping": LISTENER["portMapping"]}]}
GATEWAY_SPEC = {"listeners": [{"portMapping": {"port": 8088, "protocol": "http"}}]}
AT_NODE = {"provider": {"virtualNode": {"virtualNodeName": "node"}}}
AT_ROUTER = {"provider": {"virtualRouter": {"virtualRouterName": "router"}}}
TAGS = [{"key": "team", "value": "a team: ü"}, {"key": "empty", "value": ""}]


def route(*weights, **more):
    targets = [{"virtualNode": node, "weight": weight} for node, weight in weights]
    return {"httpRoute": {"action": {"weightedTargets": targets}, "match": {"prefix": "/"}, **more}, "priority": 5}


def gateway_route(prefix):
    target = {"virtualService": {"virtualServiceName": SERVICE["virtualServiceName"]}}
    return {"httpRoute": {"action": {"target": target}, "match": {"prefix": prefix}}}


RETRIES = {
    "retryPolicy": {
        "maxRetries": 10, "perRetryTimeout": {"unit": "s", "value": 2}, "httpRetryEvents": ["server-error"],
    }
}  # fmt: skip

RESOURCES = {
    "Mesh": (MESH, {"egressFilter": {"type": "DROP_ALL"}}, {"egressFilter": {"type": "ALLOW_ALL"}}),
    "VirtualNode": (NODE, NODE_SPEC, {**NODE_SPEC, "backends": []}),
    "VirtualRouter": (ROUTER, ROUTER_SPEC, ROUTER_SPEC),
    "Route": (ROUTE, route(("node", 3)), route(("node", 2), ("canary", 1), **RETRIES)),
    "VirtualService": (SERVICE, AT_NODE, AT_ROUTER),
    "VirtualGateway": (GATEWAY, GATEWAY_SPEC, {**GATEWAY_SPEC, "logging": NODE_SPEC["logging"]}),
    "GatewayRoute": (GATEWAY_ROUTE, gateway_route("/a/"), gateway_route("/b/")),
}
MESH_ARN = f"arn:aws:appmesh:us-east-1:111122223333:mesh/{MESH['meshName']}"


def calls():
    """Operation, parameters, and the spec that the answer holds, if it holds one."""
    for kind, (names, first, second) in RESOURCES.items():
        yield f"Create{kind}", {**names, "spec": first, "tags": TAGS}, first
        yield f"Describe{kind}", names, first
        if kind == "VirtualNode":
            yield "CreateVirtualNode", {**CANARY, "spec": CANARY_SPEC}, CANARY_SPEC
        yield f"Update{kind}", {**names, "spec": second}, second
        *parents, _ = names.items()
        yield "ListMeshes" if kind == "Mesh" else f"List{kind}s", {**dict(parents), "limit": 50}, None
    yield "TagResource", {"resourceArn": MESH_ARN, "tags": [{"key": "more", "value": "1"}]}, None
    yield "ListTagsForResource", {"resourceArn": MESH_ARN, "limit": 50}, None
    yield "UntagResource", {"resourceArn": MESH_ARN, "tagKeys": ["more", "team"]}, None
    # In the order in which nothing is in use any more.
    yield "DeleteGatewayRoute", GATEWAY_ROUTE, RESOURCES["GatewayRoute"][2]
    yield "DeleteVirtualGateway", GATEWAY, RESOURCES["VirtualGateway"][2]
    yield "DeleteVirtualService", SERVICE, RESOURCES["VirtualService"][2]
    yield "DeleteRoute", ROUTE, RESOURCES["Route"][2]
    yield "DeleteVirtualRouter", ROUTER, RESOURCES["VirtualRouter"][2]
    yield "DeleteVirtualNode", NODE, RESOURCES["VirtualNode"][2]
    yield "DeleteVirtualNode", CANARY, CANARY_SPEC
    yield "DeleteMesh", MESH, RESOURCES["Mesh"][2]
