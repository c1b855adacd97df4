import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KnownDomain } from "../../dist/attachments/model.js";
import { type DomainSource, domainKey } from "../../dist/attachments/sources/domain-source.js";
import { domainSource } from "../../dist/attachments/sources/open-sources.js";
import { DocumentParser } from "../../dist/parsing/parser.js";
import { Laboratory } from "../drivers/laboratory.js";
import { guestXml } from "./guests.js";

const parser = new DocumentParser();
let laboratory: Laboratory;
let documents: string;
let known: Map<string, KnownDomain>;
const open: DomainSource[] = [];

beforeEach(() => {
  laboratory = new Laboratory();
  documents = laboratory.path("qemu");
  mkdirSync(documents);
  mkdirSync(laboratory.path("memory"));
  known = new Map();
});
afterEach(async () => {
  for (const source of open.splice(0)) await source.close();
  await laboratory.close();
});

async function opened(name: string, ownSockets: readonly string[] = []): Promise<DomainSource> {
  const source = await domainSource(name, {
    hostAt: (path) => laboratory.hosts.forPath(path),
    memoryDirectory: await laboratory.host.openDirectory(laboratory.path("memory")),
    read: (xml) => parser.domain(xml),
    connect: () => Promise.reject(new Error("nobody listens")),
    ownSockets,
    warn: () => {},
  });
  open.push(source);
  await source.open({
    one: (domain) => known.set(domainKey(domain), domain),
    gone: (domain) => known.delete(domainKey(domain)),
  });
  return source;
}

const write = (file: string, text: string) => writeFileSync(`${documents}/${file}`, text);
const web = guestXml("web", [{ source: "file='/images/web'" }]);
const status = (xml: string, state = "paused") =>
  `<domstatus state='${state}' reason='user' pid='7'>${xml}</domstatus>`;
const told = () =>
  [...known.values()].map(({ name, state, live, persistent }) => [name, state, live !== null, persistent !== null]);

describe("a directory of documents", () => {
  it("tells of definitions and of running guests, and of nothing else that lies there", async () => {
    write("web.xml", web);
    write("db.xml", status(guestXml("db", [])));
    write("notes.txt", web);
    write(".hidden.xml", web);
    mkdirSync(`${documents}/autostart`);
    mkdirSync(`${documents}/directory.xml`);
    write("autostart/inside.xml", guestXml("inside", []));
    symlinkSync(`${documents}/web.xml`, `${documents}/link.xml`);
    const source = await opened(documents);
    expect(told().sort()).toEqual([
      ["db", "paused", true, false],
      ["web", "unknown", false, true],
    ]);
    expect(source.facts).toMatchObject({ kind: "directory", answers: true, reason: null, domains: 2 });
  });

  it("hears of what comes, changes and goes", async () => {
    write("web.xml", web);
    const source = await opened(documents);
    write("web.xml", status(web, "running"));
    write("new.xml", guestXml("new", []));
    await source.catchUp();
    expect(told()).toEqual([
      ["web", "running", true, false],
      ["new", "unknown", false, true],
    ]);
    rmSync(`${documents}/web.xml`);
    write("new.xml", guestXml("renamed", []));
    await source.catchUp();
    expect(told()).toEqual([["renamed", "unknown", false, true]]);
  });

  it("keeps a guest of which one of two files goes", async () => {
    write("web.xml", web);
    write("web-copy.xml", web);
    const source = await opened(documents);
    expect(told()).toEqual([["web", "unknown", false, true]]);
    rmSync(`${documents}/web.xml`);
    await source.catchUp();
    expect(told()).toEqual([["web", "unknown", false, true]]);
    rmSync(`${documents}/web-copy.xml`);
    await source.catchUp();
    expect(told()).toEqual([]);
  });

  it("a document that cannot be read says so, and what its guest used before still counts", async () => {
    write("web.xml", web);
    const source = await opened(documents);
    write("web.xml", "<domain><name>web</na");
    write("other.xml", "no document at all");
    await source.catchUp();
    expect(
      [...known.values()].map(({ name, persistent, problem }) => [name, persistent?.disks.length ?? null, problem]),
    ).toEqual([
      ["web", 1, expect.stringContaining("cannot be read")],
      ["other", null, expect.stringContaining("cannot be read")],
    ]);
    write("web.xml", web);
    await source.catchUp();
    expect(known.get("name:web")?.problem).toBeNull();
  });

  it("that is gone does not answer: what it told stays, for the next daemon too, in a file that nobody else reads", async () => {
    write("web.xml", status(web));
    const source = await opened(documents);
    renameSync(documents, laboratory.path("away"));
    await source.catchUp();
    expect(told()).toEqual([["web", "paused", true, false]]);
    expect(source.facts).toMatchObject({ answers: false, reason: expect.stringContaining("ENOENT"), domains: 1 });
    const { live } = known.get("name:web") ?? {};
    await source.close();
    const [file] = readdirSync(laboratory.path("memory"));
    expect(statSync(laboratory.path("memory", file ?? "")).mode & 0o777).toBe(0o600);
    known.clear();
    const next = await opened(documents);
    expect(known.get("name:web")?.live).toEqual(live);
    expect(next.facts).toMatchObject({ answers: false, domains: 1 });
    renameSync(laboratory.path("away"), documents);
    rmSync(`${documents}/web.xml`);
    await next.catchUp();
    expect([told(), next.facts.answers]).toEqual([[], true]);
  });
});

describe("a single file", () => {
  it("is its guest: running where the document has a number, else defined", async () => {
    write("web.xml", guestXml("web", [], 5));
    const source = await opened(`${documents}/web.xml`);
    expect([told(), source.facts.kind]).toEqual([[["web", "running", true, false]], "file"]);
    write("web.xml", web);
    expect(await source.refresh({ name: "web", uuid: null }, AbortSignal.timeout(5_000))).toBe(true);
    expect(told()).toEqual([["web", "unknown", false, true]]);
    rmSync(`${documents}/web.xml`);
    expect(await source.refresh({ name: "web", uuid: null }, AbortSignal.timeout(5_000))).toBe(false);
    expect(told()).toHaveLength(1);
  });
});

describe("what can be no source", () => {
  it("is refused with its name and the reason", async () => {
    await expect(opened("/dev/null")).rejects.toThrow("'/dev/null' cannot be a source of guests: it is neither");
    await expect(opened("qemu+carrier-pigeon:///system")).rejects.toThrow("cannot be a source of guests");
  });

  it.each([
    ["qemu+ssh://root@other/system", "other"],
    ["qemu+ssh://root@other.example:2222/system?socket=/run/libvirt/libvirt-sock", "other.example"],
    ["qemu+tcp://192.0.2.7/system", "192.0.2.7"],
    ["qemu+tls://[2001:db8::7]:16514/system", "2001:db8::7"],
    ["qemu://other/system", "other"],
  ])("%s is refused: its guests' paths are another host's", async (uri, host) => {
    await expect(opened(uri)).rejects.toThrow(
      `'${uri}' cannot be a source of guests: it is on another host, and paths in the documents of its guests are those of '${host}'`,
    );
  });

  it.each([
    "qemu+tcp://localhost/system",
    "qemu+tcp://127.0.0.2/system",
    "qemu+tls://[::1]/system",
    `qemu+ssh://root@${hostname().toUpperCase()}/system`,
  ])("%s is this host's", async (uri) => {
    expect((await opened(uri)).facts).toMatchObject({ kind: "connection", reason: "nobody listens" });
  });

  it("this daemon itself is refused", async () => {
    const socket = "/run/test/libvirt-sock";
    await expect(opened(`qemu+unix:///system?socket=${socket}`, [socket])).rejects.toThrow("it is this Cistern daemon");
  });

  it("a hypervisor that has not made its socket yet is none of it", async () => {
    expect((await opened("nosuch:///system")).facts).toMatchObject({ kind: "connection", answers: false });
  });

  it("a connection that nobody answers is none of it: it is tried again", async () => {
    const socket = mkdtempSync(`${laboratory.root}/none-`);
    const source = await opened(`qemu+unix:///system?socket=${socket}/libvirt-sock`);
    expect(source.facts).toMatchObject({ kind: "connection", answers: false, reason: "nobody listens" });
    expect(await source.refresh({ name: "web", uuid: null }, AbortSignal.timeout(1_000))).toBe(false);
  });
});
