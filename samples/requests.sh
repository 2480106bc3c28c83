#!/usr/bin/env bash
# One request to every route of the service, in an order that works on an empty one and leaves it as it was.
#
#     URL=https://... SECRET=lk_... samples/requests.sh
#
# SECRET is an admin's, for instance from `provision bootstrap`. One request per line, after the expected status.
set -euo pipefail
: "${URL:?the URL of the service, for instance the output Url of infra/deploy}"
: "${SECRET:?the secret of an admin}"

command -v jq >/dev/null || { echo "requests: \`jq\` is not installed" >&2; exit 1; }
answer="$(mktemp)"
trap 'rm -f "$answer"' EXIT

# request STATUS METHOD PATH [BODY]: puts the response's body into $answer.
request() {
  local wanted="$1" method="$2" path="$3" body="${4:-}" status
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

# The caller, the API's own document, and where introspection is.
request 200 GET /v1/me
request 200 GET /v1/openapi.json
request 200 GET /.well-known/oauth-authorization-server

# A role and a user.
request 200 PUT /v1/roles/documents-reader '{"permissions": ["documents:read"]}'
request 200 GET /v1/roles
request 200 GET /v1/roles/documents-reader
request 200 PUT /v1/users/ci@example.com '{"kind": "service", "roles": ["documents-reader"]}'
request 200 GET /v1/users
request 200 GET /v1/users/ci@example.com

# A token created by hand: its secret is in this response only.
request 201 POST /v1/users/ci@example.com/tokens '{"name": "nightly-report", "description": "Reads documents"}'
id="$(field .token.id)"
hers="$(field .secret)"
request 200 GET /v1/users/ci@example.com/tokens
request 200 GET "/v1/users/ci@example.com/tokens?state=deleted&limit=10"
request 200 GET /v1/users/ci@example.com/tokens/nightly-report
request 200 GET "/v1/tokens/$id"
request 200 GET "/v1/tokens?state=active&limit=10"
request 200 PATCH /v1/users/ci@example.com/tokens/nightly-report '{"description": "Reads documents at night"}'
request 200 GET /v1/users/ci@example.com/tokens/nightly-report/roles
request 200 PUT /v1/users/ci@example.com/tokens/nightly-report/roles '{"roles": ["documents-reader"]}'

# Is a secret valid? It goes through stdin too.
request 200 POST /v1/introspect "{\"token\": \"$hers\"}"
[[ "$(field .active)" == true ]]
request 200 GET /v1/users/ci@example.com/tokens/nightly-report/usage
request 200 GET "/v1/users/ci@example.com/tokens/nightly-report/events?id=$id"
request 200 GET /v1/users/ci@example.com/usage
request 200 GET /v1/events

# What the deployment decides for all.
request 200 GET /v1/settings
request 200 PATCH /v1/settings '{"max_tokens": 20}'
request 200 PATCH /v1/settings '{"max_tokens": 10}'

# What a manifest is allowed to grant, and the lease of a run.
request 200 PUT /v1/manifests/acme-platform/grant \
  '{"permissions": ["documents:read"], "roles": ["documents-reader"], "users": ["ci@example.com"]}'
request 200 PUT /v1/manifests/acme-platform/lease '{"holder": "requests"}'
request 204 PUT /v1/manifests/acme-platform '{"applied": {"revision": 1}}'
request 200 GET /v1/manifests/acme-platform
request 200 GET /v1/manifests

# What the scheduled job rotates it by: a number, the tokens, then the sinks; and withdrawn again.
request 200 POST /v1/manifests/acme-platform/publication '{"revision": 1}'
number="$(field .number)"
request 204 PUT /v1/manifests/acme-platform/publication/tokens \
  "{\"number\": $number, \"tokens\": [{\"user\": \"ci@example.com\", \"name\": \"production-api\", \"push\": \"push = []\"}]}"
request 200 PUT /v1/manifests/acme-platform/publication "{\"number\": $number, \"sinks\": \"\", \"tokens\": 1}"
request 200 GET /v1/manifests/acme-platform/publication
request 200 GET /v1/manifests/acme-platform/publication/tokens
request 204 DELETE /v1/manifests/acme-platform/publication

# A declared token: staged, announced to its place, delivered, promoted.
request 201 POST /v1/users/ci@example.com/tokens '{
  "name": "production-api", "manifest": "acme-platform",
  "terms": {"expires_in": "90d", "rotate_every": "30d", "overlap": "24h"},
  "places": [{"kind": "dotenv", "parts": [["machine", "here"], ["path", ".env"], ["name", "API_TOKEN"]], "readable": true}]
}'
declared="$(field .token.id)"
place="$(field '.token.places[0].id')"
digest="$(printf '%s' "$(field .secret)" | sha256sum | cut -d' ' -f1)"
tokens=/v1/users/ci@example.com/tokens
request 200 PUT "$tokens/production-api/versions/1/deliveries/$place" "{\"id\": \"$declared\", \"state\": \"announced\"}"
request 200 POST "$tokens/production-api/versions/1/announcements" "{\"id\": \"$declared\", \"places\": [\"$place\"]}"
request 200 PUT "$tokens/production-api/versions/1/deliveries/$place" \
  "{\"id\": \"$declared\", \"state\": \"delivered\", \"receipt\": \"1\"}"
request 200 POST "$tokens/production-api/versions/1/promote" "{\"id\": \"$declared\"}"
request 200 GET /v1/manifests/acme-platform/tokens
request 200 POST /v1/manifests/acme-platform/lookup '{"users": ["ci@example.com"], "roles": true}'
request 200 POST /v1/manifests/acme-platform/confirm \
  "{\"user\": \"ci@example.com\", \"name\": \"production-api\", \"id\": \"$declared\", \"digest\": \"$digest\"}"
[[ "$(field .version)" == 1 ]]

# Its next version; the current one cannot be retired.
request 201 POST "$tokens/production-api/versions" "{\"id\": \"$declared\"}"
request 409 DELETE "$tokens/production-api/versions/1?id=$declared&looked_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)&revision=1"
request 204 DELETE "/v1/manifests/acme-platform/lease?holder=requests"

# Clean up: one token revokes itself, the other is revoked, then the user and the role are deleted.
SECRET="$hers" request 204 DELETE /v1/me/token
SECRET="$hers" request 401 GET /v1/me
request 204 DELETE /v1/users/ci@example.com/tokens/production-api
request 204 DELETE /v1/users/ci@example.com
request 204 DELETE /v1/roles/documents-reader
