# ruff: noqa: S106 - tokens of a tokenizer are no passwords

import json
from pathlib import Path

import pytest

from pipelines.errors import ConfigError
from pipelines.quality.names import find_names

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "anna", "king", "##sson", "asks", "the", "."]
NAMES = {"anna", "king", "##sson"}


def save_model(
    folder: Path, *, labels: tuple[str, str] = ("O", "B-PER"), longest: int = 512
) -> None:
    """A model that takes the words of ``NAMES`` for names wherever they stand."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from tokenizers.processors import BertProcessing
    from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(WORDS)}
    inner = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", model_max_length=longest
    )
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=4,
        num_hidden_layers=0,
        num_attention_heads=1,
        intermediate_size=4,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
    )
    model = BertForTokenClassification(config)
    with torch.no_grad():
        for parameter in model.bert.embeddings.parameters():
            parameter.zero_()
        model.bert.embeddings.LayerNorm.weight.fill_(1.0)
        for word, number in vocabulary.items():
            sign = 1.0 if word in NAMES else -1.0
            model.bert.embeddings.word_embeddings.weight[number] = torch.tensor([sign, -sign, 0, 0])
        model.classifier.weight.copy_(torch.tensor([[-9.0, 0, 0, 0], [9.0, 0, 0, 0]]))
        model.classifier.bias.zero_()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    save_model(root / "names")
    return root


def found(text: str, root: Path, model: str = "names") -> set[str]:
    return {text[start:end] for start, end in find_names(model, root)(text)}


def test_names_are_found_with_their_spans(root: Path) -> None:
    text = "The Anna Kingsson asks."
    assert list(find_names("names", root)(text)) == [(4, 8), (9, 13), (13, 17)]
    assert found("The the asks.", root) == set()
    assert found("", root) == set()


def test_name_far_into_a_long_text_is_found(root: Path) -> None:
    filler = "the asks . " * 2_000
    text = f"{filler}Anna {filler}"
    assert set(find_names("names", root)(text)) == {(len(filler), len(filler) + 4)}


def test_name_on_the_edge_of_a_piece_is_found_whole(root: Path) -> None:
    for shift in range(8):
        text = "." * (1_996 + shift) + "Anna" + "." * 3_000
        spans = set(find_names("names", root)(text))
        assert (1_996 + shift, 2_000 + shift) in spans


def test_model_that_takes_few_tokens_sees_all_of_the_text(tmp_path: Path) -> None:
    save_model(tmp_path / "short", longest=64)
    text = "the . " * 150 + "Anna" + " the ." * 150
    assert found(text, tmp_path, "short") == {"Anna"}


def test_lone_surrogates_do_not_move_spans(root: Path) -> None:
    assert found("\ud800\udfff the Anna asks \ud83d.", root) == {"Anna"}


def test_beginning_of_a_huge_text_is_looked_at(root: Path) -> None:
    assert next(iter(find_names("names", root)("Anna " + "." * 20_000_000))) == (0, 4)


def test_model_is_read_at_the_first_text(tmp_path: Path) -> None:
    save_model(tmp_path / "broken")
    (tmp_path / "broken/model.safetensors").write_bytes(b"no weights")
    find = find_names("broken", tmp_path)
    with pytest.raises(Exception, match=r"(?i)safetensor|header"):
        list(find("Anna"))


def test_model_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="neither a folder nor a model downloaded"):
        find_names("acme/no-such-model", tmp_path)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    save_model(tmp_path / "pickled")
    weights = tmp_path / "pickled/model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(ConfigError, match=r"lacks model\.safetensors"):
        find_names("pickled", tmp_path)


def test_model_without_labels_for_people_is_refused(tmp_path: Path) -> None:
    save_model(tmp_path / "places", labels=("O", "B-LOC"))
    with pytest.raises(ConfigError, match="none of the labels"):
        find_names("places", tmp_path)
    (tmp_path / "places/config.json").write_text(json.dumps({"model_type": "bert"}))
    find_names.cache_clear()
    with pytest.raises(ConfigError, match="id2label"):
        find_names("places", tmp_path)


def test_code_of_a_model_is_not_run(tmp_path: Path) -> None:
    folder = tmp_path / "coded"
    save_model(folder)
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {
        "AutoModelForTokenClassification": "own.Model",
        "AutoConfig": "own.Config",
    }
    (folder / "config.json").write_text(json.dumps(config))
    ran = tmp_path / "ran"
    (folder / "own.py").write_text(f"import pathlib\npathlib.Path({str(ran)!r}).touch()\n")
    assert found("Anna asks", tmp_path, "coded") == {"Anna"}
    assert not ran.exists()
