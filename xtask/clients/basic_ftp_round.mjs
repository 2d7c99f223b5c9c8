// One step of a round with basic-ftp. The standard input is a JSON object: host, port, user,
// password, secure, directory, and `put` or `get` (lists of [local, remote]), `list` (true) or
// `removeDir` (a directory).

import { createReadStream, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

const require = createRequire(process.argv[2]);
const { Client } = require("basic-ftp");

// Given an empty file, basic-ftp leaves in the middle of the TLS handshake of the data connection,
// and an upload that is cut off must not count. So the end of a file comes a moment later.
async function* unhurried(path) {
    yield* createReadStream(path);
    await sleep(50);
}

const step = JSON.parse(readFileSync(0, "utf8"));
const client = new Client(30_000);
try {
    await client.access({
        host: step.host,
        port: step.port,
        user: step.user,
        password: step.password,
        secure: step.secure,
        secureOptions: { rejectUnauthorized: false },
    });
    if (step.directory) {
        await client.cd(step.directory);
    }
    for (const [local, remote] of step.put ?? []) {
        await client.uploadFrom(Readable.from(unhurried(local)), remote);
    }
    for (const [local, remote] of step.get ?? []) {
        await client.downloadTo(local, remote);
    }
    if (step.removeDir) {
        await client.removeDir(step.removeDir);
    }
    if (step.list) {
        for (const entry of await client.list()) {
            console.log(entry.name);
        }
    }
} finally {
    client.close();
}
