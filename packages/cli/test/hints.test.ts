import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "../dist/commands/table.js";
import { hintFor } from "../dist/hints.js";

const errors = [
  [ErrorCode.OPERATION_INVALID, "storage pool 'a b' is not active", "cistern pool-start 'a b'"],
  [ErrorCode.OPERATION_INVALID, "storage pool 'p' is still active", "cistern pool-destroy p stops it"],
  [ErrorCode.OPERATION_INVALID, "volume 'v' is still in use.", "cistern explain POOL/VOL"],
  [ErrorCode.STORAGE_VOL_EXIST, "'v'", "cistern vol-delete v --pool POOL"],
  [ErrorCode.AUTH_UNAVAILABLE, "no agent", "try as root"],
  [ErrorCode.INTERNAL_ERROR, "storage pool 'p' is not active", null],
] as const;

describe("errors that people meet have a hint", () => {
  it.each(errors)("code %i, %s", (code, detail, hint) => {
    const given = hintFor(LibvirtError.of(code, ErrorDomain.STORAGE, detail));
    if (hint === null) expect(given).toBeNull();
    else expect(given).toContain(hint);
  });

  it.each([
    [2, "is cisternd running?"],
    [111, "is cisternd running?"],
    [13, "the socket is not for this user"],
  ])("a socket that cannot be reached, errno %i", (errno, hint) => {
    const error = LibvirtError.system(
      ErrorDomain.RPC,
      errno,
      "Failed to connect socket to '/run/cistern/libvirt-sock'",
    );
    expect(hintFor(error)).toContain(hint);
  });

  it("name only commands that exist", () => {
    const known = new Set(COMMANDS.map(({ name }) => name));
    const hints = errors.map(([code, detail]) => hintFor(LibvirtError.of(code, ErrorDomain.STORAGE, detail)) ?? "");
    const named = hints.flatMap((hint) => [...hint.matchAll(/cistern ([a-z-]+)/g)].map(([, name]) => name ?? ""));
    expect(named.length).toBeGreaterThan(4);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });
});
