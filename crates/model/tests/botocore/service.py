"""The public App Mesh service model, as botocore ships it."""

import botocore.loaders
import botocore.model

KINDS = {
    "mesh": "Mesh",
    "virtualNode": "VirtualNode",
    "virtualRouter": "VirtualRouter",
    "virtualService": "VirtualService",
    "virtualGateway": "VirtualGateway",
    "route": "Route",
    "gatewayRoute": "GatewayRoute",
}

# The model leaves these free text; the documentation of the member lists the only values.
DOCUMENTED_VALUES = {
    "HttpRetryPolicyEvent": ["server-error", "gateway-error", "client-error", "stream-error"],
}

RAW = botocore.loaders.Loader().load_service_model("appmesh", "service-2", "2019-01-25")
MODEL = botocore.model.ServiceModel(RAW, "appmesh")


def spec_shape(kind):
    return MODEL.shape_for(f"{KINDS[kind]}Spec")


def is_union(shape):
    return getattr(shape, "is_tagged_union", False)


def values_of(shape):
    """The closed set of values of a string shape, if it has one."""
    return getattr(shape, "enum", None) or DOCUMENTED_VALUES.get(shape.name)


def bounds(shape):
    """The least and the greatest number of an integer shape."""
    bits = 63 if shape.type_name == "long" else 31
    metadata = shape.metadata
    return metadata.get("min", -(2**bits)), metadata.get("max", 2**bits - 1)


def places(shape, path=()):
    """Every place below a shape: its path, list entries written as '[]', and the shape found there."""
    yield path, shape
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from places(member, path + (name,))
    elif shape.type_name == "list":
        yield from places(shape.member, path + ("[]",))
