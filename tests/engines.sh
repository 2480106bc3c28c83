#!/usr/bin/env bash
# Installs the engines that the end-to-end tests run against, into `target/engines`; does nothing when they are there.
# Needs Python 3.11 or newer with `venv`, and PyPI. Run it, or source it and call `install_engines`.

# Pinned: the strict layer in `tests/src/engines` corrects what these versions get wrong.
ENGINE_PACKAGES=("moto[server]==5.2.*" "ministack==1.5.33" "aws-sam-translator==1.*")

install_engines() {
  local root environment stamp wanted
  root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)" || return
  environment="$root/target/engines/python"
  stamp="$environment/installed"
  wanted="${ENGINE_PACKAGES[*]}"
  # The stamp is written last, so an interrupted installation is done again.
  if [[ -f "$stamp" && "$(<"$stamp")" == "$wanted" ]]; then
    return 0
  fi
  if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "engines: needs \`python3\` 3.11 or newer" >&2
    return 1
  fi
  mkdir -p "$root/target/engines" || return
  # One installer at a time; another that waited finds the stamp.
  (
    if command -v flock >/dev/null; then flock 9 || exit; fi
    if [[ -f "$stamp" && "$(<"$stamp")" == "$wanted" ]]; then exit 0; fi
    echo "engines: installing $wanted" >&2
    rm -rf "$environment" || exit
    python3 -m venv "$environment" || exit
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check "${ENGINE_PACKAGES[@]}" >&2 || exit
    printf '%s' "$wanted" >"$stamp"
  ) 9>"$root/target/engines/lock"
}

if [[ "${BASH_SOURCE[0]}" == "$0" ]]; then
  set -euo pipefail
  install_engines
fi
