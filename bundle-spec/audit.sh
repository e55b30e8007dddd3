#!/bin/bash
# Check a bundle without airlock and without Python: audit.sh BUNDLE ROOT.JSON. AUDIT.md explains each step under its number.
# Needs GNU bash, coreutils and cmp, sed, jq 1.6, xxd, openssl 3 and zstd, or later ones. Reads the bundle once, front to back.
# Writes only into a folder of its own, under names of its own: nothing in a bundle becomes a file name, a program or a format.
# The first failed check ends it with "refused: …" and code 1. What only verify.py checks is printed last: it is a part of the verdict.
set -euo pipefail
unset -v CDPATH IFS POSIXLY_CORRECT ZSTD_CLEVEL ZSTD_NBTHREADS OPENSSL_CONF OPENSSL_MODULES
export PATH=/usr/local/bin:/usr/bin:/bin LC_ALL=C
umask 077
exec 5>&2 2>/dev/null # what tools say may quote the bundle, so only this page speaks

work=
refuse() { # WORDS, the page's own; in a pipe the first one speaks
  if [ -z "$work" ] || mkdir "$work/said"; then printf 'refused: %s\n' "$1" >&5; fi
  exit 1
}
finish() {
  local status=$?
  if [ "$status" = 1 ] && [ -n "$work" ] && [ ! -d "$work/said" ]; then echo "refused: a command of this page failed or was stopped" >&5; fi
  if [ -n "$work" ]; then rm -rf -- "$work"; fi
  exit "$status"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM
[ $# = 2 ] || { echo "usage: audit.sh BUNDLE ROOT.JSON" >&5; exit 2; }
for tool in base64 cat cmp date grep head jq mkdir mktemp od openssl rm sed sha256sum stat tail tr wc xxd zstd; do
  command -v "$tool" >/dev/null || refuse "the command $tool is not installed"
done
case $(jq --version) in jq-1.[6-9]* | jq-1.[1-9][0-9]* | jq-[2-9]*) ;; *) refuse "jq 1.6 or later is needed" ;; esac
case $(openssl version) in 'OpenSSL '[3-9].*) ;; *) refuse "OpenSSL 3 or later is needed" ;; esac
for input in "$1" "$2"; do
  if [ -L "$input" ] || [ ! -f "$input" ]; then refuse "an input is not a plain file: links, pipes, folders and devices are not opened"; fi
done
exec 3<"$1" 4<"$2" || refuse "an input cannot be opened"
if [ ! -f /dev/fd/3 ] || [ ! -f /dev/fd/4 ]; then refuse "an input is not a plain file"; fi
work=$(mktemp -d -- "${TMPDIR:-/tmp}/audit.XXXXXXXX") && cd -P -- "$work" && work=$PWD || refuse "there is no folder to work in"
export HOME=$work TMPDIR=$work

step() { printf '\n%s\n' "$1"; }
hash_of() { sha256sum <"$1" | head -c 64; }
size_of() { stat -c %s -- "$1"; }
zeros() { head -c "$1" /dev/zero; }

# --- Entries: every header is written here and compared. Of the first five the size field is read, of the others nothing. ---

position=0
take() { # COUNT FILE: the next bytes of the bundle
  head -c "$1" <&3 >"$2"
  [ "$(size_of "$2")" = "$1" ] || refuse "the bundle ends too early"
  position=$((position + $1))
}
header() { # NAME SIZE CHECKSUM
  printf %s "$1" && zeros $((100 - ${#1}))
  printf '%s\0' 0000644 0000000 0000000 "$(printf %011o "$2")" 00000000000 "$3" && printf ' 0' && zeros 100
  printf 'ustar\0%s' 00 && zeros 64 && printf '%s\0' 0000000 0000000 && zeros 167
}
entry() { # NAME SIZE FILE: the entry that belongs here; SIZE claimed-CAP: what its header claims
  local size=$2 sum=-64 byte claim # the checksum counts its own field as eight spaces, which are 64 less than 000000 NUL SP
  take 512 found
  if [ "${2#claimed-}" != "$2" ]; then
    claim=$(head -c 135 found | tail -c 11 | xxd -p)
    [[ $claim =~ ^(3[0-7]){11}$ ]] || refuse "the size of the entry $1 is not written in octal digits"
    size=$((8#$(xxd -r -p <<<"$claim")))
    [ "$size" -le "${2#claimed-}" ] || refuse "the entry $1 is too large"
  fi
  for byte in $(header "$1" "$size" 000000 | od -An -v -tu1); do sum=$((sum + byte)); done
  header "$1" "$size" "$(printf %06o "$sum")" | cmp -s - found || refuse "the header before the entry $1 is not the only one it may have"
  take "$size" "$3"
  take $((-size & 511)) padding
  zeros $((-size & 511)) | cmp -s - padding || refuse "the padding of the entry $1 is not zero"
}

# --- Documents: one form only, and exactly the members that SPEC.md names. --------------------------------------------------

# Keys and R of signatures: no encoding of small order, none that is not the canonical one (SPEC.md, M-10 and M-12).
weak='(e[d-f]|f[0-9a-f])(ff){30}[7f]f|ec(ff){30}[7f]f|0[01](00){30}[08]0|26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc[08]5|c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03[7f]a'
# shellcheck disable=SC2016
lib='
def members($must; $may): type == "object" and ($must - keys == []) and (keys - $must - $may == []);
def list(f): type == "array" and all(.[]; f);
def ascending: . == unique;
def text($most): type == "string" and (tojson | utf8bytelength) <= 4098 and length > 0 and utf8bytelength <= $most;
def like($re): text(4096) and test("\\A(" + $re + ")\\z");
def int: type == "number" and . >= 0 and . <= 9007199254740991;
def hex64: like("[0-9a-f]{64}");
def digest: like("sha256:[0-9a-f]{64}");
def name: like("[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?");
def base64: type == "string" and length % 4 == 0 and test("\\A[A-Za-z0-9+/]*([AQgw]==|[AEIMQUYcgkosw048]=)?\\z");
def time: like("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9]Z") and . >= "1970" and . == (strptime("%Y-%m-%dT%H:%M:%SZ") | mktime | todate);
def version: like("(0|[1-9][0-9]{0,9})(\\.(0|[1-9][0-9]{0,9})){2}") and all(split(".")[] | tonumber; . < 4294967296);
def host: like("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*(:[0-9]{1,5})?") and (test("[.:]") or . == "localhost");
def signatures: list(members(["keyid", "sig"]; []) and (.keyid | hex64) and (.sig | base64 and length <= 4096)) and length <= 32;
def envelope: members(["payload", "payloadType", "signatures"]; []) and (.payload | base64 and length <= 349528)
  and .payloadType == "application/vnd.airlock.trust-root.v1+json" and (.signatures | signatures);
def chain: members(["roots"]; []) and (.roots | list(envelope) and length > 0 and length <= 1025);
def links: members(["domain", "roots"]; []) and (.domain | hex64) and (.roots | list(envelope) and length <= 1024);
def root: members(["expires", "issued_at", "keys", "products", "reader", "roles", "vendor", "version"]; ["epochs", "time_reset"])
  and all(.expires, .issued_at; time) and .issued_at < .expires and (.vendor | text(200)) and (.version | int) and (.reader | version)
  and (.products | list(name) and ascending and length > 0) and ((has("time_reset") | not) or .time_reset == true)
  and ((has("epochs") | not) or (.products as $products | .epochs | length > 0 and list(members(["channel", "epoch", "product"]; [])
    and all(.channel, .product; name) and (.epoch | int) and ([.product] - $products == [])) and (map([.product, .channel]) | ascending)))
  and (.keys | list(members(["id", "public", "scheme"]; []) and all(.id, .public; hex64) and .scheme == "ed25519"
    and (.public | test("\\A(" + $weak + ")\\z") | not)) and (map(.id) | ascending))
  and ([.keys[].id] as $ids | .roles | members(["ack", "licence", "release", "root", "withdrawal"]; []) and all(.[]; length > 0 and
    list(members(["keys", "scheme", "threshold"]; []) and .scheme == "ed25519" and (.keys | list(hex64) and ascending and . - $ids == [])
      and (.threshold | int and . > 0) and .threshold <= (.keys | length)))
    and ([.[] | [.[].keys[]] | unique[]] | sort == $ids));
def producer: IN("go-1-1", "go-1-6", "go-1-9", "klauspost-2-5", "klauspost-2-6", "pgzip-1-5", "pgzip-2-5", "pigz-1-6", "pigz-1-9", "zlib-1-6", "zlib-1-9");
def head: members(["audience", "builder", "channel", "chunk_bytes", "documents", "domain", "epoch", "expires", "home_hosts", "index",
    "issued_at", "minimum_appliance", "payload_offset", "product", "reader", "requires", "root_version", "sequence", "totals", "version", "volumes"]; [])
  and (.requires | list(IN("encoding-1", "missing-subjects-1", "nondistributable-layers-1", "secrets-1") or (ltrimstr("gzip-") as $made
    | . == "gzip-" + $made and ($made | producer))) and ascending) and all(.reader, .minimum_appliance; version) and all(.channel, .product; name) and (.domain | hex64)
  and all(.epoch, .sequence, .root_version, .payload_offset; int) and .root_version > 0 and .payload_offset % 4096 == 0
  and all(.expires, .issued_at; time) and .issued_at < .expires and (.version | text(128))
  and (.builder | members(["name", "version"]; []) and all(.name, .version; text(4096)))
  and (.audience == "any" or (.audience | list(like("[0-9a-f]{32}")) and ascending))
  and (.chunk_bytes | IN(1048576, 2097152, 4194304, 8388608, 16777216))
  and (.home_hosts | list(host) and ascending and length <= 64)
  and (.documents | list(members(["digest", "size", "type"]; []) and (.digest | digest) and (.size | int) and .size <=
      {"acknowledgement": 65536, "compose": 1048576, "desired-state": 4194304, "env": 1048576, "notes": 4194304, "secrets": 1048576, "values": 1048576}[.type | strings])
    and (map([.type, .digest]) | ascending))
  and (.audience as $audience | [.documents[] | select(.type == "acknowledgement")] | length == 0
    or (length == 1 and ($audience | type) == "array" and ($audience | length) == 1))
  and (.index | list(members(["sha256", "size"]; []) and (.sha256 | hex64) and (.size | int and . > 0 and . <= 1048576)) and length <= 256)
  and (.totals | members(["blobs", "chunks", "content_bytes", "early_blobs", "needs", "stored_bytes"]; []) and all(.[]; int)
    and .chunks <= 1000000 and .blobs <= 500000 and .needs <= 500000 and .content_bytes <= 16777216000000
    and .early_blobs <= .blobs and .stored_bytes <= .content_bytes)
  and .volumes == [.totals.chunks];
def manifest: IN("application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json");
def line: if .kind == "chunk" then members(["codec", "kind", "sha256", "size"]; []) and (.codec | IN("none", "zstd")) and (.sha256 | hex64)
      and (.size | int and . <= 16777216)
  elif .kind == "blob" then members(["digest", "kind", "size"]; ["encoding", "media_type", "travel_size"]) and (.digest | digest) and (.size | int)
    and ((has("media_type") | not) or (.media_type | manifest)) and has("encoding") == has("travel_size")
    and ((has("encoding") | not) or ((has("media_type") | not) and (.travel_size | int) and .travel_size > 0 and .travel_size < .size and (.size as $size
      | .encoding | type == "object" and if .form == "plain" then members(["form"]; []) and $size <= 68719476736
        else members(["form", "plain_digest", "plain_size", "producer"]; []) and .form == "gzip" and (.plain_digest | digest) and (.producer | producer)
          and (.plain_size | int and . > 0 and . <= 68719476736 and . <= 1032 * $size) end)))
  elif .kind == "need" then members(["digest", "kind", "size"]; []) and (.digest | digest) and (.size | int)
  elif .kind == "absent" then members(["digest", "kind", "platform"]; []) and (.digest | digest) and (.platform | text(4096))
  else .kind == "tag" and members(["digest", "kind", "media_type", "repository", "size"]; ["tag"]) and (.digest | digest) and (.size | int)
    and all(.media_type, .repository; text(4096)) and ((has("tag") | not) or (.tag | text(4096))) end;
def hostile: . as $c | any([0, 31], [127, 159], [173, 173], [847, 847], [1564, 1564], [4447, 4448], [6068, 6069], [6155, 6159], [8203, 8207],
  [8232, 8238], [8288, 8303], [12644, 12644], [55296, 57343], [65024, 65039], [65279, 65279], [65440, 65440], [65520, 65531], [113824, 113827],
  [119155, 119162], [917504, 921599]; .[0] <= $c and $c <= .[1]);
def escaped: (if . < 65536 then . else (. - 65536) | (55296 + (. / 1024 | floor), 56320 + . % 1024) end) as $unit
  | "\\u" + ([4096, 256, 16, 1] | map("0123456789abcdef"[($unit / . | floor) % 16:][:1]) | add);
def shown: [explode[] | if hostile then escaped else [.] | implode end] | add;
'

lines() { # FILE SHAPE SAYS: every line is one value in canonical form and of this shape
  tr -d '\000-\011\013-\037\177' <"$1" | cmp -s - "$1" || refuse "$3: control characters"
  # jq rounds numbers and takes the last of two members, so the text itself is looked at, and compared with what jq writes again.
  [ "$(sed -E 's/\\["\\]//g; s/"[^"]*"//g; s/true|false//g; s/0|[1-9][0-9]{0,15}//g; s/[][{},:]//g' "$1" | tr -d '\n' | wc -c)" = 0 ] ||
    refuse "$3: other escapes or numbers than canonical ones"
  jq -cS --arg weak "$weak" "$lib if $2 then . else error(\"\") end" "$1" >again || refuse "$3: not what SPEC.md describes"
  cmp -s again "$1" || refuse "$3: not in canonical form"
}
document() { # FILE SHAPE SAYS
  printf '\n' | cat "$1" - >one-line
  [ "$(wc -l <one-line)" = 1 ] || refuse "$3: more than one line"
  lines one-line "$2" "$3"
}

# --- Signatures ---------------------------------------------------------------------------------------------------------------

signed() { # ROOT ROLE SIGNATURES TYPE FILE SAYS: all rules of the role hold, each with its threshold of distinct keys
  local keyid public sig have need
  jq -r --arg role "$2" --slurpfile list "$3" '[.roles[$role][].keys[]] as $members | .keys as $keys | $list[0].signatures[]
    | select(.keyid | IN($members[])) | . as $one | $keys[] | select(.id == $one.keyid) | "\(.id) \(.public) \($one.sig)"' "$1" >signers ||
    refuse "$6: the signatures cannot be read"
  : >good
  { printf 'DSSEv1 %d %s %d ' "${#4}" "$4" "$(size_of "$5")" && cat "$5"; } >message
  while read -r -u 6 keyid public sig; do
    printf '302a300506032b6570032100%s' "$public" | xxd -r -p >key
    printf %s "$sig" | base64 -d >signature
    if [[ $(xxd -p -c 64 signature) =~ ^($weak) ]] || [ "$(size_of signature)" != 64 ] ||
      ! openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in message -sigfile signature >answer; then
      refuse "$6: the signature by key $keyid does not hold"
    fi
    printf '%s\n' "$keyid" >>good
  done 6<signers
  jq -r --arg role "$2" --rawfile good good '($good | split("\n")) as $good | .roles[$role][]
    | "\(.keys | length - (. - $good | length)) \(.threshold)"' "$1" >rules || refuse "$6: the rules cannot be read"
  while read -r -u 6 have need; do
    [ "$have" -ge "$need" ] || refuse "$6: $have keys that may sign it have signed, and $need must"
    echo "  $6: signed by $have keys of the role $2, $need needed"
  done 6<rules
}
link() { # NUMBER: the envelope in the file link is root NUMBER, signed by the one before it and by itself; becomes root-NUMBER
  local id public
  jq -j .payload link | base64 -d >payload && base64 -w 0 payload >encoded && jq -j .payload link | cmp -s - encoded || refuse "root $1: payload"
  [ "$(size_of payload)" -le 65536 ] || refuse "root $1: too large"
  if [ -e "root-$1" ]; then cmp -s payload "root-$1" || refuse "root $1 is another one than the pinned one"; fi
  if [ "$1" -gt 1 ]; then signed "root-$(($1 - 1))" root link "$root_type" payload "root $1"; fi
  document payload root "root $1"
  jq -e --argjson n "$1" '.version == $n and ($n == 1 or (.reader | split(".") | map(tonumber)) <= [0, 1, 0])' payload >answer ||
    refuse "root $1: another version, or for a newer reader"
  jq -r '.keys[] | .id + " " + .public' payload >keys || refuse "root $1: keys"
  while read -r -u 6 id public; do
    { echo airlock-key-ed25519-v1 && printf %s "$public" | xxd -r -p; } >key
    [ "$(hash_of key)" = "$id" ] || refuse "root $1: a key's id does not follow from the key"
  done 6<keys
  signed payload root link "$root_type" payload "root $1"
  cat payload >"root-$1"
}
root_type=application/vnd.airlock.trust-root.v1+json

# --- The chunks' frames, and what they hold -------------------------------------------------------------------------------------

frame() { # FILE PLAIN SAYS: the file is exactly one zstd frame (RFC 8878, 3.1.1), of that content size, without options
  local h at length content=0 window b i size odd="$3 is not the one kind of zstd frame that it may be"
  size=$(size_of "$1")
  read -r -a h < <(od -An -v -tu1 -w20 -N 14 "$1" && echo) || refuse "$odd"
  h+=(0 0 0 0 0 0 0 0 0 0 0 0 0 0)
  [ "${h[*]:0:4}" = "40 181 47 253" ] && [ $((h[4] & 31)) = 0 ] || refuse "$odd"
  if [ $((h[4] & 32)) != 0 ]; then
    at=5 window=$2 length=$((1 << (h[4] >> 6)))
  else
    at=6 window=$(((1 << (10 + (h[5] >> 3))) / 8 * (8 + (h[5] & 7)))) length=$(((1 << (h[4] >> 6)) & 14))
  fi
  for ((i = length - 1; i >= 0; i--)); do content=$((content << 8 | h[at + i])); done
  if [ "$length" = 2 ]; then content=$((content + 256)); fi
  [ "$length" != 0 ] && [ "$content" = "$2" ] && [ "$window" -le 8388608 ] || refuse "$odd"
  at=$((at + length)) b=0
  while [ $((b & 1)) = 0 ]; do # a block: the last one's bit, two bits kind, 21 bits size; kind 1 repeats one byte, 3 is none
    read -r -a h < <(od -An -v -tu1 -j "$at" -N 3 "$1" && echo) && [ ${#h[@]} = 3 ] || refuse "$odd"
    b=$((h[0] | h[1] << 8 | h[2] << 16))
    [ $((b >> 1 & 3)) != 3 ] || refuse "$odd"
    at=$((at + 3 + ((b >> 1 & 3) == 1 ? 1 : b >> 3)))
  done
  [ "$at" = "$size" ] || refuse "$odd"
}
record() { # PLAIN SAYS: the next record, decoded into the file piece; its prefix is in the file group
  local head size
  head -c 4 <&7 >record-head
  [ "$(size_of record-head)" = 4 ] || refuse "$2 ends within a record's head"
  head=$(od -An -v -tu4 --endian=little record-head) && size=$((head & 2147483647))
  [ "$size" -ge 1 ] && [ "$size" -le 4194304 ] || refuse "$2 holds a record of $size bytes"
  head -c "$size" <&7 >body
  [ "$(size_of body)" = "$size" ] || refuse "$2 ends within a record"
  if [ $((head)) -ge 2147483648 ]; then
    [ "$1" = recipe ] && [ "$size" -le 1048576 ] || [ "$size" = "$1" ] || refuse "$2 holds a record of another size"
    cat body >piece
    return
  fi
  local plain=$1 header=5 first
  first=$(od -An -v -tu1 -j 4 -N 1 body)
  [ $((first & 32)) != 0 ] || refuse "$2 holds a frame that is not a single segment"
  if [ "$1" = recipe ]; then # what its frame says it has
    read -r -a plain < <(od -An -v -tu1 -j "$header" -N 4 body && echo "0 0 0 0") || refuse "$2 holds no recipe"
    case $((first >> 6)) in
      0) plain=${plain[0]} ;;
      1) plain=$((256 + plain[0] + 256 * plain[1])) ;;
      2) plain=$((plain[0] + 256 * plain[1] + 65536 * plain[2] + 16777216 * plain[3])) ;;
      *) refuse "$2 holds a recipe that is too large" ;;
    esac
    [ "$plain" -ge 1 ] && [ "$plain" -le 1048576 ] || refuse "$2 holds a recipe of $plain bytes"
  fi
  [ "$size" -lt "$plain" ] || refuse "$2 holds a frame that is not smaller than what it holds"
  frame body "$plain" "a record of $2"
  tail -c 8388608 group >prefix
  if [ "$1" = recipe ] || [ ! -s prefix ]; then zstd -dcq --memory=8MB <body; else zstd -dcq --memory=32MB --patch-from=prefix <body; fi |
    head -c $((plain + 1)) >piece || refuse "a record of $2 does not decode"
  [ "$(size_of piece)" = "$plain" ] || refuse "a record of $2 does not decode to its size"
}
restored() { # FORM PLAIN SAYS: the plain that the travel form holds, groups of 64 MiB, records of 4 MiB
  local left=$2 in_group size
  : >group
  if [ "$1" = gzip ]; then record recipe "$3"; fi
  while [ "$left" -gt 0 ]; do
    in_group=$((left < 67108864 ? left : 67108864)) left=$((left < 67108864 ? 0 : left - 67108864))
    : >group
    while [ "$in_group" -gt 0 ]; do
      size=$((in_group < 4194304 ? in_group : 4194304)) in_group=$((in_group < 4194304 ? 0 : in_group - 4194304))
      record "$size" "$3"
      cat piece >>group
      cat piece
    done
  done
  [ "$(head -c 1 <&7 | wc -c)" = 0 ] || refuse "$3 has more than its records"
}
chunks() { # the plain bytes of all chunks, one after the other; of a chunk nothing is decoded before its hash is right
  local number=0 codec sha256 size plain
  while read -r -u 6 codec sha256 size plain; do
    number=$((number + 1))
    entry "$(printf 'chunks/%010d' "$number")" "$size" stored
    [ "$(hash_of stored)" = "$sha256" ] || refuse "chunk $number is not the one that the index names"
    if [ "$codec" = zstd ]; then
      frame stored "$plain" "chunk $number"
      zstd -dcq --memory=8MB <stored | head -c $((plain + 1)) >decoded || refuse "chunk $number does not decode"
      [ "$(size_of decoded)" = "$plain" ] || refuse "chunk $number does not decode to its size"
      cat decoded
    else
      cat stored
    fi
  done 6<chunk-list
  take 1024 end
  zeros 1024 | cmp -s - end || refuse "other bytes stand where two zero blocks end the bundle"
  [ "$(head -c 1 <&3 | wc -c)" = 0 ] || refuse "bytes follow the end of the bundle"
}
blobs() { # each is the next stretch of the plain bytes, or such a stretch is its travel form
  local digest size form plain wanted found
  while read -r -u 6 digest size form plain wanted; do
    if [ "$form" = as-it-is ]; then
      [ "sha256:$(head -c "$size" | hash_of /dev/stdin)" = "$digest" ] || refuse "the content of $digest is other content"
    else
      head -c "$size" >travel
      [ "$(size_of travel)" = "$size" ] || refuse "the travel form of $digest ends too early"
      found=$(restored "$form" "$plain" "the travel form of $digest" 7<travel | hash_of /dev/stdin) || exit 1
      [ "sha256:$found" = "$wanted" ] || refuse "what the travel form of $digest holds is other content"
    fi
  done 6<blob-list
  [ "$(head -c 1 | wc -c)" = 0 ] || refuse "plain bytes are left over"
}

# --- The steps --------------------------------------------------------------------------------------------------------------------

step "1. The first five entries, each under its bound"
entry 00-format claimed-128 format
case $(head -c 16 format | xxd -p) in 6169726c6f636b2d62756e646c652031) ;; *) refuse "this is no bundle of version 1" ;; esac
entry 01-signatures.json claimed-262144 signatures
entry 02-trust.json claimed-4194304 trust
entry 03-head.json claimed-262144 head
entry 04-approvals.json claimed-262144 approvals
echo "  $position bytes"

step "2. The pinned roots, each signed by the one before it and by itself"
head -c 4194305 <&4 >pin
[ "$(size_of pin)" -le 4194304 ] || refuse "the pin is larger than 4 MiB"
document pin chain "the pin"
pinned=$(jq '.roots | length' pin)
for ((version = 1; version <= pinned; version++)); do
  jq --argjson n "$version" '.roots[$n - 1]' pin >link && link "$version"
done
domain=$(hash_of root-1)
echo "  trust domain $domain"
echo "  fingerprint of root $pinned, to compare with the vendor by voice: $(hash_of "root-$pinned")"

step "3. The roots that the bundle brings: the pinned ones again, then newer ones"
document trust links "entry 02"
[ "$(jq -r .domain trust)" = "$domain" ] || refuse "the bundle is of another trust domain than the pin"
brought=$(jq '.roots | length' trust)
for ((version = 2; version <= brought + 1; version++)); do
  jq --argjson n "$version" '.roots[$n - 2]' trust >link && link "$version"
done
newest=$((brought + 1 > pinned ? brought + 1 : pinned))
cat "root-$newest" >root
jq -r "$lib"'"  root \(.version) counts, issued by \(.vendor | shown), until \(.expires)"' root

step "4. The head and the signatures over it"
document signatures 'members(["signatures"]; []) and (.signatures | signatures)' "entry 01"
signed root release signatures application/vnd.airlock.bundle-head.v1+json head "the head"
if jq -e '.requires | index("delta-1")' head >answer; then
  refuse "this page reads no layers that are copied from others (delta-1): verify.py does, with --base"
fi
if grep -q '^repair chunks ' format; then
  refuse "this page reads a whole bundle, and this is a repair file: verify.py reads it"
fi
if jq -e '.requires | index("volumes-1")' head >answer; then
  refuse "this page reads a bundle in one file, and this one has volumes (volumes-1): verify.py reads them, all of them named"
fi
document head head "the head"
jq -e -n --slurpfile root root --slurpfile head head --arg domain "$domain" '$root[0] as $root | $head[0]
  | .domain == $domain and .root_version <= $root.version and ([.product] - $root.products == [])' >answer ||
  refuse "the head names another domain, a newer root, or a product that the root does not name"
jq -e -n --slurpfile root root --slurpfile head head '$head[0].issued_at | . <= $root[0].expires and (fromdate <= now + 172800)' >answer ||
  refuse "the head was issued after its root expires, or more than 48 hours after now"
count=$(jq .totals.chunks head)
printf 'airlock-bundle 1\nvolume 1/1 chunks %d-%d\n' $((count > 0)) "$count" | cmp -s - format || refuse "entry 00 does not say what the head says"
document approvals 'members(["approvals"]; []) and (.approvals | signatures)' "entry 04"
head_digest=$(hash_of head)
echo "  head digest $head_digest"
jq -r "$lib"'"  \(.product) \(.channel) \(.version | shown), number \(.epoch):\(.sequence), issued \(.issued_at), until \(.expires)",
  "  for \(.audience | if . == "any" then "any site" elif . == [] then "no site" else "the sites " + join(", ") end)"' head

step "5. The index pages, whose hashes the head holds; the lines' order, their sums, and the chunks that follow from the blobs"
: >index
page=0
before=1048576
jq -r '.index[] | "\(.sha256) \(.size)"' head >page-list || refuse "the list of pages cannot be read"
while read -r -u 6 sha256 size; do
  page=$((page + 1))
  entry "$(printf '05-index/%04d' "$page")" "$size" page
  [ "$(hash_of page)" = "$sha256" ] || refuse "index page $page is not the one that the head names"
  [ "$(tail -c 1 page | xxd -p)" = 0a ] || refuse "index page $page does not end with a line feed"
  [ $((before + $(head -n 1 page | wc -c))) -gt 1048576 ] || refuse "index page $page was begun before the one before it was full"
  before=$size
  lines page line "index page $page"
  cat page >>index
done 6<page-list
jq -r -n --slurpfile head head --slurpfile lines index '$head[0].totals as $totals | $head[0].chunk_bytes as $most
  | def of($kind): [$lines[] | select(.kind == $kind)];
    of("blob") as $blobs | of("chunk") as $chunks
  | def travels: .travel_size // .size;
    [foreach ($blobs[], null) as $blob ({number: -1, plain: 0};
      .number += 1 | .cut = [] | if $blob == null or (.plain > 0 and (.number == $totals.early_blobs or .plain + ($blob | travels) > $most))
        then .cut = [[.plain, false] | select(.[0] > 0)] | .plain = 0 else . end
      | if $blob == null then . elif ($blob | travels) > $most
        then .cut += [range(0; $blob | travels; $most) | [([$most, ($blob | travels) - .] | min), ($blob | has("encoding"))]]
        else .plain += ($blob | travels) end; .cut[])] as $cuts | [$cuts[][0]] as $plain
  | [$blobs[].encoding | select(. != null)] as $encodings
  | def ascending: . == unique;
    if ([$lines[].kind | {"tag": 1, "absent": 2, "need": 3, "blob": 4, "chunk": 5}[.]] | . == sort)
      and (of("tag") | map([.repository, .tag // "", .digest]) | ascending)
      and (of("tag") | length <= 100000) and (of("absent") | length <= 100000)
      and (of("absent") | map(.digest) | ascending) and (of("need") | map(.digest) | ascending)
      and ([$totals | .blobs, .chunks, .needs, .content_bytes, .stored_bytes] == [($blobs | length), ($chunks | length), (of("need") | length),
        ([$blobs[].size] | add // 0), ([$chunks[].size] | add // 0)])
      and all($blobs[:$totals.early_blobs][]; has("encoding") | not)
      and ([$head[0].requires[] | select(startswith("encoding-") or startswith("gzip-"))]
        == ([$encodings[] | "encoding-1", (.producer // empty | "gzip-" + .)] | unique))
      and ([$blobs[] | select(has("encoding")) | .encoding.plain_size // .size] | add // 0) <= 17592186044416
      and ($plain | length) == ($chunks | length)
      and all(range($cuts | length); ($cuts[.][1] | not) or $chunks[.].codec == "none")
      and all(range($plain | length); $chunks[.].size as $size | if $chunks[.].codec == "none" then $size == $plain[.] else $size > 0 and $size < $plain[.] end)
    then ($blobs[] | "blob \(.digest) \(travels) \(.encoding.form // "as-it-is") \(.encoding.plain_size // .size) \(.encoding.plain_digest // .digest)"), (range($plain | length) | $chunks[.] as $one | "chunk \($one.codec) \($one.sha256) \($one.size) \($plain[.])")
    else error("") end' >lists || refuse "the index: order of lines, totals of the head, or the cut into chunks"
sed -n 's/^blob //p' lists >blob-list
sed -n 's/^chunk //p' lists >chunk-list
echo "  $page pages, $(wc -l <blob-list) blobs, $(wc -l <chunk-list) chunks"

step "6. The fill: zero bytes up to payload_offset"
fill=$(($(jq .payload_offset head) - position - 512))
[ "$fill" -ge 0 ] && [ "$fill" -le 16777216 ] || refuse "payload_offset does not fit the index, or the fill is too large"
entry 06-fill "$fill" fill
zeros "$fill" | cmp -s - fill || refuse "the fill is not zero"

step "7. Every chunk's stored bytes, every blob's digest, and the end"
chunks | blobs
echo "  all of them"
made=$(grep -c ' gzip ' blob-list || true)
if [ "$made" != 0 ]; then echo "  of $made gzip layers what is compressed in them, which is what an engine unpacks"; fi

step "8. The names, to compare with what the vendor says"
jq -r "$lib"'select(.kind == "tag") | "  \(.repository | shown)\(if has("tag") then ":" + (.tag | shown) else "" end) \(.digest)"' index

cat <<END

good as far as this page checks: head $head_digest
not checked here, so not said to be good; verify.py refuses what is wrong with it:
  what is inside the manifests and indexes of images, and whether all they refer to is carried (SPEC.md, 7, without M-51)
  what is inside the desired state and the sealed secrets, and whether the head says that there are secrets (SPEC.md, 11)
  whether a gzip layer is made again of what is compressed in it by its recipe (SPEC.md, M-152 to M-157); a site compares its digest
  whether a key of a root that signed nothing here is a point of the curve (SPEC.md, M-10)
not checked here, and by verify.py only when it is told a site, its mark or a time (SPEC.md, M-38 to M-40):
  whether the bundle is for your site, is newer than what it has, and has not expired; step 4 shows what the head says
END
