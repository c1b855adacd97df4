import { describe, expect, it } from "vitest";
import { openedAs } from "../../dist/rpc/opening.js";

const systemDaemon = { schemes: ["storage", "qemu"], opensSession: false };
const privateDaemon = { ...systemDaemon, opensSession: true };

describe("what a connection is opened as", () => {
  it.each([
    ["storage:///system", "storage:///system"],
    ["qemu:///system", "qemu:///system"],
    ["storage:///system?some=query", "storage:///system"],
    ["", "storage:///system"],
  ])("%j", (name, uri) => {
    expect(openedAs(name, null, systemDaemon).uri).toBe(uri);
  });

  it("opens a session only where the instance is a user's or private", () => {
    expect(openedAs("storage:///session", null, privateDaemon).uri).toBe("storage:///session");
    expect(() => openedAs("storage:///session", null, systemDaemon)).toThrow(
      "internal error: unexpected storage URI path '/session', try storage:///system",
    );
  });

  it.each([
    [null, "internal error: connection not open"],
    ["foo:///system", "no connection driver available for foo:///system"],
    ["storage:///", "internal error: unexpected storage URI path '/', try storage:///system"],
    ["nonsense", "no connection driver available for nonsense"],
  ])("refuses %j", (name, message) => {
    expect(() => openedAs(name, null, systemDaemon)).toThrow(message);
  });

  it("keeps the connection that is open already", () => {
    const first = openedAs("storage:///system", null, systemDaemon);
    expect(() => openedAs("storage:///system", first, systemDaemon)).toThrow("internal error: connection already open");
  });

  it("does not answer as qemu where the administrator took that away", () => {
    expect(() => openedAs("qemu:///system", null, { schemes: ["storage"], opensSession: false })).toThrow(
      "no connection driver available for qemu:///system",
    );
  });
});
