"""The README's first award, and that the package has the verifier in it."""

import io
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import unittest
from contextlib import redirect_stdout

from ledger import ROOT, Ledger

HERE = pathlib.Path(__file__).resolve().parent
BLOCKS = re.findall("```python\n(.*?)```", (HERE.parent / "README.md").read_text(), re.DOTALL)


class TheReadme(unittest.TestCase):
    def test_from_install_to_the_first_award(self):
        ledger = Ledger()
        self.addCleanup(ledger.close)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(ledger.path)
        (ledger.path / "log.vkey").write_text(ledger.log)
        names, out = {}, io.StringIO()
        with redirect_stdout(out):
            exec(BLOCKS[0].replace("https://ledger.example.org", ledger.url), names)
        self.assertIn("admitted=1", out.getvalue())
        self.assertIn("state='in'", out.getvalue())
        index = names["outbox"].row(names["ride"]).entry
        ledger.command("receipt", "--from", ledger.url, str(index), "-o", "award.tlog-proof")
        out = io.StringIO()
        with redirect_stdout(out):
            exec(BLOCKS[1].replace("receipt/11", f"receipt/{index}"), names)
        self.assertIn("holds", out.getvalue())
        self.assertLessEqual(len(BLOCKS[0].strip().split("\n")), 13)


class ThePagesForPlatforms(unittest.TestCase):
    def test_they_have_the_same_lines(self):
        self.assertIn(f"```python\n{BLOCKS[0]}```", (ROOT / "docs/integrating.md").read_text())


class ThePackage(unittest.TestCase):
    def test_the_core_imports_nothing_but_the_standard_library(self):
        check = "import sys; sys.modules['cryptography'] = None; import arborlog, arborlog.records, arborlog.merkle"
        subprocess.run([sys.executable, "-c", check], env=os.environ | {"PYTHONPATH": str(HERE.parent / "src")},
                       check=True, timeout=30)

    def test_a_build_takes_the_verifier_from_where_it_is(self):
        with tempfile.TemporaryDirectory() as scratch:
            build = (
                f"from setuptools import build_meta; print(build_meta.build_sdist({scratch!r}))"
            )
            # Built elsewhere, so that nothing is left in the checkout; the link is absolute there.
            copy = pathlib.Path(scratch) / "python"
            subprocess.run(["cp", "-r", HERE.parent, copy], check=True, timeout=30)
            for link in (copy / "src/arborlog/verifier.py", copy / "LICENSE"):
                target = (HERE.parent / link.relative_to(copy)).resolve()
                link.unlink()
                link.symlink_to(target)
            subprocess.run([sys.executable, "-c", build], cwd=copy, check=True, timeout=60, capture_output=True)
            (made,) = pathlib.Path(scratch).glob("*.tar.gz")
            with tarfile.open(made) as archive:
                (member,) = [one for one in archive.getmembers() if one.name.endswith("arborlog/verifier.py")]
                self.assertTrue(member.isfile())
                data = archive.extractfile(member).read()
        self.assertEqual(data, (ROOT / "docs/verifier/arborlog_verify.py").read_bytes())


if __name__ == "__main__":
    unittest.main()
