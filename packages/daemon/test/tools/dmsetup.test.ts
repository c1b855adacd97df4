import { expect, test } from "vitest";
import { hasNoDeviceMapper, listMaps, parseMaps } from "../../dist/tools/dmsetup.js";
import { recorded, typed } from "./recorded.js";

test("the command line", () => {
  expect(typed(listMaps("multipath"))).toBe("dmsetup ls --target multipath");
  expect(listMaps("multipath").environment).toEqual({ DM_DEFAULT_NAME_MANGLING_MODE: "none" });
});

test("maps, by the names of their nodes", () => {
  expect(parseMaps(recorded("dmsetup", "maps").stdout)).toEqual([
    { name: "mpatha", minor: 0 },
    { name: "mpathb", minor: 1 },
    { name: "mpathc", minor: 2 },
    { name: "mpathd", minor: 3 },
    { name: "odd\\x20name", minor: 5 },
  ]);
});

test("the other way of writing numbers, which other versions have", () => {
  expect(parseMaps(recorded("dmsetup", "all").stdout)).toContainEqual({ name: "plain", minor: 4 });
});

test("no maps, and a kernel without device-mapper", () => {
  expect(parseMaps(recorded("dmsetup", "none").stdout)).toEqual([]);
  expect(hasNoDeviceMapper(recorded("dmsetup", "none").stderr)).toBe(false);
  expect(recorded("dmsetup", "no-device-mapper").exitStatus).toBe(1);
  expect(hasNoDeviceMapper(recorded("dmsetup", "no-device-mapper").stderr)).toBe(true);
});

test.each(["", "\n", "mpatha", "mpatha\t", "mpatha\t(254)", "\t(254, 0)", "mpatha (254, 0)"])(
  "odd output gives nothing: %j",
  (output) => {
    expect(parseMaps(output)).toEqual([]);
  },
);
