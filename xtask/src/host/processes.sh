#!/bin/sh
# Prints the processes of the simulated host, one a line: pid, program, script or `-`, all words of the command.
# A host's tools ask its kernel; here a service outside answers.
answer=/dev/processes/$$
: >"$answer.question" || exit 1
waited=0
until [ -e "$answer" ]; do
    if [ "$waited" -ge 3000 ]; then
        echo "processes.sh: no answer; the program that simulates the host has ended, start it again" >&2
        exit 1
    fi
    usleep 10000
    waited=$((waited + 1))
done
cat "$answer"
rm -f "$answer"
