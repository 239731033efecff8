import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict

import pytest

from pipelines.documents import RECIPE, cut, read_document, read_front_matter
from pipelines.records import Chunk, Document, FrontMatter
from tests.fakes import WordTokens


def markdown(text: str, title: str = "") -> Document:
    return Document(title=title, text=text, markdown=True)


def texts(chunks: Sequence[Chunk]) -> list[str]:
    return [chunk.text for chunk in chunks]


def words(count: int, word: str = "abcd") -> str:
    """A text of ``count`` tokens without a full stop."""
    return " ".join([word] * count)


def test_every_heading_begins_a_chunk_and_the_heading_is_in_it() -> None:
    document = markdown("Before.\n\n# A\n\nOne.\n\n## B\n\nTwo.\n\n## C\n\nThree.\n", title="T")
    chunks = cut(document, WordTokens(64))
    assert texts(chunks) == ["Before.", "# A\n\nOne.", "## B\n\nTwo.", "## C\n\nThree."]
    assert [c.heading_path for c in chunks] == [(), ("A",), ("A", "B"), ("A", "C")]
    assert [c.prefix for c in chunks] == ["T", "T", "T > A", "T > A"]
    assert chunks[2].embedded == "T > A\n\n## B\n\nTwo."
    assert [c.position for c in chunks] == [0, 1, 2, 3]


def test_title_that_is_a_heading_of_the_path_is_not_doubled() -> None:
    chunks = cut(markdown("# Annual  Leave\n\nOne.\n\n## B\n\nTwo.", "annual leave"), WordTokens())
    assert [c.prefix for c in chunks] == ["", "Annual Leave"]


def test_headings_that_follow_each_other_stay_with_the_text_below_them() -> None:
    chunks = cut(markdown("# A\n\n## B\n### C\n\nText.\n\n## D\n\n# E"), WordTokens())
    assert texts(chunks) == ["# A\n\n## B\n### C\n\nText.", "## D\n\n# E"]
    assert [c.heading_path for c in chunks] == [("A", "B", "C"), ("E",)]
    assert [c.prefix for c in chunks] == ["", ""]


def test_long_outline_without_text_is_cut_between_headings() -> None:
    outline = "\n".join(f"## H{i} {words(5)}" for i in range(20))
    chunks = cut(markdown(f"# A\n\n{outline}\n\nText."), WordTokens(64))
    assert len(chunks) > 1
    assert all(c.heading_path == ("A", c.text.splitlines()[-1][3:]) for c in chunks[:-1])
    assert chunks[-1].text.endswith("\n\nText.")


def test_continued_section_has_its_whole_path_before_it() -> None:
    document = markdown(f"# A\n\n## B\n\n{words(40)}\n\n{words(40)}", title="T")
    chunks = cut(document, WordTokens(64))
    assert [c.heading_path for c in chunks] == [("A", "B")] * 2
    assert [c.prefix for c in chunks] == ["T", "T > A > B"]


def test_names_that_take_too_much_are_left_out_from_the_outermost_on() -> None:
    document = markdown(f"# {words(9)}\n\n## {words(9, 'efgh')}\n\n### D\n\nText.", title="T x")
    assert cut(document, WordTokens(45))[0].text == document.text
    split = markdown(document.text.replace("### D", "Text.\n\n### D"), title="T x")
    assert cut(split, WordTokens(45))[1].prefix == words(9, "efgh")
    assert cut(split, WordTokens(90))[1].prefix == f"T x > {words(9)} > {words(9, 'efgh')}"


def test_monstrous_heading_is_cut_and_left_out_of_what_comes_before() -> None:
    chunks = cut(markdown(f"# A\n\n## {words(100)}\n\nText.\n\n### C\n\nMore."), WordTokens(64))
    assert chunks[-1].prefix == "A"
    assert max(c.tokens for c in chunks) <= 64


BLOCKS = {
    "table": ("| a | b |\n| - | - |\n", [f"| {words(8)} | {i} |" for i in range(20)]),
    "list": ("", [f"- {words(5)}.\n  {words(5)}\n  - inner {i}" for i in range(20)]),
    "code": ("```\n", [f"{words(8)} {i}" for i in range(20)]),
    "html": ("<div>\n", [f"{words(8)} {i}" for i in range(20)]),
}


@pytest.mark.parametrize("kind", BLOCKS)
def test_block_that_fits_is_whole_and_a_larger_one_is_cut_between_its_parts(kind: str) -> None:
    start, parts = BLOCKS[kind]
    whole = start + "\n".join(parts[:2])
    assert texts(cut(markdown(f"# A\n\n{whole}"), WordTokens(64))) == [f"# A\n\n{whole}"]
    chunks = cut(markdown(f"# A\n\n{start}" + "\n".join(parts)), WordTokens(64))
    assert len(chunks) >= 4
    assert chunks[0].text.startswith(f"# A\n\n{start}{parts[0]}")
    assert all(c.text.startswith(tuple(parts)) for c in chunks[1:])
    assert {c.prefix for c in chunks[1:]} == {"A"}


def test_head_of_a_table_stays_with_its_first_row() -> None:
    for number in range(20):
        head = f"| {words(15)} {number} |\n| - |\n| {words(10)} |\n"
        chunks = cut(markdown(head + f"| {words(20)} |\n" * 4), WordTokens(64))
        assert len(chunks) > 1
        assert chunks[0].text.startswith(head.strip())


def test_what_announces_a_list_stays_with_it() -> None:
    for number in range(20):
        lead = f"{words(20)} {number}:\n\n- {words(9)}"
        chunks = cut(markdown(f"{lead}\n\n" + f"{words(30)}\n\n" * 2), WordTokens(64))
        assert chunks[0].text.startswith(lead)


def test_heading_is_not_left_alone_above_a_block_that_nearly_fits() -> None:
    # It would fit below the name alone, but not below the five marks of the heading.
    chunks = cut(markdown(f"##### A\n\n{words(60)}"), WordTokens(64))
    assert chunks[0].text.startswith("##### A\n\nabcd")


def test_long_paragraph_is_cut_between_sentences() -> None:
    sentences = [f'He said "{words(8)} {i}."' for i in range(20)]
    chunks = cut(markdown("\n".join(sentences)), WordTokens(64))
    assert len(chunks) >= 4
    assert all(c.text.endswith('."') and c.text.startswith("He said") for c in chunks)


def test_long_sentence_is_cut_between_words_and_a_long_word_between_characters() -> None:
    chunks = cut(markdown(words(199)), WordTokens(64))
    assert " ".join(texts(chunks)) == words(199)
    one_word = "e\u0301" * 601
    chunks = cut(markdown(one_word), WordTokens(64))
    assert "".join(texts(chunks)) == one_word
    assert all(c.text.startswith("e") for c in chunks)


def test_plain_text_knows_no_headings() -> None:
    document = Document(title="T", text="# A\n\n- b\n\n# C\n", markdown=False)
    (chunk,) = cut(document, WordTokens())
    assert (chunk.text, chunk.heading_path, chunk.prefix) == ("# A\n\n- b\n\n# C", (), "T")


def test_line_across_the_page_is_no_chunk_by_itself() -> None:
    chunks = cut(markdown(f"{words(59)}\n\n***\n\n# A\n\n***"), WordTokens(64))
    assert texts(chunks) == [f"{words(59)}\n\n***", "# A\n\n***"]


def test_new_block_moves_only_the_ends_near_it() -> None:
    changed = total = 0
    for number in range(10):
        blocks = [f"{words(6)} {number} {i}" for i in range(100)]
        before = set(texts(cut(markdown("\n\n".join(blocks)), WordTokens(128))))
        blocks.insert(5, words(12, "new"))
        after = set(texts(cut(markdown("\n\n".join(blocks)), WordTokens(128))))
        changed, total = changed + len(after - before), total + len(before)
    assert total > 100
    assert changed < 25


class Doubling:
    """Joined texts cost more than their parts, as with tokenizers that see across words."""

    max_tokens = 64

    def count(self, texts: Sequence[str]) -> list[int]:
        return [2 + len(text.split()) * (2 if len(text.split()) > 40 else 1) for text in texts]


def test_sum_of_parts_is_never_taken_for_the_count() -> None:
    tokens = Doubling()
    chunks = cut(markdown("# A\n\n" + "\n\n".join([words(25, "a")] * 5)), tokens)
    assert [c.tokens for c in chunks] == tokens.count([c.embedded for c in chunks])
    assert max(c.tokens for c in chunks) <= 64


class Counting(WordTokens):
    calls = 0

    def count(self, texts: Sequence[str]) -> list[int]:
        Counting.calls += 1
        return super().count(texts)


def test_ordinary_document_is_counted_in_few_calls() -> None:
    text = "\n\n".join(f"## H{i}\n\n{words(20)}" for i in range(50))
    cut(markdown(f"# A\n\n{text}"), Counting(64))
    assert Counting.calls <= 4


def test_encoder_without_room_for_text_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        cut(markdown("Text."), WordTokens(8))


GOLDEN = f"""---
title: Annual leave
---

Intro *text*.

# Leave

{"Twenty days a year. Ask your manager first. " * 12}

## Carried over

- {words(9)}
- {words(30)}
- {words(30)}

| Grade | Days |
| --- | --- |
| 1 | 20 |

### Figures [x]

```
{words(20)}

{words(50)}
```

[x]: y

***
Last words, which announce:

> a quote
"""


def test_what_the_chunker_yields_changes_only_with_the_recipe() -> None:
    data = GOLDEN.encode()
    front_matter = read_front_matter(data)
    assert isinstance(front_matter, FrontMatter)
    document = read_document(data, path="a.md", front_matter=front_matter)
    assert isinstance(document, Document)
    chunks = cut(document, WordTokens(64))
    digest = hashlib.sha256(json.dumps([asdict(c) for c in chunks]).encode()).hexdigest()
    # Another digest asks for another recipe: stored passages are cut again only when it changes.
    assert (RECIPE, digest[:16]) == ("1", "f96dc2a551d2c46b")
