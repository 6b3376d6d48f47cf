#!/bin/sh
# The demo: C programs that know nothing but sp.h, on an embedded network of three daemons or on a daemon that is there.
#
#   SPREAD=4803@host   uses that daemon instead of the embedded network
#   CLASSIC=DIR        shows the slow reader with the classic library too: DIR has its libspread.so.3; nothing is rebuilt
#   PORT=4803          the embedded network's port, instead of a free one
#   COUNT=50000        messages for the slow reader
#   SIZE=100           bytes of each
#
# `make demo` builds what is needed first. BUILD is the folder of the programs, LIBDIR that of libspread.so.3, EVERSPREAD the
# command that runs the embedded network. Ends with 0 only if everything was as told.
set -eu

: "${BUILD:?the folder of the demo programs}" "${LIBDIR:?the folder of libspread.so.3}"
SPREAD=${SPREAD:-}
CLASSIC=${CLASSIC:-}
COUNT=${COUNT:-50000}
SIZE=${SIZE:-100}

# What a daemon holds for one client before it throws it out (MaxSessionMessages). Beside that, a few thousand messages fit
# into the sockets.
LIMIT=1000
[ "$COUNT" -ge $((10 * LIMIT)) ] || { echo "demo: COUNT is at least $((10 * LIMIT))" >&2; exit 2; }

id=$(($$ % 10000))
group="demo-$$"
work=$(mktemp -d)
network=
reader=

cleanup() {
    status=$?
    trap - EXIT
    for pid in $reader $network; do
        kill -CONT "$pid" 2>/dev/null || true
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }

# Runs a demo program with our library, found as a dropped-in one is.
ours() { program=$1; shift; LD_LIBRARY_PATH="$LIBDIR" "$BUILD/$program" "$@"; }

# Has `named PROGRAM ...` run a demo program in a mount namespace of its own, where host name $1 has the addresses that follow. False:
# that cannot be done here.
give_name() {
    host=$1
    shift
    { echo "127.0.0.1 localhost" && printf "%s $host\\n" "$@"; } >"$work/hosts"
    # Nobody else is asked.
    echo "hosts: files" >"$work/nsswitch.conf"
    # shellcheck disable=SC2016 # for the shell inside
    inside='mount --bind "$1" /etc/hosts && { [ ! -e /etc/nsswitch.conf ] || mount --bind "$2" /etc/nsswitch.conf; } && shift 2 && exec "$@"'
    # Root, or an ordinary user who may make namespaces.
    for private in --mount "--user --map-root-user --mount"; do
        # shellcheck disable=SC2086 # words
        if unshare $private sh -c "$inside" sh "$work/hosts" "$work/nsswitch.conf" getent ahosts "$host" >"$work/ahosts" 2>&1 &&
            [ "$(grep -c STREAM "$work/ahosts")" -eq $# ]; then
            named() {
                program=$1
                shift
                # shellcheck disable=SC2086 # words
                unshare $private sh -c "$inside" sh "$work/hosts" "$work/nsswitch.conf" \
                    env LD_LIBRARY_PATH="$LIBDIR" "$BUILD/$program" "$@"
            }
            return 0
        fi
    done
    return 1
}

start_network() {
    : "${EVERSPREAD:?the everspread command}"
    mkfifo "$work/network"
    # Somebody else may have the port: then another one.
    for try in 1 2 3 4 5; do
        port=${PORT:-$((20000 + (id * 7 + try * 1009) % 10000))}
        "$EVERSPREAD" testd --daemons 3 --port "$port" --control "$work/control" >"$work/network" 2>"$work/network.err" &
        network=$!
        exec 5<"$work/network"
        # Until it is ready, or has ended.
        while read -r line <&5; do
            if [ "$line" = ready ]; then
                # What else it says must not fill the pipe.
                cat <&5 >/dev/null &
                exec 5<&-
                return 0
            fi
        done
        exec 5<&-
        wait "$network" || true
        network=
        [ -z "${PORT:-}" ] || break
    done
    cat "$work/network.err" >&2
    fail "the embedded network did not start"
}

# Starts a reader that sleeps until wake_reader. $1: the folder of its library.
start_reader() {
    rm -f "$work/in" "$work/out"
    mkfifo "$work/in" "$work/out"
    # Not through a function: the process must be the reader itself, to be frozen.
    LD_LIBRARY_PATH="$1" "$BUILD/sleeper" "$first" "sleep-$id" "$group" <"$work/in" >"$work/out" 2>"$work/err" &
    reader=$!
    exec 3>"$work/in" 4<"$work/out"
    read -r line <&4 || line=
    [ "$line" = asleep ] || { cat "$work/err" >&2; fail "the reader did not start"; }
}

# Wakes it and shows what it says. Its exit code is in $code.
wake_reader() {
    echo wake >&3
    exec 3>&-
    sed 's/^/   reader: /' <&4
    exec 4<&-
    code=0
    wait "$reader" || code=$?
    reader=
}

flood() {
    ours flood "$first" "flood-$id" "$group" "$COUNT" "$SIZE" >"$work/flood" || fail "the sender failed"
    sed 's/^/   sender: /' "$work/flood"
}

if [ -n "$SPREAD" ]; then
    first=$SPREAD second=$SPREAD third=$SPREAD
    say "Using the daemon at $SPREAD"
else
    start_network
    first=$port@127.0.0.1 second=$port@127.0.0.2 third=$port@127.0.0.3
    say "Started an embedded network: three daemons, $first, $second, $third"
fi

say "Three programs join a group, each says hello, and all hear the same in the same order"
pids=
for who in ann:$first bob:$second cy:$third; do
    user=${who%%:*}
    ours talk "${who#*:}" "$user-$id" "$group" 3 >"$work/talk.$user" 2>&1 &
    pids="$pids $!"
done
talked=yes
for pid in $pids; do wait "$pid" || talked=no; done
for user in ann bob cy; do
    sed "s/^/   $user: /" "$work/talk.$user"
    sed -n '/^message/p' "$work/talk.$user" >"$work/heard.$user"
done
[ "$talked" = yes ] || fail "a program failed"
[ "$(wc -l <"$work/heard.ann")" -eq 3 ] || fail "not every message came"
cmp -s "$work/heard.ann" "$work/heard.bob" && cmp -s "$work/heard.ann" "$work/heard.cy" || fail "the orders differ"
echo "   All three heard the same three messages in the same order."

say "A reader sleeps while $COUNT messages come ($((COUNT / LIMIT)) times what a daemon holds for one client), then reads"
start_reader "$LIBDIR"
flood
wake_reader
[ "$code" -eq 0 ] || fail "the reader did not get everything in order"
echo "   Nothing was lost: the library has taken the messages from the daemon while the program slept."

say "The same with little memory: 1 MiB of it, and what does not fit goes to disk (SPREAD_OPTIONS, the program is the same)"
export SPREAD_OPTIONS="recv_policy=spill&recv_max_bytes=1M&spill_dir=$work"
start_reader "$LIBDIR"
flood
wake_reader
unset SPREAD_OPTIONS
[ "$code" -eq 0 ] || fail "the reader did not get everything in order from disk"
echo "   Nothing was lost here either, and the file is gone: it never had a name."

say "What the limit of $LIMIT does to a reader for whom nobody takes messages: the same, but the whole process is frozen"
start_reader "$LIBDIR"
kill -STOP "$reader"
flood
kill -CONT "$reader"
wake_reader
if [ "$code" -eq 3 ]; then
    echo "   The daemon has thrown it out. So it would have done above with the classic library, which reads only inside SP_receive."
elif [ "$code" -eq 0 ]; then
    echo "   This daemon has a higher limit, or $COUNT messages are too few for it: nothing was lost here either."
else
    fail "the frozen reader ended with $code"
fi

if [ -n "$CLASSIC" ]; then
    [ -e "$CLASSIC/libspread.so.3" ] || fail "there is no libspread.so.3 in $CLASSIC"
    say "The same program file with the classic library of $CLASSIC, only asleep"
    start_reader "$CLASSIC"
    flood
    wake_reader
    [ "$code" -eq 3 ] || [ "$code" -eq 0 ] || fail "the reader with the classic library ended with $code"
fi

if [ -n "$network" ]; then
    dead=127.0.0.4
    name=daemons.demo
    say "One host name with three addresses of which the first, $dead, is dead: $dead, ${second#*@}, ${third#*@}"
    if give_name "$name" "$dead" "${second#*@}" "${third#*@}"; then
        echo "   $name stands in a hosts file that only this program sees; the system's own resolver reads it."
        echo "   The addresses of a name are tried in a random order, so the program is run until it has met the dead one first."
    else
        echo "   No private mounts here (unshare --mount), so no hosts file of our own: SPREAD_MAP says what $name stands for,"
        echo "   in an order that is kept."
        named() { SPREAD_MAP="$port@$name=$port@$dead,$second,$third" ours "$@"; }
    fi
    run=0
    until grep -q "$dead" "$work/talk.dee" 2>/dev/null; do
        run=$((run + 1))
        # Each time the chance is one third.
        [ "$run" -le 100 ] || fail "in 100 runs the dead address was never tried"
        SPREAD_LOG=info named talk "$port@$name" "dee-$id" "$group" 1 >"$work/talk.dee" 2>&1 ||
            { cat "$work/talk.dee" >&2; fail "it did not find a daemon"; }
        echo "   run $run: $(sed -n 's/^connected to .* as //p' "$work/talk.dee")$(
            sed -n "s/^everspread: info: \($dead:[0-9]*: .*\)/, after \1/p" "$work/talk.dee")"
    done
    sed 's/^/   dee: /' "$work/talk.dee"
    echo "   $dead refused, and the next address took it; the program has no code for that. (SPREAD_LOG=info tells what was tried.)"
else
    say "A program with the name of a daemon built in, which is dead; the environment knows one more"
    export SPREAD_MAP="1@localhost=1@127.0.0.1,$first"
    ours talk "1@localhost" "dee-$id" "$group" 1 >"$work/talk.dee" 2>&1 || { cat "$work/talk.dee" >&2; fail "it did not find a daemon"; }
    unset SPREAD_MAP
    sed 's/^/   dee: /' "$work/talk.dee"
    echo "   The first place refused, the second took it; the program has no code for that."
fi

if [ -n "$network" ]; then
    say "A session with failover=auto loses its daemon in the middle of a stream"
    ours failover "$first,$second" "$third" "eve-$id" "stream-$$" "$work/control" >"$work/failover" 2>&1 ||
        { cat "$work/failover" >&2; fail "the session did not come back as told"; }
    grep -v '^everspread: ' "$work/failover" | sed 's/^/   eve: /'
fi

say "Done"
