"""A box of its own: systemd as PID 1 in namespaces, on an overlay of this machine, the service installed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from rig.waiting import wait_for

MODELS = "/var/lib/mmdaemon/models"
ROW = '{"x": [[1, 2, 3, 4]]}'
NAMESPACES = ("--fork", "--pid", "--mount", "--uts", "--ipc", "--cgroup", "--kill-child")


class Box:
    """A booted systemd."""

    def __init__(self, folder: Path) -> None:
        boot = Path(__file__).parents[1] / "system/boot.sh"
        self._unshare = subprocess.Popen(["unshare", *NAMESPACES, str(boot), str(folder)])
        self._pid = wait_for("systemd is PID 1", self._find)
        wait_for("it has booted", self._is_booted)

    def _find(self) -> int:
        assert self._unshare.poll() is None, "the box did not boot"
        pid = self._unshare.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        booted = [int(child) for child in children if Path(f"/proc/{child}/comm").read_text() == "systemd\n"]
        return booted[0] if booted else 0

    def _is_booted(self) -> bool:
        return self.run("systemctl", "is-active", "basic.target", check=False).stdout == "active\n"

    def run(self, *command: str, check: bool = True, user: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command in the box, as root or as a user with its groups."""
        with self.start(*command, user=user) as process:
            stdout, stderr = process.communicate(timeout=300)
        done = subprocess.CompletedProcess(command, process.returncode, stdout, stderr)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def start(self, *command: str, user: str = "") -> subprocess.Popen[str]:
        """Start a command in the box; it dies with the nsenter that is returned."""
        as_user = ("--reuid", user, "--regid", user, "--init-groups") if user else ()
        return subprocess.Popen(
            ["nsenter", "-t", str(self._pid), "-a", "setpriv", "--pdeathsig", "KILL", *as_user, "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
        )

    def put(self, path: Path, data: bytes) -> None:
        """Write a file that anybody may read."""
        place = Path(f"/proc/{self._pid}/root{path}")
        place.write_bytes(data)
        place.chmod(0o644)

    def deploy(self, name: str, data: bytes, mode: str = "644") -> None:
        """Put a file into the model folder as alice does: a plain copy, with her umask."""
        source = Path(f"/tmp/{name}")
        self.put(source, data)
        self.run("install", "-m", mode, str(source), f"{MODELS}/{name}", user="alice")

    def wait(self, model: str) -> None:
        """Wait until the newest file of a model serves."""
        self.run("mmctl", "wait", model, "--timeout", "60", user="alice")

    def predict(self, model: str) -> list[float]:
        """Have alice ask for one row of four numbers."""
        done = self.run("sh", "-c", f"echo '{ROW}' | mmctl --json predict {model} -i -", user="alice")
        return list(json.loads(done.stdout)["outputs"][0]["data"][0])

    def pids(self, model: str) -> list[int]:
        """Return the processes of a model that has its own."""
        models = json.loads(self.run("mmctl", "--json", "ps", user="alice").stdout)["models"]
        return next(list(one["pids"]) for one in models if one["name"] == model)

    def property(self, name: str, unit: str = "mmdaemon.service") -> str:
        """Return one property of a unit."""
        return self.run("systemctl", "show", "--value", "--property", name, unit).stdout.strip()

    def journal(self) -> str:
        """Return what the service logged."""
        return self.run("journalctl", "--no-pager", "-u", "mmdaemon").stdout

    def entries(self, *which: str) -> list[dict[str, str]]:
        """Return the fields of what was logged."""
        lines = self.run("journalctl", "--no-pager", "--output=json", *which).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def records(self, *which: str) -> list[tuple[float, str]]:
        """Return when, in seconds, and what was logged."""
        found = self.entries(*which)
        return [(int(one["__REALTIME_TIMESTAMP"]) / 1e6, str(one["MESSAGE"])) for one in found]

    def stop(self) -> None:
        """Leave nothing behind."""
        self._unshare.kill()
        self._unshare.wait()
