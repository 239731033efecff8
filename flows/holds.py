"""The commands by which a person looks at a hold and decides it."""


def to_look(kind: str, hold_id: str) -> str | None:
    """What shows the matter of a hold; None where its list of documents says everything."""
    if kind == "audit":
        return "staleproof audit"
    if kind == "review":
        return f'staleproof search "..." --publication {hold_id}'
    return None


def to_decide(hold_id: str) -> tuple[str, str]:
    """What lets a hold through, and what refuses it."""
    return f"staleproof accept {hold_id}", f"staleproof drop {hold_id}"
