#!/bin/sh
# Stands in for a host's pidof that finds processes by full path: -xs prints the first pid of /tmp/pidof, -x all of them, one a line.
[ "$2" = /opt/esxftpd/bin/esxftpd ] || exit 1
read -r first rest </tmp/pidof
[ -n "$first" ] || exit 1
case $1 in
    -xs) echo "$first" ;;
    -x) echo "$first $rest" | tr ' ' '\n' ;;
    *) exit 1 ;;
esac
