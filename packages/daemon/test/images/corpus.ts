import { readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { qcow2Image } from "./made-images.js";
import { qemuImg } from "./shared.js";

/** Valid images of every format, by a name that begins with the format. Those that qemu-img can make, it made. */
export function corpus(file: (name: string) => string): ReadonlyMap<string, Buffer> {
  const images = new Map<string, Buffer>();
  const made = (format: string, name: string, options: readonly string[], after?: (path: string) => void) => {
    const path = file(`${format}-${name}`);
    qemuImg("create", "-q", "-f", format, ...options, path, "4M");
    after?.(path);
    // Tables stand at the start of what qemu-img makes; of a fixed disk the end counts too.
    if (statSync(path).size > 1_048_576) truncateSync(path, 1_048_576);
    images.set(`${format} ${name}`, readFileSync(path));
  };
  const backing = ["-u", "-b", "/images/base.img", "-F", "raw"];
  made("qcow2", "plain", []);
  made("qcow2", "old", ["-o", "compat=0.10", ...backing]);
  made("qcow2", "data", ["-o", `data_file=${file("data")},data_file_raw=on`]);
  made("qcow2", "overlay", ["-o", "extended_l2=on,cluster_size=131072,compression_type=zstd", ...backing]);
  made("qcow2", "lists", [], (path) => {
    for (const name of ["one", "two", "three"]) {
      qemuImg("snapshot", "-c", name, path);
      qemuImg("bitmap", "--add", path, name);
    }
  });
  made("qcow", "overlay", backing);
  made("qed", "overlay", backing);
  made("vdi", "plain", []);
  made("vpc", "dynamic", []);
  made("vmdk", "sparse", []);
  made("vmdk", "flat", ["-o", "subformat=monolithicFlat"]);
  made("parallels", "plain", []);
  for (const [name, bytes] of Object.entries(handmade())) {
    writeFileSync(file(name.replace(" ", "-")), bytes);
    images.set(name, bytes);
  }
  return images;
}

/** Of formats that qemu-img does not write (or, LUKS, only after long thinking). */
function handmade(): Record<string, Buffer> {
  const text = (content: string, size: number) => {
    const bytes = Buffer.alloc(size);
    bytes.write(content, "latin1");
    return bytes;
  };
  const luks = text("LUKS\xba\xbe\x00\x01aes", 8_192);
  luks.write("xts-plain64", 40, "latin1");
  luks.writeUInt32BE(8, 104);
  const cow = text("OOOM\x00\x00\x00\x02base.img", 2_048);
  cow.writeBigUInt64BE(1_048_576n, 1_036);
  const iso = Buffer.alloc(40_960);
  iso.write("\x01CD001\x01", 32_768, "latin1");
  const dmg = Buffer.alloc(4_096);
  dmg.write("koly", dmg.length - 512, "latin1");
  const fixed = Buffer.alloc(8_192);
  fixed.write("conectix", fixed.length - 512, "latin1");
  fixed.writeUInt32BE(2, fixed.length - 512 + 60);
  const bochs = text("Bochs Virtual HD Image", 1_024);
  bochs.writeUInt32LE(0x20000, 64);
  return {
    "luks plain": luks,
    "cow overlay": cow,
    "iso plain": iso,
    "dmg plain": dmg,
    "vpc fixed": fixed,
    "bochs plain": bochs,
    "cloop plain": text(
      "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n",
      1_024,
    ),
    "ploop plain": text("WithouFreSpacExt", 1_024),
    "qcow2 handmade": qcow2Image({ backing: "base", format: "qcow2", dataFile: "data" }),
  };
}
