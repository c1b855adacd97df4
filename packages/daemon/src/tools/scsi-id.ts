import type { Command } from "../host/host.js";

/** udev's own program, which no PATH has. */
const SCSI_ID = "/lib/udev/scsi_id";

/**
 * Asks a device for its serial (page 0x83, else 0x80). --replace-whitespace: blanks become underscores. --whitelisted: also of
 * a device that scsi_id.config does not name. Exit status 1: it has none.
 */
export function serialOf(devicePath: string): Command {
  return { program: SCSI_ID, args: ["--replace-whitespace", "--whitelisted", "--device", devicePath] };
}

/** The same with everything known of it, as lines `NAME=value`. */
export function factsOf(devicePath: string): Command {
  return { program: SCSI_ID, args: ["--replace-whitespace", "--whitelisted", "--export", "--device", devicePath] };
}

/**
 * ```
 * 360000000000000000e00000000010001
 * ```
 * null: it says none.
 */
export function parseSerial(output: string): string | null {
  const [serial = ""] = output.split("\n");
  return serial === "" ? null : serial;
}

/**
 * ```
 * ID_SERIAL=333333330000007d0
 * ID_TARGET_PORT=100
 * ```
 * A LUN that is seen through several ports (NPIV) has one serial; the port tells its sights apart. null: it says one of both
 * not.
 */
export function parseSerialAndPort(output: string): string | null {
  const values = new Map<string, string>();
  for (const line of output.split("\n")) {
    const equals = line.indexOf("=");
    if (equals > 0) values.set(line.slice(0, equals), line.slice(equals + 1));
  }
  const [serial, port] = [values.get("ID_SERIAL") ?? "", values.get("ID_TARGET_PORT") ?? ""];
  return serial === "" || port === "" ? null : `${serial}_PORT${port}`;
}
