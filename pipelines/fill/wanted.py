"""Which embedder the configuration asks for, where no version of a model serves."""

from pipelines.config import Config
from pipelines.errors import ConfigError
from pipelines.fill.records import Wanted
from pipelines.knowledge import published_store


def configured_embedder(config: Config, *, actor: str) -> Wanted:
    """What ``[embedder] model`` asks for, as a fill takes it.

    Args:
        config: The configuration.
        actor: Who asks.

    Raises:
        ConfigError: A version of a model serves, and that is what is wanted.
        PublicationNotFound: Nothing is published yet.
    """
    _, last = published_store(config)
    if last.embedder:
        name, version = next(iter(last.embedder.items()))
        raise ConfigError(
            f"{name} {version} serves, which was promoted over [embedder] model.",
            hint=f"To let the former one serve again: staleproof demote {name}.",
        )
    wanted = config.embedder.model
    return Wanted(model=wanted, reason=f"moves to {wanted}", actor=actor)
