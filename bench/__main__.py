"""Measures and writes bench/README.md: python -m bench [SECTION ...]."""

import argparse
import sys

from bench import crowd, footprint, growth, neighbour, printing, processes, report, scrape, soak, throughput

SECTIONS = [
    scrape.SECTION,
    printing.SECTION,
    growth.SECTION,
    neighbour.SECTION,
    crowd.SECTION,
    footprint.SECTION,
    throughput.SECTION,
    soak.SECTION,
]


def main() -> None:
    """Runs the sections asked for, or all."""
    known = {section.name: section for section in SECTIONS}
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help=f"of {', '.join(known)}; by default all but the soak"
    )
    parser.add_argument("--list", action="store_true", help="name the sections and end")
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{section.name:10} {section.title}" for section in SECTIONS))
        return
    if wrong := sorted(set(options.sections) - known.keys()):
        parser.error(f"no section {', '.join(wrong)}; choose of {', '.join(known)}")
    processes.build_go()
    for name in options.sections or [name for name in known if name != soak.SECTION.name]:
        print(f"{name} ...", file=sys.stderr)
        print(known[name].write())
        report.write_readme(SECTIONS)


if __name__ == "__main__":
    main()
