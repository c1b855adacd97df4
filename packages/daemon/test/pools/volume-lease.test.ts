import { describe, expect, it } from "vitest";
import { VolumeLease } from "../../dist/pools/volume-lease.js";

const IN_USE = expect.objectContaining({
  code: 55,
  domain: 18,
  message: expect.stringContaining("'a' is still in use."),
});

describe("the lease of a volume", () => {
  it("is shared by any number of readers, and by nobody with a writer", () => {
    const lease = new VolumeLease();
    const ends = [lease.read("a"), lease.read("a"), lease.read("a")];
    expect(() => lease.write("a")).toThrow(IN_USE);
    for (const end of ends) end();
    const endWrite = lease.write("a");
    expect(lease).toMatchObject({ isHeld: true, isWritten: true });
    expect(() => lease.read("a")).toThrow(IN_USE);
    expect(() => lease.write("a")).toThrow(IN_USE);
    endWrite();
    expect(lease).toMatchObject({ isHeld: false, isWritten: false });
  });

  it("that was refused holds nothing", () => {
    const lease = new VolumeLease();
    const end = lease.read("a");
    expect(() => lease.write("a")).toThrow(IN_USE);
    end();
    expect(lease.isHeld).toBe(false);
  });

  it("ends once, however often it is ended: another's is not ended with it", () => {
    const lease = new VolumeLease();
    const [first, second] = [lease.read("a"), lease.read("a")];
    first();
    first();
    expect(lease.isHeld).toBe(true);
    second();
    const endWrite = lease.write("a");
    endWrite();
    const endNext = lease.write("a");
    endWrite();
    second();
    expect(lease.isWritten).toBe(true);
    endNext();
    expect(lease.isHeld).toBe(false);
  });

  it("tells by its count that a writer came or went, and of readers nothing", () => {
    const lease = new VolumeLease();
    lease.read("a")();
    expect(lease.writes).toBe(0);
    const end = lease.write("a");
    const during = lease.writes;
    end();
    expect([during, lease.writes]).toEqual([1, 2]);
  });
});
