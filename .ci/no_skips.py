"""Fail when pytest's JUnit report holds a skipped test, or none at all."""

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

report = ET.parse(Path(sys.argv[1])).getroot()  # noqa: S314 - pytest wrote it just now
suites = list(report.iter("testsuite"))
ran = sum(int(suite.get("tests", 0)) for suite in suites)
skipped = [
    f"{case.get('classname')}::{case.get('name')}"
    for case in report.iter("testcase")
    if case.find("skipped") is not None
]
if not ran:
    sys.exit("No test ran.")
if skipped:
    sys.exit("Here every test must run, and these were skipped:\n  " + "\n  ".join(skipped))
