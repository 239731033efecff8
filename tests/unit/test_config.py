"""The configuration: found, read, overridden, refused in words that name what is wrong."""

import json
import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.config import (
    Config,
    FilesSource,
    GitSource,
    Knowledge,
    describe,
    load_config,
    parse_duration,
    read_table,
    template,
)
from pipelines.config.fine_tuned import (
    EmbedderModel,
    GatePolicy,
    GeneratorGate,
    GeneratorModel,
    GeneratorWatch,
    WatchPolicy,
)
from pipelines.config.models import (
    SOURCE_KINDS,
    DomainPolicy,
    Endpoint,
    Settings,
    SourceRule,
)
from pipelines.config.values import mask_password
from pipelines.errors import ConfigError, UnknownName

DEMO = Path(__file__).parents[2] / "staleproof.toml"

KNOWLEDGE = '[knowledge]\nname = "kb"\nstore = "data/store"\n'
FILES = (
    '[[sources]]\nname = "docs"\nkind = "files"\npath = "d"\ndomain = "x"\nlabels = ["public"]\n'
)
MODEL = '[[models]]\nname = "tuned"\n'
GATE = MODEL + "[models.gate]\n"
WATCH = MODEL + "[models.watch]\n"
GIT = '[[sources]]\nname = "wiki"\nkind = "git"\nurl = "../w"\ndomain = "x"\nlabels = ["public"]\n'


def load(folder: Path, text: str, **env: str) -> Config:
    file = folder / "staleproof.toml"
    file.write_text(text, encoding="utf-8")
    return load_config(file, env=env)


def refusal(folder: Path, text: str, **env: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, **env)
    assert "pydantic" not in str(caught.value)
    assert "http" not in str(caught.value)
    return str(caught.value)


def test_demo_has_a_generator_that_says_every_setting_and_asks_for_the_form_of_its_answers() -> (
    None
):
    model = load_config(DEMO, env={}).model("handbook-voice")
    assert isinstance(model, GeneratorModel)
    said = tomllib.loads(DEMO.read_text())["models"][1]
    assert said.keys() == GeneratorModel.model_fields.keys()
    assert said["gate"].keys() == GeneratorGate.model_fields.keys()
    assert said["watch"].keys() == GeneratorWatch.model_fields.keys()
    answers = [
        json.loads(line)["answer"]
        for file in sorted(DEMO.parent.glob(model.voice[0]))
        for line in file.read_text().splitlines()
    ]
    assert len(answers) == 200
    assert all(re.fullmatch(model.format, answer) for answer in answers)
    assert not re.fullmatch(model.format, model.abstention)


def test_demo_gives_each_folder_of_the_handbook_its_domain() -> None:
    config = load_config(DEMO, env={})
    source = config.source("handbook")
    assert isinstance(source, FilesSource)
    folders = {path.name for path in source.resolved_path(config.root).iterdir() if path.is_dir()}
    assert {(rule.match, rule.domain) for rule in source.rules} == {
        (f"{folder}/**", folder) for folder in folders
    }
    assert config.store_uri == str(DEMO.parent / "data/store")


def test_defaults_are_the_documented_ones(tmp_path: Path) -> None:
    config = load(tmp_path, KNOWLEDGE + FILES)
    knowledge, source = config.knowledge, config.sources[0]
    assert (knowledge.keep_publications, knowledge.keep_days) == (10, 7)
    assert knowledge.longest_read == timedelta(hours=1)
    assert (config.embedder.model, config.embedder.batch_size) == ("all-MiniLM-L6-v2", 32)
    assert (config.limits.max_embed_tokens, config.limits.max_document_bytes) == (0, 20_000_000)
    assert (config.prices.embed_million_tokens, config.prices.train_hour) == (0, 0)
    assert (config.queries.log, config.queries.keep_text) == (True, False)
    assert (source.include, source.exclude, source.train) == (("**/*.md",), (), True)
    assert (source.warn_after, source.error_after) == (timedelta(days=1), timedelta(days=3))
    assert (source.front_matter_domains, source.rules) == ((), ())
    assert (config.models, config.keep_previous) == ((), timedelta(0))


def test_defaults_of_a_model_are_the_documented_ones(tmp_path: Path) -> None:
    config = load(tmp_path, KNOWLEDGE + MODEL)
    model, gate = config.model("tuned"), config.model("tuned").gate
    assert (model.kind, model.base) == ("embedder", "all-MiniLM-L6-v2")
    assert (model.domains, model.pairs, model.general) == ((), (), "")
    assert (model.keep_versions, model.keep_previous) == (10, timedelta(days=1))
    assert (model.max_runs_a_month, model.max_hours_a_month) == (4, 24)
    assert model.cooldown == timedelta(days=7)
    assert (gate.min_gain, gate.max_domain_loss, gate.min_questions) == (0, 0.05, 30)
    assert (gate.max_forgetting, gate.max_latency) == (0.02, 1.5)


def test_defaults_of_watching_a_model_are_the_documented_ones(tmp_path: Path) -> None:
    watch = load(tmp_path, KNOWLEDGE + MODEL).model("tuned").watch
    assert watch.alpha == 0.05
    assert (watch.topic, watch.novelty, watch.changes) == (0.1, 0.2, 0.1)
    assert (watch.golden, watch.worth) == (0.2, 0.4)
    assert (watch.calibration, watch.calibration_changes) == (1000, 100)
    assert (watch.max_items, watch.max_passages) == (500, 1000)
    assert (watch.min_looks, watch.min_items, watch.min_documents) == (2, 200, 20)
    assert (watch.min_effect, watch.watch_exposure) == (0.03, 0.02)
    assert (watch.golden_drop, watch.min_worth, watch.candidate) == (0.02, 0.02, "")
    assert watch.retrain_cost == 0


def test_former_index_is_kept_as_long_as_the_longest_model_asks(tmp_path: Path) -> None:
    other = MODEL.replace("tuned", "other") + 'keep_previous = "2h"\n'
    assert load(tmp_path, KNOWLEDGE + other).keep_previous == timedelta(hours=2)
    assert load(tmp_path, KNOWLEDGE + MODEL + other).keep_previous == timedelta(days=1)


def test_unknown_model_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownName) as caught:
        load(tmp_path, KNOWLEDGE + MODEL).model("tunde")
    assert caught.value.hint == "Did you mean tuned? Known models: tuned."


def test_rule_says_nothing_where_it_leaves_a_key_out(tmp_path: Path) -> None:
    config = load(tmp_path, KNOWLEDGE + FILES + '[[sources.rules]]\nmatch = "a/**"\n')
    assert config.sources[0].rules == (SourceRule(match="a/**"),)
    assert config.sources[0].rules[0].labels is None


def test_argument_wins_over_variable_and_variable_over_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("staleproof", "named", "given"):
        text = KNOWLEDGE.replace("kb", name)
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    env = {"STALEPROOF_CONFIG": "named.toml"}
    assert load_config(Path("given.toml"), env=env).knowledge.name == "given"
    assert load_config(env=env).knowledge.name == "named"
    assert load_config(env={}).knowledge.name == "staleproof"
    assert load_config(env={}).root == tmp_path


def test_linked_file_takes_its_paths_from_where_the_link_lies(tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "real.toml").write_text(KNOWLEDGE, encoding="utf-8")
    link = tmp_path / "staleproof.toml"
    link.symlink_to(tmp_path / "hidden" / "real.toml")
    assert load_config(link, env={}).store_uri == str(tmp_path / "data" / "store")


def test_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert load(tmp_path, "\ufeff" + KNOWLEDGE).knowledge.name == "kb"


def test_missing_file_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "no.toml", env={})
    assert str(tmp_path / "no.toml") in caught.value.message
    assert "staleproof init" in caught.value.hint


def test_folder_instead_of_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        load_config(tmp_path, env={})


@pytest.mark.parametrize(
    ("text", "line"), [("[knowledge]\nname = \n", 2), ("\n\n[know\n", 3), ("a = 1\nb = [1,\n", 2)]
)
def test_syntax_error_names_file_and_line(tmp_path: Path, text: str, line: int) -> None:
    message = refusal(tmp_path, text)
    assert f"{tmp_path / 'staleproof.toml'}, line {line}: not valid TOML" in message


def test_other_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b'# caf\xe9\n[knowledge]\nname = "kb"\n')
    with pytest.raises(ConfigError, match="not UTF-8 at byte 5"):
        load_config(tmp_path / "a.toml", env={})


RULE = '[[sources.rules]]\nmatch = "a/**"\n'
HOOK = (
    FILES + '[[webhook.endpoints]]\nname = "push"\nkind = "github"\nsource = "docs"\n'
    'secret_env = "PUSH_SECRET"\n'
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (KNOWLEDGE + "stroe = 1", "knowledge.stroe: unknown key; did you mean store?"),
        (KNOWLEDGE + "[embeder]", "embeder: unknown key; did you mean embedder?"),
        ("keep_days = 1\n" + KNOWLEDGE, "did you mean [knowledge] keep_days?"),
        ('path = "x"\n' + KNOWLEDGE, "path: unknown key"),
        (KNOWLEDGE + FILES + "incldue = []", "sources[docs].incldue: unknown key; did you mean in"),
        (KNOWLEDGE + GIT + 'reff = ""', "sources[wiki].reff: unknown key; did you mean ref?"),
        (KNOWLEDGE + FILES + RULE + "labls = []", "rules[a/**].labls: unknown key; did you mean l"),
        (KNOWLEDGE + FILES.replace('labels = ["public"]', ""), "sources[docs].labels: missing"),
        (KNOWLEDGE + FILES.replace('"public"', ""), "sources[docs].labels = []: must be a list of"),
        (KNOWLEDGE + FILES + RULE + "labels = []", "rules[a/**].labels = []: must be a list of"),
        (KNOWLEDGE + FILES.replace('"public"', '"a,b"'), 'labels[#1] = "a,b": must be one word'),
        (KNOWLEDGE + FILES.replace('name = "docs"', ""), "sources[#1].name: missing"),
        (KNOWLEDGE + FILES.replace('kind = "files"', ""), "sources[docs].kind: missing: one of f"),
        (KNOWLEDGE + FILES.replace('"files"', '"file"'), 'sources[docs].kind = "file": must be o'),
        (KNOWLEDGE + FILES + FILES, "sources = "),
        (KNOWLEDGE + FILES + FILES, "more than one is called docs"),
        (KNOWLEDGE + FILES + 'warn_after = "4d"', "error_after = "),
        (KNOWLEDGE + FILES + 'include = "*.md"', 'include = "*.md": must be a list'),
        (KNOWLEDGE + FILES + "include = []", "include = []: must be a list of one or more"),
        (KNOWLEDGE + FILES + "train = 1", "train = 1: must be true or false"),
        (KNOWLEDGE + GIT + 'ref = "--upload-pack=x"', "must be not empty, and not begin with a da"),
        (KNOWLEDGE + GIT + 'subfolder = "../x"', "must be a folder below"),
        (
            KNOWLEDGE + "keep_publications = 0",
            "knowledge.keep_publications = 0: must be at least 1",
        ),
        (KNOWLEDGE + 'keep_publications = "3"', "must be a whole number"),
        (KNOWLEDGE + "keep_days = -1", "must be at least 0"),
        (KNOWLEDGE + "keep_days = nan", "knowledge.keep_days = NaN: must be a"),
        (KNOWLEDGE + "keep_days = 1e300", "must be at most 36500"),
        (KNOWLEDGE + 'longest_read = "1 fortnight"', 'must be a time like "90s"'),
        (KNOWLEDGE.replace("kb", "Hand Book"), "must be made of a-z, 0-9 and dashes"),
        ('[knowledge]\nname = "kb"', "knowledge.store: missing"),
        ("", "knowledge: missing"),
        ("knowledge = 5", "knowledge = 5: must be a table"),
        (KNOWLEDGE + "[server]\nport = 0", "server.port = 0: must be at least 1"),
        (KNOWLEDGE + "[server]\nport = 70000", "must be at most 65535"),
        (KNOWLEDGE + '[server]\nhost = "a:1"', "must be a name or an address, without port"),
        (KNOWLEDGE + '[server]\ndatabase_url = "sqlite:///x"', "must be postgresql://user@host/d"),
        (KNOWLEDGE + '[server]\ndatabase_url = "postgresql://h:x/d"', "must be postgresql://user"),
        (KNOWLEDGE + '[server]\nauth_env = "admin:pw"', "must be the name of an environment var"),
        (KNOWLEDGE + '[server]\nnotify = "ops"', "must be type/name of a block, or empty"),
        (KNOWLEDGE + "[server]\nkeep_runs_days = 0", "server.keep_runs_days = 0: must be at least"),
        (
            KNOWLEDGE + HOOK + "knd = 1",
            "webhook.endpoints[push].knd: unknown key; did you mean kin",
        ),
        (
            KNOWLEDGE + HOOK.replace('kind = "github"', ""),
            "endpoints[push].kind: missing: how it is",
        ),
        (
            KNOWLEDGE + HOOK.replace('"github"', '"git"'),
            "must be 'github', 'gitlab', 'standard' or",
        ),
        (
            KNOWLEDGE + HOOK.replace('source = "docs"', ""),
            "endpoints[push].sources: missing: which",
        ),
        (KNOWLEDGE + HOOK + 'sources = ["docs"]', "must be source or sources, not both"),
        (
            KNOWLEDGE + HOOK.replace('"docs"\nse', '"a,b"\nse'),
            'push].source = "a,b": must be one w',
        ),
        (
            KNOWLEDGE + HOOK.replace('"docs"\nse', "5\nse"),
            "endpoints[push].source = 5: must be a text",
        ),
        (
            KNOWLEDGE + HOOK.replace('"docs"\nse', '"dosc"\nse'),
            'webhook.endpoints[push].sources: there is no source "dosc"; did you mean docs?',
        ),
        (KNOWLEDGE + HOOK.replace('"docs"\nse', '"zz"\nse'), 'no source "zz". Known are: docs'),
        (KNOWLEDGE + HOOK + HOOK.replace(FILES, ""), "more than one is called push"),
        (
            KNOWLEDGE + HOOK.replace("PUSH_SECRET", "hush hush"),
            "must be the name of an environment",
        ),
        (
            KNOWLEDGE + HOOK.replace("PUSH_SECRET", "STALEPROOF_SECRET"),
            "must be a name that does not begin with STALEPROOF_",
        ),
        (KNOWLEDGE + HOOK.replace('"push"', '"a/b"'), "must be made of a-z, 0-9 and dashes"),
        (KNOWLEDGE + "[webhook]\nmax_waiting = 0", "webhook.max_waiting = 0: must be at least 1"),
        (
            (KNOWLEDGE + HOOK + "[webhook]\nmax_waiting = 1").replace(
                'source = "docs"', 'sources = ["docs", "wiki"]'
            )
            + "\n"
            + GIT,
            "must be of at most max_waiting = 1 sources each; push names more",
        ),
        (KNOWLEDGE + MODEL + MODEL, "more than one is called tuned"),
        (KNOWLEDGE + MODEL + "bas = 1", "models[tuned].bas: unknown key; did you mean base?"),
        (
            KNOWLEDGE + MODEL + 'kind = "chat"',
            "models[tuned].kind = \"chat\": must be one of 'embedder', 'generator'",
        ),
        (KNOWLEDGE + MODEL + "keep_versions = 1", "models[tuned].keep_versions = 1: must be at le"),
        (KNOWLEDGE + MODEL + "gate = 1", "models[tuned].gate = 1: must be a table"),
        (KNOWLEDGE + GATE + "min_gian = 0", "models[tuned].gate.min_gian: unknown key; did you m"),
        (KNOWLEDGE + GATE + "max_latency = 0.5", "gate.max_latency = 0.5: must be at least 1"),
        (KNOWLEDGE + GATE + "max_forgetting = 2", "gate.max_forgetting = 2: must be at most 1"),
        (KNOWLEDGE + WATCH + "alhpa = 1", "models[tuned].watch.alhpa: unknown key; did you mean a"),
        (KNOWLEDGE + WATCH + "alpha = 0", "watch.alpha = 0: must be greater than 0"),
        (KNOWLEDGE + WATCH + "golden = 0.5", "that sum to 1: they share alpha; they sum to 1.3"),
        (KNOWLEDGE + "[[models]]", "models[#1].name: missing"),
        (KNOWLEDGE + "[prices]\ntrain_hour = -1", "prices.train_hour = -1: must be at least 0"),
        (KNOWLEDGE + "[sources]", "sources = {}: must be a list"),
        ("sources = [5]\n" + KNOWLEDGE, "sources[#1] = 5: must be a table"),
    ],
)
def test_mistake_is_named_with_its_place_and_what_is_allowed(
    tmp_path: Path, text: str, expected: str
) -> None:
    message = refusal(tmp_path, text)
    assert expected in message
    assert str(tmp_path / "staleproof.toml") in message


def test_all_problems_come_in_one_message(tmp_path: Path) -> None:
    message = refusal(tmp_path, KNOWLEDGE + "a_key = 1\nkeep_days = -1", STALEPROOF_X__Y="1")
    assert "3 problems" in message
    assert all(part in message for part in ("a_key", "keep_days", "STALEPROOF_X__Y"))


def test_variable_overrides_one_setting_as_toml_or_text(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        KNOWLEDGE,
        STALEPROOF_KNOWLEDGE__STORE="else where",
        STALEPROOF_KNOWLEDGE__KEEP_DAYS="2.5",
        STALEPROOF_KNOWLEDGE__LONGEST_READ='"2d"',
        STALEPROOF_QUERIES__KEEP_TEXT="true",
        OTHER="1",
    )
    assert config.store_uri == str(tmp_path / "else where")
    assert (config.knowledge.name, config.knowledge.keep_days) == ("kb", 2.5)
    assert config.knowledge.longest_read == timedelta(days=2)
    assert config.queries.keep_text


WITH_PASSWORD = ("postgresql://me:hush@db/runs", "postgresql://me@db/runs?password=hush")


@pytest.mark.parametrize("url", WITH_PASSWORD)
def test_password_in_the_file_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    message = refusal(tmp_path, f'{KNOWLEDGE}[server]\ndatabase_url = "{url}"')
    assert "server.database_url holds a password" in message
    assert "STALEPROOF_SERVER__DATABASE_URL" in message
    assert "hush" not in message
    broken = url.replace("postgresql", "mysql")
    assert "hush" not in refusal(tmp_path, f'{KNOWLEDGE}[server]\ndatabase_url = "{broken}"')


@pytest.mark.parametrize("url", WITH_PASSWORD)
def test_password_in_the_environment_is_taken_and_not_shown(tmp_path: Path, url: str) -> None:
    config = load(tmp_path, KNOWLEDGE, STALEPROOF_SERVER__DATABASE_URL=url)
    assert config.server.database_url == url
    assert "hush" not in str(describe(config))
    assert "db/runs" in str(describe(config))


def test_value_of_a_variable_cannot_smuggle_a_second_key_in(tmp_path: Path) -> None:
    config = load(tmp_path, KNOWLEDGE, STALEPROOF_KNOWLEDGE__STORE='"a"\nkeep_days = 1')
    assert config.knowledge.store == '"a"\nkeep_days = 1'


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("STALEPROOF_STROE__URI", ""),
        ("STALEPROOF_KNOWLEDGE__STROE", "STALEPROOF_KNOWLEDGE__STORE"),
        ("STALEPROOF_KNOWLEDGE_STORE", "STALEPROOF_KNOWLEDGE__STORE"),
        ("STALEPROOF_LIMIT__MAX_EMBED_TOKENS", "STALEPROOF_LIMITS__MAX_EMBED_TOKENS"),
        ("STALEPROOF_CONFG", "STALEPROOF_CONFIG"),
        ("STALEPROOF_SOURCES__DOCS__PATH", ""),
        ("STALEPROOF_ZZZ", ""),
    ],
)
def test_unknown_variable_is_never_ignored(tmp_path: Path, variable: str, meant: str) -> None:
    message = refusal(tmp_path, KNOWLEDGE, **{variable: "1"})
    assert message.startswith(f"{variable} (environment): names no setting")
    assert (f"did you mean {meant}?" if meant else "names no setting.") in message


def test_wrong_value_of_a_variable_names_the_variable_not_the_file(tmp_path: Path) -> None:
    message = refusal(tmp_path, KNOWLEDGE, STALEPROOF_LIMITS__MAX_EMBED_TOKENS="many")
    place = "STALEPROOF_LIMITS__MAX_EMBED_TOKENS (environment)"
    assert message == f'{place} = "many": must be a whole number'


def test_relative_places_start_from_the_file(tmp_path: Path) -> None:
    config = load(tmp_path, KNOWLEDGE + FILES)
    source = config.sources[0]
    assert isinstance(source, FilesSource)
    assert source.resolved_path(config.root) == tmp_path / "d"


def test_store_with_a_scheme_stays_as_it_is(tmp_path: Path) -> None:
    config = load(tmp_path, KNOWLEDGE.replace("data/store", "s3://bucket/x"))
    assert config.store_uri == "s3://bucket/x"


@pytest.mark.parametrize(
    "url", ["https://example.org/w.git", "git@example.org:w.git", "host:w", "file:///srv/w.git"]
)
def test_remote_git_url_stays_as_it_is(tmp_path: Path, url: str) -> None:
    source = GitSource(name="w", url=url, domain="x", labels=("public",))
    assert source.resolved_url(tmp_path) == url


@pytest.mark.parametrize("url", ["w.bundle", "../w", "./odd:name"])
def test_local_git_url_starts_from_the_file(tmp_path: Path, url: str) -> None:
    source = GitSource(name="w", url=url, domain="x", labels=("public",))
    assert source.resolved_url(tmp_path) == str(tmp_path / url)


@pytest.mark.parametrize("given", ["/srv/w", "file:///srv/w"])
def test_absolute_git_url_stays_as_it_is(tmp_path: Path, given: str) -> None:
    source = GitSource(name="w", url=given, domain="x", labels=("public",))
    assert source.resolved_url(tmp_path) == given


@pytest.mark.parametrize(
    ("given", "kept"), [("", ""), (".", ""), ("docs/", "docs"), ("a//b", "a/b")]
)
def test_subfolder_is_kept_in_one_spelling(given: str, kept: str) -> None:
    source = GitSource(name="w", url="w", subfolder=given, domain="x", labels=("public",))
    assert source.subfolder == kept


@pytest.mark.parametrize(
    ("given", "seconds"), [("90s", 90), ("5m", 300), ("1h", 3600), ("2d", 172_800), (1.5, 1.5)]
)
def test_duration_is_read_as_people_write_it(given: object, seconds: float) -> None:
    assert parse_duration(given) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "given", ["", "1", "1y", "-1h", 0, -1, True, float("inf"), "9" * 400 + "d"]
)
def test_other_durations_are_refused(given: object) -> None:
    with pytest.raises(ValueError, match="a time like"):
        parse_duration(given)


def test_unknown_source_names_the_nearest(tmp_path: Path) -> None:
    config = load(tmp_path, KNOWLEDGE + FILES + GIT)
    assert config.source("wiki").kind == "git"
    with pytest.raises(UnknownName) as caught:
        config.source("dcos")
    assert caught.value.hint == "Did you mean docs? Known sources: docs, wiki."


def test_models_are_frozen() -> None:
    knowledge = Knowledge(name="kb", store="s")
    with pytest.raises(ValueError, match="frozen"):
        knowledge.store = "t"


def test_described_configuration_is_json(tmp_path: Path) -> None:
    described = json.loads(json.dumps(describe(load(tmp_path, KNOWLEDGE + FILES))))
    assert described["knowledge"]["longest_read"] == 3600
    assert described["sources"][0]["labels"] == ["public"]


def test_endpoint_of_one_source_is_one_of_a_list_of_one(tmp_path: Path) -> None:
    [endpoint] = load(tmp_path, KNOWLEDGE + HOOK).webhook.endpoints
    assert endpoint.sources == ("docs",)
    listed = HOOK.replace('source = "docs"', 'sources = ["docs"]')
    assert load(tmp_path, KNOWLEDGE + listed).webhook.endpoints == (endpoint,)


@pytest.mark.parametrize("kind", ["github", "gitlab", "standard", "hmac"])
def test_every_kind_of_endpoint_loads_and_is_described_without_its_secret(
    tmp_path: Path, kind: str
) -> None:
    text = KNOWLEDGE + HOOK.replace("github", kind)
    config = load(tmp_path, text, PUSH_SECRET="hush hush")  # noqa: S106
    assert describe(config)["webhook"]["endpoints"] == [
        {"name": "push", "kind": kind, "sources": ["docs"], "secret_env": "PUSH_SECRET"}
    ]
    assert "hush" not in str(describe(config))


def test_endpoints_of_the_environment_are_named_by_their_variable(tmp_path: Path) -> None:
    endpoint = '{name = "push", kind = "hmac", source = "dosc", secret_env = "S"}'
    message = refusal(tmp_path, KNOWLEDGE + FILES, STALEPROOF_WEBHOOK__ENDPOINTS=f"[{endpoint}]")
    assert message.startswith("STALEPROOF_WEBHOOK__ENDPOINTS (environment)[push].sources: there is")


def uncommented(text: str) -> dict[str, Any]:
    """The template with its examples of a rule, a domain, an endpoint and a generator switched on."""
    head, rule = text.split("# [[sources.rules]]")
    return tomllib.loads(head + "[[sources.rules]]" + rule.replace("\n# ", "\n"))


@pytest.mark.parametrize("kind", ["files", "git"])
def test_template_shows_every_key_with_its_default(tmp_path: Path, kind: Any) -> None:
    text = template(knowledge="kb", source="docs", kind=kind, location="some/where")
    shown = uncommented(text)
    source = shown["sources"][0]
    assert shown.keys() == Settings.model_fields.keys()
    assert source.keys() == SOURCE_KINDS[kind].model_fields.keys()
    assert source["rules"][0].keys() == SourceRule.model_fields.keys()
    assert shown["domains"][0].keys() == DomainPolicy.model_fields.keys()
    assert shown["webhook"]["endpoints"][0].keys() == Endpoint.model_fields.keys()
    assert shown["models"][0].keys() == EmbedderModel.model_fields.keys()
    assert shown["models"][0]["gate"].keys() == GatePolicy.model_fields.keys()
    assert shown["models"][0]["watch"].keys() == WatchPolicy.model_fields.keys()
    assert shown["models"][1].keys() == GeneratorModel.model_fields.keys()
    assert shown["models"][1]["gate"].keys() == GeneratorGate.model_fields.keys()
    assert shown["models"][1]["watch"].keys() == GeneratorWatch.model_fields.keys()
    for section in shown.keys() - {"sources", "domains", "models"}:
        model = Settings.model_fields[section].annotation
        assert shown[section].keys() == model.model_fields.keys()  # type: ignore[union-attr]
    least = (GIT if kind == "git" else FILES).replace("wiki", "docs").replace('"x"', '"docs"')
    least = least.replace('"d"', '"some/where"').replace("../w", "some/where")
    least += MODEL.replace("tuned", "kb-embedder")
    assert load(tmp_path, text) == load(tmp_path, KNOWLEDGE + least)


POLICY = ("models", "watch")


def test_policy_of_a_file_is_laid_over_the_one_in_force(tmp_path: Path) -> None:
    file = tmp_path / "bold.toml"
    file.write_text("[models.watch]\nalpha = 0.2\n")
    assert read_table(file, POLICY, WatchPolicy(min_looks=5)) == WatchPolicy(alpha=0.2, min_looks=5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[models.watch]\nalhpa = 1", "models.watch.alhpa: unknown key; did you mean alpha?"),
        ("[models.watch]\nalpha = 2", "models.watch.alpha = 2: must be less than 1"),
        ("[models.watch]\ngolden = 0.5", "they sum to 1.3"),
        ("alpha = 0.2", "is not one table [models.watch]"),
        ("[models.watch]\n[models.gate]", "is not one table [models.watch]"),
        ("models.watch = 5", "is not one table [models.watch]"),
        ("models = 5", "is not one table [models.watch]"),
        ("[models.watch", "not valid TOML"),
    ],
)
def test_mistake_in_a_policy_names_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "bold.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as told:
        read_table(file, POLICY, WatchPolicy())
    assert said in told.value.message
    assert str(file) in told.value.message


def test_policy_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file"):
        read_table(tmp_path / "none.toml", POLICY, WatchPolicy())


def test_template_with_its_examples_switched_on_is_valid() -> None:
    text = template(knowledge="kb", source="docs", kind="files", location="d")
    settings = Settings.model_validate(uncommented(text))
    assert settings.sources[0].rules[0].labels == ("managers",)
    assert settings.domains[0].review is True
    assert settings.webhook.endpoints[0].sources == ("docs",)
    assert [(model.name, model.kind) for model in settings.models] == [
        ("kb-embedder", "embedder"),
        ("kb-voice", "generator"),
    ]


def test_every_line_of_the_template_is_explained() -> None:
    text = template(knowledge="kb", source="docs", kind="git", location="d")
    lines = [line for line in text.splitlines() if line and not line.startswith("# ")]
    assert [line for line in lines if not line.partition("  # ")[2].strip()] == []


@pytest.mark.parametrize("location", ['C:\\docs "x"', "ümläut/📚", "a\x7fb\tc", "#x"])
def test_template_quotes_any_location(tmp_path: Path, location: str) -> None:
    text = template(knowledge="kb", source="docs", kind="files", location=location)
    source = load(tmp_path, text).sources[0]
    assert isinstance(source, FilesSource)
    assert source.path == location


def test_template_refuses_a_name_that_would_not_load() -> None:
    with pytest.raises(ConfigError, match=r"knowledge\.name"):
        template(knowledge="My Docs", source="docs", kind="files", location="d")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://git.example/a.git", "https://git.example/a.git"),
        ("https://git.example:8443/a@b/c.git", "https://git.example:8443/a@b/c.git"),
        ("ssh://git@git.example/a.git", "ssh://git@git.example/a.git"),
        ("postgresql://me@db/runs", "postgresql://me@db/runs"),
        ("https://me:secret@git.example/a.git", "https://me:***@git.example/a.git"),
        ("https://secret@git.example/a.git", "https://***@git.example/a.git"),
        ("https://:secret@git.example/a.git", "https://:***@git.example/a.git"),
        ("postgresql://me:se/cr@et@db/runs", "postgresql://me:***@db/runs"),
        ("postgresql+asyncpg://me:se/cret@db/runs", "postgresql+asyncpg://me:***@db/runs"),
        ("postgresql://db/runs?password=secret", "postgresql://db/runs?password=***"),
    ],
)
def test_secret_of_a_url_is_not_shown(url: str, shown: str) -> None:
    assert mask_password(url) == shown
    assert mask_password(f'["{url}", "x@y"]') == f'["{shown}", "x@y"]'
