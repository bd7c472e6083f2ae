"""The commands of the README: demo, test, package, bench, gallery."""
