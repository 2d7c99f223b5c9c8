// One step of a round with basic-ftp. The standard input is a JSON object: host, port, user,
// password, secure, directory, and `put` or `get` (lists of [local, remote]) or `list` (true).

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.argv[2]);
const { Client } = require("basic-ftp");

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
        await client.uploadFrom(local, remote);
    }
    for (const [local, remote] of step.get ?? []) {
        await client.downloadTo(local, remote);
    }
    if (step.list) {
        for (const entry of await client.list()) {
            console.log(entry.name);
        }
    }
} finally {
    client.close();
}
