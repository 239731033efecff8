"""Small suites, for tests that refresh often and are about something else than the audit."""

import json
from pathlib import Path

FEW = {
    "documents": ("text_is_visible", "visible_characters", {"min_value": 1}),
    "chunks": ("vector_has_unit_norm", "vector_norm", {"min_value": 0.999, "max_value": 1.001}),
    "publication": ("documents_have_passages", "documents_without_chunks", {"max_value": 0}),
}


def write_few(folder: Path) -> None:
    """One expectation a grain: a validation costs milliseconds for each that it has."""
    folder.mkdir(parents=True, exist_ok=True)
    for grain, (name, column, bounds) in FEW.items():
        entry = {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": column, **bounds},
            "severity": "critical",
            "meta": {"name": name},
        }
        suite = {"name": grain, "expectations": [entry]}
        (folder / f"{grain}.json").write_text(json.dumps(suite))
