import { truncateSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PROBED_FORMATS } from "../../dist/images/image-facts.js";
import { guestCapacityBytes, probe } from "../../dist/images/probe.js";
import { PROBE_BYTES } from "../../dist/images/reading-plan.js";
import { qemuImg, scannedContent, wholeContent, withoutTrailingZeros, workDirectory } from "./shared.js";

const work = workDirectory();
const MiB = 1_048_576n;

test("a header whose extension claims 4 GiB within clusters of 2^63 bytes takes no memory", () => {
  const header = Buffer.alloc(1_024);
  header.write("QFI\xfb", "latin1");
  header.writeUInt32BE(3, 4);
  header.writeUInt32BE(63, 20);
  header.writeBigUInt64BE(1n << 20n, 24);
  // Its data is in a file, whose name is in the extension.
  header.writeBigUInt64BE(4n, 72);
  header.writeUInt32BE(104, 100);
  header.writeUInt32BE(0x44415441, 104);
  header.writeUInt32BE(0xfffffff0, 108);
  writeFileSync(work.file("greedy"), header);
  const before = process.memoryUsage().arrayBuffers;
  for (let count = 0; count < 3; count++) expect(probe(wholeContent(work.file("greedy"))).facts.format).toBe("qcow2");
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1_048_576);
});

describe("images that qemu-img makes are recognised", () => {
  const rows: { name: string; create: string[]; expected: Record<string, unknown> }[] = [
    {
      name: "qcow2, version 3",
      create: ["-f", "qcow2", "-o", "lazy_refcounts=on"],
      expected: {
        format: "qcow2",
        capacityBytes: MiB,
        compat: "1.1",
        features: ["lazy_refcounts"],
        clusterSizeBytes: 65_536n,
      },
    },
    {
      name: "qcow2 with extended L2 entries",
      create: ["-f", "qcow2", "-o", "extended_l2=on"],
      expected: { format: "qcow2", compat: "1.1", features: ["extended_l2"] },
    },
    {
      name: "qcow2, version 2",
      create: ["-f", "qcow2", "-o", "compat=0.10,cluster_size=131072"],
      expected: { format: "qcow2", capacityBytes: MiB, compat: null, features: null, clusterSizeBytes: 131_072n },
    },
    {
      name: "qcow2 encrypted with LUKS",
      create: [
        "-f",
        "qcow2",
        "--object",
        "secret,id=k,data=x",
        "-o",
        "encrypt.format=luks,encrypt.key-secret=k,encrypt.iter-time=10",
      ],
      expected: { format: "qcow2", capacityBytes: MiB, encryption: "luks", payloadOffsetBytes: 0n },
    },
    { name: "qcow", create: ["-f", "qcow"], expected: { format: "qcow", capacityBytes: MiB, encryption: null } },
    { name: "qed", create: ["-f", "qed"], expected: { format: "qed", capacityBytes: MiB } },
    { name: "vdi", create: ["-f", "vdi"], expected: { format: "vdi", capacityBytes: MiB } },
    { name: "vmdk", create: ["-f", "vmdk"], expected: { format: "vmdk", capacityBytes: MiB } },
    // Virtual PC has cylinders: the size becomes a multiple of them.
    { name: "vpc", create: ["-f", "vpc"], expected: { format: "vpc", capacityBytes: 1_079_296n } },
    { name: "raw", create: ["-f", "raw"], expected: { format: "raw", capacityBytes: null } },
  ];
  test.each(rows)("$name", ({ name, create, expected }) => {
    const path = work.file(name.replaceAll(/[ ,]/g, "-"));
    qemuImg("create", ...create, path, "1M");
    const whole = probe(wholeContent(path));
    expect(whole.facts).toMatchObject(expected);
    expect(whole.needsBytes).toBe(0);
  });

  test("LUKS: raw content in an envelope, smaller by it", () => {
    const path = work.file("luks");
    qemuImg("create", "-f", "luks", "--object", "secret,id=k,data=x", "-o", "key-secret=k,iter-time=10", path, "1M");
    const content = wholeContent(path);
    const { facts } = probe(content);
    expect(facts).toMatchObject({ format: "raw", encryption: "luks" });
    expect(guestCapacityBytes(facts, content.sizeBytes)).toBe(MiB);
  });

  test("an ISO image by its descriptor, whatever the size of what was read", () => {
    const path = work.file("iso");
    const content = Buffer.alloc(34_822);
    content.write("CD001", 32_769);
    writeFileSync(path, content);
    for (const read of [wholeContent(path), scannedContent(path)]) {
      const { facts, needsBytes } = probe(read);
      expect({ format: facts.format, needsBytes }).toEqual({ format: "iso", needsBytes: 0 });
      expect(guestCapacityBytes(facts, read.sizeBytes)).toBe(34_822n);
    }
  });
});

describe("backing files", () => {
  test.each([
    { format: "qcow2", options: ["-F", "qcow2"], declared: "qcow2" },
    { format: "qcow2", options: ["-F", "raw", "-o", "compat=0.10"], declared: "raw" },
    { format: "qcow", options: ["-F", "raw"], declared: null },
    { format: "qed", options: ["-F", "raw"], declared: "raw" },
    { format: "vmdk", options: ["-F", "vmdk"], declared: null },
  ])("of $format ($options) are found, declared as $declared", ({ format, options, declared }) => {
    const base = work.file(`base-${format}-${options.join("")}`);
    qemuImg("create", "-q", "-f", options[1] ?? "raw", base, "1M");
    const path = work.file(`overlay-${format}-${options.join("")}`);
    qemuImg("create", "-q", "-f", format, "-b", base, ...options, path);
    const { facts } = probe(wholeContent(path));
    expect(facts.format).toBe(format);
    expect(facts.backing).toEqual({ string: base, format: declared });
  });

  test("a header without the extension declares no format", () => {
    const header = qcow2Header({ backing: new TextEncoder().encode("other") });
    expect(probe(contentOf(header)).facts.backing).toEqual({ string: "other", format: null });
  });

  test("a name with bytes that are not UTF-8 keeps them", () => {
    const header = qcow2Header({ backing: Uint8Array.of(0x2f, 0xff, 0x61) });
    expect(probe(contentOf(header)).facts.backing?.string).toBe("/\udcffa");
  });

  test("a name beyond what libvirt reads is none, and nothing after it is read", () => {
    const header = qcow2Header({ backingOffset: PROBE_BYTES });
    const { facts } = probe({ ...contentOf(header), sizeBytes: MiB });
    expect(facts).toMatchObject({ format: "qcow2", backing: null, features: null, clusterSizeBytes: 65_536n });
  });
});

describe("what a scan reads is enough, or it says what is missing", () => {
  test("the usual header needs nothing more", () => {
    const path = work.file("usual");
    qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", "/images/base.qcow2", "-F", "qcow2", path, "1G");
    expect(probe(scannedContent(path))).toEqual({ ...probe(wholeContent(path)), needsBytes: 0 });
  });

  test("a long backing file name is asked for", () => {
    const path = work.file("long");
    const name = `/${"long/".repeat(180)}`;
    qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", name, "-F", "raw", path, "1M");
    expect(probe(scannedContent(path)).needsBytes).toBeGreaterThan(1_024);
    expect(probe(wholeContent(path)).facts.backing?.string).toBe(name);
  });

  test("the descriptor of a vmdk is asked for", () => {
    const path = work.file("scanned.vmdk");
    qemuImg("create", "-q", "-f", "vmdk", path, "1M");
    expect(probe(scannedContent(path)).needsBytes).toBe(0x200 + 20 * 512);
  });

  test("a large sparse file needs one look", () => {
    const path = work.file("sparse");
    writeFileSync(path, "");
    truncateSync(path, 1_000_000_000);
    expect(probe(scannedContent(path))).toMatchObject({ facts: { format: "raw" }, needsBytes: 0 });
  });
});

describe("other versions and other bytes are raw", () => {
  const magics: [string, Uint8Array][] = [
    ["qcow version 4", Uint8Array.of(0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 4)],
    ["vmdk version 4", Uint8Array.of(0x4b, 0x44, 0x4d, 0x56, 4, 0, 0, 0)],
    ["LUKS version 2", Uint8Array.of(0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe, 0, 2)],
    ["half a magic", Uint8Array.of(0x51, 0x46)],
    ["text", new TextEncoder().encode("conectiX is no magic, and this is no image")],
  ];
  test.each(magics)("%s", (_, bytes) => {
    expect(probe(contentOf(bytes)).facts).toMatchObject({ format: "raw", encryption: null, backing: null });
  });

  test("a cow image, by its header", () => {
    const header = new Uint8Array(2_048);
    const view = new DataView(header.buffer);
    header.set(new TextEncoder().encode("OOOM"));
    view.setUint32(4, 2);
    header.set(new TextEncoder().encode("base.img"), 8);
    view.setBigUint64(1_036, MiB);
    expect(probe(contentOf(header)).facts).toMatchObject({
      format: "cow",
      capacityBytes: MiB,
      backing: { string: "base.img", format: null },
    });
  });

  test("ploop sizes are sectors", () => {
    const header = new Uint8Array(64);
    header.set(new TextEncoder().encode("WithouFreSpacExt"));
    new DataView(header.buffer).setBigUint64(36, 2_048n, true);
    expect(probe(contentOf(header)).facts).toMatchObject({ format: "ploop", capacityBytes: MiB });
  });

  test("a header that says size 0 says nothing: the file's size counts", () => {
    const content = contentOf(qcow2Header({ capacityBytes: 0n }));
    expect(guestCapacityBytes(probe(content).facts, 196_608n)).toBe(196_608n);
  });
});

describe("whatever the bytes", () => {
  const magics = [
    "QFI\xfb\0\0\0\x01",
    "QFI\xfb\0\0\0\x02",
    "QFI\xfb\0\0\0\x03",
    "QED\0",
    "KDMV\x01\0\0\0",
    "OOOM\0\0\0\x02",
    "conectix\0\0\0\0\0\x01\0\0",
    "WithouFreSpacExt",
    "LUKS\xba\xbe\0\x01",
    "",
  ].map((text) => Uint8Array.from(text, (character) => character.charCodeAt(0)));
  const image = fc
    .tuple(fc.constantFrom(...magics), fc.uint8Array({ maxLength: 2_000 }), fc.bigInt({ min: 0n, max: 1n << 63n }))
    .map(([magic, rest, extra]) => {
      const head = new Uint8Array(magic.length + rest.length);
      head.set(magic);
      head.set(rest, magic.length);
      return { head, extra };
    });

  test("a probe answers, and asks for no more than libvirt reads", () => {
    fc.assert(
      fc.property(image, fc.nat(2_500), ({ head, extra }, headBytes) => {
        const sizeBytes = BigInt(head.length) + extra;
        const { facts, needsBytes } = probe({ head: head.subarray(0, headBytes), headBytes, sizeBytes });
        expect(PROBED_FORMATS).toContain(facts.format);
        expect(needsBytes === 0 || (needsBytes > headBytes && needsBytes <= PROBE_BYTES)).toBe(true);
        expect(guestCapacityBytes(facts, sizeBytes)).toBeGreaterThanOrEqual(0n);
      }),
      { numRuns: 2_000 },
    );
  });

  test("leaving out zeros at the end changes nothing", () => {
    fc.assert(
      fc.property(image, fc.nat(3_000), ({ head }, zeros) => {
        const padded = new Uint8Array(head.length + zeros);
        padded.set(head);
        const whole = { head: padded, headBytes: padded.length, sizeBytes: BigInt(padded.length) };
        expect(probe({ ...whole, head: withoutTrailingZeros(padded) })).toEqual(probe(whole));
      }),
      { numRuns: 1_000 },
    );
  });

  test("reading a little first and more when asked gives the same as reading all", () => {
    fc.assert(
      fc.property(image, fc.nat(200), ({ head }, little) => {
        const sizeBytes = BigInt(head.length);
        const read = (headBytes: number) => probe({ head: head.subarray(0, headBytes), headBytes, sizeBytes });
        const all = read(head.length);
        let probed = read(little);
        for (let looks = 0; probed.needsBytes > 0 && looks < 20; looks++) probed = read(probed.needsBytes);
        expect(probed).toEqual({ ...all, needsBytes: 0 });
      }),
      { numRuns: 1_000 },
    );
  });
});

function contentOf(bytes: Uint8Array) {
  return { head: bytes, headBytes: bytes.length, sizeBytes: BigInt(bytes.length) };
}

function qcow2Header(says: { capacityBytes?: bigint; backing?: Uint8Array; backingOffset?: number } = {}): Uint8Array {
  const header = new Uint8Array(1_024);
  const view = new DataView(header.buffer);
  header.set([0x51, 0x46, 0x49, 0xfb]);
  view.setUint32(4, 3);
  view.setUint32(20, 16);
  view.setBigUint64(24, says.capacityBytes ?? MiB);
  view.setUint32(100, 104);
  const { backing = new Uint8Array(4), backingOffset = 512 } = says;
  if (says.backing !== undefined || says.backingOffset !== undefined) {
    view.setBigUint64(8, BigInt(backingOffset));
    view.setUint32(16, backing.length);
    if (backingOffset < header.length) header.set(backing, backingOffset);
  }
  return header;
}
