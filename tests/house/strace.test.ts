import { describe, expect, it } from "vitest";
import { choosePoints } from "../crash/choose-points.js";
import type { Point } from "../crash/lane.js";
import { isStorageChange, parseTrace, shapeOf } from "../support/strace.js";

/** Of strace 6.1, -f -y. */
const TRACE = `4711 openat(AT_FDCWD</>, "/proc/self/fd/24/v", O_RDWR|O_CREAT|O_EXCL, 0600) = 25</pool/v>
4712 pwrite64(25</pool/v>, ""..., 65536, 0 <unfinished ...>
4711 pwrite64(9</pool/w>, "abc"..., 65536, 0) = 65536
4712 <... pwrite64 resumed>) = 65536
4712 pwrite64(25</pool/v>, "\\0\\0"..., 65536, 65536) = ?
4712 +++ killed by SIGKILL +++
`;

describe("the reader of traces", () => {
  it("counts calls by thread and name, as strace's when= does", () => {
    expect(parseTrace(TRACE).map(({ thread, name, ordinal }) => `${thread} ${name} ${ordinal}`)).toEqual([
      "4711 openat 1",
      "4712 pwrite64 1",
      "4711 pwrite64 1",
      "4712 pwrite64 2",
    ]);
  });

  it("knows one call again in another run, and not another one", () => {
    const line = 'pwrite64(25</tmp/cistern-loop-AbCdEf/pool/v>, "x"..., 65536, 0) = 65536';
    expect(shapeOf(line)).toBe(
      shapeOf('pwrite64(31</tmp/cistern-loop-AbCdEf/pool/v>, "x"..., 65536, 0 <unfinished ...>'),
    );
    expect(shapeOf(line)).not.toBe(shapeOf(line.replace("pool/v", "pool/w")));
    expect(shapeOf('unlinkat(7</p>, ".cistern-0123456789abcdef.part", 0) = 0')).toBe(
      shapeOf('unlinkat(9</p>, ".cistern-fedcba9876543210.part", 0) = ?'),
    );
  });

  it.each([
    ['openat(AT_FDCWD</>, "v", O_RDONLY) = 3</pool/v>', false],
    ['openat(AT_FDCWD</>, "v", O_RDWR|O_TMPFILE) = 3</pool/#7 (deleted)>', true],
    ["ioctl(3</pool/v>, FICLONE, 4) = 0", true],
    ["ioctl(3</pool/v>, FS_IOC_GETFLAGS, 0x7ffe) = 0", false],
    ["fsync(3</pool/v>) = 0", true],
  ])("%s: changes storage, %s", (line, changes) => {
    expect(isStorageChange(line)).toBe(changes);
  });
});

describe("the choice of points", () => {
  const point = (origin: Point["origin"], ordinal: number): Point => ({
    origin,
    ordinal,
    call: "fsync",
    threadIndex: 0,
    line: `fsync ${ordinal}`,
  });
  const own = Array.from({ length: 7 }, (_, index) => point("own", index));

  it("is the same for the same seed, and reaches every point with some", () => {
    expect(choosePoints(own, { own: 2, child: 0 }, 5)).toEqual(choosePoints(own, { own: 2, child: 0 }, 5));
    const seen = Array.from({ length: 40 }, (_, seed) => choosePoints(own, { own: 2, child: 0 }, seed)).flat();
    expect(new Set(seen).size).toBe(own.length);
  });

  it("takes more of one kind where the other has too few", () => {
    expect(choosePoints(own, { own: 1, child: 1 }, 1)).toHaveLength(2);
    expect(choosePoints([point("child", 1), point("child", 2)], { own: 1, child: 1 }, 1)).toHaveLength(2);
  });
});
