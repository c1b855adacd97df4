import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { settingsOf } from "../dist/compile-sooner.js";

describe("V8's settings", () => {
  it("are known to the V8 that runs here, which would complain of others", () => {
    const known = execFileSync(process.execPath, ["--v8-options"], { encoding: "utf8" });
    const settings = settingsOf(process.versions.v8);
    expect(settings).not.toEqual([]);
    for (const setting of settings) expect(known).toContain(`\n  ${setting.split("=")[0]} (`);
  });

  it("stay as they are where nobody has measured", () => {
    expect(settingsOf("99.1.2")).toEqual([]);
    expect(settingsOf("")).toEqual([]);
  });
});
