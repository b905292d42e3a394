"""The two clients of these scripts: boto3, and the `aws` command line.

Where the server is, and with which keys to call it, is in the environment, as for any user of theirs.
"""

import contextlib
import io
import json
import multiprocessing
import pathlib
import subprocess
import sys
from dataclasses import dataclass

import boto3
from awscli.clidriver import create_clidriver
from botocore import xform_name
from botocore.config import Config


def appmesh(**settings):
    # A refusal is an answer here, not something to try again.
    return boto3.client("appmesh", config=Config(retries={"total_max_attempts": 1}), **settings)


MODEL = appmesh().meta.service_model


@dataclass
class Outcome:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    def json(self):
        assert self.code == 0, self
        return json.loads(self.stdout) if self.stdout.strip() else {}


#: The real program, beside the interpreter.
PROGRAM = pathlib.Path(sys.executable).with_name("aws")


def aws_process(*arguments):
    """`aws appmesh ...`, as a user starts it."""
    command = [sys.executable, "-B", str(PROGRAM), "appmesh", *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return Outcome(ended.returncode, ended.stdout, ended.stderr)


FORK = multiprocessing.get_context("fork")
DRIVER = create_clidriver()
# Read once, for all copies.
DRIVER.session.get_service_model("appmesh")


def aws(*arguments):
    """The same code with the same arguments, in a copy of this process: it starts in no time, and like
    a process of its own it leaves nothing behind.
    """
    receiver, sender = FORK.Pipe(duplex=False)
    child = FORK.Process(target=drive, args=(["appmesh", *map(str, arguments)], sender))
    child.start()
    sender.close()
    outcome = receiver.recv()
    child.join()
    return outcome


def drive(arguments, sender):
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            code = DRIVER.main(arguments)
        except SystemExit as end:
            code = end.code
    sender.send(Outcome(code, stdout.getvalue(), stderr.getvalue()))


def command_of(operation):
    return xform_name(operation).replace("_", "-")


def options_of(parameters):
    """An operation's parameters as options, structures in JSON."""
    for name, value in parameters.items():
        yield f"--{xform_name(name, '-')}"
        yield value if isinstance(value, str) else json.dumps(value)
