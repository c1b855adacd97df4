import { describe, expect, it } from "vitest";
import { parseSize } from "../dist/units.js";
import { parseUuid, randomUuid } from "../dist/uuid.js";

// Each row was put to libvirt 9.0.0.
describe("a size", () => {
  it.each([
    ["5", null, 5n],
    ["5", "", 5n],
    ["5", "B", 5n],
    ["5", "Bytes", 5n],
    ["007", null, 7n],
    ["+5", null, 5n],
    [" \n5", null, 5n],
    ["5", "K", 5120n],
    ["5", "KIB", 5120n],
    ["5", "kib", 5120n],
    ["5", "kB", 5000n],
    ["5", "Kb", 5000n],
    ["1", "M", 2n ** 20n],
    ["1", "GiB", 2n ** 30n],
    ["1", "T", 2n ** 40n],
    ["1", "PB", 10n ** 15n],
    ["7", "E", 7n * 2n ** 60n],
    ["9", "EB", 9n * 10n ** 18n],
    ["9223372036854775807", "bytes", 2n ** 63n - 1n],
    ["9007199254740991", "K", 9007199254740991n * 1024n],
  ])("%j %j is read", (text, unit, bytes) => {
    expect(parseSize(text, unit, "capacity")).toBe(bytes);
  });
  it.each([
    ["", null, 27, 18, "malformed capacity element"],
    [null, null, 27, 18, "malformed capacity element"],
    ["-5", null, 27, 18, "malformed capacity element"],
    ["5 ", null, 27, 18, "malformed capacity element"],
    ["1.5", null, 27, 18, "malformed capacity element"],
    ["0x10", null, 27, 18, "malformed capacity element"],
    ["18446744073709551616", null, 27, 18, "malformed capacity element"],
    ["9".repeat(4_000_000), null, 27, 18, "malformed capacity element"],
    ["0", "zz", 8, 0, "unknown suffix 'zz'"],
    ["5", "xiB", 8, 0, "unknown suffix 'xiB'"],
    ["5", "KiBx", 8, 0, "unknown suffix 'KiBx'"],
    ["5", "K ", 8, 0, "unknown suffix 'K '"],
    ["9", "E", 82, 0, "value too large: 9E"],
    ["10", "EB", 82, 0, "value too large: 10EB"],
    ["9223372036854775808", null, 82, 0, "value too large: 9223372036854775808"],
    ["18446744073709551615", "", 82, 0, "value too large: 18446744073709551615"],
  ])("%j %j is refused", (text, unit, libvirtCode, libvirtDomain, message) => {
    expect(() => parseSize(text, unit, "capacity")).toThrow(
      expect.objectContaining({ libvirtCode, libvirtDomain, message }),
    );
  });
});

describe("a UUID", () => {
  const UUID = "5e7a1f00-2222-3333-4444-555555555555";
  it.each([
    UUID,
    UUID.toUpperCase(),
    UUID.replaceAll("-", ""),
    ` 5E7A1F0022223333 4444-5555 5555 5555 `,
    `\n${UUID}\t`,
    `--${UUID}`,
  ])("%j is read", (text) => {
    expect(parseUuid(text)).toBe(UUID);
  });
  it.each(["", "x", UUID.slice(1), `${UUID}5`, `${UUID}-`, `5-${UUID.slice(1)}`, UUID.replace("5", "g")])(
    "%j is none",
    (text) => {
      expect(parseUuid(text)).toBeNull();
    },
  );
  it("is looked for in bounded time", () => {
    const start = performance.now();
    expect(parseUuid(" ".repeat(4_000_000))).toBeNull();
    expect(parseUuid(`${" -".repeat(2_000_000)}x`)).toBeNull();
    expect(performance.now() - start).toBeLessThan(1000);
  });
  it("made up is version 4 of the bytes given", () => {
    expect(randomUuid((bytes) => new Uint8Array(bytes).fill(0xff))).toBe("ffffffff-ffff-4fff-bfff-ffffffffffff");
    expect(randomUuid((bytes) => new Uint8Array(bytes))).toBe("00000000-0000-4000-8000-000000000000");
  });
});
