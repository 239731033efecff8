"""The house's own answers, of which only those stay that rest on what may be learned, and its form."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.config import Config, GeneratorModel
from pipelines.errors import ConfigError
from pipelines.retrain.given import given_or_built_in, given_text, read_given
from pipelines.retrain.quotes import quoting
from pipelines.training import GeneralText, House, VoiceExample
from pipelines.training.generator.prompts import citations, uncited
from pipelines.training.generator.scores import holds, in_form
from pipelines.training.records import digest

LEAST_GENERAL = 10
"""Sentences, and as many prompts: with fewer nobody sees what a version forgets."""

_FIELDS = ("question", "answer", "documents", "fact", "domain")
_HINT = (
    'A line is {"question": ..., "answer": ..., "documents": [uri], "fact": ..., "domain": ...}.'
)
_GENERAL_HINT = 'A line is {"kind": "sentence" or "chat", "text": ...}.'


@dataclass(frozen=True, slots=True)
class Voice:
    """What people gave a generator to learn from and to be judged by."""

    examples: tuple[VoiceExample, ...]
    general: tuple[GeneralText, ...]
    house: House
    left_out: Mapping[str, int] = field(default_factory=dict)
    """How many were, by reason."""

    @property
    def without_evidence(self) -> int:
        """Answers that name no document: what they say is learned by heart, and goes stale."""
        return sum(not one.documents for one in self.examples)


@dataclass(frozen=True, slots=True)
class Given:
    """A line of a file of answers; documents are uris."""

    question: str
    answer: str
    documents: tuple[str, ...]
    fact: str
    domain: str

    @property
    def said(self) -> tuple[str, str]:
        """Its texts."""
        return self.question, self.answer


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a document that may be learned from."""

    id: str
    domain: str
    passages: tuple[str, ...]
    """As prompts show them."""


def read_voice(
    config: Config,
    model: GeneratorModel,
    *,
    known: Mapping[str, Known],
    forbidden: Collection[str],
    permitted: Collection[str],
) -> Voice:
    """Answers of the house, general texts, and the form that is asked for.

    Args:
        config: The configuration.
        model: Whose they are.
        known: Documents that may be learned from, by uri.
        forbidden: Passages of documents that may not: what quotes one of these goes, whatever
            document it names.
        permitted: Passages of those that may.

    Raises:
        ConfigError: A file is missing or broken, an answer contradicts its own line or does not
            have the house's form, or too few general texts may stay.
    """
    left_out: Counter[str] = Counter()
    house = read_house(config, model)
    given = [*dict.fromkeys(_read_all(config, model, house))]
    usable = [one for one in given if _is_usable(one, model, known, left_out)]
    general = general_texts(config, model)
    people = [text for one in usable for text in one.said]
    people += [one.text for one in general if model.general]
    quotes = quoting(people, forbidden=forbidden, permitted=permitted)
    quiet = [one for one in usable if quotes.isdisjoint(one.said)]
    others = [one for one in general if one.text not in quotes]
    left_out["answers that quote what may not be learned from"] += len(usable) - len(quiet)
    left_out["general texts that quote what may not be learned from"] += len(general) - len(others)
    _refuse_too_few(model, others)
    # By id: one that was written twice, with another domain or fact, is still one.
    examples = {one.id: one for one in reversed([_example(one, known) for one in quiet])}
    return Voice(tuple(reversed(examples.values())), tuple(others), house, +left_out)


def read_house(config: Config, model: GeneratorModel) -> House:
    """The form that answers have, and the words where documents do not say.

    Raises:
        ConfigError: The JSON schema is missing, or is none.
    """
    schema = ""
    if model.json_schema:
        name = f"[[models]] json_schema: {model.json_schema}"
        try:
            said = json.loads((config.root / model.json_schema).read_text(encoding="utf-8-sig"))
            schema = json.dumps(said, sort_keys=True, ensure_ascii=False)
            in_form("{}", House(json_schema=schema))
        except OSError as error:
            raise ConfigError(f"{name} cannot be read: {error.strerror}.") from error
        except (ValueError, RecursionError) as error:
            raise ConfigError(
                f"{name} cannot be used: {error}.", hint="It is one file with one JSON schema."
            ) from error
    return House(model.format, schema, model.abstention)


def general_texts(config: Config, model: GeneratorModel) -> tuple[GeneralText, ...]:
    """Sentences and prompts on other subjects: the user's, else the built-in ones.

    Raises:
        ConfigError: The file is missing or broken.
    """
    path, name = given_or_built_in(
        config.root, model.general, package="pipelines.retrain", file="general_texts.jsonl"
    )
    return tuple(dict.fromkeys(read_given(path, name, _general, hint=_GENERAL_HINT)))


def _read_all(config: Config, model: GeneratorModel, house: House) -> Iterator[Given]:
    for pattern in model.voice:
        found = _matching(config.root, pattern)
        if not found:
            raise ConfigError(
                f"[[models]] voice: no file is called {pattern}.",
                hint="Write the house's answers there: " + _HINT,
            )
        for path in found:
            at = path.relative_to(config.root) if path.is_relative_to(config.root) else path
            name = f"[[models]] voice: {at.as_posix()}"
            yield from read_given(path, name, lambda said: _given(said, house), hint=_HINT)


def _matching(root: Path, pattern: str) -> list[Path]:
    if Path(pattern).is_absolute():
        return [Path(pattern)]
    try:
        return sorted(path for path in root.glob(pattern) if path.is_file())
    except ValueError as error:
        raise ConfigError(
            f"[[models]] voice: {pattern} is no pattern of files: {error}."
        ) from error


def _given(said: Mapping[str, Any], house: House) -> Given:
    unknown = sorted(said.keys() - set(_FIELDS))
    if unknown:
        raise ValueError(f"{unknown[0]} is no field of an answer")
    documents = said.get("documents") or []
    if not isinstance(documents, list) or not all(isinstance(uri, str) for uri in documents):
        raise ValueError("documents is no list of uris")
    answer, fact = given_text(said, "answer").strip(), _optional(said, "fact")
    if len(set(documents)) < len(documents):
        raise ValueError("a document is named twice")
    if documents and max(citations(answer), default=0) > len(documents):
        raise ValueError(f"the answer cites more documents than the {len(documents)} that it names")
    if fact and not holds(uncited(answer), fact):
        raise ValueError("the fact does not stand in the answer")
    if not in_form(answer, house):
        raise ValueError("the answer does not have the form that [[models]] asks for")
    return Given(
        given_text(said, "question").strip(),
        answer,
        tuple(documents),
        fact,
        _optional(said, "domain"),
    )


def _optional(said: Mapping[str, Any], key: str) -> str:
    return given_text(said, key).strip() if said.get(key) else ""


def _general(said: Mapping[str, Any]) -> GeneralText:
    kind = said.get("kind")
    if kind not in ("sentence", "chat"):
        raise ValueError("kind is neither sentence nor chat")
    return GeneralText(kind, given_text(said, "text").strip())


def _is_usable(
    one: Given, model: GeneratorModel, known: Mapping[str, Known], left_out: Counter[str]
) -> bool:
    domain = one.domain or next((known[uri].domain for uri in one.documents if uri in known), "")
    if any(uri not in known for uri in one.documents):
        left_out["answers of documents that may not be learned from"] += 1
    elif model.domains and domain and domain not in model.domains:
        left_out["answers of another domain"] += 1
    elif one.documents and one.fact and not _is_held(one, known):
        left_out["answers whose fact their documents do not hold"] += 1
    else:
        return True
    return False


def _is_held(one: Given, known: Mapping[str, Known]) -> bool:
    passages = (text for uri in one.documents for text in known[uri].passages)
    return any(holds(text, one.fact) for text in passages)


def _example(one: Given, known: Mapping[str, Known]) -> VoiceExample:
    documents = tuple(known[uri].id for uri in one.documents)
    return VoiceExample(
        id=digest("voice", one.question, one.answer, *documents),
        question=one.question,
        answer=one.answer,
        documents=documents,
        fact=one.fact,
        domain=one.domain or (known[one.documents[0]].domain if one.documents else ""),
    )


def _refuse_too_few(model: GeneratorModel, general: Sequence[GeneralText]) -> None:
    counts = Counter(one.kind for one in general)
    if min(counts["sentence"], counts["chat"]) < LEAST_GENERAL:
        raise ConfigError(
            f"[[models]] general: {model.general} has {counts['sentence']} sentences and "
            f"{counts['chat']} prompts that may be used, at least {LEAST_GENERAL} of each are needed.",
            hint="Without texts on other subjects nobody sees what a version forgets.",
        )
