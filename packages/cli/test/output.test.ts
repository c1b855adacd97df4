import { expect, it } from "vitest";
import { parse } from "yaml";
import { formatJson } from "../dist/output/json.js";
import { compareNames, nearestName, shellQuoted } from "../dist/output/names.js";
import { drawProgress, formatProgress, Progress } from "../dist/output/progress.js";
import { formatSize, parseSize } from "../dist/output/size.js";
import { type Column, formatFacts, formatTable } from "../dist/output/table.js";
import { printable } from "../dist/output/text.js";
import { displayWidth } from "../dist/output/width.js";
import { formatYaml } from "../dist/output/yaml.js";

it.each([
  [0n, "0.00 B"],
  [1023n, "1023.00 B"],
  [1024n, "1.00 KiB"],
  [1024n * 1024n - 1n, "1024.00 KiB"],
  [1536n * 1024n * 1024n, "1.50 GiB"],
  [2n ** 64n - 1n, "16.00 EiB"],
])("%s bytes are shown as %s", (bytes, text) => {
  expect(formatSize(bytes)).toBe(text);
});

it.each([
  ["0", 0n],
  ["1073741824", 2n ** 30n],
  ["10G", 10n * 2n ** 30n],
  ["10g", 10n * 2n ** 30n],
  ["10GiB", 10n * 2n ** 30n],
  ["10 GiB", 10n * 2n ** 30n],
  ["10GB", 10n ** 10n],
  ["512B", 512n],
  ["512 bytes", 512n],
  ["1.5T", 3n * 2n ** 39n],
  ["0.1K", 102n],
  ["8E", 2n ** 63n],
  ["9223372036854775807", 2n ** 63n - 1n],
  ["9223372036854775808", 2n ** 63n],
  ["", null],
  ["-1", null],
  ["1.5", null],
  ["10X", null],
  ["10 G B", null],
  ["0x10", null],
])("the size %j means %s", (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

it("what is printed cannot command the terminal, and shows bytes that are no UTF-8", () => {
  expect(printable("a\u001b[2Jb\nc\u009bd\udcffe\u202ef é😀")).toBe("a\\x1b[2Jb\\x0ac\\x9bd\\xffe\\u202ef é😀");
});

it("a table has virsh's form, and columns as wide as what terminals draw", () => {
  const columns: Column<{ name: string; size: bigint }>[] = [
    { title: "Name", cell: ({ name }) => name },
    { title: "Size", cell: ({ size }) => String(size) },
  ];
  const rows = [
    { name: "größe", size: 5n },
    { name: "日本語", size: 12345n },
    { name: "x\ny", size: 1n },
  ];
  expect(formatTable(columns, rows)).toBe(
    " Name     Size\n-----------------\n größe    5\n 日本語   12345\n x\\x0ay   1\n",
  );
  expect(formatTable(columns, [])).toBe(" Name   Size\n--------------\n");
  expect(formatTable(columns, rows.slice(0, 1), { head: false })).toBe(" größe   5\n");
});

it.each([
  ["", 0],
  ["abc é", 5],
  ["日本", 4],
  ["e\u0301", 1],
  ["😀", 2],
  ["한글", 4],
  ["ａ｡", 3],
  ["\u200b", 0],
])("%j takes %i columns of a terminal", (text, columns) => {
  expect(displayWidth(text)).toBe(columns);
});

it("facts stand under each other, and those that are not known are left out", () => {
  expect(formatFacts({ Name: "a", Capacity: "1 B", Path: null })).toBe("Name:           a\nCapacity:       1 B\n");
});

it("names are in virsh's order, and words for a shell are quoted where they must be", () => {
  expect(["b", "B2", "a", "ä", "C"].sort(compareNames)).toEqual(["a", "b", "B2", "C", "ä"]);
  expect(["a.img", "a b", "it's"].map(shellQuoted)).toEqual(["a.img", "'a b'", "'it'\\''s'"]);
});

it.each([
  ["imgaes", "images"],
  ["Images", "images"],
  ["image", "images"],
  ["xyz", null],
])("of images and default, %s is nearest to %s", (typed, nearest) => {
  expect(nearestName(typed, ["default", "images"])).toBe(nearest);
});

it("YAML has whole numbers, times and texts that are read back as what they were", () => {
  const value = { size: 2n ** 63n - 1n, at: new Date(0), text: "123", name: "a\nb: c", none: null, odd: "a\udcff" };
  const written = formatYaml(value);
  expect(written).toContain("size: 9223372036854775807\n");
  expect(written).toContain('odd: "a\\udcff"\n');
  expect(parse(written, { intAsBigInt: true })).toEqual({ ...value, at: "1970-01-01T00:00:00.000Z" });
});

it("JSON has bigints as numbers with all their digits, and leaves text alone", () => {
  expect(formatJson({ size: 2n ** 63n - 1n, minus: -5n, text: "123", name: "a\udcff" }, 0)).toBe(
    '{"size":9223372036854775807,"minus":-5,"text":"123","name":"a\\udcff"}',
  );
});

const half = { title: "upload a", doneBytes: 2n ** 31n, totalBytes: 2n ** 32n, bytesPerSecond: 2n ** 29n };

it("progress says how far, how much, how fast and how long still", () => {
  expect(formatProgress({ ...half, remainingSeconds: 4 })).toBe(
    "upload a: 2.00 GiB of 4.00 GiB (50 %), 512.00 MiB/s, 4 s left",
  );
  const little = { title: "upload a", doneBytes: 1024n, totalBytes: null, bytesPerSecond: 0n, remainingSeconds: null };
  expect(formatProgress(little)).toBe("upload a: 1.00 KiB");
  expect(formatProgress({ ...little, doneBytes: 0n })).toBe("upload a: under way");
  expect(formatProgress({ ...little, doneBytes: 0n, state: "queued" })).toBe("upload a: queued");
});

it.each([80, 100, 120])("progress fits into %i columns, with a bar where there is room", (columns) => {
  const line = drawProgress({ ...half, remainingSeconds: 4 }, columns);
  expect(line.length).toBeLessThan(columns);
  expect(line).toMatch(/^upload a {2}\[(#+)( +)\] {2}2\.00 GiB of 4\.00 GiB \(50 %\), 512\.00 MiB\/s, 4 s left$/);
});

it("progress is drawn over on a terminal, and elsewhere said on a line only where it takes long", () => {
  for (const [isTTY, quiet, expected] of [
    [true, false, true],
    [false, false, false],
    [true, true, false],
  ] as const) {
    let written = "";
    const stream = { isTTY, write: (text: string) => (written += text) } as unknown as NodeJS.WritableStream;
    const progress = new Progress(stream, quiet);
    progress.show({ ...half, remainingSeconds: null });
    progress.end();
    expect(written !== "").toBe(expected);
  }
});
