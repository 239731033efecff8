import base64
import json
import socket
import string
from hashlib import blake2b
from importlib import import_module
from inspect import getmembers, isclass
from pkgutil import iter_modules

import pytest
import requests

from pipelines.quality.secrets import _OF_LIBRARY, find_secrets

# Put together here: tokens that stand in a file would make scanners of this repository cry.
LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
PROSE = "Whoever travels asks the manager first, books the train and keeps the receipts.\n"
BODY = "\n".join(base64.b64encode(blake2b(bytes([n])).digest()[:48]).decode() for n in range(20))


def made(length: int, alphabet: str = LETTERS, seed: int = 7) -> str:
    digests = (blake2b(bytes([seed, n])).digest() for n in range(length // 64 + 1))
    return "".join(alphabet[byte % len(alphabet)] for byte in b"".join(digests)[:length])


def part(said: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


def jwt(claims: object) -> str:
    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.{made(43)}"


def key(kind: str, body: str = BODY) -> str:
    return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----"


SECRETS = {
    "Artifactory Credentials": "AKC" + "p8" + made(60),
    "AWS Access Key": "AK" + "IA" + made(16, string.ascii_uppercase + string.digits),
    "Azure Storage Account access key": "Account" + "Key=" + made(86) + "==",
    "Basic Auth Credentials": "postgres://reader:" + made(14) + "@db.acme.com/handbook",
    "Cloudant Credentials": "cloudant_" + "password = " + made(64, HEX),
    "Discord Bot Token": "M" + made(23) + "." + made(6) + "." + made(27),
    "GitHub Token": "gh" + "p_" + made(36),
    "GitLab Token": "gl" + "pat-" + made(20),
    "IBM Cloud IAM Key": "ibm_cloud_" + "api_key = " + made(44),
    "IBM COS HMAC Credentials": "secret_" + "access_key: " + made(48, HEX),
    "JSON Web Token": jwt({"sub": "17", "exp": 1700000000}),
    "Mailchimp Access Key": made(32, HEX) + "-" + "us12",
    "NPM tokens": "//registry.npmjs.org/:_" + "authToken=npm_" + made(36),
    "OpenAI Token": "sk-" + made(20) + "T3Bl" + "bkFJ" + made(20, seed=8),
    "Private Key": key("RSA PRIVATE" + " KEY"),
    "PyPI Token": "pypi-" + "AgEIcHlwaS5vcmc" + made(80),
    "SendGrid API Key": "SG" + "." + made(22) + "." + made(43),
    "Slack Token": "xox" + "b-" + made(12, "2468013") + "-" + made(24),
    "SoftLayer Credentials": "softlayer_" + "api_key = " + made(64, HEX),
    "Square OAuth Secret": "sq0" + "csp-" + made(43),
    "Stripe Access Key": "sk_" + "live_" + made(24),
    "Telegram Bot Token": made(9, "24680") + ":AA" + made(33),
    "Twilio API Key": "S" + "K" + made(32, HEX),
}
MORE = [
    ("Basic Auth Credentials", "https://anna:corr%40ect8horse" + "@wiki.acme.com/"),
    ("AWS Access Key", "aws_secret_" + "access_key = '" + made(40) + "'"),
    ("GitHub Token", "github_" + "pat_" + made(82)),
    ("Google API Key", "AI" + "za" + made(35)),
    ("Anthropic API Key", "sk-" + "ant-api03-" + made(95)),
    ("OpenAI Token", "sk-" + "proj-" + made(74) + "T3Bl" + "bkFJ" + made(74, seed=8)),
    (
        "Slack Token",
        "https://hooks.slack.com/" + "services/T" + made(8) + "/B" + made(8) + "/" + made(24),
    ),
    (
        "Slack Token",
        "xapp-1-A"
        + made(10, string.ascii_uppercase)
        + "-"
        + made(13, "24680")
        + "-"
        + made(64, HEX),
    ),
    ("Hugging Face Token", "hf_" + made(34)),
    ("NPM tokens", "npm_" + made(36)),
    ("JSON Web Token", jwt({"user_id": 3, "role": "admin"})),
    ("JSON Web Token", jwt({"sub": "x" * 2_500})),
    ("Private Key", key("OPENSSH PRIVATE" + " KEY")),
    ("Private Key", key("ENCRYPTED PRIVATE" + " KEY")),
    ("Private Key", key("PGP PRIVATE" + " KEY BLOCK", f"Version: 2\n\n{BODY}")),
    (
        "Private Key",
        "PuTTY-User-Key-File-"
        + f"3: ssh-rsa\nEncryption: none\nComment: a\nPublic-Lines: 6\n{BODY}",
    ),
    ("Private Key", json.dumps({"private_key": key("PRIVATE" + " KEY")})),
    ("Private Key", "\n".join(f"> {line}" for line in key("EC PRIVATE" + " KEY").splitlines()[:3])),
]


def rules(text: str) -> set[str]:
    return {finding.kind for finding in find_secrets(text)}


@pytest.mark.parametrize(("rule", "secret"), [*SECRETS.items(), *MORE])
def test_secret_is_found_in_the_middle_of_a_long_page(rule: str, secret: str) -> None:
    page = f"{PROSE * 500}\nThe key is {secret}\n\n{PROSE * 500}"
    assert rules(page) == {rule}


@pytest.mark.parametrize(("rule", "secret"), [*SECRETS.items(), *MORE])
def test_secret_is_found_in_one_endless_line(rule: str, secret: str) -> None:
    prose = PROSE.replace("\n", " ") * 2_000
    assert rule in rules(f'{prose}"{secret}" {prose}')


@pytest.mark.parametrize(("rule", "secret"), [*SECRETS.items(), *MORE])
def test_span_of_a_secret_leaves_nothing_of_it(rule: str, secret: str) -> None:
    text = f"before\n{secret}\nafter"
    [*findings] = find_secrets(text)
    rest = text
    for start, end, kind in sorted(findings, reverse=True):
        rest = rest[:start] + " " * 3 + rest[end:]
        assert kind == rule
    left = rest.removeprefix("before\n").removesuffix("after").replace("\n", " ")
    assert max(map(len, left.split()), default=0) < 24


@pytest.mark.parametrize(
    "text",
    [
        "AKIA" + "IOSFODNN7EXAMPLE",
        "gh" + "p_" + "x" * 36,
        "gh" + "p_" + "1234567890" * 3 + "123456",
        "Set it to `sk_" + "live_" + "your0key0goes0here0000xx`.",
        "git clone https://user:password" + "@git.acme.com/a",
        "git clone https://oauth2:ACCESS_TOKEN" + "@git.acme.com/a",
        "git clone https://oauth2:<token>" + "@git.acme.com/a",
        "postgres://postgres:hunter2secret" + "@localhost:5432/db",
        "postgres://postgres:hunter2secret" + "@db:5432/db",
        "redis://:s3cr3tvalue" + "@127.0.0.1",
        "https://anna:correct8horse" + "@www.example.org/",
        "The file begins with -----BEGIN RSA PRIVATE" + " KEY----- and is never mailed.",
        "-----BEGIN PRIVATE" + " KEY-----\nMIIEvQ...\n-----END PRIVATE" + " KEY-----",
        "[Read more](https://lnks.gd/l/" + jwt({"link_id": 104, "uri": "bp2:click"}) + ")",
        "eyJ" + made(200),
        "password: hunter2, secret = swordfish, api key: ask Anna",
        "sha256:" + made(64, HEX),
        "commit " + made(40, HEX),
        "arn:aws:logs:us-east-1:" + made(12, "24680") + ":A" + made(40),
        "APPLICATIONS APARTMENTS APEX" + "20trigger APIGatewayProxy APACHE",
        "https://docs.google.com/spreadsheets/d/" + made(44) + "/edit?key=" + made(44),
        "Our server is 52.14.7.201.",
        PROSE * 100,
    ],
)
def test_examples_and_prose_are_no_secrets(text: str) -> None:
    assert rules(text) == set()


def test_token_nested_too_deep_to_read_is_none() -> None:
    deep = base64.urlsafe_b64encode(b"[" * 3_000 + b"]" * 3_000).decode().rstrip("=")
    assert rules(f"{part({'alg': 'none'})}.{deep}.") == set()


def test_every_rule_of_the_library_is_used_or_left_out_on_purpose() -> None:
    from detect_secrets import plugins
    from detect_secrets.plugins.base import BasePlugin

    known = {
        name
        for module in iter_modules(plugins.__path__, "detect_secrets.plugins.")
        for name, member in getmembers(import_module(module.name), isclass)
        if issubclass(member, BasePlugin) and member.__module__ == module.name
    }
    abstract = {"BasePlugin", "RegexBasedDetector", "HighEntropyStringsPlugin"}
    fire_on_prose = {"Base64HighEntropyString", "HexHighEntropyString", "KeywordDetector"}
    no_secret = {"IPPublicDetector"}
    used = {use.plugin for use in _OF_LIBRARY}
    assert known == used | abstract | fire_on_prose | no_secret


def test_no_service_is_asked_whether_a_secret_works(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        pytest.fail("a rule verifies")

    for use in _OF_LIBRARY:
        plugin = getattr(import_module(f"detect_secrets.plugins.{use.module}"), use.plugin)
        monkeypatch.setattr(plugin, "verify", refuse)
        monkeypatch.setattr(plugin, "analyze_line", refuse)
    monkeypatch.setattr(requests.Session, "request", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert rules("\n\n".join(SECRETS.values())) == set(SECRETS)
