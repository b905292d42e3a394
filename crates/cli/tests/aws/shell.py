"""Runs a shell script of this directory in which `aws` starts in no time: the program's own code with the script's own
arguments, directory, input and output, in a copy of this process in which it is loaded already. A script
makes some fifty calls, and half a second for each start is too long for a test.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

from clients import DRIVER

#: Stands in for `aws`: hands itself over, and ends as its copy does.
STAND_IN = """#!{python} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
socket.send_fds(server, [json.dumps([os.getcwd(), sys.argv[1:]]).encode()], [0, 1, 2])
sys.exit(int(server.recv(8) or 1))
"""


def main():
    with tempfile.TemporaryDirectory() as directory:
        server = socket.socket(socket.AF_UNIX)
        server.bind(address := f"{directory}/calls")
        server.listen()
        program = pathlib.Path(directory, "aws")
        program.write_text(STAND_IN.format(python=sys.executable, address=address))
        program.chmod(0o700)
        if os.fork() == 0:
            answer(server)
        server.close()
        path = f"{directory}:{os.environ['PATH']}"
        script = pathlib.Path(__file__).with_name(sys.argv[1])
        ended = subprocess.run(["bash", script], env={**os.environ, "PATH": path}, check=False)
        # So that who answers hears of the end.
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(address)
    sys.exit(ended.returncode)


def answer(server):
    """One call after the other, each in a copy of its own, until one says nothing."""
    while True:
        caller, _ = server.accept()
        call, streams, _, _ = socket.recv_fds(caller, 1 << 20, 3)
        if not call:
            os._exit(0)
        if (copy := os.fork()) == 0:
            take_over(*json.loads(call), streams)
        for stream in streams:
            os.close(stream)
        code = os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1])
        caller.send(str(code).encode())
        caller.close()


def take_over(directory, arguments, streams):
    os.chdir(directory)
    for own, stream in enumerate(streams):
        os.dup2(stream, own)
    code = 1
    try:
        code = DRIVER.main(arguments)
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
