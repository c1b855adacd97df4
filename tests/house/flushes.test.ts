import { describe, expect, it } from "vitest";
import { weakerFlushes } from "../support/flushes.js";
import { parseTrace } from "../support/strace.js";

const PLACES = { theirs: "/t", ours: "/o", others: ["source"] };

const compare = (theirs: readonly string[], ours: readonly string[]) =>
  weakerFlushes(traced(theirs), traced(ours), PLACES);
const traced = (lines: readonly string[]) => parseTrace(lines.map((line) => `1 ${line}\n`).join(""));

describe("the judge of flushes", () => {
  it.each([
    ["as strong", ["fdatasync(3</t/v>) = 0"], ["pwrite64(3</o/v>, 1) = 1", "fdatasync(3</o/v>) = 0"]],
    ["stronger", ["fdatasync(3</t/v>) = 0"], ["fsync(3</o/#7>(deleted)) = 0"]],
    ["of everything", ["fsync(3</t/v>) = 0", "fsync(4</t>) = 0"], ["syncfs(3</o/v>) = 0"]],
    ["where libvirtd makes none", [], ["pwrite64(3</o/v>, 1) = 1"]],
    ["with the source written to later", ["fsync(3</t/v>) = 0"], ["fsync(3</o/v>) = 0", "write(4</o/source>, 1) = 1"]],
  ])("is content with a flush %s", (_title, theirs, ours) => {
    expect(compare(theirs, ours)).toEqual([]);
  });

  it.each([
    ["that is missing", ["fsync(3</t/v>) = 0"], ["fsync(3</o/source>) = 0"], "file", "fsync", null],
    ["that is weaker", ["fsync(3</t/v>) = 0"], ["fdatasync(3</o/v>) = 0"], "file", "fsync", "fdatasync"],
    ["of the file alone", ["fsync(3</t>) = 0"], ["fsync(3</o/v>) = 0"], "directory", "fsync", null],
    ["that failed", ["fsync(3</t/v>) = 0"], ["fsync(3</o/v>) = -1 EIO (I/O error)"], "file", "fsync", null],
    [
      "before the last write",
      ["fsync(3</t/v>) = 0"],
      ["fsync(3</o/v>) = 0", "write(3</o/v>, 1) = 1"],
      "file",
      "fsync",
      null,
    ],
    [
      "before the copy",
      ["fsync(3</t/v>) = 0"],
      ["fsync(4</o/v>) = 0", "copy_file_range(3</o/source>, [0], 4</o/v>, [0], 9, 0) = 9"],
      "file",
      "fsync",
      null,
    ],
  ])("names a flush %s", (_title, theirs, ours, what, wanted, found) => {
    expect(compare(theirs, ours)).toEqual([{ what, wanted, found }]);
  });
});
