#!/usr/bin/env bash
# One request to every route of the service, in an order that works on an empty one and leaves it as it was.
#
#     URL=https://... SECRET=lk_... samples/requests.sh
#
# SECRET is an admin's, for instance from `provision bootstrap`. A route a line; `-> 200` is the status that is expected.
set -euo pipefail
: "${URL:?the URL of the service, for instance the output Url of infra/deploy}"
: "${SECRET:?the secret of an admin}"

command -v jq >/dev/null || { echo "requests: needs \`jq\`" >&2; exit 1; }
answer="$(mktemp)"
trap 'rm -f "$answer"' EXIT

# request METHOD PATH [BODY] -> STATUS: the answer's body is then in $answer.
request() {
  local method="$1" path="$2" body="" wanted="${*: -1}" status
  [[ "$3" == "->" ]] || body="$3"
  # The secret goes through a file descriptor, never through an argument that other processes can read.
  status="$(curl --silent --show-error --output "$answer" --write-out '%{http_code}' --request "$method" \
    --config <(printf 'header = "Authorization: Bearer %s"\n' "$SECRET") \
    ${body:+--header "Content-Type: application/json" --data-binary @-} "$URL$path" <<<"$body")"
  echo "$status $method $path"
  if [[ "$status" != "$wanted" ]]; then
    echo "requests: expected $wanted" >&2
    cat "$answer" >&2
    exit 1
  fi
}

field() { jq --raw-output "$1" "$answer"; }

# Who am I, and what is there to ask?
request GET /v1/me -> 200
request GET /v1/openapi.json -> 200

# A role and a user.
request PUT /v1/roles/documents-reader '{"permissions": ["documents:read"]}' -> 200
request GET /v1/roles -> 200
request GET /v1/roles/documents-reader -> 200
request PUT /v1/users/ci@example.com '{"kind": "service", "roles": ["documents-reader"]}' -> 200
request GET /v1/users -> 200
request GET /v1/users/ci@example.com -> 200

# A token by hand: its secret is in the answer, this once.
request POST /v1/users/ci@example.com/tokens '{"name": "nightly-report", "description": "Reads documents"}' -> 201
id="$(field .token.id)"
hers="$(field .secret)"
request GET /v1/users/ci@example.com/tokens -> 200
request GET "/v1/users/ci@example.com/tokens?state=deleted&limit=10" -> 200
request GET /v1/users/ci@example.com/tokens/nightly-report -> 200
request PATCH /v1/users/ci@example.com/tokens/nightly-report '{"description": "Reads documents at night"}' -> 200
request GET /v1/users/ci@example.com/tokens/nightly-report/roles -> 200
request PUT /v1/users/ci@example.com/tokens/nightly-report/roles '{"roles": ["documents-reader"]}' -> 200

# Is a secret valid? It goes through stdin too.
request POST /v1/introspect "{\"token\": \"$hers\"}" -> 200
[[ "$(field .active)" == true ]]
request GET /v1/users/ci@example.com/tokens/nightly-report/usage -> 200
request GET "/v1/users/ci@example.com/tokens/nightly-report/events?id=$id" -> 200
request GET /v1/users/ci@example.com/usage -> 200
request GET /v1/events -> 200

# What a manifest may hand out, and the lease of a run.
request PUT /v1/manifests/acme-platform/grant \
  '{"permissions": ["documents:read"], "roles": ["documents-reader"], "users": ["ci@example.com"]}' -> 200
request PUT /v1/manifests/acme-platform/lease '{"holder": "requests"}' -> 200
request PUT /v1/manifests/acme-platform '{"applied": {"revision": 1}}' -> 200
request GET /v1/manifests/acme-platform -> 200

# A declared token: staged, announced to its place, delivered, promoted.
request POST /v1/users/ci@example.com/tokens '{
  "name": "production-api", "manifest": "acme-platform",
  "terms": {"expires_in": "90d", "rotate_every": "30d", "overlap": "24h"},
  "places": [{"kind": "dotenv", "parts": [["machine", "here"], ["path", ".env"], ["name", "API_TOKEN"]], "readable": true}]
}' -> 201
declared="$(field .token.id)"
place="$(field '.token.places[0].id')"
digest="$(printf '%s' "$(field .secret)" | sha256sum | cut -d' ' -f1)"
tokens=/v1/users/ci@example.com/tokens
request PUT "$tokens/production-api/versions/1/deliveries/$place" "{\"id\": \"$declared\", \"state\": \"announced\"}" -> 200
request PUT "$tokens/production-api/versions/1/deliveries/$place" \
  "{\"id\": \"$declared\", \"state\": \"delivered\", \"receipt\": \"1\"}" -> 200
request POST "$tokens/production-api/versions/1/promote" "{\"id\": \"$declared\"}" -> 200
request GET /v1/manifests/acme-platform/tokens -> 200
request POST /v1/manifests/acme-platform/lookup '{"users": ["ci@example.com"], "roles": true}' -> 200
request POST /v1/manifests/acme-platform/confirm \
  "{\"user\": \"ci@example.com\", \"name\": \"production-api\", \"id\": \"$declared\", \"digest\": \"$digest\"}" -> 200
[[ "$(field .version)" == 1 ]]

# Its next version; the current one cannot be retired.
request POST "$tokens/production-api/versions" "{\"id\": \"$declared\"}" -> 201
request DELETE "$tokens/production-api/versions/1?id=$declared&looked_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)&revision=1" -> 409
request DELETE "/v1/manifests/acme-platform/lease?holder=requests" -> 204

# The end: one token ends itself, the other is ended, and with them go the user and the role.
SECRET="$hers" request DELETE /v1/me/token -> 204
SECRET="$hers" request GET /v1/me -> 401
request DELETE /v1/users/ci@example.com/tokens/production-api -> 204
request DELETE /v1/users/ci@example.com -> 204
request DELETE /v1/roles/documents-reader -> 204
