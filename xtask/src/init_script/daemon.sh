#!/bin/sh
# Stands in for the daemon: writes its pid file, removes it at the end, notes every SIGHUP in /tmp/reloads.
# Files in /tmp change its manners: `refuse` (exits at once), `slow` (takes 2 s to end), `stubborn` (ignores SIGTERM).
echo "$*" >>/tmp/commands
[ -e /tmp/refuse ] && exit 78
[ "$1" = serve ] && [ "$4" = --pid-file ] || exit 64
pid_file=$5

end() {
    [ -e /tmp/slow ] && sleep 2
    rm -f "$pid_file"
    exit 0
}
if [ -e /tmp/stubborn ]; then trap '' TERM; else trap end TERM; fi
trap 'echo reload >>/tmp/reloads' HUP
echo "$$" >"$pid_file"
# A trap waits for the end of a foreground command, not for the end of `wait`.
while :; do
    sleep 1 &
    wait "$!"
done
