"""Bytes of a document -> its text, what it asks for itself, and its passages."""

from pipelines.documents.chunks import cut
from pipelines.documents.front_matter import read_front_matter
from pipelines.documents.text import read_document

__all__ = ["RECIPE", "cut", "read_document", "read_front_matter"]

RECIPE = "1"
"""The version of extractor and chunker: raised by hand when either changes what it yields."""
