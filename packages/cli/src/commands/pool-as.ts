import { POOL_TYPE_NAMES } from "@cistern/client";
import type { Context } from "../context.js";
import { UsageError } from "../exit-status.js";
import { attempt } from "../failure.js";
import { withProgress } from "../long-work.js";
import { printable } from "../output/text.js";
import { command, type ValuesOf } from "./command.js";
import { flag, optionalText, text } from "./parameters.js";
import { buildParameters, leftOfCreation, readBuild } from "./pool-change.js";

const described = {
  name: text("name of the pool"),
  type: text("type of the pool", { completes: POOL_TYPE_NAMES }),
  "print-xml": flag("print XML document, but don't define/create"),
  "source-host": optionalText("source-host for underlying storage"),
  "source-path": optionalText("source path for underlying storage", { completes: "files" }),
  "source-dev": optionalText("source device for underlying storage", { completes: "files" }),
  "source-name": optionalText("source name for underlying storage"),
  target: optionalText("target for underlying storage", { completes: "files" }),
  "source-format": optionalText("format for underlying storage"),
  "auth-type": optionalText("auth type to be used for underlying storage", { completes: ["chap", "ceph"] }),
  "auth-username": optionalText("auth username to be used for underlying storage"),
  "secret-usage": optionalText("auth secret usage to be used for underlying storage"),
  "secret-uuid": optionalText("auth secret UUID to be used for underlying storage", { completes: "secrets" }),
  "adapter-name": optionalText("adapter name to be used for underlying storage"),
  "adapter-wwnn": optionalText("adapter wwnn to be used for underlying storage"),
  "adapter-wwpn": optionalText("adapter wwpn to be used for underlying storage"),
  "adapter-parent": optionalText("adapter parent scsi_hostN to be used for underlying vHBA storage"),
  "adapter-parent-wwnn": optionalText("adapter parent scsi_hostN wwnn to be used for underlying vHBA storage"),
  "adapter-parent-wwpn": optionalText("adapter parent scsi_hostN wwpn to be used for underlying vHBA storage"),
  "adapter-parent-fabric-wwn": optionalText(
    "adapter parent scsi_hostN fabric_wwn to be used for underlying vHBA storage",
  ),
  "source-protocol-ver": optionalText("nfsvers value for NFS pool mount option"),
  "source-initiator": optionalText("initiator iqn for underlying storage"),
} as const;

type Described = ValuesOf<typeof described>;

export const poolDefineAs = command({
  name: "pool-define-as",
  summary: "define a pool from a set of args",
  parameters: described,
  run: (context, values) =>
    describe(context, values, async (xml) => {
      await context.withConnection(async (connection) => {
        const { name, uuid } = await attempt(`Failed to define pool ${values.name}`, () =>
          connection.definePool(xml, {}, context.call),
        );
        context.printDone(`Pool ${printable(name)} defined`, { pool: name, uuid });
      });
    }),
});

export const poolCreateAs = command({
  name: "pool-create-as",
  summary: "create a transient pool from a set of args and start it",
  parameters: { ...described, ...buildParameters },
  run(context, values) {
    const build = readBuild(values);
    const subject = { pool: values.name, volume: null, left: leftOfCreation(build) };
    return describe(context, values, async (xml) => {
      await context.withConnection(async (connection) => {
        const { name, uuid } = await attempt(`Failed to create pool ${values.name}`, () =>
          withProgress(context, connection, subject, (call) => connection.createPool(xml, { build }, call)),
        );
        context.printDone(`Pool ${printable(name)} created`, { pool: name, uuid });
      });
    });
  },
});

/** Hands the document on, or prints it. */
async function describe(context: Context, values: Described, use: (xml: string) => Promise<void>): Promise<void> {
  const xml = await poolXml(values);
  if (values["print-xml"]) context.printDocument(xml);
  else await use(xml);
}

/** What was said, as it was said: the server judges it. */
async function poolXml(values: Described): Promise<string> {
  if (values["secret-usage"] !== null && values["secret-uuid"] !== null) {
    throw new UsageError("Options --secret-usage and --secret-uuid are mutually exclusive");
  }
  const { XmlWriter } = await import("@cistern/documents");
  const writer = new XmlWriter().open("pool", { type: values.type }).leaf("name", {}, values.name);
  const source = sourceElements(values);
  if (source.length > 0) {
    writer.open("source");
    for (const [name, attributes, content] of source) {
      if (typeof content !== "object") writer.leaf(name, attributes, content);
      else
        writer
          .open(name, attributes)
          .leaf(...content)
          .close();
    }
    writer.close();
  }
  if (values.target !== null) writer.open("target").leaf("path", {}, values.target).close();
  return writer.close().toString();
}

type Attributes = Readonly<Record<string, string | null>>;
type Leaf = readonly [name: string, attributes: Attributes];
/** An element of `<source>`; its content is one element, or text, or nothing. */
type SourceElement = readonly [name: string, attributes: Attributes, content?: Leaf | string];

/** In virsh's order. What makes no sense without something else is left out, as virsh does it. */
function sourceElements(values: Described): readonly SourceElement[] {
  const said = (option: keyof Described, element: (value: string) => SourceElement): SourceElement | null => {
    const value = values[option];
    return typeof value === "string" ? element(value) : null;
  };
  const elements = [
    said("source-host", (name) => ["host", { name }]),
    said("source-path", (path) => ["dir", { path }]),
    said("source-dev", (path) => ["device", { path }]),
    said("source-initiator", (name) => ["initiator", {}, ["iqn", { name }]]),
    adapterElement(values),
    authenticationElement(values),
    said("source-format", (type) => ["format", { type }]),
    said("source-name", (name) => ["name", {}, name]),
  ].filter((element) => element !== null);
  const version = values["source-protocol-ver"];
  return elements.length === 0 || version === null ? elements : [...elements, ["protocol", { ver: version }]];
}

function adapterElement(values: Described): SourceElement | null {
  const { "adapter-name": name, "adapter-wwnn": wwnn, "adapter-wwpn": wwpn } = values;
  if (wwnn !== null && wwpn !== null) return ["adapter", { type: "fc_host", ...parentOf(values), wwnn, wwpn }];
  return name === null ? null : ["adapter", { type: "scsi_host", name }];
}

/** The parent of a virtual host adapter is said in one of three ways. */
function parentOf(values: Described): Attributes {
  const { "adapter-parent": parent, "adapter-parent-wwnn": parent_wwnn, "adapter-parent-wwpn": parent_wwpn } = values;
  if (parent !== null) return { parent };
  if (parent_wwnn !== null && parent_wwpn !== null) return { parent_wwnn, parent_wwpn };
  return { parent_fabric_wwn: values["adapter-parent-fabric-wwn"] };
}

function authenticationElement(values: Described): SourceElement | null {
  const { "auth-type": type, "auth-username": username, "secret-usage": usage, "secret-uuid": uuid } = values;
  if (type === null || username === null || (usage === null && uuid === null)) return null;
  return ["auth", { type, username }, ["secret", usage === null ? { uuid } : { usage }]];
}
