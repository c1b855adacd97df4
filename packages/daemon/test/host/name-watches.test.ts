import {
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, expect, it } from "vitest";
import { NameWatches } from "../../dist/host/local/name-watches.js";
import { hostLimits } from "../../dist/limits.js";

let place: string;
let watches: NameWatches;
const opened: number[] = [];
beforeEach(() => {
  place = mkdtempSync(`${tmpdir()}/cistern-watches-`);
  watches = new NameWatches();
  mkdirSync(`${place}/images`);
});
afterEach(() => {
  watches.close();
  for (const fd of opened.splice(0)) closeSync(fd);
  rmSync(place, { recursive: true, force: true });
});

function watched(name = "images") {
  const fd = openSync(`${place}/${name}`, "r");
  opened.push(fd);
  const watch = watches.watch(fd);
  if (watch === null) throw new Error("no watch is left");
  return { names: () => sorted(watch.taken()), close: () => watch.close() };
}

const sorted = (names: Iterable<string> | null) => (names === null ? null : [...names].sort());
const write = (name: string) => writeFileSync(`${place}/${name}`, "");

it("names that appear in a directory, or are written to, are told once", () => {
  write("images/old");
  write("elsewhere");
  const images = watched();
  expect(images.names()).toEqual([]);
  write("images/new");
  write("images/old");
  renameSync(`${place}/elsewhere`, `${place}/images/moved`);
  write("elsewhere");
  expect(images.names()).toEqual(["moved", "new", "old"]);
  expect(images.names()).toEqual([]);
});

it("names of what is only being made are left out", () => {
  const images = watched();
  write("images/.cistern-0123456789abcdef.part");
  expect(images.names()).toEqual([]);
});

it("each watch is told of its own directory, and two of one directory both", () => {
  mkdirSync(`${place}/other`);
  const [one, two, other] = [watched(), watched(), watched("other")];
  write("images/a");
  write("other/b");
  expect([one.names(), two.names(), other.names()]).toEqual([["a"], ["a"], ["b"]]);
  one.close();
  write("images/c");
  expect([one.names(), two.names()]).toEqual([null, ["c"]]);
});

it("of a directory that was moved nothing is known any more", () => {
  const images = watched();
  renameSync(`${place}/images`, `${place}/gone`);
  expect(images.names()).toBe(null);
});

it("where there are more names than are kept, nothing is known any more", () => {
  const images = watched();
  // Somebody else asks in between, so that the kernel's queue does not run over.
  const other = watched();
  for (let file = 0; file <= hostLimits.newcomerNames; file++) {
    write(`images/${file}`);
    if (file % 1_000 === 0) other.names();
  }
  expect(images.names()).toBe(null);
});

it("where more happened than the kernel keeps, nothing is known any more", () => {
  const images = watched();
  write("elsewhere");
  const kept = Number(readFileSync("/proc/sys/fs/inotify/max_queued_events", "utf8"));
  for (let file = 0; file <= kept; file++) {
    linkSync(`${place}/elsewhere`, `${place}/images/${file}`);
    unlinkSync(`${place}/images/${file}`);
  }
  expect(images.names()).toBe(null);
});
