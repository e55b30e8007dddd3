#!/bin/bash
# Check a good bundle by hand: audit.sh BUNDLE ROOT.JSON. Every step is explained in AUDIT.md under the same number.
# Needs bash, tar, jq, sha256sum, base64, xxd, openssl 3, zstd. Prints each step; ends at the first that fails.
set -euo pipefail
export LC_ALL=C

bundle=$(realpath "$1")
pin=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
step() { printf '\n%s\n' "$*"; }
hash_of() { sha256sum <"$1" | cut -d' ' -f1; }

# pae TYPE FILE: the bytes that are signed.
pae() { printf 'DSSEv1 %d %s %d ' "${#1}" "$1" "$(stat -c %s "$2")" && cat "$2"; }

# verify KEY-HEX SIGNATURE-BASE64 TYPE FILE
verify() {
  { printf '302a300506032b6570032100%s' "$1" | xxd -r -p; } >key.der
  printf '%s' "$2" | base64 -d >signature
  pae "$3" "$4" >message
  openssl pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in message -sigfile signature >/dev/null
}

# role ROOT ROLE SIGNATURES-JSON TYPE FILE: every rule of the role has its threshold of distinct good keys.
role() {
  local keyid sig public rule good
  : >good
  while read -r keyid sig; do
    public=$(jq -r --arg id "$keyid" --arg role "$2" \
      'select([.roles[$role][].keys[]] | index($id)) | .keys[] | select(.id == $id) | .public' "$1")
    [ -n "$public" ] || continue
    verify "$public" "$sig" "$4" "$5"
    echo "$keyid" >>good
  done < <(jq -r '.signatures[] | .keyid + " " + .sig' "$3")
  jq -c --arg role "$2" '.roles[$role][]' "$1" >rules
  while read -r rule; do
    good=$(jq -r '.keys[]' <<<"$rule" | sort -u | comm -12 - <(sort -u good) | wc -l)
    echo "  $2: $good good signatures, $(jq .threshold <<<"$rule") needed"
    [ "$good" -ge "$(jq .threshold <<<"$rule")" ]
  done <rules
}

step "1. The entries, as tar lists them"
tar tf "$bundle" >names
head -n 8 names
echo "  … $(wc -l <names) in all"
tar xf "$bundle" --exclude 'chunks/*'
cat 00-format

step "2. The pinned root: domain and fingerprint, to compare by voice with the vendor"
root_type=application/vnd.airlock.trust-root.v1+json
jq -r '.roots[0].payload' "$pin" | base64 -d >root-1.json
domain=$(hash_of root-1.json)
number=$(jq '.roots | length' "$pin")
jq -r '.roots[-1].payload' "$pin" | base64 -d >newest-pinned.json
echo "  domain $domain"
echo "  fingerprint of root $number $(hash_of newest-pinned.json)"
[ "$domain" = "$(jq -r .domain 02-trust.json)" ]

step "3. The chain of roots, pinned ones first, then those the bundle brings"
# A held root must come with the same payload; only newer ones are added.
jq -c --slurpfile trust 02-trust.json '.roots + $trust[0].roots[(.roots | length) - 1:] | .[]' "$pin" >links
both=$(jq -s '[(.[0].roots | length) - 1, (.[1].roots | length)] | min' "$pin" 02-trust.json)
jq --argjson n "$both" '.roots[1:1 + $n] | map(.payload)' "$pin" >held
jq --argjson n "$both" '.roots[:$n] | map(.payload)' 02-trust.json >brought
cmp held brought
version=0
while read -r link; do
  version=$((version + 1))
  echo "$link" >link.json
  [ "$(jq -r .payloadType link.json)" = "$root_type" ]
  jq -r .payload link.json | base64 -d >next.json
  [ "$(jq .version next.json)" = "$version" ]
  if [ "$version" -gt 1 ]; then role root.json root link.json "$root_type" next.json; fi
  role next.json root link.json "$root_type" next.json
  cp next.json root.json
done <links
echo "  the chain ends at root $version, issued by $(jq -r .vendor root.json)"

step "4. The head: its digest, and the signatures over it"
head_digest=$(hash_of 03-head.json)
echo "  head digest $head_digest"
jq -r '"  \(.product) \(.channel) \(.version), number \(.epoch):\(.sequence), for \(.audience), until \(.expires)"' 03-head.json
role root.json release 01-signatures.json application/vnd.airlock.bundle-head.v1+json 03-head.json
[ "$(jq -r .domain 03-head.json)" = "$domain" ]
[ "$(jq .root_version 03-head.json)" -le "$version" ]
jq -e --slurpfile root root.json '.product as $p | $root[0].products | index($p) != null' 03-head.json >/dev/null
[ "$(jq -c '.requires' 03-head.json)" = "[]" ]
chunks=$(jq .totals.chunks 03-head.json)
[ "$(sed -n 2p 00-format)" = "volume 1/1 chunks $((chunks > 0 ? 1 : 0))-$chunks" ]

step "5. The index pages, whose hashes the head holds"
: >index
page=0
while read -r sha256 size; do
  page=$((page + 1))
  file=$(printf '05-index/%04d' "$page")
  [ "$(stat -c %s "$file")" = "$size" ]
  [ "$(hash_of "$file")" = "$sha256" ]
  cat "$file" >>index
done < <(jq -r '.index[] | .sha256 + " " + (.size | tostring)' 03-head.json)
echo "  $page pages: $(jq -s -c 'group_by(.kind) | map({(.[0].kind): length}) | add' index)"

step "6. Canonical form: jq writes every document again, byte for byte"
for file in 01-signatures.json 02-trust.json 03-head.json 04-approvals.json root.json; do
  jq -cS . "$file" | tr -d '\n' | cmp - "$file"
done
jq -cS . index | cmp - index

step "7. The fill: zero bytes up to payload_offset"
[ "$(tr -d '\000' <06-fill | wc -c)" = 0 ]

step "8. The chunks: stored hash first, then plain bytes"
: >plain
chunk=0
offset=$(jq .payload_offset 03-head.json)
while read -r codec sha256 size; do
  chunk=$((chunk + 1))
  name=$(printf 'chunks/%010d' "$chunk")
  tail -c +$((offset + 513)) "$bundle" | head -c "$size" >stored || true
  [ "$(tail -c +$((offset + 1)) "$bundle" | head -c ${#name} || true)" = "$name" ]
  [ "$(hash_of stored)" = "$sha256" ]
  if [ "$codec" = zstd ]; then zstd -dcq <stored >>plain; else cat stored >>plain; fi
  offset=$((offset + 512 + (size + 511) / 512 * 512))
done < <(jq -r 'select(.kind == "chunk") | .codec + " " + .sha256 + " " + (.size | tostring)' index)
echo "  $chunk chunks, $(stat -c %s plain) plain bytes"
[ "$(stat -c %s "$bundle")" = $((offset + 1024)) ]
[ "$(tail -c 1024 "$bundle" | tr -d '\000' | wc -c)" = 0 ]

step "9. Every blob is its stretch of the plain bytes, and hashes to its digest"
offset=0
while read -r digest size; do
  tail -c +$((offset + 1)) plain | head -c "$size" >blob || true
  [ "sha256:$(hash_of blob)" = "$digest" ]
  offset=$((offset + size))
done < <(jq -r 'select(.kind == "blob") | .digest + " " + (.size | tostring)' index)
[ "$offset" = "$(stat -c %s plain)" ]
echo "  $(jq -s 'map(select(.kind == "blob")) | length' index) blobs"

step "10. The names"
jq -r 'select(.kind == "tag") | "  \(.repository):\(.tag // "-") \(.digest)"' index

printf '\ngood: head %s\n' "$head_digest"
