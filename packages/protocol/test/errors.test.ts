import { describe, expect, it } from "vitest";
import {
  connect,
  decodeArguments,
  decodeReply,
  decodeXdr,
  ErrorCode,
  ErrorDomain,
  encodeCall,
  encodeError,
  encodeEvent,
  encodeReply,
  encodeXdr,
  errorCodeName,
  events,
  type Frame,
  FrameDecoder,
  LIMITS,
  LibvirtError,
  MessageType,
  messageByNumber,
  ProtocolError,
  remoteError,
  resolveCall,
  storage,
  strerror,
} from "../dist/index.js";

describe("the shapes of libvirt's errors", () => {
  it("an ordinary error has its code's sentence and the detail", () => {
    const error = LibvirtError.of(
      ErrorCode.NO_STORAGE_POOL,
      ErrorDomain.STORAGE,
      "no storage pool with matching name 'x'",
    );
    expect(error.toWire()).toEqual({
      code: 49,
      domain: 18,
      message: "Storage pool not found: no storage pool with matching name 'x'",
      level: 2,
      dom: null,
      str1: "Storage pool not found: %s",
      str2: "no storage pool with matching name 'x'",
      str3: null,
      int1: -1,
      int2: -1,
      net: null,
    });
  });

  it("a system error has the text of its number", () => {
    const wire = LibvirtError.system(ErrorDomain.STORAGE, 2, "Unable to open stream for '/x'").toWire();
    expect(wire).toMatchObject({ code: 38, domain: 18, str1: "%s", str3: null, int1: 2, int2: -1, level: 2 });
    expect(wire.message).toBe("Unable to open stream for '/x': No such file or directory");
    expect(wire.str2).toBe(wire.message);
  });

  it("a refused argument names function and argument and has no prefix", () => {
    const text = "capacity in virStorageVolResize cannot be zero without 'delta' or 'shrink' flags set";
    const wire = LibvirtError.invalidArgument(ErrorDomain.STORAGE, "virStorageVolResize", "capacity", text).toWire();
    expect(wire).toMatchObject({
      code: 8,
      message: text,
      str1: "virStorageVolResize",
      str2: "capacity",
      int1: 0,
      int2: 0,
    });
  });

  it("unknown flags are refused with the bits that are unknown", () => {
    expect(() => LibvirtError.checkFlags(ErrorDomain.STORAGE, "storagePoolCreate", 0x80000009, 9)).toThrow(
      "unsupported flags (0x80000000) in function storagePoolCreate",
    );
    expect(() => LibvirtError.checkFlags(ErrorDomain.STORAGE, "storagePoolCreate", 9, 9)).not.toThrow();
  });

  it("the detail stands where the sentence wants it, and patterns in it mean nothing", () => {
    const error = LibvirtError.of(ErrorCode.STORAGE_VOL_EXIST, ErrorDomain.STORAGE, "'$&%s'");
    expect(error.message).toBe("storage volume '$&%s' exists already");
    expect(error.str1).toBe("storage volume %s exists already");
  });
});

describe("LibvirtError.from", () => {
  it("leaves a LibvirtError as it is", () => {
    const error = LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.STORAGE, "x");
    expect(LibvirtError.from(error)).toBe(error);
  });

  it("recognises a document's error by its fields", () => {
    const document = Object.assign(new Error("missing storage pool target path"), {
      libvirtCode: 27,
      libvirtDomain: 18,
    });
    const error = LibvirtError.from(document);
    expect(error.message).toBe("XML error: missing storage pool target path");
    expect(error).toMatchObject({ code: 27, domain: 18, str1: "XML error: %s", cause: document });
  });

  it("answers undecodable bodies as libvirt does", () => {
    expect(LibvirtError.from(new ProtocolError("decode", "ends early"))).toMatchObject({
      code: 39,
      domain: 7,
      message: "Unable to decode message payload",
    });
  });

  it.each([
    [new TypeError("boom"), "internal error: boom"],
    ["text", "internal error: text"],
    [undefined, "internal error: undefined"],
  ])("makes an internal error of anything else, with its cause (%s)", (thrown, message) => {
    expect(LibvirtError.from(thrown)).toMatchObject({ code: 1, domain: 7, message });
  });
});

describe("over the wire", () => {
  const call = { program: 0x20008086, version: 1, procedure: 84, type: MessageType.CALL, serial: 7, status: 0 };

  it("a call, its reply, its error and an event arrive", () => {
    const sent = single(encodeCall(storage.storagePoolLookupByName, 7, { name: "default" }));
    expect(resolveCall(sent)).toBe(storage.storagePoolLookupByName);
    expect(decodeArguments(storage.storagePoolLookupByName, sent)).toEqual({ name: "default" });

    const pool = { name: "default", uuid: "5e7a1f00-1111-2222-3333-444455556666" };
    const reply = single(encodeReply(sent, storage.storagePoolLookupByName, { pool }));
    expect(reply).toMatchObject({ type: MessageType.REPLY, serial: 7, procedure: 84 });
    expect(decodeReply(storage.storagePoolLookupByName, reply)).toEqual({ pool });

    const event = single(encodeEvent(events.storagePoolEventRefresh, { callbackID: 3, pool }));
    expect(event).toMatchObject({ type: MessageType.MESSAGE, serial: 0 });
    expect(messageByNumber(event.procedure)).toBe(events.storagePoolEventRefresh);
  });

  it("an error arrives as the same error", () => {
    const error = LibvirtError.system(ErrorDomain.STREAMS, 28, "cannot write to stream");
    const frame = single(encodeError(call, error));
    expect(() => decodeReply(storage.storagePoolLookupByName, frame)).toThrow(error.message);
    const { code, domain, str1, str2, int1 } = LibvirtError.fromWire(decodeXdr(remoteError, frame.payload).value);
    expect({ code, domain, str1, str2, int1 }).toEqual({
      code: 38,
      domain: 38,
      str1: "%s",
      str2: error.message,
      int1: 28,
    });
  });

  it("a procedure that the server does not know is a missing function to the client", () => {
    const unknown = LibvirtError.of(ErrorCode.RPC, ErrorDomain.RPC, "unknown procedure: 500");
    expect(LibvirtError.fromWire(unknown.toWire()).code).toBe(ErrorCode.NO_SUPPORT);
    expect(LibvirtError.fromWire(LibvirtError.of(ErrorCode.RPC, ErrorDomain.RPC, "other").toWire()).code).toBe(39);
  });

  it("an error can be sent whatever text it carries", () => {
    for (const detail of ["a\0b", "€".repeat(3_000_000), "x".repeat(10_000_000)]) {
      const wire = LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.NONE, detail).toWire();
      expect(encodeXdr(remoteError, wire).length).toBeLessThan(LIMITS.bodyBytes);
      expect(wire.message?.startsWith("internal error: ")).toBe(true);
    }
  });

  it("an argument that is missing is undecodable", () => {
    const frame = { ...call, procedure: connect.connectOpen.number, payload: new Uint8Array(3) };
    expect(() => decodeArguments(connect.connectOpen, frame)).toThrow("Unable to decode message payload");
  });
});

it("strerror speaks as glibc", () => {
  expect(strerror(0)).toBe("Success");
  expect(strerror(39)).toBe("Directory not empty");
  expect(strerror(28)).toBe("No space left on device");
  expect(strerror(41)).toBe("Unknown error 41");
  expect(strerror(9999)).toBe("Unknown error 9999");
});

it("codes have names for logs", () => {
  expect(errorCodeName(50)).toBe("NO_STORAGE_VOL");
  expect(errorCodeName(777)).toBe("code 777");
});

function single(packet: Uint8Array): Frame {
  const [frame, ...more] = new FrameDecoder().push(packet);
  if (frame === undefined || more.length > 0) throw new Error("Not exactly one packet");
  return frame;
}
