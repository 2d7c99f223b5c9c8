#!/bin/sh
# Stands in for the host's watchdog.sh, as far as its behaviour is documented: -d -s TAG COMMAND, -k TAG, -r TAG.
# With a file /tmp/patient it sleeps between two attempts.
verb=
for option in "$1" "$2"; do
    case $option in
        -d) detach=yes ;;
        -s | -k | -r) verb=$option ;;
    esac
done
[ "${detach:-}" = yes ] && shift
shift
tag=$1
shift
pid_file=/var/run/vmware/watchdog-$tag.PID
mkdir -p /var/run/vmware

running() {
    [ -r "$pid_file" ] && read -r pid <"$pid_file" && kill -0 "$pid" 2>/dev/null
}

case $verb in
    -r)
        running && echo "$pid" && exit 0
        exit 1
        ;;
    -k)
        running || exit 1
        kill "$pid"
        rm -f "$pid_file"
        exit 0
        ;;
esac

if [ "${detach:-}" = yes ]; then
    setsid "$0" -s "$tag" "$@" </dev/null >/dev/null 2>&1 &
    exit 0
fi
running && exit 1
echo "$$" >"$pid_file"
failures=0
pause=
trap '[ -z "$pause" ] || kill "$pause"; exit 0' TERM
while [ "$failures" -le 5 ]; do
    began=$(date +%s)
    eval "setsid env $* &"
    wait "$!"
    if [ $(($(date +%s) - began)) -lt 60 ]; then failures=$((failures + 1)); else failures=0; fi
    if [ -e /tmp/patient ]; then
        sleep 60 &
        pause=$!
        wait "$pause"
    fi
done
rm -f "$pid_file"
