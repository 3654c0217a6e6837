"""`make run`: everything in one terminal, with defaults that need nothing else; the environment always wins."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
import urllib.request
from pathlib import Path

from config import together
from config.environment import folder, whole

BASE_DIR = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
FIRST_SANDBOX_PORT = 8100
# Who has one of these has an account of one's own.
OWN_ACCOUNTS = ("DAILYMOTION_API_KEY", "ONLYSOCIAL_API_KEY")
INTERRUPTED = 130


def main() -> None:
    os.chdir(BASE_DIR)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    read_env_file(BASE_DIR / ".env")
    # With credentials of one's own the demo's videos must not go to a real account.
    own = [name for name in OWN_ACCOUNTS if os.environ.get(name)]
    os.environ.setdefault("DEMO", "0" if own else "1")
    port = whole("PORT", 8000, least=1, most=65535)
    os.environ["PORT"] = str(port)
    is_demo = os.environ["DEMO"].lower() in {"1", "true", "yes", "on"}
    if is_demo and own:
        sys.exit(f"DEMO=1 would mix the demo with the account of {own[0]}. Unset one of them.")
    refuse_taken_port(port)
    if is_demo and not os.environ.get("SANDBOX_URL"):
        api_port, upload_port = free_ports(FIRST_SANDBOX_PORT, 2)
        os.environ["SANDBOX_URL"] = f"http://{HOST}:{api_port}"
        os.environ["SANDBOX_PORT"], os.environ["SANDBOX_UPLOAD_PORT"] = str(api_port), str(upload_port)

    held = together.share(folder("SLOTCAST_VAR", BASE_DIR / "var"))
    login = prepare(is_demo)
    if own:
        refuse_what_the_demo_left()
    try:
        start(is_demo, login)
    finally:
        if held is not None:
            os.close(held)


def read_env_file(path: Path) -> None:
    """What `.env` gives and the environment does not."""
    import environ

    if path.is_file():
        environ.Env.read_env(path, overwrite=False)


def refuse_taken_port(port: int) -> None:
    if not is_free(port):
        sys.exit(f"Port {port} is in use. Stop what uses it, or choose another: PORT={port + 1} make run")


def is_free(port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(first: int, count: int) -> list[int]:
    """The first `count` ports from `first` on that nobody listens on."""
    found = [port for port in range(first, first + 200) if is_free(port)]
    return found[:count]


def prepare(is_demo: bool) -> tuple[str, str]:
    """Database, staff login and, in the demo, the demo library on the queue. Returns (user name, password)."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import OperationalError

    from config.people import ensure_first_login

    try:
        call_command("migrate", verbosity=0)
    except OperationalError as error:
        answer = str(error).strip().partition("\n")[0]
        sys.exit(f"The database refused: {answer}. Start it, or correct DATABASE_URL in .env.")
    login = ensure_first_login()
    if is_demo:
        call_command("seed_demo")
    return login


def refuse_what_the_demo_left() -> None:
    """A real account must not get the demo's videos and posts."""
    from config import demo_rows

    if count := demo_rows.waiting():
        sys.exit(
            f"{count} videos and posts of the demo wait in this database and would go to your own account. "
            "Begin with a fresh one: SLOTCAST_VAR=var/mine make run (the same variable in .env serves all commands)"
        )


def start(is_demo: bool, login: tuple[str, str]) -> None:
    """Run the Procfile's processes until one ends or Ctrl-C; exits with honcho's return code."""
    from honcho.environ import parse_procfile
    from honcho.manager import Manager

    processes = parse_procfile((BASE_DIR / "Procfile").read_text()).processes
    if not is_demo:
        processes.pop("sandbox", None)
    manager = Manager()
    for name, command in processes.items():
        manager.add_process(name, command, quiet=False, env=dict(os.environ))
    threading.Thread(target=announce, args=(login,), daemon=True).start()
    manager.loop()
    sys.exit(0 if manager.returncode == INTERRUPTED else manager.returncode)


def announce(login: tuple[str, str]) -> None:
    """Say where to look, once the web process answers."""
    url = f"http://{HOST}:{os.environ['PORT']}"
    for _ in range(600):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/healthz", timeout=2):  # noqa: S310
            break
        time.sleep(0.2)
    username, password = login
    lines = [
        "Slotcast is running.",
        f"  Uploads, live    {url}/uploads/",
        f"  Control room     {url}/",
        f"  Sign in as       {username}",
        f"  Password         {password}",
    ]
    if sandbox := os.environ.get("SANDBOX_URL"):
        lines.append(f"  What arrived     {sandbox}/   (stand-in for Dailymotion and OnlySocial)")
    lines.append("  Stop             Ctrl-C")
    width = max(map(len, lines)) + 2
    frame = "\n".join(
        [
            "",
            "┌" + "─" * width + "┐",
            *(f"│ {line:<{width - 1}}│" for line in lines),
            "└" + "─" * width + "┘",
            "",
        ]
    )
    print(frame, flush=True)


if __name__ == "__main__":
    main()
