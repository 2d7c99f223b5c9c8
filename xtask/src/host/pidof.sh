#!/bin/sh
# Stands in for the host's pidof, which is not busybox's: all pids on one line with a blank behind each, exit code 1 if there
# is none. Base names are compared, on both sides. -s prints one pid only. -x also finds the scripts that shells run.
# With a file /tmp/pidof it prints the pids in it.
single=
scripts=
while :; do
    case ${1:-} in
        -s) single=yes ;;
        -x) scripts=yes ;;
        -xs | -sx) single=yes && scripts=yes ;;
        -*) echo "pidof: $1 is not documented" >&2 && exit 64 ;;
        *) break ;;
    esac
    shift
done
wanted=${1##*/}

found() {
    if [ -e /tmp/pidof ]; then
        cat /tmp/pidof
        return
    fi
    /sbin/processes.sh | while read -r pid program script _; do
        if [ "${program##*/}" = "$wanted" ]; then
            echo "$pid"
        elif [ -n "$scripts" ] && [ "${script##*/}" = "$wanted" ]; then
            echo "$pid"
        fi
    done
}

line=
for pid in $(found); do
    line="$line$pid "
    if [ -n "$single" ]; then break; fi
done
[ -n "$line" ] || exit 1
echo "$line"
