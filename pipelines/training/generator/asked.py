"""Makes the questions that evaluate a generator: of held-out documents, with swapped facts, without answer."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pipelines.training.generator.evidence import Library, Row, text_of
from pipelines.training.generator.layout import Fits, Laid, lay_out
from pipelines.training.generator.learned import Example
from pipelines.training.generator.prompts import Message
from pipelines.training.generator.swaps import other_value, put_in_place, stands_in
from pipelines.training.params import GeneratorParams
from pipelines.training.records import BESIDE, ManifestLine, VoiceExample, digest
from pipelines.training.sketches import Sketches, sketch

Set = Literal["held_out", "changed", "unanswerable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A row of ``questions.parquet``."""

    set: Set
    id: str
    kind: str
    """``voice``; ``learned`` where the document of a changed fact was learned from."""
    text: str
    domain: str
    document: str
    """The first that answers; questions of one document are not independent of each other."""
    uri: str
    labels: tuple[str, ...]
    """Any one of them lets somebody read the documents that answer."""
    messages: list[Message]
    answer: str
    """As it should be."""
    fact: str
    """What it should say; where the value was swapped, the new one."""
    former: str
    """The value that the document really has, where it was swapped."""
    cited: tuple[int, ...]
    """Numbers of the passages that answer."""


@dataclass(frozen=True)
class Askers:
    """Makes questions, at most ``max_questions`` of a set, by hash."""

    library: Library
    params: GeneratorParams
    """With ``passages``: a model is asked as it would be used."""
    fits: Fits
    dropped: Counter[str]
    """Gets how many were not taken, by reason."""

    def held_out(self, learned: Sequence[Example]) -> list[tuple[VoiceExample, list[Row]]]:
        """Answers whose documents are all held out, with the passages that answer.

        Args:
            learned: What this training learns. What rests on a passage that is nearly the same and
                says the same fact would be remembered, not read; the champion's are asked as well.
        """
        known = _Known(self.library.snapshot.champion_manifest(), learned)
        found = []
        for one in self.library.snapshot.voice:
            if not one.documents or not all(map(self.library.held_out, one.documents)):
                continue
            evidence = self.library.evidence(one)
            if evidence is None:
                self.dropped["the documents do not hold the fact"] += 1
            elif known.holds(one, evidence):
                self.dropped["learned by a compared model"] += 1
            else:
                found.append((one, evidence))
        self.dropped["more than max_questions"] += max(0, len(found) - self.params.max_questions)
        return sorted(found, key=lambda pair: pair[0].id)[: self.params.max_questions]

    def questions(
        self,
        held_out: Sequence[tuple[VoiceExample, list[Row]]],
        learned: Sequence[Example],
        abstention: str,
    ) -> list[Question]:
        """All sets.

        A changed fact is asked about where its document is held out and, no more often, where it
        was learned from: what a model remembers can override its prompt, what it never saw cannot.

        Args:
            held_out: As ``held_out`` gives them.
            learned: What this training learns.
            abstention: The words where passages do not answer.
        """
        changed = list(self._changed(held_out, "voice"))
        remembered = ((one.of, list(one.evidence)) for one in learned if one.of and one.evidence)
        again = list(self._changed(remembered, "learned", most=len(changed)))
        plain = [question for pair in held_out for question in self._plain(*pair)]
        without = [one for pair in held_out for one in self._unanswerable(*pair, abstention)]
        return [*plain, *changed, *again, *without]

    def _plain(self, one: VoiceExample, evidence: list[Row]) -> Iterator[Question]:
        texts = [text_of(row) for row in evidence]
        laid = self._laid(one, one.answer, texts, self._others(one, evidence, len(texts)))
        if laid is not None:
            yield self._question("held_out", "voice", one, laid)

    def _changed(
        self, pairs: Iterable[tuple[VoiceExample, list[Row]]], kind: str, *, most: int | None = None
    ) -> Iterator[Question]:
        made = 0
        for one, evidence in sorted(pairs, key=lambda pair: digest("changed", pair[0].id)):
            if most is not None and made == most:
                return
            question = self._swapped(one, evidence, kind)
            if question is not None:
                made += 1
                yield question

    def _swapped(self, one: VoiceExample, evidence: list[Row], kind: str) -> Question | None:
        value = other_value(one.fact, one.id)
        texts = [text_of(row) for row in evidence]
        told = any(stands_in(text, one.fact) for text in texts)
        if value is None or not told or not stands_in(one.answer, one.fact):
            return None
        others = self._others(one, evidence, len(texts))
        new = [put_in_place(text, one.fact, value) for text in texts]
        laid = self._laid(one, put_in_place(one.answer, one.fact, value), new, others)
        if laid is None:
            return None
        question = self._question("changed", kind, one, laid)
        return replace(question, fact=value, former=one.fact)

    def _unanswerable(
        self, one: VoiceExample, evidence: list[Row], abstention: str
    ) -> Iterator[Question]:
        others = self._others(one, evidence, 0)
        laid = self._laid(one, abstention, [], others) if others and abstention else None
        if laid is not None:
            yield replace(self._question("unanswerable", "voice", one, laid), fact="")

    def _others(self, one: VoiceExample, evidence: list[Row], answering: int) -> list[str]:
        """Of held-out documents, so that no answer to a question can be remembered."""
        room = max(0, self.params.passages - answering)
        rows = self.library.others(one, evidence, room, held_out=True) if room else []
        return [text_of(row) for row in rows]

    def _laid(
        self, one: VoiceExample, answer: str, answering: Sequence[str], others: Sequence[str]
    ) -> Laid | None:
        laid = lay_out(
            one.id, one.question, answer, answering=answering, others=others, fits=self.fits
        )
        if laid is None:
            self.dropped["longer than max_tokens"] += 1
        return laid

    def _question(self, of_set: Set, kind: str, one: VoiceExample, laid: Laid) -> Question:
        document = self.library.documents[one.documents[0]]
        return Question(
            set=of_set,
            id=one.id,
            kind=kind,
            text=one.question,
            domain=one.domain or document["domain"],
            document=document["document"],
            uri=document["uri"],
            labels=self.library.readers(one.documents),
            messages=laid.messages,
            answer=laid.answer,
            fact=one.fact,
            former="",
            cited=laid.cited,
        )


class _Known:
    """What models that are compared have learned."""

    def __init__(self, champion: Iterable[ManifestLine], learned: Sequence[Example]) -> None:
        lines = list(champion)
        self.documents = {line.document for line in lines}
        self.hashes = {line.text_hash for line in lines}
        by_fact: dict[str, list[tuple[int, ...]]] = defaultdict(list)
        for one in learned:
            if one.of is not None:
                # Of what stands beside an answer nobody remembers its fact.
                by_fact[one.of.fact.casefold()] += [
                    line.sketch for line in one.lines if line.kind != BESIDE
                ]
        self.by_fact = {fact: Sketches(sketches) for fact, sketches in by_fact.items()}

    def holds(self, one: VoiceExample, evidence: Sequence[Row]) -> bool:
        """Whether an answer could be remembered."""
        near = self.by_fact.get(one.fact.casefold())
        return (
            not self.documents.isdisjoint(one.documents)
            or not self.hashes.isdisjoint(row["text_hash"] for row in evidence)
            or (near is not None and any(near.near(sketch(row["text"])) for row in evidence))
        )
