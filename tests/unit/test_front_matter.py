import time

import pytest

from pipelines.documents import read_front_matter
from pipelines.records import Failure, FrontMatter


def block(*lines: str) -> bytes:
    return "\n".join(["---", *lines, "---", "", "# Leave", ""]).encode()


def test_every_known_key_is_read_and_unknown_ones_are_ignored() -> None:
    data = block(
        "title: Annual leave",
        "domain: hr",
        "labels: [hr, managers]",
        "train: false",
        "owner: 42",
        "effective: 2025-03-01",
        "valid_until: '2026-12-31'",
        "layout: {wide: true}",
        "reviewed: 2025-02-31",
    )
    assert read_front_matter(data) == FrontMatter(
        title="Annual leave",
        domain="hr",
        labels=("hr", "managers"),
        train=False,
        owner="42",
        effective="2025-03-01",
        valid_until="2026-12-31",
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"---",
        b"# Leave\n\n---\nlabels: [managers]\n---\n",
        b"----\nlabels: [managers]\n----\n",
        b"---\n\nTwenty days a year. No more than that\n",
        b"---\nTwenty days\n---\nNote: a key outside\n",
        b"---\n- Twenty days\n- https://example.org\n---\n",
    ],
)
def test_text_without_a_block_asks_nothing(data: bytes) -> None:
    assert read_front_matter(data) is None


@pytest.mark.parametrize("data", [b"---\n---\n", b"---\n# nothing yet\n\n---\n# Leave\n"])
def test_empty_block_is_recognised(data: bytes) -> None:
    assert read_front_matter(data) == FrontMatter()


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf---\nlabels: managers\n---\n",
        b"---\r\nlabels: managers\r\n---\r\ntext",
        b"---\rlabels: managers\r---\rtext",
        b"--- \nlabels: managers\n...\n",
        b"---\nlabels: managers\n---",
        b"\n \n---\nlabels: managers\n---\n",
        b"---\nlabels: managers\n---\n\xff\xfe not UTF-8 further down",
        b"---\n  Labels: managers\n---\n",
        b"---\n{labels: [managers]}\n---\n",
    ],
)
def test_block_is_recognised_however_it_is_spelled(data: bytes) -> None:
    found = read_front_matter(data)
    assert isinstance(found, FrontMatter)
    assert found.labels == ("managers",)


@pytest.mark.parametrize(
    ("data", "expectation"),
    [
        (b"---\nlabels: [managers]\n\n# Leave\n", "is_closed"),
        (b"---\nlabels: [managers]\n ---\n# Leave\n", "is_closed"),
        (b'---\n{"labels": ["managers"]\n', "is_closed"),
        (b"---\n" + b"x" * 70_000 + b"\n---\n\ntext\nlabels: a\n", None),
        (b"---\nlabels: [managers]\n" + b"# x\n" * 20_000 + b"---\n", "is_closed"),
        (b"---\nlabels: [managers\n---\n", "is_yaml"),
        (b"---\n\tlabels: managers\n---\n", "is_yaml"),
        (b"---\nlabels:managers\n---\n", "is_a_mapping"),
        (b"---\nLABELS:managers\n---\n", "is_a_mapping"),
        (b"---\n- labels: [managers]\n---\n", "is_a_mapping"),
        (b"---\ntitle: caf\xe9\n---\n", "is_utf8"),
        (b"---\ntitle: a\ntitle: b\n---\n", "has_no_key_twice"),
        (b"---\nlabels: a\nLABELS: b\n---\n", "has_no_key_twice"),
        (b"---\na: &x [managers]\nlabels: *x\n---\n", "is_plain_yaml"),
        (b"---\n<<: {labels: [managers]}\n---\n", "is_plain_yaml"),
        (b"---\nx: " + b"[" * 60_000 + b"\n---\n", "is_plain_yaml"),
        (b"---\nx: " + b"[" * 30 + b"]" * 30 + b"\n---\n", "is_plain_yaml"),
        (b"---\nlabels: !!python/name:os.system\n---\n", "labels_are_names"),
        (b"---\ntitle: a\x00b\n---\n", "is_yaml"),
    ],
)
def test_block_that_cannot_be_read_withholds(data: bytes, expectation: str | None) -> None:
    found = read_front_matter(data)
    if expectation is None:
        assert found is None
        return
    assert isinstance(found, Failure)
    assert found.withhold
    assert found.expectation == f"front_matter_{expectation}"


@pytest.mark.parametrize(
    ("line", "expectation"),
    [
        ("labels:", "labels_are_names"),
        ("labels: []", "labels_are_names"),
        ("labels: ''", "labels_are_names"),
        ("labels: [hr, no]", "labels_are_names"),
        ("labels: [hr, 7]", "labels_are_names"),
        ("labels: {hr: yes}", "labels_are_names"),
        ("labels: [[hr]]", "labels_are_names"),
        ("title: [a]", "title_is_text"),
        ("domain: 7", "domain_is_text"),
        ("train: 'false'", "train_is_true_or_false"),
        ("train: 0", "train_is_true_or_false"),
        ("train:", "train_is_true_or_false"),
        ("effective: soon", "effective_is_a_date"),
        ("valid_until: 2025-02-31", "valid_until_is_a_date"),
        ("valid_until: 20251231", "valid_until_is_a_date"),
        ("valid_until:", "valid_until_is_a_date"),
    ],
)
def test_value_of_another_type_withholds(line: str, expectation: str) -> None:
    found = read_front_matter(block("owner: Payroll", line))
    assert isinstance(found, Failure)
    assert (found.expectation, found.withhold) == (f"front_matter_{expectation}", True)
    assert found.observed.endswith("on line 3")


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2025-06-30", "2025-06-30"),
        ("2025-06-30T23:30:00-05:00", "2025-06-30"),
        ("2025-06-30 08:00:00", "2025-06-30"),
        ("'2025-06-30T23:30:00Z'", "2025-06-30"),
    ],
)
def test_date_is_the_day_as_written(value: str, day: str) -> None:
    assert read_front_matter(block(f"valid_until: {value}")) == FrontMatter(valid_until=day)


def test_single_label_is_a_list_of_one() -> None:
    assert read_front_matter(block("labels: hr")) == FrontMatter(labels=("hr",))


def test_label_said_twice_counts_once() -> None:
    assert read_front_matter(block("labels: [hr, it, hr]")) == FrontMatter(labels=("hr", "it"))


def test_title_without_a_value_is_not_said() -> None:
    assert read_front_matter(block("title:", "owner:")) == FrontMatter()


@pytest.mark.parametrize(
    "lines",
    [
        ["labels: [secretword"],
        ["train: secretword"],
        ["labels: [secretword, 7]"],
        ["effective: secretword"],
        ["title: @secretword"],
        ["x: &secretword 7"],
        ["domain: [secretword]"],
    ],
)
def test_what_was_observed_does_not_quote_the_document(lines: list[str]) -> None:
    found = read_front_matter(block(*lines))
    assert isinstance(found, Failure)
    assert "secretword" not in found.observed


@pytest.mark.parametrize(
    "body",
    [
        b"a: " + b"1:" * 32_000 + b"1",
        b"labels: " + b"9" * 65_000,
        b"? " * 30_000,
        b"- " * 30_000,
        b"a: {" + b"b: {" * 15_000,
        b"a: '" + b"\n" * 65_000,
        b"!<" + b"%41" * 20_000,
        b".\x22" * 30_000,
    ],
)
def test_hostile_block_is_answered_soon(body: bytes) -> None:
    begun = time.process_time()
    read_front_matter(b"---\n" + body + b"\n---\n")
    assert time.process_time() - begun < 30
