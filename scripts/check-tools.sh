#!/usr/bin/env bash
# Says plainly what is missing before a build fails in the middle. Needs nothing itself.
set -euo pipefail

RUST=1.95   # rust-version in Cargo.toml
missing=()
have() { command -v "$1" >/dev/null 2>&1; }

have cc || missing+=("a C compiler (cc): apt-get install build-essential")
have curl || missing+=("curl: apt-get install curl")
if have python3; then
  # For Schemathesis (make conformance); pip alone does too.
  python3 -c 'import ensurepip' 2>/dev/null || python3 -m pip --version >/dev/null 2>&1 ||
    missing+=("venv of python3: apt-get install python3-venv")
else
  missing+=("python3 with venv: apt-get install python3 python3-venv")
fi
if have cargo && have rustc; then
  version=$(rustc -V | sed -n 's/^rustc \([0-9]*\.[0-9]*\).*/\1/p')
  if [ "$(printf '%s\n%s\n' "$RUST" "$version" | sort -V | head -n 1)" != "$RUST" ]; then
    missing+=("Rust $RUST or later (this is $version): rustup update stable")
  fi
else
  missing+=("Rust $RUST or later with rustup: see https://rustup.rs")
fi

if [ ${#missing[@]} -gt 0 ]; then
  printf 'missing: %s\n' "${missing[@]}" >&2
  exit 1
fi
