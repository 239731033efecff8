"""Stops every Python that tests start from connecting to another machine."""

import ipaddress
import os
import sys
from typing import Any


def _is_local(address: Any) -> bool:
    if not isinstance(address, tuple) or str(address[0]) in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback
    except ValueError:
        return False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and not _is_local(arguments[1]):
        sys.stderr.write(f"a process of a test connects to {arguments[1]!r}\n")
        sys.stderr.flush()
        # Not an exception, so that no retry or fallback swallows it.
        os._exit(97)


sys.addaudithook(_watch)
