#!/bin/sh
# chkconfig: on 80 20
# description: %SUMMARY%

# ESXi calls this script at boot and shutdown, the installer when it installs, upgrades or removes the package:
#     %NAME% start|stop|restart|status [install|upgrade|remove]
# If start or stop exits with another code than 0, the installer rolls back. It also waits until every process has closed
# the output, so the daemon inherits no descriptors.

DAEMON=/opt/%NAME%/bin/%NAME%
TAG=%NAME%
WATCHDOG=/sbin/watchdog.sh

# Prints the process ID of the daemon, if it runs.
pid() {
    pidof -xs "$DAEMON" 2>/dev/null
}

start() {
    if [ -n "$(pid)" ] || [ ! -x "$DAEMON" ]; then return; fi
    exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-
    if [ -x "$WATCHDOG" ]; then
        # Restarts the daemon when it exits. The daemon must stay in the foreground.
        "$WATCHDOG" -d -s "$TAG" "$DAEMON" </dev/null >/dev/null 2>&1
    else
        setsid "$DAEMON" </dev/null >/dev/null 2>&1 &
    fi
}

stop() {
    # First, otherwise it restarts the daemon.
    if [ -x "$WATCHDOG" ]; then "$WATCHDOG" -k "$TAG" >/dev/null 2>&1; fi
    seconds=0
    while [ -n "$(pid)" ] && [ "$seconds" -lt 15 ]; do
        if [ "$seconds" -lt 10 ]; then kill "$(pid)"; else kill -9 "$(pid)"; fi 2>/dev/null
        sleep 1
        seconds=$((seconds + 1))
    done
}

case "$1" in
start) start ;;
stop) stop ;;
restart)
    stop
    start
    ;;
status)
    if [ -z "$(pid)" ]; then
        echo "%NAME% is not running"
        exit 3
    fi
    echo "%NAME% is running"
    ;;
*)
    echo "usage: $0 {start|stop|restart|status}" >&2
    exit 2
    ;;
esac
exit 0
