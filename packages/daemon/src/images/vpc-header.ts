import { decodeUtf8 } from "@cistern/protocol";
import type { HeaderFacts } from "./header-reader.js";
import { type BoundedSource, Fields } from "./image-source.js";

/*
 * Big-endian. The footer (the last 512 bytes; those with a table have a copy at the start):  0 "conectix", 12 version 4,
 * 16 offset of the dynamic header 8, 48 size 8, 60 type 4. The dynamic header:  0 "cxsparse", 32 block size 4,
 * 64 parent's name in UTF-16 512.
 */
const FOOTER_BYTES = 512;
const DYNAMIC_HEADER_BYTES = 1_024;
const PARENT_NAME = { offset: 64, length: 512 };
const TYPES = new Map([
  [2, "fixed"],
  [3, "dynamic"],
  [4, "differencing"],
]);

/** Virtual PC's format. A fixed disk is told by its end alone. */
export async function readVpcHeader(bounded: BoundedSource): Promise<HeaderFacts | null> {
  const footer = (await footerAt(0n, bounded)) ?? (await footerAt(bounded.sizeBytes - BigInt(FOOTER_BYTES), bounded));
  if (footer === null) return null;
  const subformat = TYPES.get(footer.u32(60)) ?? null;
  const facts: HeaderFacts = { subformat, version: footer.u32(12) >>> 16, capacityBytes: footer.u64(48) };
  if (subformat !== "dynamic" && subformat !== "differencing") return facts;
  return bounded.attempt(facts, async () => {
    const header = new Fields(await bounded.exactly("The dynamic header", footer.u64(16), DYNAMIC_HEADER_BYTES));
    const backing = subformat === "differencing" ? { string: parentName(header), format: "vpc" } : null;
    return { ...facts, clusterSizeBytes: BigInt(header.u32(32)), backing: backing?.string === "" ? null : backing };
  });
}

async function footerAt(offsetBytes: bigint, bounded: BoundedSource): Promise<Fields | null> {
  const footer = new Fields(await bounded.upTo("The footer", offsetBytes, FOOTER_BYTES));
  const isFooter = footer.has(0, FOOTER_BYTES) && decodeUtf8(footer.part(0, 8)) === "conectix";
  return isFooter ? footer : null;
}

function parentName(header: Fields): string {
  let name = "";
  for (let at = 0; at < PARENT_NAME.length; at += 2) {
    const unit = header.u16(PARENT_NAME.offset + at);
    if (unit === 0) break;
    name += String.fromCharCode(unit);
  }
  return name;
}
