// A passphrase that pools and volumes can refer to, without anybody reading it in their documents.

import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import { example } from "./example.js";

await example(async (connection) => {
  const uuid = randomUUID();
  const name = `example ${uuid}`;
  const secret = await connection.defineSecret(
    `<secret ephemeral='yes'><uuid>${uuid}</uuid><usage type='ceph'><name>${name}</name></usage></secret>`,
  );
  try {
    await secret.setValue(Buffer.from("open sesame"));
    const found = await connection.lookupSecretByUsage("ceph", name);
    console.log(`found by what it is for: ${found.uuid === secret.uuid}`);
    console.log(`its value has ${(await found.value()).length} bytes`);
    console.log(`kept in memory alone: ${(await connection.listSecrets({ ephemeral: true })).length}`);
  } finally {
    await secret.undefine();
  }
  console.log("forgotten");
});
