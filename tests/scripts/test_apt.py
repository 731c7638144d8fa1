"""Installing Debian packages without their services; apt-get itself is a script of the test's."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from scripts import apt

PROGRAM = """\
#!/bin/sh
echo "$@" >> {log}
[ "$2" = update ] && exit 1
{policy} && echo allowed >> {log}
cat {policy} >> {log}.policy 2>/dev/null
{epmd} 3600 > /dev/null 2>&1 &
echo $! > {log}.pid
until [ "$(cat /proc/$!/comm)" = epmd ]; do :; done
echo "E: broken" ; exit {code}
"""


class InstallTests(SynchronousTestCase):
    """:func:`scripts.apt.install`."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.log = self.folder / "log"
        self.policy = self.folder / "policy-rc.d"
        self.patch(apt, "_POLICY", self.policy)
        self.patch(os, "geteuid", lambda: 0)
        self.patch(os, "environ", {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"})
        shutil.copy("/bin/sleep", self.folder / "epmd")

    def apt_get(self, code: int = 0) -> None:
        """Put a made-up apt-get into the PATH; it asks the policy, and leaves an epmd running."""
        program = self.folder / "apt-get"
        names = {"log": self.log, "policy": self.policy, "epmd": self.folder / "epmd"}
        program.write_text(PROGRAM.format(code=code, **names))
        program.chmod(0o755)

    def assert_epmd_ended(self) -> None:
        """The epmd that apt-get started ends within seconds, or has ended."""
        try:
            descriptor = os.pidfd_open(int(self.log.with_name("log.pid").read_text()))
        except ProcessLookupError:
            return
        self.addCleanup(os.close, descriptor)
        self.assertTrue(select.select([descriptor], [], [], 10)[0], "epmd lives on")

    def test_services_forbidden_meanwhile(self) -> None:
        """While apt-get runs, a policy forbids services; after that there is none, and no epmd of its making."""
        self.apt_get()
        apt.install("thing", purpose="a test")
        said = self.log.read_text()
        self.assertIn("install -y --no-install-recommends", said)
        self.assertNotIn("allowed", said)
        self.assertIn("rateway's set-up", self.log.with_name("log.policy").read_text())
        self.assertFalse(self.policy.exists())
        self.assert_epmd_ended()

    def test_policy_of_the_machine_kept(self) -> None:
        """A policy that somebody else made is used as it is, and stays."""
        self.policy.write_text("#!/bin/sh\nexit 0\n")
        self.policy.chmod(0o755)
        self.apt_get()
        apt.install("thing", purpose="a test")
        self.assertIn("allowed", self.log.read_text())
        self.assertEqual(self.policy.read_text(), "#!/bin/sh\nexit 0\n")

    def test_stale_policy_allows(self) -> None:
        """One of ours, left over by a killed set-up, forbids nothing any more, and is replaced and removed."""
        with subprocess.Popen(["true"]) as gone:
            pass
        with apt._no_services():
            self.assertEqual(subprocess.call([str(self.policy)]), 101)
            ours = self.policy.read_text()
        stale = ours.replace(str(os.getpid()), str(gone.pid))
        self.assertNotEqual(stale, ours)
        self.policy.write_text(stale)
        self.policy.chmod(0o755)
        self.assertEqual(subprocess.call([str(self.policy)]), 0)
        with apt._no_services():
            self.assertEqual(self.policy.read_text(), ours)
        self.assertFalse(self.policy.exists())

    def test_other_epmd_left_alone(self) -> None:
        """An epmd that was there before is nobody's business."""
        with subprocess.Popen([str(self.folder / "epmd"), "3600"]) as other:
            self.addCleanup(other.wait)
            self.addCleanup(other.kill)
            self.apt_get()
            apt.install("thing", purpose="a test")
            self.assertIsNone(other.poll())
            other.send_signal(signal.SIGKILL)

    def test_failure(self) -> None:
        """What apt-get said, and a sentence."""
        self.apt_get(code=100)
        error = self.assertRaises(apt.SetupError, apt.install, "thing", purpose="a test")
        self.assertEqual(str(error), "E: broken\napt-get could not install thing; the lines above say why")
        self.assert_epmd_ended()

    def test_not_root(self) -> None:
        """Without the right to install, the command to type is named."""
        self.apt_get()
        self.patch(os, "geteuid", lambda: 1000)
        error = self.assertRaises(apt.SetupError, apt.install, "thing", purpose="a test")
        self.assertEqual(str(error), "a test needs thing: run `apt-get install thing`, or run this as root")

    def test_not_debian(self) -> None:
        """Nor is apt-get tried where there is none."""
        self.patch(apt, "search_path", lambda: str(self.folder))
        error = self.assertRaises(apt.SetupError, apt.install, "thing", purpose="a test")
        self.assertIn("this is no Debian", str(error))
