"""Runs pyftpdlib with the settings of a JSON file, whose name is the only argument."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
from pyftpdlib.servers import FTPServer


def main() -> None:
    options = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    logging.basicConfig(level=logging.WARNING)  # no line for each transfer
    authorizer = DummyAuthorizer()
    authorizer.add_user(options["user"], options["password"], options["root"], perm="elradfmwMT")
    first, last = options["passive"]
    handler: type[FTPHandler] = TLS_FTPHandler
    handler.passive_dtp.timeout = options["data_seconds"]
    handler.certfile = options["certificate"]
    handler.authorizer = authorizer
    handler.passive_ports = range(first, last + 1)
    handler.use_gmt_times = True
    FTPServer.max_cons = options["sessions"]
    FTPServer.max_cons_per_ip = options["sessions_per_address"]
    FTPServer(("127.0.0.1", options["port"]), handler).serve_forever()


if __name__ == "__main__":
    main()
