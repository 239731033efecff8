"""Where something was found in a text, and of what kind: what masking needs to know."""

from typing import NamedTuple


class Finding(NamedTuple):
    """A span of a text that is not to be shown."""

    start: int
    """Character offset, inclusive."""
    end: int
    """Character offset, exclusive."""
    kind: str
    """The rule that found it, or the kind of personal data."""
