#!/bin/sh
# Peak memory and bytes read and written of create, verify, import and inspect, on both large bundles of the design:
# 4 GiB in 201 blobs, one of 3 GiB, 60 % of it incompressible; and 100,000 blobs of 4 KiB.
#
#   benches/memory.sh [large|small] …        AIRLOCK_BENCH_MIB=1024 benches/memory.sh large
#
# Needs GNU time (Debian package time) and 14 GB of disk for the defaults; AIRLOCK_BENCH_DIR says where.
# Ends with 1 when a bar is missed. Memory is the peak of the resident set as the kernel counts it; bytes are those of /proc/PID/io: rchar is what
# system calls returned, written is what went to pages of files.
set -eu
cd "$(dirname "$0")/.."

export AIRLOCK_BENCH_MIB="${AIRLOCK_BENCH_MIB:-4096}"
export AIRLOCK_BENCH_BLOBS="${AIRLOCK_BENCH_BLOBS:-100000}"
target="${CARGO_TARGET_DIR:-target}"
base="${AIRLOCK_BENCH_DIR:-$target/tmp/memory}"
airlock="$target/release/airlock"
missed=0

command -v /usr/bin/time >/dev/null || { echo "memory.sh needs GNU time" >&2; exit 1; }
cargo build --release --quiet

# line NAME SET MEMORY-BAR-MIB READ-BAR-MIB COMMAND …: runs the command and prints what it took.
line() {
    name=$1 memory_bar=$2 read_bar=$3
    shift 3
    # The inner shell waits for the command, and its own counters then hold the command's.
    # shellcheck disable=SC2016
    /usr/bin/time -o "$work/time" -f '%M %e' sh -c '"$@" >/dev/null 2>&1 && cat "/proc/$$/io"' sh "$@" >"$work/io" \
        || { echo "failed: $*" >&2; exit 1; }
    read -r peak seconds <"$work/time"
    awk -v name="$name" -v peak="$peak" -v seconds="$seconds" -v memory_bar="$memory_bar" -v read_bar="$read_bar" '
        $1 == "rchar:" { read = $2 / 1048576 }
        $1 == "write_bytes:" { written = $2 / 1048576 }
        END {
            ok = peak / 1024 <= memory_bar && (read_bar == "-" || read <= read_bar)
            printf "%-16s %7.1f MiB (bar %s)  read %9.2f MiB (bar %s)  written %9.2f MiB  %7.1f s  %s\n", \
                name, peak / 1024, memory_bar, read, read_bar, written, seconds, ok ? "ok" : "MISSED"
            exit !ok
        }' "$work/io" || missed=$((missed + 1))
}

for set in ${*:-large small}; do
    work="$base/$set"
    mkdir -p "$work"
    echo "$set: making the data set in $work"
    cargo bench --quiet --bench bars -- --make "$set" "$work"
    rm -rf "$work/acme" "$work/state" "$work/bundle"
    "$airlock" vendor init --product bench --vendor Bench "$work/acme" >/dev/null
    line "$set create" 64 - "$airlock" bundle create -f "$work/release.yaml" -w "$work/acme" -o "$work/bundle"
    line "$set verify" 64 - "$airlock" bundle verify "$work/bundle" --trust "$work/acme/root.json"
    "$airlock" init --trust "$work/acme/root.json" --site bench --state "$work/state" >/dev/null
    line "$set import" 64 - "$airlock" import "$work/bundle" --state "$work/state"
    line "$set inspect" 64 1 "$airlock" bundle inspect "$work/bundle"
    ls -l "$work/bundle" | awk -v set="$set" '{ printf "%s bundle      %.2f MiB\n", set, $5 / 1048576 }'
    rm -rf "$work/acme" "$work/state" "$work/bundle"
done
echo "$missed MISSED"
[ "$missed" -eq 0 ]
