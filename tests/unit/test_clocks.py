"""The picture of freshness: bars against each source's own limits, in words as well."""

from xml.etree import ElementTree

import pytest

from pipelines.pages.clocks import (
    LEFT,
    MOST,
    SCALE,
    SHOWN_SOURCES,
    Clocks,
    clocks_picture,
    lasting,
)

HOUR, DAY = 3600.0, 86_400.0


def clocks(name: str = "wiki", **more: float | str | None) -> Clocks:
    said = {"state": "ok", "scan_age": HOUR, "change_age": None}
    limits = {"warn_after": DAY, "error_after": 3 * DAY}
    return Clocks(name, **{**said, **limits, **more})  # type: ignore[arg-type]


def bars(picture: str) -> list[float]:
    """Widths of what is filled, without the tracks below."""
    found = ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}rect")  # noqa: S314
    return [float(r.get("width", "")) for r in found if not r.get("fill-opacity")]


def words(picture: str) -> list[str]:
    return [text for text in ElementTree.fromstring(picture).itertext() if text]  # noqa: S314


def test_bar_is_as_long_as_its_share_of_the_limit() -> None:
    picture = clocks_picture([clocks(scan_age=1.5 * DAY, change_age=3 * DAY)])
    assert bars(picture) == [SCALE / 2, SCALE]


def test_bar_ends_where_the_picture_does() -> None:
    [longest, _] = bars(clocks_picture([clocks(scan_age=400 * DAY)]))
    assert longest == pytest.approx(SCALE * MOST, abs=0.1)
    assert LEFT + longest < 680


def test_clock_that_was_set_back_draws_nothing_backwards() -> None:
    assert bars(clocks_picture([clocks(scan_age=-HOUR)])) == [0, 0]


def test_what_the_bars_say_stands_beside_them() -> None:
    said = words(clocks_picture([clocks(scan_age=30 * HOUR, change_age=2 * HOUR, state="warn")]))
    assert said == [
        "wiki", "warn", "scanned 30 h ago", "a change waits 2 h", "warn 1 d", "error 3 d",
    ]  # fmt: skip
    said = words(clocks_picture([clocks(scan_age=None)]))
    assert said[2:4] == ["never scanned", "no change waits"]


def test_many_sources_are_cut_and_hostile_names_are_text() -> None:
    evil = '"/><script>alert(1)</script>\x00'
    picture = clocks_picture([clocks(evil) for _ in range(SHOWN_SOURCES + 30)])
    assert "<script" not in picture
    assert len(bars(picture)) == 2 * SHOWN_SOURCES
    assert len(picture) < 30_000


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (-5, "0 s"), (60, "1 min"), (110, "110 s"), (300, "5 min"), (5400, "90 min"),
     (DAY, "1 d"), (30 * HOUR, "30 h"), (3 * DAY, "3 d")],
)  # fmt: skip
def test_time_is_said_in_one_unit(seconds: float, said: str) -> None:
    assert lasting(seconds) == said
