#!/bin/sh
# Stands in for the host's watchdog.sh, as far as its behaviour is documented:
#     watchdog.sh [++PARAMETERS] [-d] [-n] [-u SECONDS] [-q NUMBER] [-t NUMBER] [-i SECONDS] -s TAG COMMAND
# runs COMMAND and starts it again when it ends: at once, or after -i SECONDS and then for ever. A run shorter than -u
# (60) is a quick failure; after more than -q (5) of them, or -t failures at all, it gives up. A file restart-TAG beside the
# pid file marks the next end as planned.
# -k TAG ends the watchdog and nothing else. It knows the pid file only, gives up without it, and waits 5 s at most.
# -r TAG prints the pids of all watchdogs with this tag, whatever is in the pid file.
# Two that start at once do not see each other; whoever ends removes the pid file, even if it is the other's.
# Files in /tmp change its manners: `patient` (waits a minute before it starts COMMAND again), `forgetful` (loses its pid
# file), `hidden` (-r does not find it).
detach=
min_uptime=60
max_quick=5
max_total=
interval=
arguments="$*"
while [ $# -gt 0 ]; do
    case $1 in
        ++*) ;;
        -d) detach=yes ;;
        -n) ;;
        -u) min_uptime=$2 && shift ;;
        -q) max_quick=$2 && shift ;;
        -t) max_total=$2 && shift ;;
        -i) interval=$2 && shift ;;
        -s | -k | -r) verb=$1 && tag=$2 && shift 2 && break ;;
        *) echo "watchdog.sh: $1 is not documented" >&2 && exit 64 ;;
    esac
    shift
done
run=/var/run/vmware
pid_file=$run/watchdog-$tag.PID
planned=$run/restart-$tag
mkdir -p "$run"

running() {
    [ -r "$pid_file" ] && read -r pid <"$pid_file" && kill -0 "$pid" 2>/dev/null
}

# Of those that supervise only: `-d` is gone from their command.
watchdogs() {
    [ ! -e /tmp/hidden ] || return
    /sbin/processes.sh | while read -r found _ script _ _ option named _; do
        if [ "$script $option $named" = "$0 -s $tag" ]; then echo "$found"; fi
    done
}

case $verb in
    -r)
        all=$(watchdogs)
        [ -n "$all" ] || exit 1
        echo "$all"
        exit 0
        ;;
    -k)
        running || exit 1
        kill "$pid"
        waited=0
        while kill -0 "$pid" 2>/dev/null; do
            if [ "$waited" -ge 50 ]; then exit 1; fi
            usleep 100000
            waited=$((waited + 1))
        done
        exit 0
        ;;
esac

if [ -n "$detach" ]; then
    # shellcheck disable=SC2086 # the arguments are words, as the real one takes them
    setsid "$0" ${arguments#*-d } </dev/null >/dev/null 2>&1 &
    exit 0
fi
running && exit 1
# Another one that starts now has not seen this one.
usleep 300000
echo "$$" >"$pid_file"
if [ -e /tmp/forgetful ]; then rm -f "$pid_file"; fi
quick=0
total=0
pause=
trap '[ -z "$pause" ] || kill "$pause"; rm -f "$pid_file"; exit 0' TERM
while [ "$quick" -le "$max_quick" ] && { [ -z "$max_total" ] || [ "$total" -le "$max_total" ]; }; do
    began=$(date +%s)
    eval "setsid env $* &"
    wait "$!"
    seconds=$(($(date +%s) - began))
    if [ -e "$planned" ]; then
        rm -f "$planned"
        continue
    fi
    total=$((total + 1))
    if [ -z "$interval" ] && [ "$seconds" -lt "$min_uptime" ]; then quick=$((quick + 1)); fi
    wait_for=$interval
    if [ -e /tmp/patient ]; then wait_for=60; fi
    if [ -n "$wait_for" ]; then
        sleep "$wait_for" &
        pause=$!
        wait "$pause"
        pause=
    fi
done
rm -f "$pid_file"
