"""The program was built with what hardens it (CMakeLists.txt; docs/security.md)."""
import re
import subprocess
import unittest

from harness import HIKYAKU, need


def readelf(*options):
    return subprocess.run(["readelf", "--wide", *options, HIKYAKU], capture_output=True, text=True, check=True).stdout


@unittest.skipIf({"asan", "tsan", "coverage"} & set(HIKYAKU.parts), "a build for tests is not hardened")
class Hardening(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        need("readelf")
        cls.segments = re.findall(r"^  ([A-Z_]+) +0x\S+ 0x\S+ 0x\S+ 0x\S+ 0x\S+ ([RWE ]{3}) ", readelf("--program-headers"), re.MULTILINE)
        cls.dynamic = readelf("--dynamic")
        cls.imported = {name.split("@")[0] for name in re.findall(r" UND (\S+)", readelf("--dyn-syms"))}

    def test_code_lies_at_random_addresses(self):
        self.assertRegex(readelf("--file-header"), r"Type: +DYN")
        self.assertRegex(self.dynamic, r"FLAGS_1\).*\bPIE\b")

    def test_nothing_is_writable_and_executable(self):
        self.assertIn("LOAD", dict(self.segments))
        self.assertEqual([s for s in self.segments if "W" in s[1] and "E" in s[1]], [])
        self.assertEqual([flags for kind, flags in self.segments if kind == "GNU_STACK"], ["RW "])

    def test_data_and_code_share_no_page(self):
        loads = [flags for kind, flags in self.segments if kind == "LOAD"]
        self.assertEqual(loads[0], "R  ", "headers and constants lie in a segment that is not executable")
        self.assertIn("R E", loads)

    def test_tables_of_the_loader_are_read_only_once_it_is_done(self):
        self.assertIn("GNU_RELRO", dict(self.segments))
        self.assertRegex(self.dynamic, r"FLAGS_1\).*\bNOW\b")

    def test_no_library_is_looked_for_beside_the_program(self):
        self.assertNotRegex(self.dynamic, "RPATH|RUNPATH")

    def test_stacks_and_copies_are_watched(self):
        self.assertIn("__stack_chk_fail", self.imported)
        self.assertTrue(any(name.startswith("__") and name.endswith("_chk") for name in self.imported), "_FORTIFY_SOURCE")
        self.assertTrue("_ZSt21__glibcxx_assert_failPKciS0_S0_" in self.imported, "_GLIBCXX_ASSERTIONS")


if __name__ == "__main__":
    unittest.main()
