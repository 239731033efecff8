"""Pictures of a training are small SVGs that say the same for the same numbers."""

from xml.etree import ElementTree

from pipelines.pages import loss_picture, scores_picture

SCORES = {"held out": {"base": (0.4, 0.3, 0.5), "challenger": (0.6, 0.5, 0.7)}}


def words(svg: str) -> str:
    return "".join(ElementTree.fromstring(svg).itertext())  # noqa: S314 - made here


def test_losses_of_many_steps_are_a_small_picture() -> None:
    picture = loss_picture([(step, 1 / step) for step in range(1, 20_000)])
    assert len(picture) < 60_000
    assert "step" in words(picture)


def test_scores_name_each_model_and_kind_of_questions() -> None:
    said = words(scores_picture(SCORES, "MRR@10"))
    assert "held out: base" in said
    assert "held out: challenger" in said


def test_same_numbers_are_the_same_bytes() -> None:
    assert scores_picture(SCORES, "MRR@10") == scores_picture(SCORES, "MRR@10")
    assert loss_picture([(1, 0.5)]) == loss_picture([(1, 0.5)])
