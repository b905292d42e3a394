"""A server with keys: who may do what, by header and by presigned URL, and what the others hear."""

import os
import urllib.error
import urllib.request

from botocore import xform_name

from clients import MODEL, appmesh, aws, aws_process
from operations import calls

WRITER = {"aws_access_key_id": "writer", "aws_secret_access_key": "the writer's secret/+="}
READER = {"aws_access_key_id": "reader", "aws_secret_access_key": "the reader's secret"}
TEMPORARY = {"aws_access_key_id": "temporary", "aws_secret_access_key": "a secret for an hour"}
TOKEN = {"aws_session_token": "the token of a session/+=="}
REFUSED = {
    "InvalidSignatureException": [
        (WRITER | {"aws_secret_access_key": "wrong"}, "does not match"),
        (WRITER | {"region_name": "us-west-2"}, "us-east-1"),
        (TEMPORARY | TOKEN | {"aws_secret_access_key": "wrong"}, "does not match"),
    ],
    "UnrecognizedClientException": [
        (WRITER | {"aws_access_key_id": "unknown"}, "access key id"),
        (WRITER | TOKEN, "no session token"),
        (TEMPORARY, "session token"),
        (TEMPORARY | {"aws_session_token": "wrong"}, "session token"),
    ],
}


def main():
    for keys in (WRITER, READER, TEMPORARY | TOKEN):
        assert appmesh(**keys).list_meshes()["meshes"] == []
    for error, cases in REFUSED.items():
        for keys, words in cases:
            refused(error, words, lambda keys=keys: appmesh(**keys).list_meshes())
    check_reader()
    check_presigned()
    check_command_line()


def refused(error, words, call):
    try:
        answer = call()
    except appmesh().exceptions.ClientError as caught:
        assert caught.response["Error"]["Code"] == error, caught
        assert words in caught.response["Error"]["Message"], caught
        assert caught.response["ResponseMetadata"]["HTTPStatusCode"] == 403, caught.response
    else:
        raise AssertionError(f"was taken: {answer}")


def check_reader():
    """Each operation by a key that may only read: before anything is looked at, writes are refused."""
    writer, reader = appmesh(**WRITER), appmesh(**READER)
    called = set()
    for operation, parameters, _ in calls():
        name = xform_name(operation)
        if not name.startswith(("describe", "list")):
            words = f"may not call {operation}"
            refused("AccessDeniedException", words, lambda: getattr(reader, name)(**parameters))
            getattr(writer, name)(**parameters)
        else:
            assert getattr(reader, name)(**parameters)
        called.add(operation)
    assert called == set(MODEL.operation_names)


def check_presigned():
    writer = appmesh(**WRITER)
    writer.create_mesh(meshName="a b/c")
    for keys in (WRITER, READER, TEMPORARY | TOKEN):
        url = appmesh(**keys).generate_presigned_url("describe_mesh", {"meshName": "a b/c"}, ExpiresIn=604800)
        with urllib.request.urlopen(url) as answer:
            assert answer.status == 200 and b'"a b/c"' in answer.read()
    status, error = fetched(url.replace("c?", "d?"))
    assert (status, error) == (403, "InvalidSignatureException"), error
    url = appmesh(**READER).generate_presigned_url("delete_mesh", {"meshName": "a b/c"}, HttpMethod="DELETE")
    status, error = fetched(url, "DELETE")
    assert (status, error) == (403, "AccessDeniedException"), error
    url = writer.generate_presigned_url("delete_mesh", {"meshName": "a b/c"}, HttpMethod="DELETE")
    status, error = fetched(url)
    assert (status, error) == (403, "InvalidSignatureException"), "another method than was signed"
    with urllib.request.urlopen(urllib.request.Request(url, method="DELETE")) as answer:
        assert b'"DELETED"' in answer.read()


def fetched(url, method="GET"):
    try:
        urllib.request.urlopen(urllib.request.Request(url, method=method))
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.headers["x-amzn-ErrorType"]
    raise AssertionError("was answered")


def check_command_line():
    unsigned = aws("list-meshes", "--no-sign-request")
    assert unsigned.code == 255 and "(MissingAuthenticationTokenException)" in unsigned.stderr, unsigned
    os.environ |= {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "the reader's secret"}
    assert aws_process("list-meshes").json() == {"meshes": []}
    refusal = aws_process("create-mesh", "--mesh-name", "m")
    assert refusal.code == 255 and "(AccessDeniedException)" in refusal.stderr, refusal
    os.environ["AWS_SECRET_ACCESS_KEY"] = "wrong"
    refusal = aws_process("list-meshes")
    assert refusal.code == 255 and "(InvalidSignatureException)" in refusal.stderr, refusal
    assert "wrong" not in refusal.stderr, refusal


if __name__ == "__main__":
    main()
