"""The plan of the house holds: imports run one way, the stand-ins stand alone, documents tell the truth."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Each may import those after it, and itself.
ORDER = ["config", "schedules", "uploader", "jobs"]


def modules(package: str) -> Iterator[Path]:
    return (ROOT / package).rglob("*.py")


def imported_packages(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("package", ORDER)
def test_imports_run_one_way(package: str) -> None:
    forbidden = {*ORDER[: ORDER.index(package)], "sandbox", "tests", "bench"}
    wrong = [
        f"{path.relative_to(ROOT)} imports {', '.join(sorted(found))}"
        for path in modules(package)
        if (found := imported_packages(path) & forbidden)
    ]
    assert not wrong


def test_the_stand_ins_import_nothing_of_the_product() -> None:
    forbidden = {*ORDER, "django", "tests", "bench"}
    wrong = [str(path) for path in modules("sandbox") if imported_packages(path) & forbidden]
    assert not wrong


def test_only_the_runner_and_the_cluster_know_django_q2() -> None:
    knowing = {
        str(path.relative_to(ROOT))
        for package in ORDER
        for path in modules(package)
        if "django_q" in imported_packages(path)
    }
    assert knowing <= {"jobs/runner.py", "jobs/cluster.py", "config/admin.py"}


def test_only_a_run_of_a_job_catches_everything() -> None:
    """`except Exception` is the job runner's and the doors' to the outside, nobody else's."""
    allowed = {
        "jobs/runner.py", "jobs/ticker.py", "jobs/recovery.py", "jobs/running.py",
        "jobs/pipeline/handling.py",
        # A body that cannot be read any further is remembered with its cause, whatever it was.
        "uploader/platforms/multipart.py",
        # A call of a publisher's thread: whatever it meets is the outcome its post waits for.
        "schedules/posts/calls.py",
    }  # fmt: skip
    catching = {
        str(path.relative_to(ROOT))
        for package in ORDER
        for path in modules(package)
        if re.search(r"except (Exception|BaseException)\b", path.read_text())
    }
    assert catching <= allowed


def test_every_test_named_in_the_requirements_exists() -> None:
    text = (ROOT / "docs" / "requirements.md").read_text()
    named = set(re.findall(r"`(tests/[\w/.]+)::(\w+)`", text))
    assert named
    missing = [
        f"{path}::{name}"
        for path, name in sorted(named)
        if not (ROOT / path).exists() or f"def {name}(" not in (ROOT / path).read_text()
    ]
    assert not missing


def test_every_variable_of_the_example_is_read_somewhere() -> None:
    example = (ROOT / ".env.example").read_text()
    readers = [*(ROOT / "config" / "settings").glob("*.py"), ROOT / "config" / "launch.py", ROOT / "Procfile"]
    source = "".join(path.read_text() for path in readers)
    names = re.findall(r"^#?([A-Z_]{4,})=", example, re.MULTILINE)
    assert names
    assert [name for name in names if name not in source] == []


def test_every_variable_the_settings_read_is_in_the_example() -> None:
    read = r"(?:given|flag|seconds|whole|one_of|time_zone|folder|storage_url|database_url|env\.list|list_of_seconds)"
    source = "".join(path.read_text() for path in (ROOT / "config" / "settings").glob("*.py"))
    names = set(re.findall(read + r'\(\s*"([A-Z_]{4,})"', source))
    assert len(names) > 50
    # Each process is told by whoever starts it what it is.
    names -= {"SLOTCAST_PROCESS"}
    example = (ROOT / ".env.example").read_text()
    assert [name for name in sorted(names) if not re.search(rf"^#?{name}=", example, re.MULTILINE)] == []


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    commands = {path.stem for path in ROOT.glob("*/management/commands/[a-z]*.py")}
    assert len(commands) > 20
    assert [name for name in sorted(commands) if f"`{name}" not in readme] == []
