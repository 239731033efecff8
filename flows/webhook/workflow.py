"""Writes a GitHub Actions workflow that signs a delivery and posts it."""

import json

from pipelines.config import Endpoint
from pipelines.errors import ConfigError

_PLAIN_KEY = "printf '%s' \"$SECRET\""
_SIGNS = 'openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key"'
_HEX = f"{_SIGNS} | sed 's/^.*= *//'"

_SCHEMES = {
    "github": (
        _PLAIN_KEY,
        f"printf '%s' \"$BODY\" | {_HEX}",
        (
            "X-GitHub-Event: push",
            "X-GitHub-Delivery: $ID",
            "X-Hub-Signature-256: sha256=$signature",
        ),
    ),
    "standard": (
        "printf '%s' \"${SECRET#whsec_}\" | base64 --decode",
        f"printf '%s' \"$ID.$now.$BODY\" | {_SIGNS} -binary | base64",
        ("webhook-id: $ID", "webhook-timestamp: $now", "webhook-signature: v1,$signature"),
    ),
    "hmac": (
        _PLAIN_KEY,
        f"printf '%s' \"$now.$ID.$BODY\" | {_HEX}",
        ("X-Timestamp: $now", "X-Delivery: $ID", "X-Signature-256: sha256=$signature"),
    ),
}
"""By kind: what prints the key, what prints the signature, and the headers."""


def workflow(endpoint: Endpoint, url: str) -> str:
    """The text of a workflow file.

    Args:
        endpoint: Where it posts to; its secret is the repository's secret of the same name.
        url: The address of the endpoint.

    Raises:
        ConfigError: The kind is one that a workflow has no use for.
    """
    if endpoint.kind not in _SCHEMES:
        raise ConfigError(
            f"--workflow writes one for GitHub Actions; {endpoint.kind} does not come from there.",
            hint=f"Choose one of {', '.join(_SCHEMES)}.",
        )
    key, signature, headers = _SCHEMES[endpoint.kind]
    posted = " \\\n".join(f'            --header "{header}"' for header in headers)
    return f"""\
# Asks staleproof to look at {", ".join(endpoint.sources)}. Written by `staleproof webhook add`.
# It needs the secret {endpoint.secret_env} of this repository: Settings, Secrets and variables, Actions.
name: staleproof {endpoint.name}

on: push

permissions: {{}}

jobs:
  ask:
    runs-on: ubuntu-latest
    timeout-minutes: 5
    steps:
      - name: Sign and post
        env:
          SECRET: ${{{{ secrets.{endpoint.secret_env} }}}}
          URL: {json.dumps(url)}
          ID: ${{{{ github.run_id }}}}-${{{{ github.run_attempt }}}}
          BODY: '{{"after": "${{{{ github.sha }}}}", "commits": []}}'
        run: |
          set -euo pipefail
          : "${{SECRET:?{endpoint.secret_env} is no secret of this repository}}"
          now=$(date +%s)
          key=$({key} | od -An -v -tx1 | tr -d ' \\n')
          signature=$({signature})
          curl --fail-with-body --silent --show-error --max-time 30 \\
            --retry 5 --retry-connrefused --retry-max-time 200 \\
            --header "Content-Type: application/json" \\
{posted} \\
            --data-raw "$BODY" "$URL"
"""
