"""What the OpenAPI document says of the receiver."""

from typing import Any

_HMAC = "^sha256=[0-9a-f]{64}$"
_SECONDS = "^[0-9]{1,12}$"
_ID = "^[!-~]{1,200}$"
_HEADERS = {
    "X-Hub-Signature-256": ("github: the HMAC of the body", _HMAC),
    "X-GitHub-Delivery": ("github: the id", _ID),
    "X-GitHub-Event": ("github: push asks for a refresh, others for nothing", ""),
    "X-Gitlab-Token": ("gitlab: the secret", ""),
    "X-Gitlab-Event-UUID": ("gitlab: the id, where there is no Idempotency-Key", _ID),
    "Idempotency-Key": ("gitlab: the id", _ID),
    "X-Gitlab-Event": ("gitlab: Push Hook and Tag Push Hook ask for a refresh, others do not", ""),
    "webhook-id": ("standard: the id", _ID),
    "webhook-timestamp": ("standard: Unix seconds, within 5 minutes", _SECONDS),
    "webhook-signature": ("standard: v1, and the HMAC in Base64", ""),
    "X-Delivery": ("hmac: the id, without dots", _ID),
    "X-Timestamp": ("hmac: Unix seconds, within 5 minutes", _SECONDS),
    "X-Signature-256": ("hmac: the HMAC of {X-Timestamp}.{X-Delivery}.{body}", _HMAC),
}
"""What it is, and its pattern where it has one. Which are needed hangs on the endpoint's kind."""


def _object(**properties: str) -> dict[str, Any]:
    return {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {name: {"type": kind} for name, kind in properties.items()},
                "required": list(properties),
            }
        }
    }


def _refusal(description: str, *, again: bool = False) -> dict[str, Any]:
    after = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return {
        "description": description,
        "content": _object(error="string"),
        **({"headers": after} if again else {}),
    }


HOOK: dict[str, Any] = {
    "status_code": 202,
    "responses": {
        202: {
            "description": "It is kept, whatever happens next; or it was before.",
            "content": _object(accepted="string"),
        },
        400: _refusal("The body did not come to its end."),
        401: _refusal("The signature is not right, or there is no such endpoint."),
        413: _refusal("The body is larger than [webhook] max_body_bytes."),
        429: _refusal("As many deliveries wait as [webhook] max_waiting allows.", again=True),
        503: _refusal("It cannot be kept now.", again=True),
    },
    "openapi_extra": {
        "parameters": [
            {"name": "endpoint", "in": "path", "required": True, "schema": {"type": "string"}},
            *(
                {
                    "name": name,
                    "in": "header",
                    "description": description,
                    "schema": {"type": "string"} | ({"pattern": pattern} if pattern else {}),
                }
                for name, (description, pattern) in _HEADERS.items()
            ),
        ],
        "requestBody": {
            "description": "Signed as it is, and never read.",
            "content": {"*/*": {"schema": {}}},
        },
    },
}
HEALTH: dict[str, Any] = {
    "responses": {
        200: {"description": "The inbox can be read.", "content": _object(ok="boolean")},
        503: {"description": "It cannot.", "content": _object(ok="boolean")},
    },
}
METRICS: dict[str, Any] = {
    "responses": {
        200: {
            "description": "Prometheus text.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    },
}
