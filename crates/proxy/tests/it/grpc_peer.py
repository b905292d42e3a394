"""A gRPC server and client on the reference implementation: messages are bytes as they are.

    grpc_peer.py serve             prints the port, serves until its input ends
    grpc_peer.py call ADDRESS      makes every kind of call and prints what came of it
"""

import sys
import threading
from concurrent import futures

import grpc

STATUSES = {status.value[0]: status for status in grpc.StatusCode}


def echo(request, context):
    context.set_trailing_metadata((("x-end", "1"),))
    return request


def chat(requests, context):
    for request in requests:
        yield b"re: " + request
    yield b"bye"


def count(request, context):
    for number in range(int(request)):
        yield str(number).encode()


def total(requests, context):
    return str(sum(len(request) for request in requests)).encode()


def fail(request, context):
    context.abort(STATUSES[int(request)], "100% \u00e9")


class Flaky:
    """Fails twice, then answers."""

    def __init__(self):
        self.calls = 0

    def __call__(self, request, context):
        self.calls += 1
        if self.calls % 3:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        return str(self.calls).encode()


def hang(request, context):
    gone = threading.Event()
    context.add_callback(gone.set)
    gone.wait(20)
    return b""


METHODS = {
    "/t.T/Echo": grpc.unary_unary_rpc_method_handler(echo),
    "/t.T/Chat": grpc.stream_stream_rpc_method_handler(chat),
    "/t.T/Count": grpc.unary_stream_rpc_method_handler(count),
    "/t.T/Total": grpc.stream_unary_rpc_method_handler(total),
    "/t.T/Fail": grpc.unary_unary_rpc_method_handler(fail),
    "/t.T/Flaky": grpc.unary_unary_rpc_method_handler(Flaky()),
    "/t.T/Hang": grpc.unary_unary_rpc_method_handler(hang),
}


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        return METHODS.get(details.method)


UNLIMITED = (("grpc.max_receive_message_length", -1),)


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(8), (Handler(),), options=UNLIMITED)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    sys.stdin.read()
    server.stop(None)


def call(address):
    channel = grpc.insecure_channel(address, UNLIMITED)

    answer, ended = channel.unary_unary("/t.T/Echo").with_call(b"hello")
    print("echo", answer.decode(), dict(ended.trailing_metadata()).get("x-end"))

    large = bytes(range(256)) * 12000
    print("large", channel.unary_unary("/t.T/Echo")(large) == large)

    # Each message waits for the answer to the one before: the call streams both ways at once.
    answered = threading.Semaphore(0)

    def messages():
        for number in range(3):
            yield str(number).encode()
            answered.acquire(timeout=20)

    said = []
    for answer in channel.stream_stream("/t.T/Chat")(messages()):
        said.append(answer.decode())
        answered.release()
    print("chat", *said)

    print("count", *[n.decode() for n in channel.unary_stream("/t.T/Count")(b"3")])
    print("total", channel.stream_unary("/t.T/Total")(iter([b"ab", b"c"])).decode())

    for status in range(1, 17):
        try:
            channel.unary_unary("/t.T/Fail")(str(status).encode())
        except grpc.RpcError as error:
            print("fail", error.code().value[0], error.details())

    print("flaky", channel.unary_unary("/t.T/Flaky")(b"").decode())

    try:
        channel.unary_unary("/t.T/Hang")(b"", timeout=0.3)
    except grpc.RpcError as error:
        print("hang", error.code().name)

    hanging = channel.unary_unary("/t.T/Hang").future(b"")
    hanging.cancel()
    print("cancelled", hanging.cancelled())

    try:
        channel.unary_unary("/t.Other/Echo")(b"")
    except grpc.RpcError as error:
        print("other", error.code().name, error.details())


if sys.argv[1] == "serve":
    serve()
else:
    call(sys.argv[2])
