"""From the log of esxftpd to the list of what was done: time, client, user, verb, path, result, bytes, seconds.

Reads lines of stderr or of the host's syslog from stdin, and prints a JSON array. It knows what the man page says of the
log and nothing else."""

import ast
import json
import re
import sys

PAIR = re.compile(r' ([a-z_]+)=("(?:[^"\\]|\\.)*"|\S*)')
# The form of the host's syslog, and that of stderr.
LINE = re.compile(r"(?:<\d+>(\w+ +\d+ [\d:]+) esxftpd\[\d+\]: |(\S+Z) \w+ +)(.*)")
DONE = {
    "logged-in": "log in",
    "log-in-refused": "log in",
    "stored": "store",
    "appended": "append",
    "sent": "fetch",
    "upload-failed": "store",
    "download-failed": "fetch",
    "deleted": "delete",
    "renamed": "rename",
    "directory-made": "make directory",
    "directory-removed": "remove directory",
    "permissions-set": "set permissions",
    "time-set": "set time",
    "copied": "copy",
}


def value(text):
    return ast.literal_eval("b" + text).decode() if text.startswith('"') else text


def operations(lines):
    for line in lines:
        found = LINE.match(line.rstrip("\n"))
        if not found:
            continue
        time, text = found[1] or found[2], found[3]
        verb = text.split(" ")[0]
        fields = {key: value(written) for key, written in PAIR.findall(text)}
        if verb == "refused":
            what, result = fields["verb"], fields["code"]
        elif verb in DONE:
            what, result = DONE[verb], "failed" if verb.endswith(("failed", "refused")) else "done"
        else:
            continue
        path = [fields[key] for key in ("path", "from", "to") if key in fields]
        rest = [int(fields.get("bytes", 0)), float(fields.get("seconds", 0))]
        yield [time, fields["client"], fields.get("user"), what, path, result, *rest]


json.dump(list(operations(sys.stdin)), sys.stdout)
