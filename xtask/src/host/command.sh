#!/bin/sh
# Stands in for the host's esxcli, localcli and vim-cmd, whose name it has: notes the call in /var/log/calls and succeeds
# with what our package and its readers are told to call. Everything else is unknown here.
name=${0##*/}
echo "$name $*" >>/var/log/calls
case $name in
    vim-cmd)
        case $1 in
            hostsvc/refresh_firewall | hostsvc/refresh_service | hostsvc/refresh_services) exit 0 ;;
        esac
        echo "Invalid command '$1'." >&2
        exit 1
        ;;
esac
case ${1:-} in --plugin-dir=*) shift ;; esac
case "$*" in
    "network firewall refresh" | "network firewall ruleset "*) exit 0 ;;
    "sched group add "* | "sched group setmemconfig "* | "sched group delete "*) exit 0 ;;
    "system version get") echo "   Product: a simulated host" ;;
    *)
        echo "Error: Unknown command or namespace $*" >&2
        exit 1
        ;;
esac
