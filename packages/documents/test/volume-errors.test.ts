import { describe, expect, it } from "vitest";
import { DocumentError } from "../dist/errors.js";
import { type ReadVolumeOptions, readVolume } from "../dist/volume-reader.js";

const CREATE: ReadVolumeOptions = { capacity: "optional-with-backing" };
const UUID = "11111111-2222-3333-4444-555555555555";

/** code/domain and text of what reading throws. */
function refusal(xml: string, options = CREATE): [string, string] {
  try {
    readVolume(xml, "dir", options);
  } catch (error) {
    if (error instanceof DocumentError) {
      return [`${error.libvirtCode}/${error.libvirtDomain}`, error.message];
    }
    throw error;
  }
  throw new Error(`was read: ${xml}`);
}

const volume = (content: string) => `<volume><name>x</name><capacity>1</capacity>${content}</volume>`;
const target = (content: string) => volume(`<target>${content}</target>`);
const sized = (capacity: string) => `<volume><name>x</name>${capacity}</volume>`;
const encryption = (content: string, attributes = "format='luks'") =>
  target(`<encryption ${attributes}>${content}</encryption>`);
const SECRET = `<secret type='passphrase' uuid='${UUID}'/>`;

describe("a volume document is refused as libvirtd refuses it", () => {
  it.each<[what: string, xml: string, codeAndDomain: string, detail: string]>([
    ["empty", "", "35/18", "(storage_volume_definition):1: Document is empty\n(null)\n^"],
    [
      "cut off",
      "<volume>",
      "35/18",
      "(storage_volume_definition):1: Premature end of data in tag volume line 1\n<volume>\n--------^",
    ],
    ["another root", "<pool/>", "27/5", "expecting root element of 'volume', not 'pool'"],
    ["no name", "<volume><capacity>1</capacity></volume>", "27/18", "missing volume name element"],
    ["empty name", "<volume><name/><capacity>1</capacity></volume>", "27/18", "missing volume name element"],
    ["no capacity", sized(""), "27/18", "missing capacity element"],
    ["empty capacity", sized("<capacity/>"), "27/18", "missing capacity element"],
    ["bad capacity", sized("<capacity>x</capacity>"), "27/18", "malformed capacity element"],
    ["negative capacity", sized("<capacity>-1</capacity>"), "27/18", "malformed capacity element"],
    ["blank behind capacity", sized("<capacity>1 </capacity>"), "27/18", "malformed capacity element"],
    ["fraction", sized("<capacity>1.5</capacity>"), "27/18", "malformed capacity element"],
    ["bad unit", sized("<capacity unit='zz'>1</capacity>"), "8/0", "unknown suffix 'zz'"],
    ["bad unit with iB", sized("<capacity unit='xiB'>1</capacity>"), "8/0", "unknown suffix 'xiB'"],
    ["too large", sized("<capacity unit='E'>9</capacity>"), "82/0", "value too large: 9E"],
    ["bad allocation", volume("<allocation>x</allocation>"), "27/18", "malformed capacity element"],
    [
      "bad type",
      "<volume type='zz'><name>x</name><capacity>1</capacity></volume>",
      "67/18",
      "unknown volume type 'zz'",
    ],
    ["bad format", target("<format type='zz'/>"), "67/18", "unknown volume format type zz"],
    ["format none in a file pool", target("<format type='none'/>"), "67/18", "unknown volume format type none"],
    ["bad mode", target("<permissions><mode>8</mode></permissions>"), "27/18", "malformed octal mode"],
    ["mode with set-id", target("<permissions><mode>4755</mode></permissions>"), "27/18", "malformed octal mode"],
    ["bad owner", target("<permissions><owner>x</owner></permissions>"), "27/18", "malformed owner element"],
    ["bad group", target("<permissions><group/></permissions>"), "27/18", "malformed group element"],
    ["bad compat", target("<compat>a.b</compat>"), "27/18", "forbidden characters in 'compat' attribute"],
    ...["1", "1.", ".1", "1.1.1", "1.1 ", "0x1.1", "1.+-1", "4294967296.1", "1.1\n2"].map(
      (compat): [string, string, string, string] => [
        `compat '${compat}'`,
        target(`<compat>${compat}</compat>`),
        "27/18",
        "forbidden characters in 'compat' attribute",
      ],
    ),
    ["compat for a shell", target("<compat>1.1,x=y</compat>"), "27/18", "forbidden characters in 'compat' attribute"],
    ["bad feature", target("<features><zz/></features>"), "67/18", "unsupported feature zz"],
    [
      "bad cluster size",
      target("<clusterSize>zz</clusterSize>"),
      "27/5",
      "Invalid value 'zz' for element or attribute './target/clusterSize'",
    ],
    ["bad cluster unit", target("<clusterSize unit='zz'>1</clusterSize>"), "8/0", "unknown suffix 'zz'"],
    [
      "bad backing format",
      volume("<backingStore><path>/b</path><format type='zz'/></backingStore>"),
      "67/18",
      "unknown volume format type zz",
    ],
    [
      "backing store without path gives no capacity",
      sized("<backingStore><format type='raw'/></backingStore>"),
      "27/18",
      "missing capacity element",
    ],
    ["encryption without format", encryption(SECRET, ""), "27/18", "unknown volume encryption format"],
    ["bad encryption format", encryption("", "format='zz'"), "67/18", "unknown volume encryption format type zz"],
    [
      "bad encryption engine",
      encryption("", "format='luks' engine='zz'"),
      "27/5",
      "Invalid value for attribute 'engine' in element 'encryption': 'zz'.",
    ],
    ["secret without type", encryption("<secret/>"), "27/18", "unknown volume encryption secret type"],
    [
      "bad secret type",
      encryption(`<secret type='zz' uuid='${UUID}'/>`),
      "67/18",
      "unknown volume encryption secret type zz",
    ],
    [
      "secret without reference",
      encryption("<secret type='passphrase'/>"),
      "27/0",
      "missing secret uuid or usage attribute",
    ],
    [
      "secret with two references",
      encryption(`<secret type='passphrase' usage='a' uuid='${UUID}'/>`),
      "27/0",
      "either secret uuid or usage expected",
    ],
    ["bad secret uuid", encryption("<secret type='passphrase' uuid='x'/>"), "27/0", "invalid secret uuid 'x'"],
    [
      "ivgen without cipher",
      encryption("<ivgen name='plain64'/>"),
      "27/18",
      "ivgen element found, but cipher is missing",
    ],
    ["cipher without name", encryption("<cipher size='256'/>"), "27/18", "cipher info missing 'name' attribute"],
    [
      "cipher without size",
      encryption("<cipher name='aes'/>"),
      "27/5",
      "Missing required attribute 'size' in element 'cipher'",
    ],
    [
      "bad cipher size",
      encryption("<cipher name='aes' size='-1'/>"),
      "27/5",
      "Invalid value for attribute 'size' in element 'cipher': '-1'. Expected non-negative integer value",
    ],
    [
      "ivgen without name",
      encryption("<cipher name='aes' size='256'/><ivgen/>"),
      "27/18",
      "missing ivgen info name string",
    ],
  ])("%s", (_, xml, codeAndDomain, detail) => {
    expect(refusal(xml)).toEqual([codeAndDomain, detail]);
  });

  it("reports the first thing wrong in libvirt's order", () => {
    const checks: readonly { readonly wrong: string; readonly good: string; readonly detail: string }[] = [
      { wrong: "", good: "<name>x</name>", detail: "missing volume name element" },
      { wrong: "type='zz'", good: "type='file'", detail: "unknown volume type 'zz'" },
      { wrong: "<format type='b'/>", good: "", detail: "unknown volume format type b" },
      { wrong: "<permissions><mode>9</mode></permissions>", good: "", detail: "malformed octal mode" },
      { wrong: "", good: "<capacity>1</capacity>", detail: "missing capacity element" },
      { wrong: "<allocation unit='a'>1</allocation>", good: "", detail: "unknown suffix 'a'" },
      { wrong: "<format type='t'/>", good: "", detail: "unknown volume format type t" },
      { wrong: "<permissions><owner>z</owner></permissions>", good: "", detail: "malformed owner element" },
      { wrong: "<encryption/>", good: "", detail: "unknown volume encryption format" },
      { wrong: "<compat>z</compat>", good: "", detail: "forbidden characters in 'compat' attribute" },
      {
        wrong: "<clusterSize>z</clusterSize>",
        good: "",
        detail: "Invalid value 'z' for element or attribute './target/clusterSize'",
      },
      { wrong: "<features><z/></features>", good: "", detail: "unsupported feature z" },
    ];
    // The document in which the first so many things have been put right; its elements stand in the opposite order.
    const repaired = (count: number) => {
      const parts = checks.map(({ wrong, good }, index) => (index < count ? good : wrong));
      const [name, type, backingFormat, backingPermissions, capacity, allocation, ...inTarget] = parts;
      const backing = `<backingStore>${backingPermissions}${backingFormat}<path>/b</path></backingStore>`;
      const content = `<target>${inTarget.toReversed().join("")}</target>${allocation}${capacity}${backing}${name}`;
      return `<volume ${type}>${content}</volume>`;
    };
    const details = checks.map((_, count) => refusal(repaired(count), { capacity: "required" })[1]);
    expect(details).toEqual(checks.map(({ detail }) => detail));
    expect(readVolume(repaired(checks.length), "dir", CREATE).name).toBe("x");
  });
});
