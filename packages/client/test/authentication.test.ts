import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { authFilePlaces, credentialsIn, fromAuthFile } from "../dist/authentication/credentials.js";
import { plain } from "../dist/authentication/mechanism.js";
import { scramSha256 } from "../dist/authentication/scram.js";

describe("SCRAM-SHA-256", () => {
  // The example of RFC 7677.
  const nonce = "rOprNGfwEbeRWgbNEkqO";
  const challenge = `r=${nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`;
  const proof = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
  const begin = () => scramSha256("user", "pencil", nonce);
  const said = (text: string) => Buffer.from(text);

  it("says what the standard's example says, and knows the server by its answer", async () => {
    const mechanism = begin();
    expect(Buffer.from(mechanism.first).toString()).toBe(`n,,n=user,r=${nonce}`);
    const answer = await mechanism.answer(said(challenge));
    expect(Buffer.from(answer ?? []).toString()).toBe(
      `c=biws,r=${nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`,
    );
    expect(mechanism.isDone).toBe(false);
    expect(await mechanism.answer(said(proof))).toBeNull();
    expect(mechanism.isDone).toBe(true);
    await expect(mechanism.answer(said(proof))).rejects.toMatchObject({ code: 45 });
  });

  it("another nonce each time; what would end a name does not", () => {
    const firsts = [1, 2].map(() => Buffer.from(scramSha256("a=b,c", "x").first).toString());
    expect(firsts[0]).toMatch(/^n,,n=a=3Db=2Cc,r=[A-Za-z0-9+/]{24}$/);
    expect(firsts[0]).not.toBe(firsts[1]);
  });

  it.each([
    ["somebody else's nonce", challenge.replace(nonce, "other")],
    ["our own nonce and nothing of its own", `r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`],
    ["no rounds", challenge.replace("4096", "0")],
    ["rounds for hours", challenge.replace("4096", "99999999999")],
    ["nothing", ""],
  ])("a server that says %s is not answered", async (_, text) => {
    await expect(begin().answer(said(text))).rejects.toMatchObject({ code: 45, domain: 7 });
  });

  it.each([
    ["proves nothing", "v="],
    ["does not know the password", `v=${Buffer.alloc(32).toString("base64")}`],
    ["refuses", "e=invalid-proof"],
  ])("a server that %s is left", async (_, text) => {
    const mechanism = begin();
    await mechanism.answer(said(challenge));
    await expect(mechanism.answer(said(text))).rejects.toMatchObject({ code: 45, domain: 7 });
    expect(mechanism.isDone).toBe(false);
  });
});

it("PLAIN says all at once", async () => {
  const mechanism = plain("me", "pass word");
  expect([Buffer.from(mechanism.first).toString(), mechanism.isDone]).toEqual(["\0me\0pass word", true]);
  await expect(mechanism.answer(new Uint8Array())).rejects.toMatchObject({ code: 45 });
});

describe("auth.conf", () => {
  const text = `
    # for all of them
    [credentials-ops]
    username=joe
    password = se=cret
    [auth-libvirt-host.example]
    credentials=ops
    [credentials-other]
    authname=jim
    password=x
    [auth-libvirt-default]
    credentials=other
    [auth-libvirt-half]
    credentials=none
    [credentials-nobody]
    username=nobody
    [auth-libvirt-nobody]
    credentials=nobody
  `;

  it("has a host's credentials, and the others'", () => {
    expect(credentialsIn(text, "host.example", "f")).toEqual({ username: "joe", password: "se=cret" });
    expect(credentialsIn(text, "elsewhere", "f")).toEqual({ username: "jim", password: "x" });
    expect(credentialsIn(text, "nobody", "f")).toBeNull();
    expect(credentialsIn("", "host.example", "f")).toBeNull();
    expect(() => credentialsIn(text, "half", "f")).toThrow(
      "'f' has no group 'credentials-none', which it names for 'half'",
    );
  });

  it("lies where libvirt looks for it", () => {
    expect(authFilePlaces("/said", {}, "/home/me")).toEqual(["/said"]);
    expect(authFilePlaces(null, { LIBVIRT_AUTH_FILE: "/env" }, "/home/me")).toEqual(["/env"]);
    expect(authFilePlaces(null, {}, "/home/me")).toEqual([
      "/home/me/.config/libvirt/auth.conf",
      "/etc/libvirt/auth.conf",
    ]);
    expect(authFilePlaces(null, { XDG_CONFIG_HOME: "/x" }, "/home/me")[0]).toBe("/x/libvirt/auth.conf");
  });

  it("is the first that there is; one that was named has to be there", async () => {
    const root = mkdtempSync(join(tmpdir(), "cistern-auth-"));
    try {
      const path = join(root, "auth.conf");
      writeFileSync(path, text);
      const request = { host: "host.example", mechanism: "PLAIN" };
      expect(await fromAuthFile([join(root, "none"), path])(request)).toEqual({ username: "joe", password: "se=cret" });
      expect(await fromAuthFile([join(root, "none"), join(root, "neither")])(request)).toBeNull();
      await expect(fromAuthFile([join(root, "none")])(request)).rejects.toMatchObject({ code: 38, int1: 2 });
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
});
