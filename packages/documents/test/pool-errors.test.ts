// Every refusal of a pool document that a real libvirtd 9.0.0 was provoked to: code, domain and text.

import { describe, expect, it } from "vitest";
import { readPool } from "../dist/pool-reader.js";
import { readSourceSpecification } from "../dist/pool-source.js";

const dir = (inner: string) => `<pool type='dir'><name>e</name>${inner}</pool>`;
const at = "<target><path>/x</path></target>";
const permissions = (inner: string) => dir(`<target><path>/x</path><permissions>${inner}</permissions></target>`);
const pool = (type: string, source: string, rest = at) =>
  `<pool type='${type}'><name>e</name><source>${source}</source>${rest}</pool>`;
const netfs = (source: string) => pool("netfs", `<host name='h'/><dir path='/e'/>${source}`);
const rbd = (auth: string) => pool("rbd", `<name>p</name><host name='h'/>${auth}`, "");
const secret = (attributes: string) => rbd(`<auth type='ceph' username='u'><secret ${attributes}/></auth>`);
const WWN = "20000000c9831b4b";
const fc = (attributes: string) => pool("scsi", `<adapter type='fc_host' ${attributes}/>`);
const parent = (inner: string) => pool("scsi", `<adapter type='scsi_host'>${inner}</adapter>`);
const NS = "xmlns:n='http://libvirt.org/schemas/storagepool";
const rbdOption = (attributes: string) =>
  `<pool type='rbd' ${NS}/rbd/1.0'><name>e</name><source><name>p</name><host name='h'/></source>` +
  `<n:config_opts><n:option ${attributes}/></n:config_opts></pool>`;

const rows: [what: string, xml: string, code: number, domain: number, detail: string][] = [
  ["notxml", "<pool", 35, 18, "(storage_pool_definition):1: Couldn't find end of Start Tag pool line 1\n<pool\n-----^"],
  ["root", "<volume/>", 27, 5, "expecting root element of 'pool', not 'volume'"],
  ["notype", "<pool/>", 27, 5, "Missing required attribute 'type' in element 'pool'"],
  ["badtype", "<pool type='foo'/>", 27, 5, "Invalid value for attribute 'type' in element 'pool': 'foo'."],
  ["noname", "<pool type='dir'/>", 27, 18, "missing pool source name element"],
  ["empty name", "<pool type='dir'><name/></pool>", 27, 18, "missing pool source name element"],
  ["slash", "<pool type='dir'><name>e/x</name></pool>", 27, 18, "name e/x cannot contain '/'"],
  ["nl", `<pool type='dir'><name>a\nb</name>${at}</pool>`, 35, 5, "invalid char in name: \n"],
  ["baduuid", dir(`<uuid>x</uuid>${at}`), 27, 18, "malformed uuid element"],
  ["notarget", dir(""), 27, 18, "missing storage pool target path"],
  ["badmode", permissions("<mode>0999</mode>"), 27, 18, "malformed octal mode"],
  ["mode0", permissions("<mode>01777</mode>"), 27, 18, "malformed octal mode"],
  ["badowner", permissions("<owner>x</owner>"), 27, 18, "malformed owner element"],
  ["emptyowner", permissions("<owner/>"), 27, 18, "malformed owner element"],
  ["badgroup", permissions("<group>-2</group>"), 27, 18, "malformed group element"],
  [
    "cownfs",
    pool("netfs", "<host name='h'/><dir path='/e'/>", `${at}<features><cow state='yes'/></features>`),
    3,
    18,
    "cow feature may only be used for 'fs' and 'dir' pools",
  ],
  [
    "cowbad",
    dir(`<features><cow state='zz'/></features>${at}`),
    27,
    5,
    "Invalid value for attribute 'state' in element 'cow': 'zz'.",
  ],
  ["fs nosrc", pool("fs", ""), 27, 18, "missing storage pool source device name"],
  ["fs badfmt", pool("fs", "<device path='/d'/><format type='foo'/>"), 67, 18, "unknown pool format type foo"],
  ["fs devnopath", pool("fs", "<device/>"), 27, 18, "missing storage pool source device path"],
  ["netfs nohost", pool("netfs", "<dir path='/e'/>"), 27, 18, "missing storage pool source host name"],
  ["netfs nodir", pool("netfs", "<host name='h'/>"), 27, 18, "missing storage pool source path"],
  ["netfs hostnoname", pool("netfs", "<host/>"), 27, 18, "missing storage pool host name"],
  [
    "netfs badport",
    pool("netfs", "<host name='h' port='abc'/>"),
    27,
    5,
    "Invalid value for attribute 'port' in element 'host': 'abc'. Expected integer value",
  ],
  [
    "netfs ver cifs",
    netfs("<format type='cifs'/><protocol ver='3'/>"),
    67,
    18,
    "storage pool protocol ver unsupported for pool type 'cifs'",
  ],
  ["netfs ver comma", netfs("<protocol ver='3,x'/>"), 35, 18, "storage pool protocol ver '3,x' must not contain ','"],
  ["rbd noname", pool("rbd", "<host name='h'/>", ""), 27, 18, "element 'name' is mandatory for RBD pool"],
  ["rbd nohost", pool("rbd", "<name>p</name>", ""), 27, 18, "missing storage pool source host name"],
  ["rbd auth nouser", rbd("<auth type='ceph'/>"), 27, 18, "missing username for auth"],
  ["rbd auth nosecret", rbd("<auth type='ceph' username='u'/>"), 27, 18, "Missing <secret> element in auth"],
  ["rbd auth badtype", rbd("<auth type='zz' username='u'/>"), 67, 18, "unknown auth type 'zz'"],
  ["rbd auth notype", rbd("<auth username='u'><secret usage='z'/></auth>"), 67, 18, "storage pool missing auth type"],
  ["rbd auth secret both", secret("uuid='x' usage='y'"), 27, 0, "either secret uuid or usage expected"],
  ["rbd auth secret none", secret(""), 27, 0, "missing secret uuid or usage attribute"],
  ["rbd auth secret baduuid", secret("uuid='x'"), 27, 0, "invalid secret uuid 'x'"],
  ["scsi noadapter", pool("scsi", ""), 27, 18, "missing storage pool source adapter"],
  ["scsi nothing in adapter", pool("scsi", "<adapter/>"), 27, 18, "missing storage pool source adapter"],
  [
    "scsi empty adapter",
    pool("scsi", "<adapter type='scsi_host'/>"),
    27,
    18,
    "Either 'name' or 'parent' must be specified for the 'scsi_host' adapter",
  ],
  [
    "scsi bad type",
    pool("scsi", "<adapter type='xx'/>"),
    27,
    5,
    "Invalid value for attribute 'type' in element 'adapter': 'xx'.",
  ],
  ["fc nowwn", fc(""), 27, 18, "'wwnn' and 'wwpn' must be specified for adapter type 'fchost'"],
  ["fc badwwn", fc("wwnn='1' wwpn='1'"), 1, 0, "Malformed wwn: 1"],
  [
    "fc half a parent",
    fc(`wwnn='${WWN}' wwpn='${WWN}' parent_wwnn='${WWN}'`),
    27,
    18,
    `when providing parent_wwnn='${WWN}', the parent_wwpn must also be provided`,
  ],
  [
    "scsi wwnn legacy",
    pool("scsi", `<adapter wwnn='${WWN}'/>`),
    27,
    18,
    "Use of 'wwnn', 'wwpn', and 'parent' attributes requires use of the adapter 'type'",
  ],
  [
    "scsi parentaddr legacy",
    pool("scsi", "<adapter><parentaddr/></adapter>"),
    27,
    18,
    "Use of 'parentaddr' element requires use of the adapter 'type'",
  ],
  ["scsi parent without address", parent("<parentaddr/>"), 27, 18, "Missing scsi_host PCI address element"],
  [
    "scsi parent without id",
    parent("<parentaddr><address slot='1'/></parentaddr>"),
    27,
    18,
    "Missing or invalid scsi adapter 'unique_id' value",
  ],
  [
    "scsi parent outside of PCI",
    parent("<parentaddr unique_id='1'><address slot='0x20'/></parentaddr>"),
    27,
    0,
    "Invalid PCI address slot='0x20', must be <= 0x1F",
  ],
  [
    "scsi parent malformed",
    parent("<parentaddr unique_id='1'><address bus='zz'/></parentaddr>"),
    27,
    5,
    "Invalid value for attribute 'bus' in element 'address': 'zz'. Expected non-negative integer value",
  ],
  ["iscsi nohost", pool("iscsi", "<device path='i'/>"), 27, 18, "missing storage pool source host name"],
  ["iscsi-direct noiqn", pool("iscsi-direct", "<host name='h'/>", ""), 67, 18, "missing initiator IQN"],
  ["disk nodev", pool("disk", ""), 27, 18, "missing storage pool source device name"],
  [
    "refresh bad",
    dir(`${at}<refresh><volume allocation='zz'/></refresh>`),
    67,
    18,
    "unknown storage pool volume refresh allocation type zz",
  ],
  [
    "fs opt noname",
    `<pool type='fs' ${NS}/fs/1.0'><name>e</name><source><device path='/d'/></source>${at}` +
      "<n:mount_opts><n:option/></n:mount_opts></pool>",
    27,
    18,
    "no fs mount option name specified",
  ],
  [
    "part_separator",
    pool("disk", "<device path='/d' part_separator='zz'/>"),
    27,
    5,
    "Invalid value for attribute 'part_separator' in element 'device': 'zz'.",
  ],
  ["rbd opt noname", rbdOption("value='v'"), 27, 18, "no rbd option name specified"],
  ["rbd opt empty name", rbdOption("name='' value='v'"), 27, 18, "empty rbd option name specified"],
  ["rbd opt novalue", rbdOption("name='n'"), 27, 18, "no rbd option value specified for name 'n'"],
  ["rbd opt empty value", rbdOption("name='n' value=''"), 27, 18, "empty rbd option value specified for name 'n'"],
];

describe("a pool document is refused with libvirt's code, domain and text", () => {
  it.each(rows)("%s", (_what, xml, libvirtCode, libvirtDomain, message) => {
    expect(() => readPool(xml)).toThrow(expect.objectContaining({ libvirtCode, libvirtDomain, message }));
  });
});

describe("of several things wrong the first in libvirt's order counts", () => {
  it.each([
    [
      "source before name",
      "<pool type='fs'><source><device/></source></pool>",
      "missing storage pool source device path",
    ],
    ["name before uuid", "<pool type='dir'><uuid>x</uuid></pool>", "missing pool source name element"],
    ["uuid before target", dir("<uuid>x</uuid>"), "malformed uuid element"],
    ["format before hosts", pool("netfs", "<host/><format type='zz'/>"), "unknown pool format type zz"],
    ["source parts before target", pool("netfs", "", ""), "missing storage pool source host name"],
  ])("%s", (_what, xml, message) => {
    expect(() => readPool(xml)).toThrow(expect.objectContaining({ message }));
  });
});

describe("a specification of sources to find is refused with libvirt's code, domain and text", () => {
  it.each([
    [
      "not well-formed",
      "<so",
      35,
      18,
      "(storage_source_specification):1: Couldn't find end of Start Tag so line 1\n<so\n---^",
    ],
    ["another root", "<x/>", 27, 5, "expecting root element of 'source', not 'x'"],
    ["a host without name", "<source><host/></source>", 27, 18, "missing storage pool host name"],
  ])("%s", (_what, xml, libvirtCode, libvirtDomain, message) => {
    expect(() => readSourceSpecification(xml, "netfs")).toThrow(
      expect.objectContaining({ libvirtCode, libvirtDomain, message }),
    );
  });
});
