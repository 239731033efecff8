"""One look: all that has happened to a version since the look before, as one observation."""

from dataclasses import dataclass

from pipelines.config import GeneratorWatch, WatchPolicy
from pipelines.drift.records import Exposure, Observation
from pipelines.errors import StaleproofError
from pipelines.watch.changes import Changed, look_at_changes
from pipelines.watch.exposure import look_at_documents
from pipelines.watch.golden import Golden, look_at_golden
from pipelines.watch.inputs import inputs, is_as_before
from pipelines.watch.override import Answered, look_at_facts
from pipelines.watch.queries import Questions, look_at_questions
from pipelines.watch.subject import Subject
from pipelines.watch.worth import Worth, look_at_worth


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look saw, and how to say it."""

    observation: Observation
    published: bool
    """Whether something was published since the look before."""
    said: str
    whole: bool
    """Whether nothing was left to the next look."""
    inputs: str
    """What it hangs on, as it was before any of it was read."""

    @property
    def is_kept(self) -> bool:
        """Whether anything happened that a later look must not see again."""
        return self.published or not self.observation.is_empty


def observe(subject: Subject, *, models: bool = True) -> Looked:
    """Sees what happened since the look before; a model is loaded only if that takes one.

    Args:
        subject: The version, and the looks before.
        models: Whether to ask golden questions, and about what is new or has changed.

    Raises:
        ConfigError: A golden question is broken, or a model cannot be found.
        TrainingError: A generator's base is another one by now.
        EmbedderChanged: The embedder gives other vectors than before.
        RemoteUnavailable: What the version learned from cannot be fetched now.
        DataMissing: It is gone, or damaged.
    """
    policy = subject.policy
    before = inputs(subject) if models else ""
    published = not subject.past or subject.past[-1].publication != subject.last.number
    questions = look_at_questions(subject)
    same = models and is_as_before(subject, before)
    found = None if same else look_at_documents(subject)
    changed = look_at_changes(subject) if published and policy.changes else Changed()
    golden, worth, facts = Golden(), Worth(), Answered()
    if isinstance(policy, WatchPolicy) and models and not same:
        golden = look_at_golden(subject) if policy.golden else golden
        worth = look_at_worth(subject, policy) if policy.worth else worth
    elif isinstance(policy, GeneratorWatch) and models and not same:
        facts = _asked(subject, policy, found) if policy.override or policy.memory else facts
    scores = {"golden": golden.scores, **worth.scores, **facts.scores}
    observation = Observation(
        look=subject.run,
        at=subject.now,
        publication=subject.last.number,
        queries=questions.asked,
        bags={**questions.bags, **changed.bags},
        bins={**questions.bins, **changed.bins},
        scores={name: given for name, given in scores.items() if given},
        exposure=found,
        canary=subject.encoders.least,
        moved=(*questions.moved, *changed.moved),
        held=facts.held,
    )
    said = _said(observation, (questions, changed, golden, worth, facts))
    whole = not same and not worth.left and not facts.left and not facts.waits
    return Looked(observation, published, said, whole=whole, inputs=before)


def _asked(subject: Subject, policy: GeneratorWatch, found: Exposure | None) -> Answered:
    """What came of facts that changed; that they cannot be asked keeps no news of documents back.

    That something was withdrawn is said at once; the next look, which has no such news, fails.
    """
    try:
        return look_at_facts(subject, policy)
    except StaleproofError as error:
        if found is None:
            raise
        return Answered(waits=f"changed facts wait: {error.message}")


def _said(seen: Observation, parts: tuple[Questions, Changed, Golden, Worth, Answered]) -> str:
    """In a sentence, with numbers."""
    questions, changed, golden, worth, facts = parts
    counted = {
        "questions": questions.asked,
        "changed documents": changed.documents,
        "golden questions that find something else": len(golden.scores),
        "golden questions asked for the first time": golden.first,
        "golden questions whose document is not published": golden.lost,
        "new documents that it was asked about": len(worth.scores.get("worth", ())),
        "new documents about which nothing can be asked": worth.unasked,
        "new documents that the next look asks about": worth.left,
        "changed facts that it was asked about": sum(one.facts for one in facts.held),
        "changed facts that it answered as before": sum(one.as_before for one in facts.held),
        "changed documents that the next look asks about": facts.left,
    }
    told = [f"{what}: {count}" for what, count in counted.items() if count]
    told += [waits for waits in (questions.waits, changed.waits, facts.waits) if waits]
    if seen.exposure is not None and seen.exposure.affected:
        told.append(f"examples changed: {seen.exposure.affected} of {seen.exposure.examples}")
    return "; ".join(told) if told else "nothing has happened"
