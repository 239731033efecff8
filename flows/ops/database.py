"""The server's database before the server starts: can it be reached, and can this Prefect use it."""

import asyncio
import re
import sqlite3
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flows.ops.environment import sqlite_file
from pipelines.config import Config
from pipelines.errors import ConfigError, ServerFailed, ServerUnavailable

if TYPE_CHECKING:
    import asyncpg

_CONNECT_SECONDS = 10
_REVISION = re.compile(r"^revision\s*(?::[^=]*)?=\s*[\"'](\w+)[\"']", re.MULTILINE)
_MASTER = "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"


def check_database(config: Config) -> None:
    """Sees that the server can use its database, as it is or after its own migrations.

    Raises:
        ConfigError: The database refuses us, or does not exist.
        ServerUnavailable: It cannot be reached now.
        ServerFailed: It is not one that this Prefect can use.
    """
    file = sqlite_file(config)
    if file is not None:
        _check_sqlite(file)
    else:
        asyncio.run(_check_postgresql(config.server.database_url))


def describe_database(config: Config) -> str:
    """Which database is used, and for whom that is enough; never a password."""
    if not config.server.database_url:
        return "SQLite: for one person; set [server] database_url for a team"
    parts = urlsplit(config.server.database_url)
    port = f":{parts.port}" if parts.port else ""
    return f"PostgreSQL: {parts.path.strip('/')} on {parts.hostname}{port}"


def _check_sqlite(file: Path) -> None:
    if not file.exists() or not file.stat().st_size:
        return
    aside = (
        f"Move {file} away to start with an empty one: the history of runs is in it, the"
        " knowledge base is not."
    )
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=5)) as database:
            ours = database.execute(_MASTER).fetchone()[0]
            rows = database.execute("SELECT version_num FROM alembic_version") if ours else ()
            revisions = {row[0] for row in rows}
    except sqlite3.DatabaseError as error:
        raise ServerFailed(
            f"The server's database {file} cannot be read: {error}.", hint=aside
        ) from error
    if not ours:
        raise ServerFailed(f"{file} is not the database of a Prefect server.", hint=aside)
    _check_revisions(revisions, "sqlite", f"The server's database {file}", aside)


def _check_revisions(found: set[str], dialect: str, what: str, hint: str) -> None:
    unknown = found - _known_revisions(dialect)
    if unknown:
        from importlib.metadata import version

        raise ServerFailed(
            f"{what} was written by another Prefect than {version('prefect')}, probably a newer"
            f" one (it is at revision {', '.join(sorted(unknown))}).",
            hint=f"Install that version of Prefect. {hint}",
        )


def _known_revisions(dialect: str) -> set[str]:
    """What this Prefect can migrate from, read from its files: importing them takes seconds."""
    spec = find_spec("prefect")
    if spec is None or not spec.submodule_search_locations:
        return set()
    folder = Path(spec.submodule_search_locations[0]) / "server/database/_migrations/versions"
    texts = (file.read_text("utf-8") for file in (folder / dialect).glob("*.py"))
    return {found[1] for text in texts if (found := _REVISION.search(text))}


async def _check_postgresql(url: str) -> None:
    import asyncpg

    parts = urlsplit(url)
    where = f"{parts.hostname}:{parts.port or 5432}"
    name, user = parts.path.strip("/"), parts.username or "the default user"
    plain = f"postgresql://{url.partition('://')[2]}"
    try:
        connection = await asyncpg.connect(plain, timeout=_CONNECT_SECONDS)
    except asyncpg.InvalidCatalogNameError as error:
        raise ConfigError(
            f'There is no database "{name}" on {where}.',
            hint=f"Create it (createdb --owner {user} {name}), or change [server] database_url.",
        ) from error
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise ConfigError(
            f'PostgreSQL on {where} refuses the user "{user}": {error}.',
            hint="Set STALEPROOF_SERVER__DATABASE_URL to the whole URL with the password.",
        ) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ServerUnavailable(
            f"PostgreSQL on {where} does not let us in now: {error}.",
            hint="See [server] database_url and the server's log.",
        ) from error
    except (OSError, TimeoutError) as error:
        raise ServerUnavailable(
            f"PostgreSQL on {where} does not answer ({type(error).__name__}).",
            hint="See that it runs and that [server] database_url says where.",
        ) from error
    try:
        await _check_schema(connection, name, where, user)
    finally:
        await connection.close()


async def _check_schema(
    connection: "asyncpg.Connection[asyncpg.Record]", name: str, where: str, user: str
) -> None:
    grant = f"GRANT CREATE ON SCHEMA public TO {user}; or make {user} the owner of the database."
    known = "SELECT to_regclass('alembic_version') IS NOT NULL"
    if await connection.fetchval(known):
        rows = await connection.fetch("SELECT version_num FROM alembic_version")
        _check_revisions(
            {row[0] for row in rows}, "postgresql", f'The database "{name}" on {where}', ""
        )
    may = "SELECT has_schema_privilege(coalesce(current_schema(), 'public'), 'CREATE')"
    if not await connection.fetchval(may):
        raise ConfigError(
            f'The user "{user}" may not create tables in "{name}" on {where}.', hint=grant
        )
