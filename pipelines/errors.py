"""Everything that can go wrong, as one tree.

StaleproofError
├── ConfigError            the configuration or an argument is wrong (the user's mistake)
├── UnknownName            a source, document, hold or publication that does not exist (the user's mistake)
├── AccessDenied           the reader holds none of the labels that a document asks for
├── AuditFailed            a candidate is not what it should be; it is not published
├── TrainingError          a snapshot, a training or an evaluation is not what it should be
├── TrialFailed            a generator that was to serve cannot be loaded, or does not answer as it did
├── ServerFailed           the Prefect server or its worker cannot start, or does not stay up
├── ServerUnavailable *    the Prefect server cannot be reached now
├── RegistryError
│   ├── NotVersioned           the project is no git repository with DVC, or lacks a commit or a stage (the user's mistake)
│   ├── RegistryBusy *         another run of the registry holds its lock
│   ├── RemoteUnavailable *    the data remote, or the git remote, cannot be reached now
│   ├── DataMissing            an object of a version is missing or is not what its hash says
│   ├── StageFailed            a command of dvc.yaml, or DVC itself, ended with an error
│   └── RunCancelled           somebody ended the run; everything that it had started is ended too
├── SourceError
│   ├── SourceUnavailable *    the source cannot be reached now
│   └── ListingBrokenOff *     a listing started and did not come to its end
└── StoreError
    ├── RefreshRunning *       another refresh holds the lock
    ├── FillRunning *          another run fills the index of this embedder
    ├── WatchRunning *         another run looks at the models
    ├── FillFailed             an index cannot be filled, or was given up; readers see nothing of it
    ├── Overtaken *            somebody else published meanwhile; nothing is lost
    ├── EmbedderMismatch       the weights found are not the ones that made the vectors
    ├── EmbedderChanged        they are, and give other vectors than before
    ├── PublicationNotFound    no such publication, or its files are gone
    └── StoreFormat            the store was written in another format

The starred ones heal by themselves: ``retryable`` is the one thing that flows ask.
What is held or quarantined is a result, not an error.
"""

from typing import ClassVar


class StaleproofError(Exception):
    """An error that a person reads: what happened, what state is left, what to do.

    Attributes:
        message: What happened, to which document or setting.
        hint: What to do next, with the command where there is one.
    """

    retryable: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Keep the two parts apart: JSON prints them under their own keys."""
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Both parts, for logs and state messages."""
        return f"{self.message} {self.hint}".strip()


class ConfigError(StaleproofError):
    """The configuration or an argument is wrong; nothing was read or written."""

    exit_code = 2


class UnknownName(StaleproofError):
    """A name was given that nothing has."""

    exit_code = 2


class AccessDenied(StaleproofError):
    """The reader may not see what was asked for."""

    exit_code = 2


class AuditFailed(StaleproofError):
    """A candidate is not what it should be; readers go on with the newest publication."""


class TrainingError(StaleproofError):
    """A model could not be trained or evaluated; the one that serves goes on serving."""


class TrialFailed(StaleproofError):
    """A generator cannot be loaded, or does not answer as it did; what serves goes on serving."""


class ServerFailed(StaleproofError):
    """The Prefect server or its worker cannot start, or does not stay up; nothing is left running."""


class ServerUnavailable(StaleproofError):
    """The Prefect server cannot be reached now; nothing was started."""

    retryable = True
    exit_code = 4


class SourceError(StaleproofError):
    """A source did not do what it should; what is published stays as it is."""


class SourceUnavailable(SourceError):
    """A source cannot be reached now."""

    retryable = True
    exit_code = 4


class ListingBrokenOff(SourceError):
    """A listing started and did not come to its end: it says nothing about what is gone."""

    retryable = True
    exit_code = 4


class StoreError(StaleproofError):
    """The store did not do what it should; readers go on with the newest publication."""


class RefreshRunning(StoreError):
    """Another refresh holds the lock of this store."""

    retryable = True
    exit_code = 4


class FillRunning(StoreError):
    """Another run fills the index of this embedder."""

    retryable = True
    exit_code = 4


class WatchRunning(StoreError):
    """Another run looks at the models of this store."""

    retryable = True
    exit_code = 4


class FillFailed(StoreError):
    """An index cannot be filled with an embedder, or was given up; readers see nothing of it."""


class Overtaken(StoreError):
    """Somebody else published meanwhile; this run ends with nothing lost."""

    retryable = True
    exit_code = 4


class EmbedderMismatch(StoreError):
    """The weights found are not the ones that made the vectors of the store."""


class EmbedderChanged(StoreError):
    """The embedder gives other vectors than before, by the same weights: the index would be two."""


class PublicationNotFound(StoreError):
    """There is no such publication, or its files are gone."""

    exit_code = 2


class StoreFormat(StoreError):
    """The store was written in a format that this version does not read."""


class RegistryError(StaleproofError):
    """The registry of model versions did not do what it should; what is served stays as it is."""


class NotVersioned(RegistryError):
    """The project is not what versions can be made in: git, DVC, a commit, a stage is missing."""

    exit_code = 2


class RegistryBusy(RegistryError):
    """Another run holds the lock of the registry."""

    retryable = True
    exit_code = 4


class RemoteUnavailable(RegistryError):
    """The data remote, or the git remote, cannot be reached now; no version names missing data."""

    retryable = True
    exit_code = 4


class DataMissing(RegistryError):
    """An object of a version is missing, or is not what its hash says."""


class StageFailed(RegistryError):
    """A command of dvc.yaml, or DVC itself, ended with an error; no version was made."""


class RunCancelled(RegistryError):
    """Somebody ended the run; everything that it had started is ended too."""
