// Which guests a hypervisor has, and the files and devices that their disks are made of.

import { ErrorCode, LibvirtError } from "@cistern/client";
import { type DiskSource, readDomain } from "@cistern/documents";
import { example } from "./example.js";

function placeOf(source: DiskSource): string {
  if (source.type === "volume") return `volume ${source.volume} of pool ${source.pool}`;
  return "path" in source ? (source.path ?? "nothing in the drive") : `by ${source.type}`;
}

await example(async (connection) => {
  try {
    for (const domain of await connection.listDomains()) {
      console.log(`${domain.name}: ${await domain.state()}`);
      for (const { target, source } of readDomain(await domain.xml()).disks)
        console.log(`  ${target}: ${placeOf(source)}`);
    }
    console.log("that is all");
  } catch (error) {
    if (!(error instanceof LibvirtError) || error.code !== ErrorCode.NO_SUPPORT) throw error;
    console.log(`no hypervisor: the driver is ${await connection.hypervisorType()}`);
  }
});
