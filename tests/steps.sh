# Steps of a run and how long each took; `.ci/run` hands its own on to `tests/run`. For sourcing.

# `NAME<tab>SECONDS` a line.
export LATCHKEY_STEPS="${LATCHKEY_STEPS:-}"

# Runs a command as a step of this name, and answers what it answers.
step() {
  local name="$1" started="$SECONDS" status=0
  shift
  echo "== $name" >&2
  "$@" || status=$?
  LATCHKEY_STEPS+="$name"$'\t'"$((SECONDS - started))"$'\n'
  echo "== $name: $((SECONDS - started)) s" >&2
  return "$status"
}

# All steps with their times, the slowest ones in plain sight.
print_steps() {
  local name seconds sum=0
  echo "== times" >&2
  while IFS=$'\t' read -r name seconds; do
    printf '%7d s  %s\n' "$seconds" "$name" >&2
    sum=$((sum + seconds))
  done < <(printf '%s' "$LATCHKEY_STEPS")
  printf '%7d s  in all\n' "$sum" >&2
}
