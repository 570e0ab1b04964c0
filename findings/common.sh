# shellcheck shell=bash
# Sourced by each finding: temporary folder, requirements, and comparison with the recorded result.
set -euo pipefail
export PYTHONPATH PYTHONWARNINGS=ignore PYTHONDONTWRITEBYTECODE=1
PYTHONPATH=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# PACKAGE VERSION: requires that version of a Debian package; sets $python to /usr/bin/python3
needs_debian() {
  local found
  found=$(dpkg-query -W -f '${Version}' "$1" 2>/dev/null || true)
  if [[ $found != "$2"[-+]* ]]; then
    printf 'Not tried here: needs %s %s of Debian, found %s.\n' "$1" "$2" "${found:-none}"
    exit 77
  fi
  python=/usr/bin/python3
}

# PACKAGE==VERSION ...: from the package index, into an environment in the temporary folder; sets $python to its Python
installs() {
  python3 -m venv environment
  python=$folder/environment/bin/python
  if ! "$python" -m pip install --quiet --disable-pip-version-check "$@" 2>pip.log; then
    tail -2 pip.log
    printf 'Not tried here: %s cannot be installed.\n' "$*"
    exit 77
  fi
}

# SEEN CAME_OUT
compare() {
  printf '%s\n' "$2"
  if [ "$1" != "$2" ]; then
    printf '\nThis has changed. Seen before:\n%s\n' "$1"
    exit 1
  fi
}
