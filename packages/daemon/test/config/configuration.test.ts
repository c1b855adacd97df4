import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ConfigurationError,
  findGroup,
  loadConfiguration,
  readConfiguration,
  reloadConfiguration,
  settingFields,
  settings,
  socketModeOf,
  standardConfiguration,
} from "../../dist/config/index.js";

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cistern-configuration-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const read = (text: string) => readConfiguration(text, "/etc/x.toml");
const project = (path: string) => readFile(fileURLToPath(new URL(`../../../../${path}`, import.meta.url)), "utf8");

describe("the configuration", () => {
  it("is the standard one where the file is empty or, at its default place, absent", async () => {
    expect(read("")).toEqual(standardConfiguration);
    const configFile = join(directory, "absent.toml");
    expect(await loadConfiguration({ configFile, configFileIsRequired: false })).toEqual(standardConfiguration);
  });

  it("takes every key", async () => {
    const configFile = join(directory, "all.toml");
    await writeFile(
      configFile,
      `log_level = "debug"
log_format = "json"
uri_schemes = ["storage"]
unix_sock_group = "libvirt"
unix_sock_rw_perms = "0660"
unix_sock_ro_perms = "0750"
max_clients = 7
max_client_requests = 8
keepalive_interval = -1
keepalive_count = 0
remote_storage_timeout = 9
`,
    );
    expect(await loadConfiguration({ configFile, configFileIsRequired: true })).toEqual({
      logLevel: "debug",
      logFormat: "json",
      uriSchemes: ["storage"],
      socketGroup: "libvirt",
      socketMode: 0o660,
      readOnlySocketMode: 0o750,
      maxClients: 7,
      maxClientRequests: 8,
      keepaliveIntervalSeconds: -1,
      keepaliveCount: 0,
      remoteStorageTimeoutSeconds: 9,
    });
  });

  it("lets a socket group connect, unless the permissions say otherwise", () => {
    expect(socketModeOf(read(""))).toBe(0o700);
    expect(socketModeOf(read('unix_sock_group = "disk"'))).toBe(0o770);
    expect(socketModeOf(read('unix_sock_group = "disk"\nunix_sock_rw_perms = "0700"'))).toBe(0o700);
  });

  it.each([
    ["log_level = 3", 'log_level is 3, but must be one of "trace", "debug", "info"'],
    ['log_level = "loud"', 'log_level is "loud", but must be one of'],
    ["uri_schemes = []", 'uri_schemes is [], but must be a list of one or more of "storage", "qemu"'],
    ['uri_schemes = ["qemu", "qemu"]', "uri_schemes is"],
    ['uri_schemes = ["lxc"]', "uri_schemes is"],
    ["unix_sock_group = 27", "unix_sock_group is 27, but must be the name or number of a group, as a string"],
    ["unix_sock_rw_perms = 0o770", "unix_sock_rw_perms is 504, but must be permission bits as an octal string"],
    ['unix_sock_ro_perms = "0888"', "unix_sock_ro_perms is"],
    ['max_clients = "many"', 'max_clients is "many", but must be a whole number from 1 to 65536'],
    ["max_clients = 1.0", "max_clients is 1, but must be a whole number"],
    ["max_clients = 0", "max_clients is 0"],
    ["max_clients = 99999999999999999", "max_clients is"],
    ["keepalive_interval = -2", "keepalive_interval is -2"],
    ["max_client = 3", "max_client is no setting; perhaps max_clients is meant"],
    ["colour = 3", "colour is no setting; the settings are log_level, log_format"],
    ["[log_level]\na = 1", 'log_level is {"a":1}, but must be'],
    ["__proto__ = 1", "__proto__ is no setting"],
  ])("refuses %j, naming file, key and what is expected", (text, message) => {
    expect(() => read(text)).toThrow(ConfigurationError);
    expect(() => read(text)).toThrow("'/etc/x.toml'");
    expect(() => read(text)).toThrow(message);
  });

  it("tells all that is wrong at once", () => {
    expect(() => read("max_clients = 0\nfoo = 1\nkeepalive_count = true")).toThrow(
      /max_clients is 0.*\.\n {2}foo is no setting.*\.\n {2}keepalive_count is true/s,
    );
  });

  it("names line and column of what is not TOML", () => {
    expect(() => read('log_level = "info"\nmax_clients = = 3\n')).toThrow(
      /'\/etc\/x.toml' is not valid TOML: line 2, column 15: /,
    );
  });

  it("must be readable when it was asked for, and no larger than a configuration is", async () => {
    const absent = join(directory, "absent.toml");
    await expect(loadConfiguration({ configFile: absent, configFileIsRequired: true })).rejects.toThrow(
      `The configuration file '${absent}' cannot be read: it does not exist.`,
    );
    await expect(loadConfiguration({ configFile: directory, configFileIsRequired: false })).rejects.toThrow(
      "it is a directory",
    );
    await expect(loadConfiguration({ configFile: "/dev/zero", configFileIsRequired: true })).rejects.toThrow(
      /has more than 262144 bytes/,
    );
  });

  it("takes over on reload what can change in a running daemon, and names what waits", () => {
    const running = read('log_level = "info"\nlog_format = "json"');
    const wanted = read('log_level = "debug"\nlog_format = "text"\nmax_clients = 3\nuri_schemes = ["storage"]');
    expect(reloadConfiguration(running, wanted)).toEqual({
      configuration: { ...wanted, logFormat: "json" },
      keysForNextStart: ["log_format"],
    });
    expect(reloadConfiguration(running, read('log_format = "json"')).keysForNextStart).toEqual([]);
  });
});

describe("what is written about the settings", () => {
  it("in the sample names every key with what holds otherwise", async () => {
    const sample = await project("packages/daemon/cisternd.toml");
    expect(read(sample)).toEqual(standardConfiguration);
    const uncommented = sample.replace(/^#(?=[a-z_]+ = )/gm, "");
    for (const field of settingFields) expect(uncommented).toMatch(new RegExp(`^${settings[field].key} = `, "m"));
    // The group has no standard value to show, and with one the mode would follow it.
    expect(read(uncommented.replace(/^unix_sock_group.*$/m, ""))).toEqual({
      ...standardConfiguration,
      socketMode: 0o700,
    });
  });

  it("in the reference describes every key, with the right answer to 'when does it take effect'", async () => {
    const reference = await project("docs/reference/configuration.md");
    for (const field of settingFields) {
      const { key, reloads } = settings[field];
      const row = reference.split("\n").find((line) => line.startsWith(`| \`${key}\` |`));
      expect(row, key).toBeDefined();
      expect(row?.trimEnd().endsWith(reloads ? "| SIGHUP |" : "| start |"), key).toBe(true);
    }
    const named = [...reference.matchAll(/^\| `([a-z_]+)` \|/gm)].map((match) => match[1]);
    expect(named.sort()).toEqual(settingFields.map((field) => settings[field].key).sort());
  });
});

describe("a socket group", () => {
  it("is found by name and by number", async () => {
    expect(await findGroup("daemon")).toBe(1);
    expect(await findGroup("4711")).toBe(4711);
  });

  it("that does not exist is refused by name", async () => {
    await expect(findGroup("no-such-group")).rejects.toThrow(
      'unix_sock_group is "no-such-group", but this host has no such group.',
    );
  });
});
