# SPDX-License-Identifier: MIT
"""Unit tests of the benchmark's Python: what is read from a guest's lines, costs, targets, table, picture. Run by `tests/check bench/tool`."""
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from dataclasses import asdict
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import bench_cost  # noqa: E402  (after the path is set)
import bench_rows  # noqa: E402
import bench_sources  # noqa: E402
import bench_table  # noqa: E402
import bench_targets  # noqa: E402
from bench_picture import picture  # noqa: E402
from bench_rows import Row  # noqa: E402

LINES = ["I bench", "B l2_cpuid 400.00", "B l2_cpuid.mean 401.25", "B l2_cpuid.entries 1.00", "B l2_cpuid.l0_exits 2.00", "B l2_cpuid.l0_vmreads 20.00",
         "B l2_cpuid.l0_vmwrites 10.50", "B l2_cpuid.l0_vmptrlds 2.00", "B l2_cpuid.l0_vmclears 0.00", "DONE passed=1 failed=0"]


def rows(**ticks):
    return [Row("l2_cpuid", subject, value) for subject, value in ticks.items()]


def verdicts(row, *others):
    known = next(known for group in bench_targets.GROUPS.values() for known in group if known.name == row.name)
    return [met for _, met in bench_targets.verdicts(known, bench_rows.by_name([row, *others]))]


class Rows(unittest.TestCase):
    def test_counters_of_l0_are_read(self):
        row, = bench_rows.of_guest(LINES, "testudo")
        self.assertEqual((row.ticks, row.mean, row.exits, row.accesses, row.transitions), (400, 401.25, 2, 32.5, 4))

    def test_bare_there_is_no_l0(self):
        row, = bench_rows.of_guest(LINES[:4], "bare")
        self.assertEqual((row.exits, row.accesses, row.transitions), (0, 0, 2))

    def test_what_kvm_does_not_tell_is_unknown(self):
        row, = bench_rows.of_guest(LINES[:5], "kvm")
        self.assertEqual((row.exits, row.accesses, row.transitions), (2, None, 4))
        row, = bench_rows.of_guest(LINES[:4], "kvm")
        self.assertEqual((row.exits, row.accesses, row.transitions), (None, None, None))

    def test_json_keeps_everything(self):
        before = bench_rows.of_guest(LINES, "testudo") + bench_rows.of_guest(LINES[:4], "bare")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bench.json"
            bench_rows.save(before, path)
            self.assertEqual(bench_rows.load(path), before)

    def test_bad_rows_are_named(self):
        good = asdict(Row("a", "bare", 1))
        self.assertEqual(bench_rows.problems([good]), [])
        for change in ({"name": ""}, {"subject": "xen"}, {"ticks": None}, {"ticks": -1}, {"ticks": "1"}, {"exits": True}):
            self.assertEqual(len(bench_rows.problems([{**good, **change}])), 1, change)
        for key in bench_rows.COUNTS:
            self.assertEqual(len(bench_rows.problems([{k: v for k, v in good.items() if k != key}])), 1, key)
        self.assertEqual(len(bench_rows.problems([good, good])), 1)
        self.assertEqual(len(bench_rows.problems([])), 1)
        self.assertEqual(len(bench_rows.problems({})), 1)


class Costs(unittest.TestCase):
    def test_every_count_costs(self):
        row = Row("a", "testudo", 100, 2, 10, 4, None, 1, 2, 3, 4)
        costs = {"cpi": 2, "transition": 1000, "vmread": 10, "vmwrite": 100, "vmptrld": 7, "vmclear": 5}
        self.assertEqual(bench_cost.cycles(row, costs), 200 + 4000 + 10 + 200 + 21 + 20)

    def test_unknown_counts_have_no_sum(self):
        row = Row("a", "kvm", 100, 2, None, 4)
        self.assertIsNone(bench_cost.cycles(row, bench_cost.COSTS))
        self.assertEqual(bench_cost.least(row, {**bench_cost.COSTS, "cpi": 1, "transition": 10}), 140)

    def test_costs_can_be_changed(self):
        self.assertEqual(bench_cost.with_changes(["vmread=7"]), {**bench_cost.COSTS, "vmread": 7})
        for bad in ("vmread", "vmread=", "vmread=x", "vmread=-1", "vmread=nan", "vmread=inf", "cash=1"):
            with self.assertRaises(bench_cost.BadCost, msg=bad):
                bench_cost.with_changes([bad])


class Targets(unittest.TestCase):
    def test_counts_are_compared(self):
        good = Row("l2_cpuid", "testudo", 450, 2, 50, 4)
        self.assertEqual(verdicts(good), [True, True, True])
        self.assertEqual(verdicts(Row("l2_cpuid", "testudo", 451, 1, 50.1, 4)), [False, False, False])
        self.assertEqual(verdicts(Row("l2_cpuid", "testudo", 400)), [True, None, None])

    def test_rows_are_compared_with_others(self):
        boot = Row("linux_boot", "testudo", 1002)
        self.assertEqual(verdicts(boot, Row("linux_boot", "bare", 1000)), [True])
        self.assertEqual(verdicts(boot, Row("linux_boot", "bare", 999)), [False])
        self.assertEqual(verdicts(boot), [None])
        again = Row("touch_64mb_4k_after_invept", "testudo", 250)
        self.assertEqual(verdicts(again, Row("touch_64mb_4k", "testudo", 1000)), [True])
        self.assertEqual(verdicts(again, Row("touch_64mb_4k", "testudo", 996)), [False])

    def test_every_name_is_known_and_comes_once(self):
        names = [known.name for group in bench_targets.GROUPS.values() for known in group]
        self.assertEqual(len(names), len(set(names)))
        self.assertLessEqual(set(bench_targets.REFERENCE), set(names))
        others = {limit.what for group in bench_targets.GROUPS.values() for known in group for limit in known.limits}
        self.assertLessEqual(others - {"ticks", "exits", "accesses", "bare"}, set(names))

    def test_fields_are_described(self):
        known = bench_targets.of_field("vmwrite_natural_host_rare")
        self.assertEqual((known.text, known.limits), ("VMWRITE, natural host state, rare field", ()))
        self.assertEqual(len(bench_targets.of_field("vmread_32_exit_data").limits), 1)

    def test_no_row_is_left_out(self):
        names = ["l2_cpuid", "vmread_16_host", "something_new"]
        self.assertEqual([known.name for _, group in bench_targets.groups(names) for known in group], names)


class Shown(unittest.TestCase):
    def test_table_tells_ratio_and_misses(self):
        text = "\n".join(bench_table.lines(rows(bare=100, testudo=500, kvm=5000), bench_cost.COSTS, plain=True))
        for words in ("10.0", "≤ 450 ticks MISSED", "2 exits ?", "0 met, 1 missed, 2 not measured"):
            self.assertIn(words, text)
        self.assertNotIn(bench_targets.REFERENCE_NAME, text)

    def test_cycles_of_kvm_need_its_accesses(self):
        row = Row("l2_cpuid", "kvm", 14000, 2, None, 4)
        counted = bench_targets.REFERENCE_ACCESSES["l2_cpuid"]
        full = bench_cost.cycles(Row("l2_cpuid", "kvm", 14000, 2, sum(counted.values()), 4, **counted), bench_cost.COSTS)
        text = "\n".join(bench_table.lines([row], bench_cost.COSTS, plain=True))
        self.assertIn(f"{full:,}**", text)
        self.assertIn("≥ 9,000", "\n".join(bench_table.lines([Row("l2_hlt", "kvm", 14000, 2, None, 4)], bench_cost.COSTS, plain=True)))

    def test_reference_is_marked(self):
        text = "\n".join(bench_table.lines(rows(testudo=400), bench_cost.COSTS, plain=True))
        self.assertIn(f"{bench_targets.REFERENCE['l2_cpuid']:,}*", text)
        self.assertIn(bench_targets.REFERENCE_NAME, text)

    def test_picture_is_xml_with_ratio_and_legend(self):
        words = " ".join(ElementTree.fromstring(picture(rows(bare=100, testudo=500, kvm=5000))).itertext())
        for part in ("10.0 times leaner than KVM", "bare machine", "on Testudo", "on Linux/KVM", "5,000"):
            self.assertIn(part, words)
        self.assertIn("2.0 times heavier", " ".join(ElementTree.fromstring(picture(rows(testudo=500, kvm=250))).itertext()))

    def test_picture_of_nothing_is_a_picture(self):
        for few in ([], rows(bare=1), rows(testudo=0)):
            ElementTree.fromstring(picture(few))


class Sources(unittest.TestCase):
    def test_choice(self):
        every = list(bench_sources.chosen([], bench_rows.SUBJECTS, True))
        self.assertEqual(every, bench_sources.SOURCES)
        self.assertEqual({s.subject for s in bench_sources.chosen([], ["bare"], True)}, {"bare"})
        self.assertEqual({s.name for s in bench_sources.chosen(["guest"], bench_rows.SUBJECTS, False)}, {"guest"})
        self.assertFalse([s for s in bench_sources.chosen([], bench_rows.SUBJECTS, False) if s.deep])


if __name__ == "__main__":
    unittest.main()
