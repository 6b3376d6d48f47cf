#!/usr/bin/env bash
# Writes the golden files anew from a classic library.
#
#   golden.sh PREFIX [DAEMON,DAEMON,DAEMON]
#
# PREFIX is where the classic library is installed (include/sp.h, lib/libspread.so.3). With the names of three real daemons of one
# network, in the order of their configuration file, the network's golden files are written too. Every seed is run twice and must
# give the same lines both times: a golden file never depends on the machine.
set -euo pipefail

prefix=${1:?"usage: golden.sh PREFIX [DAEMON,DAEMON,DAEMON]"}
daemons=${2:-}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${CC:-cc}" -std=c11 -D_GNU_SOURCE -O1 -g -I "$prefix/include" "$here"/*.c -L "$prefix/lib" -l:libspread.so.3 -lpthread -o "$work/ops"
export LD_LIBRARY_PATH=$prefix/lib

# name first count arguments...
write() {
    local name=$1 first=$2 count=$3
    shift 3
    "$work/ops" "$1" "$first" "$count" "${@:2}" >"$work/once"
    "$work/ops" "$1" "$first" "$count" "${@:2}" >"$work/twice"
    if ! cmp "$work/once" "$work/twice"; then
        echo "$name: two runs differ" >&2
        exit 1
    fi
    if grep -E '^!|nothing comes|^[0-9]+ fence' "$work/once"; then
        echo "$name: a seed crashes, hangs or misses a message" >&2
        exit 1
    fi
    cp "$work/once" "$here/golden/$name.txt"
}

mkdir -p "$here/golden"
for ((first = 1; first <= 551; first += 50)); do
    write "script-$(printf %04d "$first")" "$first" 50 script
done
if [[ -n $daemons ]]; then
    for first in 1 61; do
        write "network-$(printf %04d "$first")" "$first" 60 network --daemons "$daemons"
    done
fi
