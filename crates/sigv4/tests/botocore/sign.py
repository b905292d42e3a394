"""Signs requests as botocore's clients do, and prints them as JSON lines: what goes over the wire, the
key that signed it, and the moment (in epoch seconds) at which it did.

Two sources: App Mesh's own client with odd names and bodies, all the way through its endpoint; and plain
requests at random, by the two signers alone. The seed is the first argument.
"""

import datetime
import json
import random
import sys
from urllib.parse import urlsplit

import botocore.session
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials

REGION, SERVICE = "eu-central-1", "appmesh"
PERMANENT = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TEMPORARY = Credentials("temporary", "a secret for an hour", "the token of a session/+==")
ENDPOINTS = ["http://127.0.0.1:8321", "https://appmesh.eu-central-1.amazonaws.com", "http://[::1]:80"]
NAMES = [
    "plain", "a b/c.local", "a+b", "100%", "%2F", "a%20b", "~-._", "@:!$&'()*,;=", "[]{}|\\^`\"<>", "ü/雪/🦀",
    "a//b", "/a", "a/", "a?b#c", " ", "...",
]


def main():
    random.seed(int(sys.argv[1]))
    for credentials in (PERMANENT, TEMPORARY):
        for endpoint in ENDPOINTS:
            of_the_client(credentials, endpoint)
    for _ in range(int(sys.argv[2])):
        at_random()


def of_the_client(credentials, endpoint):
    session = botocore.session.Session()
    client = session.create_client(
        SERVICE,
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.token,
        config=Config(retries={"max_attempts": 0}),
    )

    def caught(request, **_):
        show(request.method, request.url, request.headers.items(), request.body, credentials)
        return AWSResponse(request.url, 200, {}, Raw())

    client.meta.events.register("before-send", caught)
    for name in NAMES:
        client.describe_virtual_service(meshName=name, virtualServiceName=name)
        client.describe_route(meshName="m", virtualRouterName=name, routeName=name, meshOwner="123456789012")
        client.list_virtual_nodes(meshName=name, nextToken=name, limit=7)
        client.list_tags_for_resource(resourceArn=f"arn:aws:appmesh:{REGION}:123456789012:mesh/{name}")
        client.create_mesh(meshName=name, tags=[{"key": name, "value": name}])
        client.untag_resource(resourceArn=name, tagKeys=[name])
        client.delete_mesh(meshName=name)
        url = client.generate_presigned_url(
            "list_routes", {"meshName": name, "virtualRouterName": name, "nextToken": name}, ExpiresIn=604800
        )
        show("GET", url, [], None, credentials)


class Raw:
    def stream(self, **_):
        yield b"{}"


def at_random():
    credentials = random.choice([PERMANENT, TEMPORARY])
    parts = [text("abc-._~") or "x" for _ in range(random.randrange(5))]
    url = random.choice(ENDPOINTS) + "/" + "/".join(parts) + random.choice(["", "/"])
    parameters = {text("aB-~ &=+/%ü"): text("xY;,:@ &=+/%雪") for _ in range(random.randrange(5))}
    headers = {f"x-{text('ab') or 'c'}": text("ab  ,\"") for _ in range(random.randrange(4))}
    method = random.choice(["GET", "PUT", "POST", "DELETE"])
    request = AWSRequest(method, url, headers=headers, params=parameters)
    if random.random() < 0.5:
        request.data = random.choice([b"", b"{}", random.randbytes(random.randrange(200))])
        SigV4Auth(credentials, SERVICE, REGION).add_auth(request)
    else:
        # Without a body: this signer would move it into the query.
        SigV4QueryAuth(credentials, SERVICE, REGION, expires=random.randrange(60, 604800)).add_auth(request)
    sent = request.prepare()
    show(method, sent.url, sent.headers.items(), sent.body, credentials)


def text(alphabet):
    return "".join(random.choices(alphabet, k=random.randrange(8)))


def show(method, url, headers, body, credentials):
    parts = urlsplit(url)
    decoded = [(name, value.decode() if isinstance(value, bytes) else value) for name, value in headers]
    if not any(name.lower() == "host" for name, _ in decoded):
        decoded.append(("host", without_default_port(parts)))
    line = {
        "method": method,
        # The target of the request line, as HTTP/1.1 has it.
        "target": (parts.path or "/") + ("?" + parts.query if parts.query else ""),
        "headers": decoded,
        "body": list(body.encode() if isinstance(body, str) else body or b""),
        "key": credentials.access_key,
        "at": datetime.datetime.now(datetime.timezone.utc).timestamp(),
    }
    print(json.dumps(line))


def without_default_port(parts):
    """What an HTTP client sends as `Host`."""
    default = {"http": ":80", "https": ":443"}[parts.scheme]
    return parts.netloc.removesuffix(default)


if __name__ == "__main__":
    main()
