import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SCHEMAS } from "../compatibility/normalise.js";
import { type DaemonName, openSide, type Side } from "../compatibility/side.js";
import { makeWorkFileSystem } from "../compatibility/work-file-system.js";
import { cisterndUnavailable } from "../support/cisternd.js";
import { libvirtdUnavailable } from "../support/libvirtd.js";
import { type Answers, ask } from "./ask.js";

/** CORPUS_OF=libvirtd puts the documents to a real libvirtd, which has to answer as it was recorded. */
const daemon: DaemonName = process.env["CORPUS_OF"] === "libvirtd" ? "libvirtd" : "cisternd";
/** CORPUS_RECORD=1 writes a real libvirtd's answers into the project's own documents instead of comparing them. */
const record = process.env["CORPUS_RECORD"] !== undefined;

const OWN = fileURLToPath(new URL("own", import.meta.url));
const SHARED = fileURLToPath(new URL("../../../shared/corpus", import.meta.url));
const missing = libvirtdUnavailable() ?? (daemon === "cisternd" && !record ? cisterndUnavailable() : undefined);
const sharedIsThere = existsSync(SHARED);
const missingShared = sharedIsThere ? missing : "the shared corpus is not there";

type Recorded = Readonly<Record<string, unknown>>;
interface Document extends Recorded {
  readonly input: string;
}

/**
 * Where cisternd is meant to answer otherwise than was recorded: the libvirtd of the recording had no backend for these
 * types, and the issue orders that pools of all types are defined ("The other pool types are defined, listed, dumped,
 * undefined and autostart-flagged").
 */
const DEFINED_BY_US_ONLY: readonly string[] = ["pool-vstorage.json", "pool-zfs-sourcedev.json"];

/** What was recorded, but is not a daemon's answer, or differs from machine to machine. */
const NOT_COMPARED: readonly string[] = ["equals_upstream_out"];

const shared = {
  pools: await documentsIn(join(SHARED, "pools")),
  volumes: await documentsIn(join(SHARED, "volumes")),
  backing: await backingStringsIn(SHARED),
};
const own = (await documentsIn(OWN)).map(([name, document]) => [`own/${name}`, document] as const);
const ownPools = own.filter(([, document]) => document.input.trimStart().startsWith("<pool"));
const ownVolumes = own.filter(([, document]) => !document.input.trimStart().startsWith("<pool"));

let base: string | undefined;
let side: Side;
let answers: Answers;
let compared = 0;

describe("documents get the answers that a real libvirtd gave", () => {
  beforeAll(async () => {
    if (missing !== undefined) return;
    base = await mkdtemp(join(tmpdir(), "crp-"));
    const work = await makeWorkFileSystem(join(base, "a.img"), join(base, "work"));
    side = await openSide(record ? "libvirtd" : daemon, base, "a", work);
    answers = await ask(side, {
      pools: inputs([...shared.pools, ...ownPools]),
      volumes: inputs([...shared.volumes, ...ownVolumes]),
      backing: shared.backing.map(([text]) => text),
    });
  }, 250_000);

  afterAll(async () => {
    if (base === undefined) return;
    await side?.close();
    await rm(base, { recursive: true, force: true });
    const counts = [
      `${shared.pools.length} pools`,
      `${shared.volumes.length} volumes`,
      `${shared.backing.length} backing strings`,
      `${own.length} documents of our own`,
    ];
    console.log(`corpus: ${compared} documents agree (${counts.join(", ")})`);
  });

  // Where they are not there, one test says so; where they are, it does not exist.
  if (!sharedIsThere) test("the shared documents", (context) => context.skip(missingShared));
  else describeShared();

  describe("our own documents", () => {
    test.for(own)("%s", async ([name, document], context) => {
      if (missing !== undefined) context.skip(missing);
      const answered = answers.pools[name] ?? answers.volumes[name];
      if (record)
        await writeFile(join(OWN, "..", name), `${JSON.stringify({ input: document.input, ...answered }, null, 1)}\n`);
      else compare(document, answered, daemon === "cisternd" && name in answers.volumes ? LABEL : undefined);
      compared += 1;
    });
  });

  function describeShared(): void {
    describe("shared pool documents", () => {
      test.for(shared.pools)("%s", ([name, recorded], context) => {
        if (missingShared !== undefined) context.skip(missingShared);
        if (daemon === "libvirtd" && name === "pool-zfs-sourcedev.json")
          context.skip("this libvirtd has the zfs backend");
        if (daemon === "cisternd" && DEFINED_BY_US_ONLY.includes(name)) {
          expect(answers.pools[name]).toMatchObject({ libvirtd: { define: { ok: true } } });
        } else {
          compare(recorded, answers.pools[name]);
        }
        compared += 1;
      });
    });

    describe("shared volume documents", () => {
      test.for(shared.volumes)("%s", ([name, recorded], context) => {
        if (missingShared !== undefined) context.skip(missingShared);
        compare(recorded, answers.volumes[name], daemon === "cisternd" ? LABEL : undefined);
        compared += 1;
      });
    });

    describe("backing strings", () => {
      test.for(shared.backing)("%s", ([text, recorded], context) => {
        if (missingShared !== undefined) context.skip(missingShared);
        compare(recorded, answers.backing[text]);
        compared += 1;
      });
    });
  }
});

/** Every recorded answer has to be given again; only the place of the schemas may be another one. */
function compare(recorded: Recorded, answered: Recorded | undefined, leftOut?: RegExp): void {
  const { input: _input, ...expected } = recorded;
  expect(comparable(answered, leftOut)).toEqual(comparable(expected, leftOut));
}

/** libvirtd forgets the label that a volume's document asks for. Ours has it, as tests of the drivers prove. */
const LABEL = /\n *<label>[^<]*<\/label>/g;

function comparable(value: unknown, leftOut?: RegExp): unknown {
  if (typeof value === "string") {
    const text = value.replaceAll(SCHEMAS, "");
    return leftOut === undefined ? text : text.replaceAll(leftOut, "");
  }
  if (Array.isArray(value)) return value.map((each) => comparable(each, leftOut));
  if (value === null || typeof value !== "object") return value;
  const kept = Object.entries(value).filter(([key]) => !NOT_COMPARED.includes(key));
  return Object.fromEntries(kept.map(([key, inner]) => [key, comparable(inner, leftOut)]));
}

function inputs(documents: readonly (readonly [string, Document])[]): Record<string, string> {
  return Object.fromEntries(documents.map(([name, document]) => [name, document.input]));
}

async function documentsIn(folder: string): Promise<[string, Document][]> {
  if (!existsSync(folder)) return [];
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json")).sort();
  return Promise.all(
    names.map(
      async (name): Promise<[string, Document]> => [
        name,
        JSON.parse(await readFile(join(folder, name), "utf8")) as Document,
      ],
    ),
  );
}

async function backingStringsIn(folder: string): Promise<[string, Recorded][]> {
  const file = join(folder, "backing-strings.json");
  if (!existsSync(file)) return [];
  return Object.entries(JSON.parse(await readFile(file, "utf8")) as Record<string, Recorded>);
}
