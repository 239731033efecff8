"""Every key of the configuration changes something that a user can see."""

import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import tests.audit_key_cases
import tests.generator_key_cases
import tests.model_key_cases
import tests.server_key_cases
import tests.watch_key_cases
import tests.webhook_key_cases  # noqa: F401  (all put their cases beside these)
from pipelines.config import DomainPolicy, Endpoint, FilesSource, GitSource, SourceRule
from pipelines.config.fine_tuned import (
    EmbedderModel,
    GatePolicy,
    GeneratorGate,
    GeneratorModel,
    GeneratorWatch,
    WatchPolicy,
)
from pipelines.config.models import Settings
from pipelines.knowledge.queries import logged_queries
from pipelines.refresh import Ports
from tests.command_line import Cli
from tests.fakes import HashEncoder
from tests.key_cases import CASES, case, configured, found, trained, uris
from tests.project import rule, source


def keys_of(model: type[BaseModel], place: str) -> set[str]:
    return {f"{place}.{name}" for name in model.model_fields}


def every_key() -> set[str]:
    """All keys of all tables, by the models that read them."""
    keys = keys_of(FilesSource, "sources") | keys_of(GitSource, "sources")
    keys |= keys_of(SourceRule, "sources.rules") | keys_of(DomainPolicy, "domains")
    keys |= keys_of(Endpoint, "webhook.endpoints")
    keys |= keys_of(EmbedderModel, "models") | keys_of(GeneratorModel, "models")
    keys |= keys_of(GatePolicy, "models.gate") | keys_of(GeneratorGate, "models.gate")
    keys |= keys_of(WatchPolicy, "models.watch") | keys_of(GeneratorWatch, "models.watch")
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys |= keys_of(field.annotation, name)
    return keys - {"sources.rules", "webhook.endpoints", "models.gate", "models.watch"}


def test_every_key_has_a_case() -> None:
    assert every_key() == set(CASES)


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    made = Cli.on_new_project(tmp_path, capsys)
    made.project.write("hr/leave.md", "# Leave\n\nLeave of 25 days.\n")
    made.project.write("it/laptops.md", "# Laptops\n\nLaptops last four years.\n")
    return made


@pytest.mark.slow  # together they take minutes
@pytest.mark.parametrize("key", sorted(every_key()))
def test_key_changes_what_a_user_sees(cli: Cli, key: str) -> None:
    without, with_key = CASES[key](cli)
    assert without != with_key


@case("knowledge.name")
def _(cli: Cli) -> tuple[Any, Any]:
    before = cli.json("plan")["knowledge"]
    file = cli.project.root / "staleproof.toml"
    file.write_text(file.read_text().replace('name = "kb"', 'name = "other"'))
    return before, cli.json("plan")["knowledge"]


@case("knowledge.store")
def _(cli: Cli) -> tuple[Any, Any]:
    cli("refresh")
    before = cli.json("head")["uri"]
    file = cli.project.root / "staleproof.toml"
    file.write_text(file.read_text().replace('store = "store"', 'store = "elsewhere"'))
    cli("refresh")
    return before, cli.json("head")["uri"]


def kept(cli: Cli, knowledge: str) -> list[bool]:
    """Which of three publications can be rolled back to, newest first."""
    file = cli.project.root / "staleproof.toml"
    configured(cli, knowledge=f'{knowledge}\n# "store"')
    name = f"store-{len(list(cli.project.root.iterdir()))}"
    file.write_text(file.read_text().replace('"store"', f'"{name}"', 1))
    for text in ("one", "two", "three"):
        cli.project.write("it/laptops.md", f"# Laptops\n\n{text} years.\n")
        cli("refresh")
    return [row["kept"] for row in cli.json("history")["publications"]]


@case("knowledge.keep_publications")
def _(cli: Cli) -> tuple[Any, Any]:
    rest = 'keep_days = 0\nlongest_read = "1s"\n'
    return kept(cli, rest + "keep_publications = 1"), kept(cli, rest + "keep_publications = 3")


@case("knowledge.keep_days")
def _(cli: Cli) -> tuple[Any, Any]:
    rest = 'keep_publications = 1\nlongest_read = "1s"\n'
    return kept(cli, rest + "keep_days = 0"), kept(cli, rest + "keep_days = 0.5")


@case("knowledge.longest_read")
def _(cli: Cli) -> tuple[Any, Any]:
    rest = "keep_publications = 1\nkeep_days = 0\n"
    return kept(cli, rest + 'longest_read = "1s"'), kept(cli, rest + 'longest_read = "1h"')


def encoders(cli: Cli, more: str) -> dict[str, Any]:
    """How the encoder is asked for, and what the history calls it."""
    asked: dict[str, Any] = {}

    def load(model: str, *, root: Path, batch_size: int = 32) -> HashEncoder:
        asked.update(model=model, batch_size=batch_size)
        return HashEncoder(model=model)

    configured(cli, more=more)
    cli.project.ports = lambda: Ports(load_encoder=load)  # type: ignore[method-assign]
    cli("refresh")
    return asked | {"history": cli.json("history")["publications"][0]["embedder"]}


@case("embedder.model")
def _(cli: Cli) -> tuple[Any, Any]:
    cli("refresh")
    before = cli("status")
    configured(cli, more='[embedder]\nmodel = "other"')
    assert "wants the embedder other" in cli("status")
    (cli.project.root / "store").rename(cli.project.root / "former")
    assert encoders(cli, '[embedder]\nmodel = "other"')["history"] == "other"
    return before, cli("status")


@case("embedder.batch_size")
def _(cli: Cli) -> tuple[Any, Any]:
    # Seen as memory and speed: so many passages are in the model at a time.
    before = encoders(cli, "")
    cli.project.write("it/laptops.md", "# Laptops\n\nOther text.\n")
    return before, encoders(cli, "[embedder]\nbatch_size = 8")


@case("limits.max_embed_tokens")
def _(cli: Cli) -> tuple[Any, Any]:
    before = cli.json("plan")["documents"]["held"]
    configured(cli, more="[limits]\nmax_embed_tokens = 5")
    return before, cli.json("plan", code=3)["documents"]["held"]


@case("limits.max_document_bytes")
def _(cli: Cli) -> tuple[Any, Any]:
    before = cli.json("plan")["documents"]["quarantined"]
    configured(cli, more="[limits]\nmax_document_bytes = 30")
    cli.project.write("it/laptops.md", "# Laptops\n\nLaptops last all of five years.\n")
    return before, cli.json("plan")["documents"]["quarantined"]


@case("prices.embed_million_tokens")
def _(cli: Cli) -> tuple[Any, Any]:
    before = "cost" in cli("plan")
    configured(cli, more="[prices]\nembed_million_tokens = 5000.0")
    return before, "cost" in cli("plan")


def remembered(cli: Cli, queries: str) -> list[str | None]:
    """The words of the questions that the table ``queries`` of the store has."""
    configured(cli, more=f"[queries]\n{queries}")
    cli("refresh")
    cli("search", "how many days?")
    return [row["text"] for row in logged_queries(cli.project.store)]


@case("queries.log")
def _(cli: Cli) -> tuple[Any, Any]:
    return remembered(cli, "log = false"), remembered(cli, "log = true")


@case("queries.keep_text")
def _(cli: Cli) -> tuple[Any, Any]:
    before = remembered(cli, "keep_text = false")
    return before, remembered(cli, "keep_text = true")[1:]


@case("sources.name")
def _(cli: Cli) -> tuple[Any, Any]:
    return uris(cli, source("docs")), uris(cli, source("wiki"))


@case("sources.path")
def _(cli: Cli) -> tuple[Any, Any]:
    return uris(cli, source(path="docs")), uris(cli, source(path="docs/hr"))


@case("sources.include")
def _(cli: Cli) -> tuple[Any, Any]:
    def text(globs: str) -> str:
        return source().replace('["**/*.md"]', globs)

    return uris(cli, text('["**/*.md"]')), uris(cli, text('["hr/*.md"]'))


@case("sources.exclude")
def _(cli: Cli) -> tuple[Any, Any]:
    return uris(cli, source()), uris(cli, source(more='exclude = ["hr/**"]'))


@case("sources.domain")
def _(cli: Cli) -> tuple[Any, Any]:
    search = ("--domain", "people")
    other = source().replace('domain = "general"', 'domain = "people"')
    return found(cli, source(), search=search), found(cli, other, search=search)


@case("sources.labels")
def _(cli: Cli) -> tuple[Any, Any]:
    return found(cli, source()), found(cli, source(labels='["managers"]'))


@case("sources.train")
def _(cli: Cli) -> tuple[Any, Any]:
    return trained(cli, source()), trained(cli, source(more="train = false"))


@case("sources.front_matter_domains")
def _(cli: Cli) -> tuple[Any, Any]:
    cli.project.write("hr/pay.md", "---\ndomain: money\n---\n# Pay\n\nPay on days.\n")
    return found(cli, source()), found(cli, source(more='front_matter_domains = ["money"]'))


def health(cli: Cli, more: str) -> str:
    """Of the source, half a day after its last scan."""
    configured(cli, source())
    cli("refresh")
    configured(cli, source(more=more))
    cli.project.now += timedelta(hours=12)
    return str(cli.json("status")["sources"][0]["health"])


@case("sources.warn_after")
def _(cli: Cli) -> tuple[Any, Any]:
    return health(cli, ""), health(cli, 'warn_after = "1h"')


@case("sources.error_after")
def _(cli: Cli) -> tuple[Any, Any]:
    early = 'warn_after = "1h"\n'
    return health(cli, early), health(cli, early + 'error_after = "2h"')


@case("sources.rules.match")
def _(cli: Cli) -> tuple[Any, Any]:
    labels = '["managers"]'
    return (
        found(cli, source(), rule("hr/**", labels)),
        found(cli, source(), rule("it/**", labels)),
    )


@case("sources.rules.labels")
def _(cli: Cli) -> tuple[Any, Any]:
    return (
        found(cli, source(), rule("hr/**", '["public"]')),
        found(cli, source(), rule("hr/**", '["managers"]')),
    )


def ruled(line: str = "") -> tuple[str, str]:
    return source(), f'[[sources.rules]]\nmatch = "hr/**"\n{line}\n'


@case("sources.rules.domain")
def _(cli: Cli) -> tuple[Any, Any]:
    return found(cli, *ruled()), found(cli, *ruled('domain = "people"'))


@case("sources.rules.train")
def _(cli: Cli) -> tuple[Any, Any]:
    return trained(cli, *ruled()), trained(cli, *ruled("train = false"))


def repository(cli: Cli, name: str, *paths: str) -> str:
    """A git repository of documents; each further one has a branch ``draft`` with one more."""
    folder = cli.project.root / name

    def git(*argv: str) -> None:
        who = ("-c", "user.name=A", "-c", "user.email=a@example.com")
        subprocess.run(["git", *who, *argv], cwd=folder, check=True, capture_output=True)

    def commit(path: str) -> None:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# {path}\n\nText.\n")
        git("add", "-A")
        git("commit", "-m", path)

    folder.mkdir()
    git("init", "-b", "main")
    for path in paths:
        commit(path)
    git("checkout", "-b", "draft")
    commit("draft.md")
    git("checkout", "main")
    return name


def of_git(url: str, more: str = "") -> str:
    return (
        f'[[sources]]\nname = "docs"\nkind = "git"\nurl = "{url}"\n'
        f'domain = "general"\nlabels = ["public"]\n{more}\n'
    )


@case("sources.kind")
def _(cli: Cli) -> tuple[Any, Any]:
    repository(cli, "wiki", "a.md")
    cli.project.write("../wiki/uncommitted.md", "# Not yet\n\nText.\n")
    return uris(cli, source(path="wiki")), uris(cli, of_git("wiki"))


@case("sources.url")
def _(cli: Cli) -> tuple[Any, Any]:
    one, two = repository(cli, "one", "a.md"), repository(cli, "two", "b.md")
    return uris(cli, of_git(one)), uris(cli, of_git(two))


@case("sources.ref")
def _(cli: Cli) -> tuple[Any, Any]:
    wiki = repository(cli, "wiki", "a.md")
    return uris(cli, of_git(wiki)), uris(cli, of_git(wiki, 'ref = "draft"'))


@case("sources.subfolder")
def _(cli: Cli) -> tuple[Any, Any]:
    wiki = repository(cli, "wiki", "a.md", "below/b.md")
    return uris(cli, of_git(wiki)), uris(cli, of_git(wiki, 'subfolder = "below"'))
