"""A plain Debian in a folder: made with debootstrap, entered with chroot, gone with everything that ran in it.

Needs root. Each command runs in a process namespace of its own, so nothing that it started can outlive it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.style.sources import ROOT

MAKE_SECONDS_MAX = 900
COMMAND_SECONDS_MAX = 1_500
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
CERTIFICATES_INSIDE = "registries.crt"  # a name that no package of Debian writes over
_PROXIES = re.compile(r"(https?|no|all)_proxy", re.IGNORECASE)
_PIP_SETTINGS = ("index-url", "trusted-host", "proxy", "timeout")  # the rest is about this machine's own folders


def _way_to_the_registries() -> dict[str, str]:
    """The environment with which pip and apt in there reach what they reach here."""
    variables = {name: value for name, value in os.environ.items() if _PROXIES.fullmatch(name)}
    for name in _PIP_SETTINGS:
        asked = [sys.executable, "-m", "pip", "config", "get", f"global.{name}"]
        told = subprocess.run(asked, capture_output=True, text=True, check=False)
        if told.returncode == 0:
            variables[f"PIP_{name.upper().replace('-', '_')}"] = told.stdout.strip()
    if CERTIFICATES.exists():
        variables |= dict.fromkeys(("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), f"/{CERTIFICATES_INSIDE}")
    return variables


def is_possible() -> str:
    """Why no such folder can be made here; "" when it can. Installs debootstrap where apt and root allow it."""
    if os.geteuid() != 0:
        return "only root can enter another root folder"
    if shutil.which("apt-get") is None:
        return "debootstrap is for Debian"
    if shutil.which("debootstrap") is None:
        subprocess.run(["apt-get", "update", "-q"], capture_output=True, check=False)
        subprocess.run(["apt-get", "install", "-y", "-q", "debootstrap"], capture_output=True, check=False)
    if shutil.which("debootstrap") is None:
        return "debootstrap cannot be installed"
    entered = subprocess.run([*_NAMESPACE, "true"], capture_output=True, text=True, check=False)
    return entered.stderr.strip()


_NAMESPACE = ("unshare", "--mount", "--pid", "--fork", "--kill-child")


def mirror() -> str:
    """Where this machine gets its Debian packages from."""
    targets = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CREATED_BY) $(COMPONENT)"]
    told = subprocess.run(targets, capture_output=True, text=True, check=True).stdout
    addresses = [line.split()[0] for line in told.splitlines() if line.endswith(" Packages main")]
    return next(address for address in addresses if address.rstrip("/").endswith("/debian"))


class BareDebian:
    """One such folder, with this checkout in `/srv/src`."""

    def __init__(self, root: Path, release: str) -> None:
        self.root = root
        line = ["debootstrap", "--variant=minbase", release, str(root), mirror()]
        subprocess.run(line, check=True, capture_output=True, timeout=MAKE_SECONDS_MAX)
        self._network = _way_to_the_registries()
        self._bring_network_settings()
        self._bring_checkout()

    def _bring_network_settings(self) -> None:
        """The way to the package registries is this machine's; the programs are the folder's own."""
        for source, name in ((CERTIFICATES, CERTIFICATES_INSIDE), (Path("/etc/resolv.conf"), "etc/resolv.conf")):
            if source.exists():
                shutil.copy(source, self.root / name)
        apt = self.root / "etc/apt/apt.conf.d/99-test"
        apt.write_text('APT::Update::Error-Mode "any";\n', encoding="utf-8")

    def _bring_checkout(self) -> None:
        """What git tracks, as it stands in the working tree."""
        names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        packed = self.root / "src.tar"
        with tarfile.open(packed, "w") as archive:
            for name in filter(None, names.split("\0")):
                if (ROOT / name).exists():
                    archive.add(ROOT / name, name)
        (self.root / "srv/src").mkdir()
        subprocess.run(["tar", "-xf", str(packed), "-C", str(self.root / "srv/src")], check=True)
        packed.unlink()

    def line(self, command: str, user: str = "root", **more: str) -> list[str]:
        """The command line that runs a shell command in the checkout, in there."""
        home = "/root" if user == "root" else f"/home/{user}"
        variables = self._network | {"HOME": home, "USER": user, "LOGNAME": user, "DEBIAN_FRONTEND": "noninteractive"}
        variables |= {"PATH": f"{home}/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        settings = [f"{name}={value}" for name, value in (variables | more).items()]
        enter = f'mount -t proc proc "$0/proc" && exec chroot --userspec={user} "$0" env -i "$@"'
        inside = [*settings, "sh", "-c", f"cd /srv/src && {command}"]
        return [*_NAMESPACE, "sh", "-c", enter, str(self.root), *inside]

    def run(self, command: str, user: str = "root", **variables: str) -> str:
        """What a command prints; fails the test with all of it when its status is not 0."""
        done = subprocess.run(
            self.line(command, user, **variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}\nstatus {done.returncode}"
        return done.stdout
