"""Templates to pages that ask nothing of any server: styles inside, no scripts, no fonts."""

import base64
import functools
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent


def rendered(template: str, *, pictures: bool = False, **values: Any) -> str:
    """A page out of one of the templates beside this module.

    Args:
        template: Its name.
        pictures: Whether it shows pictures, each of which lies in the page itself.
        values: What it names, beside ``css`` and ``policy``.
    """
    css = (HERE / "page.css").read_text("utf-8")
    policy = _policy(css, "; img-src data:" if pictures else "")
    return _environment().get_template(template).render(css=css, policy=policy, **values)


def number(value: float | None) -> str:
    """A number as people read it; a dash for None."""
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def moment(at: datetime) -> str:
    """A time as people read it."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def picture(svg: str) -> str:
    """The address of a picture that holds the picture itself."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _policy(css: str, more: str) -> str:
    """Nothing may be loaded, sent or run; these very styles may be applied."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    own = f"style-src 'sha256-{digest}'{more}"
    return f"default-src 'none'; {own}; base-uri 'none'; form-action 'none'"


@functools.cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )


def _printable(value: Any) -> Any:
    """Names come from other people: what cannot be seen in them is spelled out."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return "".join(c if c.isprintable() else _spelled(c) for c in value)


def _spelled(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
