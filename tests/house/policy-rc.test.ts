import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withoutServices } from "../../scripts/steps/policy-rc.mjs";

describe("while packages are installed", () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "cistern-policy-"));
    path = join(directory, "policy-rc.d");
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it("a policy forbids services, and is gone afterwards", async () => {
    const during = await withoutServices(async () => readFileSync(path, "utf8"), path);
    expect(during).toMatch(/\nexit 101\n$/);
    expect(existsSync(path)).toBe(false);
  });

  it("an administrator's policy is put back as it was, also when the install fails", async () => {
    writeFileSync(path, "theirs", { mode: 0o750 });
    const failing = withoutServices(async () => {
      expect(readFileSync(path, "utf8")).not.toBe("theirs");
      expect(statSync(path).mode & 0o777).toBe(0o755);
      throw new Error("no network");
    }, path);
    await expect(failing).rejects.toThrow("no network");
    expect(readFileSync(path, "utf8")).toBe("theirs");
    expect(statSync(path).mode & 0o777).toBe(0o750);
  });

  it("what a killed run left behind is put right first", async () => {
    writeFileSync(`${path}.before-cistern`, "theirs");
    writeFileSync(path, "left by a run that was killed");
    await withoutServices(async () => undefined, path);
    expect(readFileSync(path, "utf8")).toBe("theirs");
    expect(existsSync(`${path}.before-cistern`)).toBe(false);
  });

  it("a policy of ours that a killed run left alone is not taken for an administrator's", async () => {
    const ours = await withoutServices(async () => readFileSync(path, "utf8"), path);
    writeFileSync(path, ours);
    await withoutServices(async () => undefined, path);
    expect(existsSync(path)).toBe(false);
  });
});
