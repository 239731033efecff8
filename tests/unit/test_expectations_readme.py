"""The page about suites says what they may name, and nothing else."""

import json
import re
from pathlib import Path

import pytest

from pipelines.quality import Grain, load_suites
from pipelines.quality.columns import COLUMNS

README = Path(__file__).parents[2] / "data" / "expectations" / "README.md"


@pytest.mark.parametrize("grain", Grain)
def test_every_column_is_listed_with_what_it_holds(grain: Grain) -> None:
    _, part = README.read_text("utf-8").split(f"## `{grain}.json`\n")
    part = part.split("\n## ")[0]
    assert dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", part, re.MULTILINE)) == COLUMNS[grain]


def test_example_is_an_entry_of_the_suite(tmp_path: Path) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    suite = {"name": "documents", "expectations": [json.loads(example)]}
    (tmp_path / "documents.json").write_text(json.dumps(suite))
    (entry,) = load_suites(tmp_path).documents.expectations
    assert entry.name == "has_more_than_a_few_characters"
