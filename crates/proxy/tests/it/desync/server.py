"""A server on h11 that answers each request with its method and target, and reads what comes as h11 does.

Prints the port it listens at, and writes each request line to the file that its argument names. A request that h11 refuses gets 400 and ends the connection.
"""

import socket
import sys
import threading

import h11


def serve(stream):
    connection = h11.Connection(h11.SERVER)

    def receive():
        while True:
            event = connection.next_event()
            if event is not h11.NEED_DATA:
                return event
            connection.receive_data(stream.recv(65536))

    def answer(status, text, head=False):
        fields = [("content-length", str(len(text)))]
        stream.sendall(connection.send(h11.Response(status_code=status, headers=fields)) or b"")
        if not head:
            stream.sendall(connection.send(h11.Data(data=text)) or b"")
        stream.sendall(connection.send(h11.EndOfMessage()) or b"")

    try:
        while True:
            request = receive()
            if not isinstance(request, h11.Request):
                return
            line = b"%s %s HTTP/%s" % (request.method, request.target, request.http_version)
            with open(sys.argv[1], "ab") as seen:
                seen.write(line + b"\n")
            while not isinstance(receive(), h11.EndOfMessage):
                pass
            text = request.method + b" " + request.target
            answer(200, text, request.method == b"HEAD")
            if connection.our_state is h11.MUST_CLOSE:
                return
            connection.start_next_cycle()
    except h11.RemoteProtocolError as error:
        if connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            answer(400, str(error).encode())
    except OSError:
        pass
    finally:
        stream.close()


listener = socket.create_server(("127.0.0.1", 0), backlog=128)
print(listener.getsockname()[1], flush=True)
while True:
    accepted, _ = listener.accept()
    threading.Thread(target=serve, args=(accepted,), daemon=True).start()
