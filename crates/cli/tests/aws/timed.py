"""Runs `aws appmesh` with the arguments of each line of input, and prints when its answer had come: in
microseconds since the epoch, at the moment at which the client has it and has shown nothing yet.
"""

import contextlib
import io
import json
import sys
import time

from clients import DRIVER


def main():
    answers = []
    DRIVER.session.register("after-call", lambda **_: answers.append(time.time_ns() // 1000))
    for line in sys.stdin:
        with contextlib.redirect_stdout(io.StringIO()):
            code = DRIVER.main(["appmesh", *json.loads(line)])
        print(answers.pop() if code == 0 else "failed", flush=True)


if __name__ == "__main__":
    main()
