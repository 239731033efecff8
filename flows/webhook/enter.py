"""What a person enters at the sender of a webhook."""

from pipelines.config import Endpoint

PLACES = {
    "github": "GitHub, in Settings, Webhooks, Add webhook",
    "gitlab": "GitLab, in Settings, Webhooks, Add new webhook",
    "standard": "the sender, which signs as Standard Webhooks do",
    "hmac": "the sender",
}


def to_enter(endpoint: Endpoint, url: str, secret: str) -> dict[str, str]:
    """Field by field, in the words of the sender's own page.

    Args:
        endpoint: The endpoint.
        url: Its address.
        secret: Its secret.
    """
    content = {"Content type": "application/json"}
    match endpoint.kind:
        case "github":
            events = {"Events": "Just the push event"}
            return {"Payload URL": url, **content, "Secret": secret, **events}
        case "gitlab":
            return {"URL": url, "Secret token": secret, "Trigger": "Push events"}
        case "standard":
            return {"URL": url, **content, "Secret": secret}
        case _:
            return {
                "POST to": url,
                **content,
                "X-Timestamp": "seconds since 1970",
                "X-Delivery": "an id, never used twice",
                "X-Signature-256": "sha256= and the hex HMAC-SHA256 of <timestamp>.<id>. and the"
                " body, keyed with the secret",
            }
