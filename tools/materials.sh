#!/bin/sh
# What an installation of the exporter consists of.
# usage: tools/materials.sh sbom FILE [PYTHON]    writes a CycloneDX bill of materials
#        tools/materials.sh audit                 asks the registry's service for known weaknesses, where it can be reached
# Without PYTHON, whose environment is looked at, one is made for it.
set -eu
cd "$(dirname "$0")/.."

install() {
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    python="$folder/venv/bin/python"
    .venv/bin/python -m venv --without-pip "$folder/venv"
    .venv/bin/python -m pip --python "$python" install --quiet --constraint constraints.txt '.[postgres]'
}

case "${1:-}" in
sbom)
    python="${3:-}"
    [ -n "$python" ] || install
    mkdir -p "$(dirname "$2")"
    .venv/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file "$2" "$python"
    ;;
audit)
    install
    .venv/bin/python -m pip install --quiet --group audit
    # Strict: a package that the service does not know was not audited.
    .venv/bin/pip-audit --progress-spinner off --strict \
        --path "$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
    ;;
*)
    printf '%s\n' "usage: tools/materials.sh sbom FILE [PYTHON] | audit" >&2
    exit 2
    ;;
esac
