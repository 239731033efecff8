"""Keys, tokens and private keys in a text, by the rules of detect-secrets."""

import functools
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pipelines.quality.findings import Finding

BUDGET = 4_000_000
"""Characters of a text that one rule is shown, so that no text takes it long; only a text of many
megabytes that is full of the rule's own prefix has more, and the rest is then not looked at."""
MAX_TOKEN = 8_192
"""Characters of one token: of a longer one the rest is not looked at, nor masked."""
MAX_KEY = 20_000
"""Characters of a private key's block."""

_TOKEN_REST = re.compile(r"[A-Za-z0-9_\-+/=.~%]*")
_KEY_BODY = re.compile(r"[A-Za-z0-9+/]{40}")
_KEY_END = re.compile(r"END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-{0,5}|Private-MAC:[^\n]{0,200}")
_KEY_LINES = re.compile(r"[A-Za-z0-9+/=:\\ \t\n>-]*")
_MADE_UP = (
    "example",
    "placeholder",
    "changeme",
    "redacted",
    "your",
    "xxxx",
    "dummy",
    "fake",
    "sample",
    "1234567",
    "abcdefg",
)
_NO_PASSWORD = re.compile(
    r"(?i:\W*(?:my|your|the|a|some|api|auth|access|personal|user|db|x-oauth)?[\W_]*"
    r"(?:pass(?:word|wd|phrase)?|pwd?|secret|token|key|basic|user(?:name)?|postgres|root|admin|test"
    r"|guest|foo|bar|xxx+)\W*)|[A-Z_]+|.{1,3}|%s|%\w+%|.*[<>{}\[\]|\\].*"
)
_NO_HOST = re.compile(
    r"(?i)[^./:]*(?:[/:?#]|$)|localhost|127\.|0\.0\.0\.0|(?:[\w-]+\.)*example\.|"
    r"[\w.-]+\.(?:test|invalid|local|localhost|example)\b|(?:host|hostname|domain|server|url)\b"
)

_CLAIM = re.compile(
    r"(?i)^(?:iss|sub|aud|exp|nbf|iat|jti)$|user|name|mail|uid|role|scope|perm|admin|account"
    r"|client|tenant|session|auth|access|key|token"
)
"""Of a signed token: those of RFC 7519, and what services call theirs."""

Holds = Callable[[re.Match[str], str], bool]
"""Whether what a pattern matched in a text is a secret after all."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a rule looks for, and near which marks it has to look at all."""

    name: str
    patterns: tuple[re.Pattern[str], ...]
    marks: tuple[str, ...]
    """Where a text has none of them the rule finds nothing; without capitals they stand for any
    case. Empty: it looks everywhere."""
    before: int
    """Characters that a match may begin before a mark; 0 where it begins with it."""
    after: int
    """Characters from a mark on in which a match ends."""
    holds: Holds


def find_secrets(text: str) -> Iterator[Finding]:
    """What the rules find in a text, in no order; the kind is the rule's name.

    Only the patterns and analysis of the rules are used, never what they have for asking a
    service whether a secret works. Rules that go by entropy or by words such as "password"
    are left out: they fire on prose. So are examples and placeholders, passwords in addresses of
    the same machine, and the first line of a private key with no key below it.
    """
    lowered = _lower(text)
    for rule in _rules():
        if not rule.marks or any(mark in _cased(mark, text, lowered) for mark in rule.marks):
            yield from _found(rule, text, lowered)


def _found(rule: _Rule, text: str, lowered: str) -> Iterator[Finding]:
    seen: set[int] = set()
    for pattern in rule.patterns:
        for match in _matches(pattern, rule, text, lowered):
            if match.start() not in seen and rule.holds(match, text):
                seen.add(match.start())
                yield Finding(match.start(), _end(rule, match, text), rule.name)


def _matches(
    pattern: re.Pattern[str], rule: _Rule, text: str, lowered: str
) -> Iterator[re.Match[str]]:
    if not rule.marks:
        yield from pattern.finditer(text)
        return
    most = BUDGET // (rule.before + rule.after)
    for mark in rule.marks:
        cased = _cased(mark, text, lowered)
        at = cased.find(mark)
        for _ in range(most):
            if at < 0:
                break
            end = _line_end(text, at, at + rule.after)
            if rule.before:
                yield from pattern.finditer(text, max(at - rule.before, 0), end)
            elif match := pattern.match(text, at, end):
                yield match
            at = cased.find(mark, at + len(mark))


def _cased(mark: str, text: str, lowered: str) -> str:
    return lowered if mark.islower() else text


def _line_end(text: str, start: int, end: int) -> int:
    """Where the line ends, or many spaces begin: patterns with spaces in them backtrack there."""
    for stop in ("\n", "     "):
        found = text.find(stop, start, end)
        end = end if found < 0 else found
    return end


def _end(rule: _Rule, match: re.Match[str], text: str) -> int:
    """Where a secret ends: the patterns may see no more than its beginning."""
    end = match.end()
    if rule.name != _PRIVATE_KEY:
        rest = _TOKEN_REST.match(text, end, end + MAX_TOKEN)
        return rest.end() if rest else end
    closing = _KEY_END.search(text, end, end + MAX_KEY)
    if closing:
        return closing.end()
    lines = _KEY_LINES.match(text, end, end + MAX_KEY)
    return lines.end() if lines else end


def _lower(text: str) -> str:
    """In lower case, every character at its place."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(c.lower() if c.isascii() else c for c in text)


def _is_token(match: re.Match[str], text: str) -> bool:
    """Not an example: no telling words, no series, and not of a few characters only."""
    value = match.group()[:200].lower()
    del text
    return len(set(value)) > 8 and not any(word in value for word in _MADE_UP)


def _is_mixed_token(match: re.Match[str], text: str) -> bool:
    """As random characters are: capitals, small letters and digits, and enough of them."""
    value = match.group()
    kinds = (str.isupper, str.islower, str.isdigit)
    mixed = all(any(map(is_kind, value)) for is_kind in kinds)
    return mixed and len(value) > 20 and _is_token(match, text)


def _stands_alone(match: re.Match[str], text: str) -> bool:
    """Not the tail of a longer number, as in the name of a cloud resource."""
    before = text[max(match.start() - 1, 0) : match.start()]
    return not before.isalnum() and _is_mixed_token(match, text)


def _is_login(match: re.Match[str], text: str) -> bool:
    """A password in an address that is neither a placeholder nor for this machine alone."""
    host = text[match.end() : match.end() + 300]
    return not (_NO_PASSWORD.fullmatch(match[1]) or _NO_HOST.match(host))


def _is_key_block(match: re.Match[str], text: str) -> bool:
    """A line of the key follows."""
    return _KEY_BODY.search(text, match.end(), match.end() + 500) is not None


def _grants(match: re.Match[str], text: str) -> bool:
    """Says who may do what, or until when; links in newsletters are signed tokens too."""
    payload = match.group().split(".")[1]
    said = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return isinstance(said, dict) and any(map(_CLAIM.search, said)) and _is_token(match, text)


_PRIVATE_KEY = "Private Key"


@dataclass(frozen=True, slots=True)
class _Use:
    """How one of the library's rules is used; as the fields of ``_Rule``."""

    module: str
    plugin: str
    marks: tuple[str, ...]
    after: int
    before: int = 0
    holds: Holds = _is_token


_OF_LIBRARY = (
    _Use("artifactory", "ArtifactoryDetector", ("AKC", "AP"), 200, 1, _is_mixed_token),
    _Use("aws", "AWSKeyDetector", ("A3T", "ABIA", "ACCA", "AKIA", "ASIA", "aws"), 120),
    _Use("azure_storage_key", "AzureStorageKeyDetector", ("accountkey=",), 120),
    _Use("basic_auth", "BasicAuthDetector", ("://",), 300, holds=_is_login),
    _Use("cloudant", "CloudantDetector", ("cloudant", "cl_", "cl-", "clapi", "clkey"), 160, 1),
    _Use("discord", "DiscordBotTokenDetector", (), 0, holds=_is_mixed_token),
    _Use("github_token", "GitHubTokenDetector", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), 60),
    _Use(
        "gitlab_token",
        "GitLabTokenDetector",
        ("gl", "GR1348941"),
        1100,
    ),
    _Use("ibm_cloud_iam", "IbmCloudIamDetector", ("ibm", "cloud", "iam"), 120, 1),
    _Use("ibm_cos_hmac", "IbmCosHmacDetector", ("secret",), 120, 20),
    _Use("jwt", "JwtTokenDetector", ("eyJ",), MAX_TOKEN, holds=_grants),
    _Use("mailchimp", "MailchimpDetector", ("-us",), 10, 32),
    _Use("npm", "NpmDetector", ("_authtoken=",), 120, 200),
    _Use("openai", "OpenAIDetector", ("T3BlbkFJ",), 40, 100),
    _Use("private_key", "PrivateKeyDetector", ("BEGIN ", "PuTTY-User"), 40, holds=_is_key_block),
    _Use("pypi_token", "PypiTokenDetector", ("pypi-AgE",), 400),
    _Use("sendgrid", "SendGridDetector", ("SG.",), 80),
    _Use("slack", "SlackDetector", ("xox", "https://hooks.slack.com/services/"), 200),
    _Use("softlayer", "SoftlayerDetector", ("softlayer", "sl_", "sl-", "slapi", "slkey"), 160, 30),
    _Use("square_oauth", "SquareOAuthDetector", ("sq0csp-",), 60),
    _Use("stripe", "StripeDetector", ("rk_live_", "sk_live_"), 40),
    _Use("telegram_token", "TelegramBotTokenDetector", (":A",), 40, 10, _stands_alone),
    _Use("twilio", "TwilioKeyDetector", ("AC", "SK"), 40),
)
# Younger than the library's newest release.
_BESIDE_LIBRARY = (
    ("GitHub Token", r"github_pat_[A-Za-z0-9_]{82}", "github_pat_", 0, 100),
    ("Google API Key", r"AIza[0-9A-Za-z_-]{35}", "AIza", 0, 50),
    ("Anthropic API Key", r"sk-ant-[A-Za-z0-9_-]{80,200}", "sk-ant-", 0, 210),
    (
        "OpenAI Token",
        r"sk-[a-z]{3,12}-[A-Za-z0-9_-]{20,180}T3BlbkFJ[A-Za-z0-9_-]{20,180}",
        "T3BlbkFJ",
        200,
        200,
    ),
    ("Slack Token", r"xapp-[0-9]-[A-Z0-9]{8,20}-[0-9]{8,20}-[0-9a-f]{64}", "xapp-", 0, 120),
    ("Hugging Face Token", r"hf_[A-Za-z0-9]{34}(?![A-Za-z0-9])", "hf_", 0, 50),
    ("NPM tokens", r"npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])", "npm_", 0, 50),
    (_PRIVATE_KEY, r"BEGIN ENCRYPTED PRIVATE KEY", "BEGIN ENCRYPTED", 0, 40),
    (_PRIVATE_KEY, r"PuTTY-User-Key-File-3", "PuTTY-User-Key-File-3", 0, 40),
)


@functools.cache
def _rules() -> tuple[_Rule, ...]:
    return tuple(map(_of_library, _OF_LIBRARY)) + tuple(
        _Rule(
            name=name,
            patterns=(re.compile(pattern),),
            marks=(mark,),
            before=before,
            after=after,
            holds=_is_key_block if name == _PRIVATE_KEY else _is_token,
        )
        for name, pattern, mark, before, after in _BESIDE_LIBRARY
    )


def _of_library(use: _Use) -> _Rule:
    from detect_secrets import plugins

    plugin: Any = getattr(import_module(f"{plugins.__name__}.{use.module}"), use.plugin)()
    return _Rule(
        name=plugin.secret_type,
        patterns=tuple(plugin.denylist),
        marks=use.marks,
        before=use.before,
        after=use.after,
        holds=_confirmed(plugin.analyze_string, use.holds),
    )


def _confirmed(analyze: Callable[[str], Iterator[str]], holds: Holds) -> Holds:
    """What the plugin's own analysis says too; for most it is the pattern again."""

    def both(match: re.Match[str], text: str) -> bool:
        try:
            found = next(iter(analyze(match.group())), None)
        except RecursionError:  # the inside of a token is JSON, nested as deep as it likes
            return False
        return found is not None and holds(match, text)

    return both
