import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  type DiskArea,
  makeLabel,
  makePartition,
  type NewPartition,
  parseTable,
  printTable,
  removePartition,
} from "../../dist/tools/parted.js";

const recorded = new URL("recorded/parted/", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, recorded), "utf8");

describe("command lines", () => {
  test("printing the table", () => {
    expect(printTable("/dev/sda")).toEqual({
      program: "parted",
      args: ["--script", "--align", "cylinder", "--json", "/dev/sda", "unit", "B", "print", "free"],
    });
  });

  test.each([
    ["dos", "msdos"],
    ["unknown", "msdos"],
    ["gpt", "gpt"],
    ["sun", "sun"],
  ])("the label of format %s is %s", (format, label) => {
    expect(makeLabel("/dev/sda", format)).toEqual({
      program: "parted",
      args: ["/dev/sda", "mklabel", "--script", label],
    });
  });

  const plain: NewPartition = {
    label: "gpt",
    kind: "primary",
    fileSystem: null,
    startBytes: 17_408n,
    endBytes: 99_999n,
  };
  test.each<[string, Partial<NewPartition>, readonly string[]]>([
    ["gpt", {}, ["primary"]],
    ["dos with a file system", { label: "msdos", fileSystem: "ext2" }, ["primary ext2"]],
    ["dos, logical", { label: "msdos", kind: "logical", fileSystem: "linux-swap" }, ["logical linux-swap"]],
    ["dos, extended", { label: "msdos", kind: "extended" }, ["extended"]],
    ["bsd, which knows no kinds", { label: "bsd" }, []],
    ["sun, which knows no kinds", { label: "sun" }, []],
  ])("a new partition: %s", (_, more, words) => {
    expect(makePartition("/dev/sda", { ...plain, ...more })).toEqual({
      program: "parted",
      args: ["/dev/sda", "mkpart", "--script", ...words, "17408B", "99999B"],
    });
  });

  test("removing a partition", () => {
    expect(removePartition("/dev/loop3", 2)).toEqual({
      program: "parted",
      args: ["/dev/loop3", "rm", "--script", "2"],
    });
  });
});

describe("recorded tables", () => {
  const names = readdirSync(recorded).filter((name) => name.endsWith(".parthelper"));

  test("there are some of each label", () => {
    expect(names).toHaveLength(13);
  });

  test.each(names)("%s: the same records as libvirt's own reader of the same disk", (name) => {
    const table = parseTable(read(name.replace(".parthelper", ".json")));
    const partitions = /^\S+ (normal|logical) data|^\S+ extended metadata|^- (normal|logical) free/;
    const lines = read(name).split("\n");
    expect(table?.areas.map(asRecord)).toEqual(lines.filter((line) => partitions.test(line)));
  });

  test("label and sizes", () => {
    expect(parseTable(read("msdos-4k.json"))).toMatchObject({
      label: "msdos",
      sectorBytes: 4_096,
      sizeBytes: 67_108_864n,
    });
    expect(parseTable(read("gpt.json"))).toMatchObject({ label: "gpt", sectorBytes: 512 });
    expect(parseTable(read("filesystem.json"))).toMatchObject({ label: "loop" });
  });

  test("a disk without a label has no areas", () => {
    expect(parseTable(read("blank.json"))).toEqual({
      label: "unknown",
      sectorBytes: 512,
      sizeBytes: 67_108_864n,
      areas: [],
    });
  });

  test("a partition's name with a quote and a line break is none of our business", () => {
    expect(read("gpt.json")).toContain(String.raw`"name": "a\"b\n7 1B c"`);
    expect(parseTable(read("gpt.json"))?.areas.filter(({ content }) => content === "partition")).toHaveLength(2);
  });
});

/** As a line of the recorded records. */
function asRecord(area: DiskArea): string {
  const { startBytes, endBytes } = area;
  const kind = area.kind === "primary" ? "normal" : area.kind;
  const numbers = `${startBytes} ${endBytes} ${endBytes - startBytes}`;
  if (area.content === "free") return `- ${kind} free ${numbers}`;
  return `/dev/loop0p${area.number} ${kind} ${kind === "extended" ? "metadata" : "data"} ${numbers}`;
}

describe("odd output", () => {
  test.each([
    ["nothing", ""],
    ["what an older parted says", "parted: unrecognized option '--json'"],
    ["another tool's JSON", '{"partitiontable":{"label":"gpt"}}'],
    ["an array", "[]"],
    ["null", "null"],
    ["half of it", '{"disk": {"path": "/dev/loop0", "size": "67108864B"'],
    ["no label", '{"disk":{"size":"1B","logical-sector-size":512}}'],
    ["a size in another unit", '{"disk":{"size":"67,1MB","logical-sector-size":512,"label":"gpt"}}'],
    ["sectors of no bytes", '{"disk":{"size":"1B","logical-sector-size":0,"label":"gpt"}}'],
    ["partitions that are no list", '{"disk":{"size":"1B","logical-sector-size":512,"label":"gpt","partitions":7}}'],
  ])("%s is no table", (_, output) => {
    expect(parseTable(output)).toBeNull();
  });

  test("rows that do not say what they have to are passed over", () => {
    const good = { number: 3, start: "512B", end: "1023B", type: "primary" };
    const rows = [
      null,
      7,
      { ...good, start: undefined },
      { ...good, end: "511B", start: "1024B" },
      { ...good, number: 0 },
      { ...good, number: 1.5 },
      { ...good, number: "3" },
      { ...good, type: "metadata" },
      { ...good, start: "-5B" },
      { ...good, start: `${"9".repeat(400)}B` },
      good,
    ];
    const output = JSON.stringify({ disk: { size: "1B", "logical-sector-size": 512, label: "gpt", partitions: rows } });
    expect(parseTable(output)?.areas).toEqual([
      { content: "partition", kind: "primary", number: 3, startBytes: 512n, endBytes: 1_024n },
    ]);
  });
});
