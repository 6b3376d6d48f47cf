#!/bin/sh
# The Java act of the demo: a Java and a C program, which know nothing but the classic interfaces, chat in a group while their
# daemon dies. Options from outside have both libraries come back on another one.
#
# BUILD is the folder of the demo programs, LIBDIR that of libspread.so.3, JARS that of the jars. Ends with 0 only if
# everything was as told.
set -eu

: "${BUILD:?the folder of the demo programs}" "${LIBDIR:?the folder of libspread.so.3}" "${JARS:?the folder of the jars}"

for jar in "$JARS"/everspread-[0-9]*.jar; do
    case $jar in *-sources.jar | *-javadoc.jar) ;; *) client=$jar ;; esac
done
for jar in "$JARS"/everspread-testing-[0-9]*.jar; do
    case $jar in *-sources.jar | *-javadoc.jar) ;; *) testing=$jar ;; esac
done

group="chat-$$"
work=$(mktemp -d)
pids=

cleanup() {
    status=$?
    trap - EXIT
    for pid in $pids; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say() { printf '\n== %s\n' "$*"; }

# Waits until program $1 has printed $3 or more lines like $2.
heard() {
    tries=0
    until [ "$(grep -c -- "$2" "$work/$1.out")" -ge "${3:-1}" ]; do
        tries=$((tries + 1))
        if [ "$tries" -gt 300 ]; then
            printf 'demo: %s has not printed "%s", but\n' "$1" "$2" >&2
            cat "$work/$1.out" >&2
            exit 1
        fi
        sleep 0.1
    done
}

for name in director java c; do mkfifo "$work/$name.in"; : >"$work/$name.out"; done

java -cp "$testing:$BUILD" Director <"$work/director.in" >"$work/director.out" 2>&1 &
pids="$pids $!"
exec 6>"$work/director.in"
heard director @
read -r first second <"$work/director.out"
say "Java and C: two daemons, $first and $second; a Java and a C program join a group at the first"

java -cp "$client:$BUILD" -Dspread.client.daemons="$first,$second" -Dspread.client.failover=auto \
    Chat localhost 4803 jay "$group" <"$work/java.in" >"$work/java.out" 2>&1 &
java=$!
pids="$pids $java"
exec 7>"$work/java.in"
SPREAD_OPTIONS=failover=auto LD_LIBRARY_PATH="$LIBDIR" \
    "$BUILD/chat" "$first,$second" cee "$group" <"$work/c.in" >"$work/c.out" 2>&1 &
c=$!
pids="$pids $c"
exec 8>"$work/c.in"

for program in java c; do heard "$program" 'members of .*#jay#d1.*\|members of .*#cee#d1 #jay#d1'; done
heard java '#cee#d1'
heard c '#jay#d1'
echo 'hello from Java' >&7
for program in java c; do heard "$program" '"hello from Java", sent by #jay#d1'; done
echo 'hello from C' >&8
for program in java c; do heard "$program" '"hello from C", sent by #cee#d1'; done

echo 0 >&6
heard director killed
for program in java c; do
    heard "$program" '#jay#d2'
    heard "$program" '#cee#d2'
done
echo 'still here, says Java' >&7
echo 'so am I, says C' >&8
for program in java c; do
    heard "$program" '"still here, says Java", sent by #jay#d2'
    heard "$program" '"so am I, says C", sent by #cee#d2'
done
exec 7>&- 8>&-
wait "$java" || { echo 'demo: the Java program failed' >&2; exit 1; }
wait "$c" || { echo 'demo: the C program failed' >&2; exit 1; }
exec 6>&-
sed 's/^/   Java: /' "$work/java.out"
sed 's/^/   C:    /' "$work/c.out"
echo "   Their daemon was killed in the middle. Both went on at $second, without a line of code for it."
