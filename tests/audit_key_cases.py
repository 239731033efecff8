"""The keys of [audit] and of [[domains]]: what each lets through, finds or makes wait."""

import json
from pathlib import Path
from typing import Any

from tests.command_line import Cli
from tests.key_cases import case, configured, found

POLISH = """# Urlop

Każdemu pracownikowi przysługuje dwadzieścia pięć dni urlopu w roku. Kto pracuje w firmie dłużej
niż pięć lat, otrzymuje dwa dodatkowe dni. Niewykorzystane dni przepadają z końcem marca, jeżeli
nie uzgodniono inaczej z przełożonym.
"""
KEY = "The key is AKIA" + "Q3EGRFTBKZJHWLXM."
UNKNOWN, PAD = "[UNK]", "[PAD]"
CARD = "The card is 4539 1488 0343 6467."


def quarantined(cli: Cli, more: str, code: int = 0) -> int:
    """How many documents a refresh finds unfit."""
    configured(cli, more=more)
    return int(cli.json("refresh", code=code)["documents"]["quarantined"])


def both(cli: Cli, strict: str, lenient: str) -> tuple[int, int]:
    """First what stops a document: what is published is not judged again."""
    return quarantined(cli, strict), quarantined(cli, lenient)


def domain(more: str, name: str = "general") -> str:
    return f'[[domains]]\nname = "{name}"\n{more}\n'


@case("audit.expectations")
def _(cli: Cli) -> tuple[Any, Any]:
    one = {"type": "expect_column_values_to_be_between", "severity": "critical"}
    one |= {"kwargs": {"column": "words", "min_value": 99}, "meta": {"name": "is_long"}}
    folder = cli.project.root / "strict"
    folder.mkdir()
    (folder / "documents.json").write_text(json.dumps({"name": "documents", "expectations": [one]}))
    return both(cli, '[audit]\nexpectations = "strict"', "")


@case("audit.golden")
def _(cli: Cli) -> tuple[Any, Any]:
    folder = cli.project.root / "mine"
    folder.mkdir()
    question = {"id": "1", "question": "How long is leave?", "uri": "docs/hr/leave.md"}
    (folder / "questions.jsonl").write_text(json.dumps(question))
    cli("refresh")
    cli.project.write("it/laptops.md", "# Laptops\n\nLaptops last five years.\n")
    cli("refresh")
    before = cli.json("audit")["measures"]["docs"]["canaries"]
    configured(cli, more='[audit]\ngolden = "mine"')
    return before, cli.json("audit")["measures"]["docs"]["canaries"]


@case("audit.languages")
def _(cli: Cli) -> tuple[Any, Any]:
    cli.project.write("hr/urlop.md", POLISH)
    return both(cli, '[audit]\nlanguages = ["en"]', '[audit]\nlanguages = ["en", "pl"]')


@case("audit.required")
def _(cli: Cli) -> tuple[Any, Any]:
    return both(cli, '[audit]\nrequired = ["owner"]', "")


@case("audit.personal_data")
def _(cli: Cli) -> tuple[Any, Any]:
    cli.project.write("hr/who.md", "# Who\n\nWrite to ada.lovelace@larkfield.com about leave.\n")
    return both(cli, '[audit]\npersonal_data = ["email"]', "")


def write_model(folder: Path, *, sees_names: bool) -> None:
    """A model that takes every word for a name, or none."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

    tokenizer = Tokenizer(WordLevel({UNKNOWN: 0, PAD: 1}, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token=UNKNOWN, pad_token=PAD, model_max_length=64
    ).save_pretrained(folder)
    model = BertForTokenClassification(
        BertConfig(
            vocab_size=2,
            hidden_size=4,
            num_hidden_layers=1,
            num_attention_heads=1,
            intermediate_size=4,
            id2label={0: "O", 1: "B-PER"},
            label2id={"O": 0, "B-PER": 1},
        )
    )
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([0.0, 9.0 if sees_names else -9.0]))
    model.save_pretrained(folder)


@case("audit.names_model")
def _(cli: Cli) -> tuple[Any, Any]:
    for name, sees_names in (("eager", True), ("blind", False)):
        write_model(cli.project.root / name, sees_names=sees_names)
    names = '[audit]\npersonal_data = ["name"]\nnames_model = '
    return both(cli, f'{names}"eager"', f'{names}"blind"')


@case("domains.name")
def _(cli: Cli) -> tuple[Any, Any]:
    cli.project.write("it/key.md", f"# Key\n\n{KEY}\n")
    warn = 'secrets = "warn"'
    return both(cli, domain(warn, "other"), domain(warn, "general"))


@case("domains.review")
def _(cli: Cli) -> tuple[Any, Any]:
    before = quarantined(cli, ""), len(cli.json("holds")["holds"])
    cli.project.write("it/laptops.md", "# Laptops\n\nLaptops last five years.\n")
    return before, (quarantined(cli, domain("review = true"), 3), len(cli.json("holds")["holds"]))


@case("domains.expired")
def _(cli: Cli) -> tuple[Any, Any]:
    cli.project.write("hr/old.md", "---\nvalid_until: 2020-01-01\n---\n# Old\n\nOld days.\n")
    before = found(cli)
    assert "Past their valid_until" in cli("refresh")
    configured(cli, more=domain('expired = "withhold"'))
    cli("refresh")
    hits = cli.json("search", "days", "-k", "9")["hits"]
    return before, sorted(hits, key=lambda hit: hit["uri"])


@case("domains.secrets")
def _(cli: Cli) -> tuple[Any, Any]:
    cli.project.write("it/key.md", f"# Key\n\n{KEY}\n")
    return both(cli, "", domain('secrets = "no-training"'))


@case("domains.personal_data")
def _(cli: Cli) -> tuple[Any, Any]:
    cli.project.write("it/card.md", f"# Card\n\n{CARD}\n")
    return both(cli, "", domain('personal_data = "warn"'))


@case("domains.languages")
def _(cli: Cli) -> tuple[Any, Any]:
    cli.project.write("hr/urlop.md", POLISH)
    english = '[audit]\nlanguages = ["en"]\n'
    return both(cli, english, english + domain('languages = ["pl"]'))


@case("domains.required")
def _(cli: Cli) -> tuple[Any, Any]:
    owner = '[audit]\nrequired = ["owner"]\n'
    return both(cli, owner, owner + domain("required = []"))
