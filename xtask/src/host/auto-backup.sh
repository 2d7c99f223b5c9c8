#!/bin/sh
# Stands in for the host's auto-backup.sh: keeps the sticky files below /etc in /bootbank/state, mode and all. Whether a file
# has changed is seen by its content alone. The lines that differ are printed, whatever is in them. The exit code is 0, saved
# or not.
state=/bootbank/state
find /etc -type f -perm -1000 | while read -r file; do
    kept=$state$file
    if [ ! -e "$kept" ]; then
        mkdir -p "${kept%/*}"
        cp -p "$file" "$kept"
    elif ! diff "$kept" "$file"; then
        cp -p "$file" "$kept"
    fi
done
exit 0
