import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "../dist/commands/table.js";
import type { Subject } from "../dist/failure.js";
import { hintFor } from "../dist/hints.js";

const { OPERATION_INVALID, STORAGE_VOL_EXIST, SYSTEM_ERROR } = ErrorCode;
const OF_POOL = { pool: "a b", volume: null };
const OF_VOLUME = { pool: "a b", volume: "it's" };
const OF_NEW_VOLUME = { pool: "a b" };
const NO_PATH = "no storage vol with matching path '/p/v'";
const DASHED = { pool: "-p", volume: "--v" };

const errors: readonly (readonly [code: ErrorCode, detail: string, subject: Subject | null, hint: string | null])[] = [
  [OPERATION_INVALID, "storage pool 'a b' is not active", null, "cistern pool-start 'a b'"],
  [OPERATION_INVALID, "storage pool '-p' is not active", null, "cistern pool-start --pool=-p"],
  [OPERATION_INVALID, "storage pool 'p' is still active", null, "cistern pool-destroy p stops it"],
  [OPERATION_INVALID, "volume 'v' is still in use.", null, "cistern explain POOL/VOL says"],
  [OPERATION_INVALID, "volume 'a b/it's' is still in use: guest", OF_VOLUME, "cistern explain 'a b/it'\\''s' says"],
  [OPERATION_INVALID, "volume 'v' is still in use.", OF_NEW_VOLUME, "cistern explain POOL/VOL says"],
  [ErrorCode.INTERNAL_ERROR, "pool 'p' has asynchronous jobs running.", null, "cistern jobs shows them"],
  [OPERATION_INVALID, "pool 'p' is still in use. '/p/v' is disk", null, "cistern attachments"],
  [STORAGE_VOL_EXIST, "'v'", null, "cistern vol-delete v --pool POOL removes it"],
  [STORAGE_VOL_EXIST, "'v'", OF_NEW_VOLUME, "cistern vol-delete v --pool 'a b' removes it"],
  [STORAGE_VOL_EXIST, "'--v'", DASHED, "cistern vol-delete --vol=--v --pool=-p removes it"],
  [SYSTEM_ERROR, "cannot open directory '/x': No such file or directory", null, "cistern pool-build POOL makes"],
  [SYSTEM_ERROR, "cannot open directory '/x': No such file or directory", OF_POOL, "cistern pool-build 'a b' makes"],
  [SYSTEM_ERROR, "cannot open directory '/x': Permission denied", OF_POOL, null],
  [ErrorCode.NO_STORAGE_VOL, NO_PATH, null, "cistern pool-refresh POOL looks again at what is there"],
  [ErrorCode.NO_STORAGE_VOL, NO_PATH, OF_VOLUME, "cistern pool-refresh 'a b' looks again at what is there"],
  [ErrorCode.NO_STORAGE_VOL, NO_PATH, OF_NEW_VOLUME, "cistern pool-refresh POOL looks again at what is there"],
  [ErrorCode.NO_CONNECT, "No daemon is listening for x", null, "systemctl start cisternd starts it"],
  [ErrorCode.AUTH_UNAVAILABLE, "no agent", null, "try as root"],
  [ErrorCode.INTERNAL_ERROR, "storage pool 'p' is not active", null, null],
];

const given = errors.map(([code, detail, subject]) => {
  const error =
    code === SYSTEM_ERROR || code === ErrorCode.NO_CONNECT
      ? new LibvirtError(code, ErrorDomain.STORAGE, detail)
      : LibvirtError.of(code, ErrorDomain.STORAGE, detail);
  return hintFor(error, subject);
});

describe("errors that people meet have a hint, which names what the command was about", () => {
  it.each(errors.map(([code, detail, subject, hint], index) => ({ code, detail, subject, hint, index })))(
    "code $code, $detail, of $subject",
    ({ hint, index }) => {
      if (hint === null) expect(given[index]).toBeNull();
      else expect(given[index]).toContain(hint);
    },
  );

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
    const named = given.flatMap((hint) =>
      [...(hint ?? "").matchAll(/cistern ([a-z-]+)/g)].map(([, name]) => name ?? ""),
    );
    expect(named.length).toBeGreaterThan(4);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });
});
