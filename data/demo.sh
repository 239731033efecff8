#!/usr/bin/env bash
# The main job, from nothing, on a copy of the demo's handbook. Ends with what to try next.
set -euo pipefail
here="$(cd "$(dirname "$0")/.." && pwd)"
demo="$here/.demo"
rm -rf "$demo"
mkdir -p "$demo/data"
cp -R "$here/data/handbook" "$here/data/expectations" "$here/data/golden" "$demo/data/"
cp "$here/staleproof.toml" "$demo/"
cd "$demo"

say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
run() {
    local shown=staleproof word
    for word in "$@"; do
        case $word in *" "*) shown+=" \"$word\"" ;; *) shown+=" $word" ;; esac
    done
    printf '\033[2m$ %s\033[0m\n' "$shown"
    staleproof "$@"
}

say "A handbook of 43 documents becomes a knowledge base."
run plan
run refresh

say "Three questions."
run search -k 1 "How much does the Plus plan cost?"
run search -k 1 "How many unused days of leave may I take into next year?"
run search -k 1 --labels managers "In the salary bands for Leeds, what is the midpoint of grade 4?"

say "An edit: the Plus plan gets dearer, hotel limits change. Only those passages are embedded."
cp -R "$here/data/edits/2026-02-02-price-change/files/." data/handbook/
run plan
run refresh
run search -k 1 "How much does the Plus plan cost?"

say "Back to the state before, at once; and on again."
run rollback
run search -k 1 "How much does the Plus plan cost?"
run unpin
run refresh
run history

say "Somebody pastes a key into a document. It is quarantined, readers keep the version before."
printf '\nThe key is %s%s.\n' AKIA Q3EGRFTBKZJHWLXM >> data/handbook/support/plan-prices.md
run refresh
run audit --explain handbook/support/plan-prices.md

say "To try next, in $demo"
cat <<'NEXT'
  staleproof status                                          how fresh everything is
  cp -R ../data/edits/2026-07-06-broken-file/files/. data/handbook/ && staleproof refresh
  staleproof quarantine list                                 what waits there, and why
  staleproof withhold handbook/hr/overtime.md --reason "under review"
  staleproof audit --html audit.html                         all that is published, against the suites
  staleproof verify --sources                                the store against its sources
NEXT
