import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { clearPrivateDirectory } from "../../dist/host/index.js";
import { scratchDirectory, testHosts } from "./support.ts";

const root = scratchDirectory();
const hosts = testHosts();

it("passphrases and commands' directories that a crash left are removed, nothing else", async () => {
  mkdirSync(`${root}/private/command-aB3x/0`, { recursive: true });
  writeFileSync(`${root}/victim`, "precious");
  symlinkSync(`${root}/victim`, `${root}/private/command-aB3x/0/disk.qcow2`);
  writeFileSync(`${root}/private/command-aB3x/script`, "exec true");
  writeFileSync(`${root}/private/0b718b1e-db3c-4879-af59-dffe5a4894da.secret`, "sesame");
  writeFileSync(`${root}/private/system.token`, "0");
  await using directory = await hosts.local.openDirectory(`${root}/private`);
  await clearPrivateDirectory(directory);
  expect(readdirSync(`${root}/private`)).toEqual(["system.token"]);
  expect(readFileSync(`${root}/victim`, "utf8")).toBe("precious");
  await clearPrivateDirectory(directory);
});
