import { expect, test } from "vitest";
import { factsOf, parseSerial, parseSerialAndPort, serialOf } from "../../dist/tools/scsi-id.js";
import { recorded, typed } from "./recorded.js";

test("command lines", () => {
  const line = "/lib/udev/scsi_id --replace-whitespace --whitelisted";
  expect(typed(serialOf("/dev/sda"))).toBe(`${line} --device /dev/sda`);
  expect(typed(factsOf("/dev/sda"))).toBe(`${line} --export --device /dev/sda`);
});

test("the serial; a device without one says nothing", () => {
  expect(parseSerial(recorded("scsi-id", "serial").stdout)).toBe("360000000000000000e00000000010001");
  expect(recorded("scsi-id", "not-scsi")).toMatchObject({ exitStatus: 1, stdout: "" });
  expect(["", "\n", "a\nb\n"].map(parseSerial)).toEqual([null, null, "a"]);
});

test("serial and port together; a device that does not tell its port has no such key", () => {
  expect(parseSerialAndPort(recorded("scsi-id", "export-with-port").stdout)).toMatch(/^3[0-9a-f]{16}_PORT[0-9a-f]+$/);
  expect(parseSerialAndPort(recorded("scsi-id", "export").stdout)).toBeNull();
  expect(["", "=\n=x", "ID_SERIAL=\nID_TARGET_PORT=1", "ID_TARGET_PORT=1"].map(parseSerialAndPort)).toEqual([
    null,
    null,
    null,
    null,
  ]);
});
