#!/usr/bin/env bash
# Static checks; each part prints its time. Called by ./dev lint and ./dev test with the environment set up.
set -uo pipefail
only=${1:-}

part() {
  local what=$1 began=$SECONDS log
  shift
  [ -z "$only" ] || [ "$only" = "$what" ] || return 0
  log=$(mktemp)
  if "$@" >"$log" 2>&1; then
    echo "  ✓ $what ($((SECONDS - began)) s)" >&2
  else
    cat "$log" >&2
    echo "  ✗ $what ($((SECONDS - began)) s)" >&2
    echo "$what" >>"$FAILED"
  fi
  rm -f "$log"
}

types() {
  local base=ansible_collections.odoo_ops.change_control.plugins.module_utils
  MYPYPATH=$ODOO_OPS_COLLECTIONS mypy --strict --config-file pyproject.toml --cache-dir "$TMP/mypy" -p $base._core -p $base._io
}

# ansible-test hands its pip nothing of the environment but HOME, so the settings of whoever runs this (a mirror, a certificate) go
# along in files there: the person's own one, then the variables, which outrank it.
pip_settings() (
  umask 077
  mkdir -p "$1/.pip" "$1/.config/pip"
  for own in "$HOME/.pip/pip.conf" "${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf"; do
    if [ -e "$own" ]; then ln -sfn "$own" "$1/.pip/pip.conf"; fi
  done
  { echo '[global]'; env | sed -n '/^PIP_CONFIG_FILE=/d; s/^PIP_\([A-Z_]*\)=/\1 = /p'; } >"$1/.config/pip/pip.conf"
)

# ansible-test wants the path to end in ansible_collections/NAMESPACE/NAME and a git checkout of its own.
sanity() (
  local tree=$TMP/sanity/ansible_collections/odoo_ops/change_control version
  version=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  rm -rf "$TMP/sanity" && mkdir -p "$tree"
  git ls-files -z --cached --others --exclude-standard | grep -zv -e '^tests/lab/releases' | xargs -0 -I{} sh -c '[ -e "{}" ] && cp --parents "{}" "$0"' "$tree" || return 1
  cd "$tree" && git init -q && git add -A || return 1
  local pip
  pip=$(python -c 'import sys, types
from ansible_test._internal.python_requirements import get_venv_packages
print(get_venv_packages(types.SimpleNamespace(version="%d.%d" % sys.version_info[:2]))["pip"])') || return 1
  mkdir -p "$TMP/home/.ansible/test/cache"
  pip_settings "$TMP/home" || return 1
  cp tests/sanity_bootstrap.py "$TMP/home/.ansible/test/cache/get_pip_${pip//./_}.py"
  HOME=$TMP/home ansible-test sanity --local --python "$version"
)

# The importer exits 0 whatever it found, and says what it found in its log: a warning is a finding there (a missing readme or
# changelog, a rule of its own ansible-lint), and only its last line tells that it went through.
importer() {
  local tree=$TMP/build
  rm -rf "$tree" && mkdir -p "$tree"
  ansible-galaxy collection build --output-path "$tree" --force >/dev/null || return 1
  (cd "$tree" && PATH="$IMPORTER_ENV/bin:$PATH" PYTHONPATH='' ANSIBLE_COLLECTIONS_PATH='' GALAXY_IMPORTER_ANSIBLE_LOCAL_TMP=$TMP/importer \
    "$IMPORTER_ENV/bin/python" -m galaxy_importer.main ./*.tar.gz) 2>&1 | tee "$tree/log"
  [ "${PIPESTATUS[0]}" -eq 0 ] || return 1
  grep -q '^Importer processing completed successfully' "$tree/log" && ! grep -E '^(WARNING|ERROR|CRITICAL)' "$tree/log"
}

# Every option of a role has a default with the same key, or is required.
TMP=${XDG_CACHE_HOME:-$HOME/.cache}/odoo-change-control/lint-$(pwd | sha256sum | cut -c1-8)
FAILED=$TMP/failed
mkdir -p "$TMP/importer"
: >"$FAILED"

# as long as all others together, which go on beside it
part "ansible-test sanity" sanity &
part "ruff check" ruff check --cache-dir "$TMP/ruff" .
part "ruff format" ruff format --check --cache-dir "$TMP/ruff" .
part mypy types
part yamllint yamllint --strict .
part ansible-lint ansible-lint --profile production --offline
part "antsibull-docs" antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck .
part "antsibull-changelog" antsibull-changelog lint
part "galaxy-importer" importer
wait

if [ -s "$FAILED" ]; then
  echo "lint: not clean: $(paste -sd, "$FAILED")" >&2
  exit 1
fi
