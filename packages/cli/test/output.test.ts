import { expect, it } from "vitest";
import { formatJson } from "../dist/output/json.js";
import { formatProgress, Progress } from "../dist/output/progress.js";
import { formatSize, parseSize } from "../dist/output/size.js";
import { type Column, formatFacts, formatTable } from "../dist/output/table.js";
import { printable } from "../dist/output/text.js";

it.each([
  [0n, "0 B"],
  [1023n, "1023 B"],
  [1024n, "1.00 KiB"],
  [1024n * 1024n - 1n, "1023.99 KiB"],
  [1536n * 1024n * 1024n, "1.50 GiB"],
  [2n ** 64n - 1n, "15.99 EiB"],
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
  ["8E", null],
  ["9223372036854775807", 2n ** 63n - 1n],
  ["9223372036854775808", null],
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

it("a table's columns stand under their titles, numbers to the right", () => {
  const columns: Column<{ name: string; size: bigint }>[] = [
    { title: "NAME", cell: ({ name }) => name },
    { title: "SIZE", align: "right", cell: ({ size }) => String(size) },
  ];
  const rows = [
    { name: "größer", size: 5n },
    { name: "x\ny", size: 12345n },
  ];
  expect(formatTable(columns, rows)).toBe("NAME     SIZE\ngrößer      5\nx\\x0ay  12345\n");
  expect(formatTable(columns, [])).toBe("NAME  SIZE\n");
});

it("facts are aligned, and those that are not known left out", () => {
  expect(formatFacts({ Name: "a", Capacity: "1 B", Path: null })).toBe("Name:      a\nCapacity:  1 B\n");
});

it("JSON has bigints as numbers with all their digits, and leaves text alone", () => {
  expect(formatJson({ size: 2n ** 63n - 1n, minus: -5n, text: "123", name: "a\udcff" }, 0)).toBe(
    '{"size":9223372036854775807,"minus":-5,"text":"123","name":"a\\udcff"}',
  );
});

it("progress says how far, how much and how fast", () => {
  expect(formatProgress("Uploading a", 2n ** 30n, 2n ** 32n, 2000)).toBe(
    "Uploading a: 1.00 GiB of 4.00 GiB (25 %), 512.00 MiB/s",
  );
  expect(formatProgress("Uploading a", 1024n, null, 0)).toBe("Uploading a: 1.00 KiB");
});

it("progress is drawn over on a terminal and silent elsewhere", () => {
  for (const [isTTY, quiet, expected] of [
    [true, false, true],
    [false, false, false],
    [true, true, false],
  ] as const) {
    let written = "";
    const stream = { isTTY, write: (text: string) => (written += text) } as unknown as NodeJS.WritableStream;
    const progress = new Progress(stream, "Uploading a", 10n, quiet);
    // The first is drawn once a tenth of a second has passed since the clock's beginning, which it has.
    progress.add(5n);
    progress.end();
    expect(written !== "").toBe(expected);
  }
});
