"""An HTTPS server as Python's ssl makes it.

Arguments: certificate, key, authority of clients or "". Prints its port. `/` tells what the handshake was;
`/whole` and `/cut` end the body with the connection: with the TLS session's end, and without.
"""

import http.server
import ssl
import sys

certificate, key, authority = sys.argv[1:4]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        tls = self.connection
        if self.path in ("/whole", "/cut"):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\npart")
            self.close_connection = True
            if self.path == "/whole":
                tls.unwrap()
            return
        client = tls.getpeercert() or {}
        names = ",".join(name for _, name in client.get("subjectAltName", ()))
        text = f"{tls.version()} reused={tls.session_reused} asked={tls.asked} alpn={tls.selected_alpn_protocol()} client={names}"
        body = text.encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        if self.path == "/close":
            self.send_header("connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def shutdown_request(self, request):
        self.close_request(request)

    def handle_error(self, *_):
        pass


def asked(tls, name, _):
    tls.asked = name


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
context.set_alpn_protocols(["http/1.1"])
context.sni_callback = asked
if authority:
    context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_REQUIRED
server = Server(("127.0.0.1", 0), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
ssl.SSLSocket.asked = None
print(server.server_address[1], flush=True)
server.serve_forever()
