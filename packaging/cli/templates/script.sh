#!/bin/sh
# chkconfig: on 90 10
# description: %SUMMARY%

# ESXi calls this script at boot and shutdown, the installer when it installs, upgrades or removes the package:
#     %NAME% start|stop|restart|status [install|upgrade|remove]
# If start or stop exits with another code than 0, the installer rolls back. It also waits until every process has closed
# the output, so detach background processes: </dev/null >/dev/null 2>&1.

# Replace this with your own commands.
run() {
    logger -t %NAME% "this host was started"
}

case "$1" in
start | restart) run ;;
stop) ;;
status) exit 3 ;; # no process keeps running
*)
    echo "usage: $0 {start|stop|restart|status}" >&2
    exit 2
    ;;
esac
exit 0
