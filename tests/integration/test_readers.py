"""Who keeps a model loaded is known while it lives, and hears of the next one while that is to come."""

import json
import subprocess
import sys
from pathlib import Path

from pipelines.knowledge import announced, announcement, answer_announcement, readers, reading

COMING = {"model": "m", "fingerprint": "f", "generation": "chunks_x", "version": 3}


def test_reader_is_known_until_its_block_ends(tmp_path: Path) -> None:
    uri = str(tmp_path / "store")
    assert readers(uri) == []
    with reading(uri):
        [reader] = readers(uri)
        assert reader.heard == ""
        with announced(uri, **COMING) as coming:  # type: ignore[arg-type]
            assert announcement(uri) == coming
            answer_announcement(uri, coming, asked=3, found=2)
        assert announcement(uri) is None
        [reader] = readers(uri)
        assert (reader.heard, reader.asked, reader.found) == (coming.id, 3, 2)
    assert readers(uri) == []


def test_what_killed_processes_left_counts_for_nothing(tmp_path: Path) -> None:
    uri = str(tmp_path)
    script = (
        "import os, signal\n"
        "from pipelines.knowledge import announced, reading\n"
        f"with reading({uri!r}), announced({uri!r}, **{COMING!r}):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-P", "-c", script], check=False, timeout=60)
    [left] = (tmp_path / "readers").glob("reader-*.json")
    assert json.loads(left.read_text())["pid"]
    assert (tmp_path / "readers/next.json").exists()
    assert announcement(uri) is None
    assert readers(uri) == []
    assert not left.exists()
