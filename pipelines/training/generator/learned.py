"""Makes the examples that a generator learns from: the house's answers, abstentions, and replay."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.training.generator.evidence import Library, Row, text_of
from pipelines.training.generator.layout import Fits, Laid, lay_out
from pipelines.training.generator.prompts import Message, messages
from pipelines.training.params import GeneratorParams
from pipelines.training.records import BESIDE, ExampleKind, ManifestLine, VoiceExample, digest
from pipelines.training.sketches import sketch

REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and the answer to be learned."""

    example: str
    kind: str
    """``voice``, ``abstention`` or ``replay``."""
    messages: list[Message]
    answer: str
    lines: tuple[ManifestLine, ...] = ()
    """One for each document that it rests on, and for each that its prompt shows beside these."""
    of: VoiceExample | None = None
    """What it was made of; None of a replay."""
    evidence: tuple[Row, ...] = ()
    """The passages that answer, whether the prompt holds them or not."""

    @property
    def document(self) -> str:
        """That it rests on, the first of several; empty: none."""
        return self.lines[0].document if self.lines else ""


@dataclass(frozen=True)
class Makers:
    """Makes examples of the answers of documents that are learned from."""

    library: Library
    params: GeneratorParams
    fits: Fits
    left_out: Counter[str]
    """Gets how many were not taken, by reason."""

    def voice(self) -> list[Example]:
        """The house's answers with their passages, as many as ``max_examples`` has room for."""
        found = sorted(self._voice(), key=lambda one: one.example)
        room = max(1, round(self.params.max_examples * self._part))
        self.left_out["more than max_examples"] += max(0, len(found) - room)
        return found[:room]

    def abstentions(self, voice: Sequence[Example], words: str) -> list[Example]:
        """Some of the same questions, whose passages give way to others: the house does not say.

        Args:
            voice: What ``voice`` made.
            words: The house's words for it.
        """
        wanted = round(len(voice) * self.params.abstentions / self._part)
        if not self.params.passages or not words:
            return []
        found: list[Example] = []
        for one in sorted(voice, key=lambda some: digest("abstention", some.example)):
            made = self._abstention(one, words) if one.of and one.evidence else None
            if len(found) < wanted and made is not None:
                found.append(made)
        return found

    def replay(self, voice: int, answered: Sequence[tuple[str, str]]) -> list[Example]:
        """Answers of the base, each as often as it must be to be a share of all examples.

        Args:
            voice: How many answers of the house there are.
            answered: Prompts and what the base says.
        """
        wanted = round(voice * self.params.replay / self._part) if answered else 0
        found = []
        for number in range(wanted):
            prompt, answer = answered[number % len(answered)]
            name = digest(REPLAY, prompt, str(number // len(answered)))
            found.append(Example(name, REPLAY, messages(prompt, ()), answer))
        return found

    @property
    def _part(self) -> float:
        """The share of examples that are the house's answers."""
        return 1 - self.params.abstentions - self.params.replay

    def _voice(self) -> Iterator[Example]:
        for one in self.library.snapshot.voice:
            held_out = [self.library.held_out(document) for document in one.documents]
            if any(held_out):
                if not all(held_out):
                    self.left_out["answers of documents of which some are held out"] += 1
                continue
            evidence = self.library.evidence(one) if one.documents else []
            if evidence is None:
                self.left_out["answers whose fact their documents do not hold"] += 1
                continue
            if any(row["text"] in self.library.held_out_texts for row in evidence):
                self.left_out["answers by passages that held-out documents hold as well"] += 1
                continue
            laid = self._laid(one, evidence)
            if laid is None:
                self.left_out["longer than max_tokens"] += 1
            else:
                yield self._example("voice", one, evidence, *laid)

    def _laid(self, one: VoiceExample, evidence: list[Row]) -> tuple[Laid, list[Row]] | None:
        count = self.params.passages
        shown, room = (evidence if count else []), max(0, count - len(evidence))
        others = self.library.others(one, evidence, room, held_out=False) if shown and room else []
        laid = self._lay_out(one, one.answer, shown, others)
        return None if laid is None else (laid, others[: laid.others])

    def _abstention(self, example: Example, words: str) -> Example | None:
        one, evidence = example.of, list(example.evidence)
        if one is None:
            return None
        others = self.library.others(one, evidence, self.params.passages, held_out=False)
        laid = self._lay_out(one, words, [], others) if others else None
        if laid is None:
            return None
        return self._example("abstention", one, evidence, laid, others[: laid.others])

    def _lay_out(
        self, one: VoiceExample, answer: str, answering: Sequence[Row], others: Sequence[Row]
    ) -> Laid | None:
        return lay_out(
            one.id,
            one.question,
            answer,
            answering=[text_of(row) for row in answering],
            others=[text_of(row) for row in others],
            fits=self.fits,
        )

    def _example(
        self,
        kind: ExampleKind,
        one: VoiceExample,
        evidence: Sequence[Row],
        laid: Laid,
        others: Sequence[Row],
    ) -> Example:
        name = digest(kind, one.id)
        lines = [self._line(name, kind, row) for row in evidence]
        lines += [self._line(name, BESIDE, row) for row in others]
        return Example(name, kind, laid.messages, laid.answer, tuple(lines), one, tuple(evidence))

    def _line(self, name: str, kind: ExampleKind, row: Row) -> ManifestLine:
        document = self.library.documents[row["document"]]
        return ManifestLine(
            example=name,
            document=row["document"],
            uri=row["uri"],
            text_hash=row["text_hash"],
            content_hash=row["content_hash"],
            source_version=document["source_version"],
            domain=row["domain"],
            labels=tuple(row["labels"]),
            publication=self.library.snapshot.facts.publication,
            kind=kind,
            sketch=sketch(row["text"]),
        )


def worked_examples(
    voice: Sequence[Example], count: int, abstention: Example | None
) -> list[Message]:
    """Turns of questions and answers that show the house's form in a prompt, short ones.

    Args:
        voice: What was learned; its shortest examples of different documents are taken.
        count: How many; from three on the last one abstains.
        abstention: An example that does.
    """
    chosen: dict[str, Example] = {}
    for one in sorted(voice, key=lambda some: (len(some.messages[-1]["content"]), some.example)):
        if one.evidence:
            chosen.setdefault(one.document, one)
    some = list(chosen.values())[:count]
    if abstention is not None and count >= 3:
        some[count - 1 :] = [abstention]
    return [
        turn
        for one in some
        for turn in (*one.messages, {"role": "assistant", "content": one.answer})
    ]
