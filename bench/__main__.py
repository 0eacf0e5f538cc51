"""Measures and writes bench/README.md: python -m bench [SECTION ...]."""

import argparse
import sys

from bench import (
    crowd,
    endurance,
    footprint,
    growth,
    neighbour,
    peer,
    printing,
    processes,
    replay,
    report,
    scrape,
    soak,
    throughput,
)

SECTIONS = [
    scrape.SECTION,
    printing.SECTION,
    growth.SECTION,
    neighbour.SECTION,
    crowd.SECTION,
    peer.SECTION,
    footprint.SECTION,
    endurance.SECTION,
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
    parser.add_argument(
        "--page", action="store_true", help="put the page together from the last runs and end"
    )
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{section.name:10} {section.title}" for section in SECTIONS))
        return
    if options.page:
        report.write_readme(SECTIONS)
        return
    if wrong := sorted(set(options.sections) - known.keys()):
        parser.error(f"no section {', '.join(wrong)}; choose of {', '.join(known)}")
    processes.build_go()
    replay.build()
    for name in options.sections or [name for name in known if name != soak.SECTION.name]:
        print(f"{name} ...", file=sys.stderr)
        try:
            print(known[name].write())
        except report.SkippedError as exc:
            print(f"  skipped: {exc}", file=sys.stderr)
        report.write_readme(SECTIONS)


if __name__ == "__main__":
    main()
