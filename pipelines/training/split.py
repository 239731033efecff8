"""Which documents are learned from and which only evaluate: by id, for as long as they live."""

from hashlib import blake2b


def bucket(document: str) -> float:
    """The place of a document between 0 and 1; it hangs on its id alone, which a move keeps."""
    digest = blake2b(document.encode(), digest_size=8, person=b"held-out").digest()
    return int.from_bytes(digest, "big") / 2**64


def is_held_out(document: str, share: float) -> bool:
    """Whether no training may see a document. A larger ``share`` holds out the same and more."""
    return bucket(document) < share
