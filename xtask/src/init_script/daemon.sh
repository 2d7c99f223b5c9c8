#!/bin/sh
# Stands in for the daemon: writes its pid file, removes it at the end, notes every SIGHUP in /tmp/reloads. Where another one
# runs already it ends at once, as on a port that is in use. `hash-password` waits as if at its prompt.
# Files in /tmp change its manners: `refuse` (exits at once, and leaves what is in it as its last words), `slow` (takes 2 s to end), `stubborn` (ignores SIGTERM).
[ "$1" = --version ] && exit 0
echo "$*" >>/tmp/commands
# A trap waits for the end of a foreground command, not for the end of `wait`.
rest() {
    while :; do
        sleep 1 &
        wait "$!"
    done
}
if [ "$1" = hash-password ]; then rest; fi
if [ -e /tmp/refuse ]; then
    [ -s /tmp/refuse ] && cat /tmp/refuse >/var/run/esxftpd.error
    exit 78
fi
[ "$1" = serve ] && [ "$4" = --pid-file ] || exit 64
pid_file=$5
port=/tmp/port

occupy() { (set -C && echo "$$" >"$port") 2>/dev/null; }
if ! occupy; then
    read -r other <"$port"
    kill -0 "$other" 2>/dev/null && exit 1
    rm -f "$port"
    occupy || exit 1
fi

end() {
    [ -e /tmp/slow ] && sleep 2
    rm -f "$pid_file" "$port"
    exit 0
}
if [ -e /tmp/stubborn ]; then trap '' TERM; else trap end TERM; fi
trap 'echo reload >>/tmp/reloads' HUP
echo "$$" >"$pid_file"
rest
