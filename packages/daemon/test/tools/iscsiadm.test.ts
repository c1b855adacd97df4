import { describe, expect, test } from "vitest";
import {
  deleteInterface,
  deleteNode,
  discoverTargets,
  ISCSI_ERR_NO_OBJS_FOUND,
  listInterfaces,
  login,
  logoutSession,
  newInterface,
  newNode,
  parseInterfaces,
  parseTargets,
  portalFolder,
  portalOf,
  portalText,
  rescanSession,
  setInterfaceInitiator,
  showNode,
  updateNode,
  updateNodeUnseen,
  withPassword,
} from "../../dist/tools/iscsiadm.js";
import { recorded, recordedFile, typed } from "./recorded.js";

const target = "iqn.2004-04.org.lab:t1";
const portal = portalOf({ name: "127.0.0.1", port: 0 });
const node = { portal, target, interfaceName: "default" };
const bound = { ...node, interfaceName: "libvirt-iface-1234abcd" };
const NODE = `iscsiadm --mode node --portal 127.0.0.1:3260,1 --targetname ${target}`;
const DEFAULT = "[--interface] [default]";
const IFACE = "iscsiadm --mode iface --interface libvirt-iface-1234abcd";

describe("command lines", () => {
  test.each([
    [rescanSession("3"), "iscsiadm --mode session -r 3 -R"],
    [logoutSession("3"), "iscsiadm --mode session -r 3 --logout"],
    [listInterfaces(), "iscsiadm --mode iface"],
    [newInterface("libvirt-iface-1234abcd"), `${IFACE} --op new`],
    [
      setInterfaceInitiator("libvirt-iface-1234abcd", "iqn.x"),
      `${IFACE} --op update --name iface.initiatorname --value iqn.x`,
    ],
    [deleteInterface("libvirt-iface-1234abcd"), `${IFACE} --op delete`],
    [showNode(node), `${NODE} ${DEFAULT}`],
    [newNode(node), `${NODE} ${DEFAULT} --op new`],
    [newNode(bound), `${NODE} --interface libvirt-iface-1234abcd --op new`],
    [deleteNode(bound), `${NODE} --interface libvirt-iface-1234abcd --op delete`],
    [
      updateNode(node, "node.session.auth.authmethod", "CHAP"),
      `${NODE} ${DEFAULT} --op update --name node.session.auth.authmethod --value CHAP`,
    ],
    [
      updateNodeUnseen(node, "node.session.auth.password", "secret"),
      `${NODE} ${DEFAULT} --op update --name node.session.auth.password --value [secret]`,
    ],
    [login(node), `${NODE} --login ${DEFAULT}`],
    [login(bound), `${NODE} --login --interface libvirt-iface-1234abcd`],
    [
      discoverTargets(portal, null),
      "iscsiadm --mode discovery --type sendtargets --portal 127.0.0.1:3260,1 --op nonpersistent",
    ],
    [
      discoverTargets({ host: "::1", port: 3261 }, "if"),
      "iscsiadm --mode discovery --type sendtargets --portal [::1]:3261,1 --op nonpersistent --interface if",
    ],
  ])("%#: %s", (command, expected) => {
    expect(typed(command)).toBe(expected);
  });

  test("portals, in arguments and as open-iscsi names their folders", () => {
    const portals = [
      { name: "srv", port: 0 },
      { name: "srv", port: 13_260 },
      { name: "fe80::1", port: 0 },
    ].map(portalOf);
    expect(portals.map(portalText)).toEqual(["srv:3260,1", "srv:13260,1", "[fe80::1]:3260,1"]);
    expect(portals.map(portalFolder)).toEqual(["srv,3260,1", "srv,13260,1", "fe80::1,3260,1"]);
  });
});

describe("what it answers", () => {
  test("that there is no record has a status of its own", () => {
    expect(recorded("iscsiadm", "no-record")).toMatchObject({ exitStatus: ISCSI_ERR_NO_OBJS_FOUND, stdout: "" });
  });

  test("interfaces, with and without an initiator of their own", () => {
    const own = [
      { name: "default", initiatorIqn: null },
      { name: "iser", initiatorIqn: null },
    ];
    expect(parseInterfaces(recorded("iscsiadm", "interfaces").stdout)).toEqual(own);
    expect(parseInterfaces(recorded("iscsiadm", "interfaces-with-initiator").stdout)).toEqual([
      { name: "libvirt-iface-1234abcd", initiatorIqn: "iqn.2004-04.org.lab:other" },
      ...own,
    ]);
  });

  test("targets, each once", () => {
    const { stdout } = recorded("iscsiadm", "targets");
    expect(parseTargets(stdout)).toEqual([target, "iqn.2004-04.org.lab:t2"]);
    expect(parseTargets(`${stdout}127.0.0.2:3260,1 ${target}\n[fe80::1]:3260,1 ${target}\n`)).toHaveLength(2);
  });

  test.each(["", "\n\n", "iscsiadm: oops\n", "tcp: [x] y\ntcp:\n", "\0\u{10ffff}", "a,b,c,d,e", "tcp: [1]".repeat(99)])(
    "odd output gives nothing: %j",
    (output) => {
      expect(parseInterfaces(output)).toEqual([]);
      expect(parseTargets(output)).toEqual([]);
    },
  );
});

describe("a record with a password", () => {
  const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString("latin1"));
  const lines = (bytes: Uint8Array | null) => text(bytes)?.split("\n").sort();
  const record = recordedFile("iscsiadm", "record");
  const secret = Buffer.from("secretsecret12");

  test("it has the lines that iscsiadm would write, whatever stood there before", () => {
    const wanted = recordedFile("iscsiadm", "record-with-password");
    expect(lines(withPassword(record, secret))).toEqual(lines(wanted));
    expect(lines(withPassword(wanted, secret))).toEqual(lines(wanted));
    const other = withPassword(wanted, Buffer.from("another one #1 = 2"));
    expect(text(other)).toContain("\nnode.session.auth.password = another one #1 = 2\n# END RECORD\n");
    expect(text(other)).not.toContain("secretsecret12");
  });

  test("bytes that are no text stay what they are", () => {
    const password = Uint8Array.from([0x70, 0x80, 0x9f, 0xff]);
    expect(Buffer.from(withPassword(record, password) ?? []).includes(Buffer.from(password))).toBe(true);
  });

  test.each(["", " a", "a ", "a\n", "a\nb", "a\0b"])("%j cannot stand in a record", (password) => {
    expect(withPassword(record, Buffer.from(password))).toBeNull();
  });

  test("what is no record is left alone", () => {
    expect(withPassword(Buffer.from("node.name = x\n"), secret)).toBeNull();
  });
});
