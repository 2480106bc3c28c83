#!/bin/sh
# Installs `provision` from a release: see `usage`. POSIX sh, for machines that have little.
set -eu

usage() {
  cat <<'TEXT'
Usage: LATCHKEY_RELEASES=ADDRESS install.sh [--to DIR] [--sha256 HEX]

Downloads the archive of a release for this machine, checks its SHA-256 and installs `provision`.

Options:
  --to DIR       Folder to install into [default: ~/.local/bin]
  --sha256 HEX   Refuse any other archive than this one. Without it only the release's own SHA256SUMS is compared: that
                 finds a damaged archive, not a release that somebody replaced as a whole
  --help         Print this text

Environment:
  LATCHKEY_RELEASES   Address of the folder that contains the files of one release, SHA256SUMS among them; `https://`,
                      or `http://` on this machine

Needs `curl`, `tar`, and `sha256sum` or `shasum`. Runs as you are: it calls no `sudo`.
TEXT
}

fail() {
  echo "install.sh: $1" >&2
  [ $# -lt 2 ] || echo "  help: $2" >&2
  exit 1
}

# What Rust calls this machine.
machine() {
  system="$(uname -s)" processor="$(uname -m)"
  case "$processor" in
    x86_64 | amd64) processor=x86_64 ;;
    aarch64 | arm64) processor=aarch64 ;;
    *) system="unknown" ;;
  esac
  case "$system" in
    Linux) echo "$processor-unknown-linux-musl" ;;
    Darwin) echo "$processor-apple-darwin" ;;
    *) fail "no release is built for this machine: \`$(uname -s)\` on \`$(uname -m)\`; nothing was installed" \
      "build it: \`cargo install --locked --git REPOSITORY provisioner\`" ;;
  esac
}

# Downloads a file of the release. A redirect must not lead to plain HTTP.
fetch() {
  curl --fail --silent --show-error --location --proto "$protocols" --proto-redir "$protocols" \
    --retry 3 --connect-timeout 20 --output "$2" "$releases/$1" ||
    fail "cannot download \`$releases/$1\`; nothing was installed" "see whether LATCHKEY_RELEASES names a release"
}

sum() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

main() {
  folder="" expected=""
  while [ $# -gt 0 ]; do
    case "$1" in
      --to | --sha256)
        [ $# -ge 2 ] && [ -n "$2" ] || fail "\`$1\` needs a value" "see \`install.sh --help\`"
        if [ "$1" = --to ]; then folder="$2"; else expected="$2"; fi
        shift 2
        ;;
      --help | -h)
        usage
        exit 0
        ;;
      *) fail "unknown argument \`$1\`" "see \`install.sh --help\`" ;;
    esac
  done
  releases="${LATCHKEY_RELEASES:-}"
  releases="${releases%/}"
  case "$releases" in
    *@*) fail "LATCHKEY_RELEASES contains \`@\`" "name the host alone, without a user" ;;
    https://*) protocols="=https" ;;
    http://127.0.0.1 | http://127.0.0.1[:/]* | http://localhost | http://localhost[:/]* | 'http://[::1]'*) protocols="=http,https" ;;
    "") fail "LATCHKEY_RELEASES is not set" "set it to the address of the folder that contains the files of a release" ;;
    *) fail "LATCHKEY_RELEASES does not begin with \`https://\`" "plain HTTP is for this machine only" ;;
  esac
  [ -n "$folder" ] || folder="${HOME:?HOME is not set: pass --to DIR}/.local/bin"
  for needed in curl tar; do
    command -v "$needed" >/dev/null || fail "\`$needed\` is not installed; nothing was installed"
  done
  command -v sha256sum >/dev/null || command -v shasum >/dev/null ||
    fail "neither \`sha256sum\` nor \`shasum\` is installed, so no archive can be checked; nothing was installed"
  target="$(machine)"

  work="$(mktemp -d)"
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  fetch SHA256SUMS "$work/SHA256SUMS"
  # `SUM  NAME` a line; what is not of that form names no archive.
  line="$(grep -E "^[0-9a-f]{64} [ *]latchkey-[0-9A-Za-z.+-]+-$target\\.tar\\.gz\$" "$work/SHA256SUMS")" ||
    fail "the release has no archive for \`$target\`; nothing was installed" "SHA256SUMS of a release lists its archives"
  [ "$(printf '%s\n' "$line" | wc -l)" -eq 1 ] ||
    fail "the release has more than one archive for \`$target\`; nothing was installed"
  archive="${line#*[ *]}"
  archive="${archive#[ *]}"
  fetch "$archive" "$work/archive.tar.gz"
  found="$(sum "$work/archive.tar.gz")"
  for wanted in "${line%% *}" ${expected:+"$expected"}; do
    [ "$found" = "$wanted" ] ||
      fail "the checksum of \`$archive\` differs: expected $wanted, found $found; nothing was installed" \
        "the archive is damaged or was replaced: do not use it"
  done

  tar -xzf "$work/archive.tar.gz" -C "$work" "${archive%.tar.gz}/provision" ||
    fail "\`$archive\` does not contain \`provision\`; nothing was installed"
  mkdir -p "$folder" || fail "cannot create \`$folder\`; nothing was installed" "pass a folder of yours with \`--to\`"
  # Renamed into place, so that a command that runs meanwhile is not disturbed.
  new="$folder/.provision.$$"
  { cp "$work/${archive%.tar.gz}/provision" "$new" && chmod 755 "$new" && mv -f "$new" "$folder/provision"; } || {
    rm -f "$new"
    fail "cannot write \`$folder/provision\`; what was there is unchanged" "pass a folder of yours with \`--to\`"
  }
  echo "Installed \`$folder/provision\` from $archive (SHA-256 $found)" >&2
  case ":$PATH:" in
    *":$folder:"*) ;;
    *) echo "  help: \`$folder\` is not in your PATH" >&2 ;;
  esac
}

# At the end, so that half a script does nothing.
main "$@"
