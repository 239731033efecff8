"""Asking a server whose address cannot be one."""

import pytest

from flows.ops.rest import Api


@pytest.mark.parametrize("url", ["http://127.0.0.1:abc/api", "http://[::1/api", "http://a b/api"])
def test_address_that_is_none_is_nobody_who_answers(url: str) -> None:
    with pytest.raises(OSError):  # noqa: PT011 - whatever the system says of a name
        Api(url).ask("GET", "/health", seconds=1)
    assert not Api(url).is_healthy(seconds=1)
