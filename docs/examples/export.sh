#!/usr/bin/env bash
# Makes an export of one table, waits for it, and downloads it. Needs curl 7.76 or newer, and jq.
#
#   DECANT_URL=https://... DECANT_TOKEN=dct_... ./export.sh liferay_page 2026-03-01T00:00:00Z 2026-04-01T00:00:00Z
set -euo pipefail

# Asks again if the server is busy. An error is answered as a JSON document.
api() { curl --silent --show-error --fail-with-body --retry 5 --header "Authorization: Bearer $DECANT_TOKEN" "$@"; }
give_up() { echo "$export" >&2; exit 1; }

body=$(jq --null-input --arg table "$1" --arg from "$2" --arg to "$3" \
  '{tables: [$table], window: {from: $from, to: $to}, format: "csv", name: $table}')
# With a key, a request that is sent again makes no second export.
export=$(api --header "Idempotency-Key: $(date +%s)-$RANDOM" --header 'Content-Type: application/json' \
  --data "$body" "$DECANT_URL/v1/exports") || give_up

while [[ $(jq --raw-output .status <<<"$export") =~ ^(queued|running)$ ]]; do
  sleep 2
  export=$(api "$(jq --raw-output .links.self <<<"$export")") || give_up
done

download=$(jq --raw-output '.links.download // empty' <<<"$export")
[ -n "$download" ] || give_up
api --location --output "$1.zip" "$download"
echo "$1.zip: $(jq .archive.rows <<<"$export") rows"
