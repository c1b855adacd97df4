import { expect, test } from "vitest";
import { forgetPartitions, learnPartitions } from "../../dist/tools/partx.js";

test("the command lines", () => {
  expect(forgetPartitions("/dev/sda", 6, 8)).toEqual({
    program: "partx",
    args: ["--delete", "--nr", "6:8", "/dev/sda"],
  });
  expect(learnPartitions("/dev/sda", 6, 6)).toEqual({ program: "partx", args: ["--add", "--nr", "6:6", "/dev/sda"] });
});
