"""Reads the body of a request: whole, in time, and no more of it than is allowed."""

import asyncio
import re

from starlette.requests import ClientDisconnect, Request

SECONDS = 30.0
"""A body that takes longer is not waited for."""

_LENGTH = re.compile(r"[0-9]{1,18}")


class TooLarge(Exception):
    """More than is allowed."""


class BrokenOff(Exception):
    """It did not come to its end, or not in time."""


async def read_body(request: Request, *, most: int, seconds: float = SECONDS) -> bytes:
    """The body as it came.

    Args:
        request: The request.
        most: Bytes that it may have.
        seconds: How long it may take.

    Raises:
        TooLarge: It has more, or says so.
        BrokenOff: It is not what its length says, or takes too long.
    """
    said = request.headers.get("content-length")
    if said is not None and not _LENGTH.fullmatch(said):
        raise BrokenOff
    if said is not None and int(said) > most:
        raise TooLarge
    try:
        async with asyncio.timeout(seconds):
            body = await _read(request, most)
    except (ClientDisconnect, TimeoutError):
        raise BrokenOff from None
    if said is not None and int(said) != len(body):
        raise BrokenOff
    return body


async def _read(request: Request, most: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise TooLarge
    return bytes(body)
