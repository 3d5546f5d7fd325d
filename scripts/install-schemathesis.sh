#!/usr/bin/env bash
# Installs Schemathesis, pinned with hashes, into FOLDER; does nothing when it is there already.
# Prints the path of its command. Needs python3 >= 3.11 with venv, or with pip.
set -euo pipefail

folder=$1
requirements=$(dirname "$0")/../tests/conformance/requirements.txt
wanted=$(sha256sum "$requirements" | cut -d ' ' -f 1)

if [ "$(cat "$folder/installed" 2>/dev/null)" != "$wanted" ]; then
  if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "missing: python3 3.11 or later (this is $(python3 -V 2>&1 || true)), for make conformance" >&2
    exit 1
  fi
  rm -rf "$folder"
  mkdir -p "$folder"
  options=(--quiet --disable-pip-version-check --require-hashes --only-binary :all: --requirement "$requirements")
  # A Debian without python3-venv fails here, and leaves half of a folder.
  if python3 -m venv "$folder/venv" >/dev/null 2>&1; then
    "$folder/venv/bin/python" -m pip install "${options[@]}" >&2
    printf '#!/bin/sh\nexec "%s/venv/bin/st" "$@"\n' "$(realpath "$folder")" > "$folder/st"
  elif python3 -m pip --version >/dev/null 2>&1; then
    python3 -m pip install "${options[@]}" --target "$folder/packages" >&2
    printf '#!/bin/sh\nPYTHONPATH="%s/packages${PYTHONPATH:+:$PYTHONPATH}" exec python3 "%s/packages/bin/st" "$@"\n' \
      "$(realpath "$folder")" "$(realpath "$folder")" > "$folder/st"
  else
    echo "missing: venv or pip of python3, for make conformance: apt-get install python3-venv" >&2
    exit 1
  fi
  chmod +x "$folder/st"
  echo "$wanted" > "$folder/installed"
fi
echo "$folder/st"
