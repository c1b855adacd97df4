import { expect, test } from "vitest";
import { blockRanges, dataRanges, lengthOf } from "../../dist/drivers/shared/file-ranges.js";
import type { ByteRange, File } from "../../dist/host/host.js";

type Pair = readonly [startBytes: bigint, endBytes: bigint];
type Look = (atBytes: bigint) => readonly Pair[] | null;

const none: Look = () => [];

/** A file that shows what it is told to. */
function fileOf({ data = none, blocks = none }: { readonly data?: Look; readonly blocks?: Look }): File {
  const rangesOf = (pairs: readonly Pair[] | null): readonly ByteRange[] | null =>
    pairs?.map(([startBytes, endBytes]) => ({ startBytes, endBytes })) ?? null;
  return {
    dataFrom: async (atBytes: bigint) => rangesOf(data(atBytes)),
    blocksFrom: async (atBytes: bigint) => rangesOf(blocks(atBytes)),
  } as unknown as File;
}

/** What is left of these from an offset on, so many at a time. */
const inLooksOf =
  (count: number, pairs: readonly Pair[]): Look =>
  (atBytes) =>
    pairs
      .filter(([, endBytes]) => endBytes > atBytes)
      .map(([startBytes, endBytes]): Pair => [startBytes < atBytes ? atBytes : startBytes, endBytes])
      .slice(0, count);

const request = { lengthBytes: 100n, signal: new AbortController().signal, detail: "cannot look" };

async function seen(ranges: AsyncIterable<ByteRange>): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for await (const { startBytes, endBytes } of ranges) pairs.push([startBytes, endBytes]);
  return pairs;
}

test.each([1, 2, 3, 100])("ranges that touch are one, whichever looks show them: %i in each", async (count) => {
  const blocks = inLooksOf(count, [
    [0n, 10n],
    [10n, 20n],
    [20n, 30n],
    [40n, 50n],
    [60n, 70n],
    [70n, 80n],
    [90n, 200n],
    [300n, 400n],
  ]);
  const ranges = blockRanges(fileOf({ blocks }), request);
  // The total is told before they are gone through.
  expect(await lengthOf(ranges)).toBe(70n);
  expect(await seen(ranges)).toEqual([
    [0n, 30n],
    [40n, 50n],
    [60n, 80n],
    [90n, 100n],
  ]);
});

test("where blocks cannot be told, from the beginning or from somewhere on, it is the data that comes", async () => {
  const data = inLooksOf(1, [
    [10n, 20n],
    [30n, 40n],
  ]);
  const expected = [
    [10n, 20n],
    [30n, 40n],
  ];
  expect(await seen(blockRanges(fileOf({ data, blocks: () => null }), request))).toEqual(expected);
  const blocks: Look = (atBytes) => (atBytes === 0n ? [[10n, 15n]] : null);
  expect(await seen(blockRanges(fileOf({ data, blocks }), request))).toEqual(expected);
});

const changing: [string, Look, Pair[]][] = [
  ["shows the same again and again", () => [[0n, 10n]], [[0n, 10n]]],
  ["shows what is passed", (atBytes) => (atBytes === 0n ? [[50n, 60n]] : [[0n, 10n]]), [[50n, 60n]]],
  ["shows it from before where it is", (atBytes) => [[0n, atBytes + 40n]], [[0n, 100n]]],
  ["shows what is empty", (atBytes) => [[atBytes, atBytes]], []],
  [
    "moves its end away",
    (atBytes) => [[atBytes + 10n, atBytes + 20n]],
    [10n, 30n, 50n, 70n, 90n].map((at): Pair => [at, at + 10n]),
  ],
];
test.each(changing)("a file that changes, and %s, is gone through once", async (_, look, expected) => {
  expect(await seen(dataRanges(fileOf({ data: look }), request))).toEqual(expected);
  expect(await seen(blockRanges(fileOf({ blocks: look }), request))).toEqual(expected);
});

test("what is found is worked on before more is looked for", async () => {
  let looks = 0;
  const data: Look = (atBytes) => {
    looks++;
    return [[atBytes + 1n, atBytes + 2n]];
  };
  for await (const _ of dataRanges(fileOf({ data }), { ...request, lengthBytes: 2n ** 60n })) if (looks > 3) break;
  expect(looks).toBe(4);
});
