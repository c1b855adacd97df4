import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ConfigurationError,
  findGroup,
  jobSettingsOf,
  loadConfiguration,
  overcommitRatiosOf,
  readConfiguration,
  reloadConfiguration,
  settingFields,
  settings,
  socketModeOf,
  standardConfiguration,
  volumePolicyOf,
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
autostart_retry_seconds = 16
max_jobs = 10
max_jobs_per_pool = 11
job_bandwidth_mib = 12
on_disconnect = "cancel"
stream_idle_seconds = 13
delete_backing_stores = "allow"
reflink = "on-request"
volume_owner = 14
volume_group = "daemon"
volume_mode = "0640"
volume_label = "system_u:object_r:virt_image_t:s0"
overcommit_warn_ratio = 1.5
overcommit_refuse_ratio = 3
domain_sources = ["qemu:///system", "/etc/libvirt/qemu"]
domain_uses = "refuse-defined"

[pools.images]
volume_owner = "daemon"
volume_group = "15"
volume_mode = "0660"
volume_label = "system_u:object_r:svirt_image_t:s0:c1,c2"
overcommit_warn_ratio = 0
overcommit_refuse_ratio = 1

[pools."an odd name"]
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
      autostartRetrySeconds: 16,
      maxJobs: 10,
      maxJobsPerPool: 11,
      jobBandwidthMib: 12,
      onDisconnect: "cancel",
      streamIdleSeconds: 13,
      deleteBackingStores: "allow",
      reflink: "on-request",
      volumeOwner: 14,
      volumeGroup: 1,
      volumeMode: 0o640,
      volumeLabel: "system_u:object_r:virt_image_t:s0",
      overcommitWarnRatio: 1.5,
      overcommitRefuseRatio: 3,
      domainSources: ["qemu:///system", "/etc/libvirt/qemu"],
      domainUses: "refuse-defined",
      pools: {
        images: {
          volumeOwner: 1,
          volumeGroup: 15,
          volumeMode: 0o660,
          volumeLabel: "system_u:object_r:svirt_image_t:s0:c1,c2",
          overcommitWarnRatio: 0,
          overcommitRefuseRatio: 1,
        },
        "an odd name": {},
      },
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
    ["max_jobs = 0", "max_jobs is 0, but must be a whole number from 1 to 1024"],
    ["job_bandwidth_mib = -1", "job_bandwidth_mib is -1, but must be a whole number from 0 to 1048576"],
    ['on_disconnect = "drop"', 'on_disconnect is "drop", but must be one of "keep", "cancel"'],
    ["stream_idle_seconds = 0", "stream_idle_seconds is 0, but must be a whole number from 1 to 86400"],
    ["delete_backing_stores = true", 'delete_backing_stores is true, but must be one of "refuse", "allow"'],
    ['domain_sources = ["libvirt/qemu"]', 'domain_sources is ["libvirt/qemu"], but must be a list of URIs'],
    ['domain_sources = ["/a", "/a"]', "domain_sources is"],
    ['domain_uses = "allow"', 'domain_uses is "allow", but must be one of "refuse-live", "refuse-defined"'],
    ['reflink = "never"', 'reflink is "never", but must be one of "prefer", "on-request"'],
    ["volume_owner = -1", "volume_owner is -1, but must be the number or name of a user or group"],
    ["volume_owner = 4294967295", "volume_owner is 4294967295, but must be"],
    ["volume_owner = 1.0", "volume_owner is 1, but must be"],
    ['volume_group = "disk:cdrom"', 'volume_group is "disk:cdrom", but must be'],
    ["volume_group = true", "volume_group is true, but must be"],
    ["volume_mode = 640", "volume_mode is 640, but must be permission bits as an octal string"],
    ['volume_mode = "4755"', 'volume_mode is "4755", but must be permission bits'],
    ["volume_label = 3", "volume_label is 3, but must be an SELinux label"],
    ['volume_label = ""', 'volume_label is "", but must be an SELinux label'],
    ['volume_label = "two words"', 'volume_label is "two words", but must be'],
    ["overcommit_warn_ratio = -0.5", "overcommit_warn_ratio is -0.5, but must be a number from 0 (never) to 1000"],
    ["overcommit_warn_ratio = 1000.5", "overcommit_warn_ratio is 1000.5, but must be"],
    ["overcommit_refuse_ratio = nan", "overcommit_refuse_ratio is null, but must be"],
    ['overcommit_refuse_ratio = "1.5"', 'overcommit_refuse_ratio is "1.5", but must be'],
    ["pools = 3", "pools is 3, but must be tables such as [pools.images], each with some of volume_owner"],
    ["[[pools]]\nvolume_owner = 1", "pools is ["],
    ["[pools]\nimages = 3", "pools.images is 3, but must be a table, [pools.images]"],
    ["[pools.images]\nmax_jobs = 3", "pools.images.max_jobs is no setting; those of a pool are volume_owner"],
    ['[pools.images]\nvolume_mode = "888"', 'pools.images.volume_mode is "888", but must be permission bits'],
    ["[pools.images]\novercommit_warn_ratio = -1", "pools.images.overcommit_warn_ratio is -1, but must be a number"],
    ['[pools."x y"]\nvolume_label = ""', 'pools.x y.volume_label is "", but must be an SELinux label'],
  ])("refuses %j, naming file, key and what is expected", (text, message) => {
    expect(() => read(text)).toThrow(ConfigurationError);
    expect(() => read(text)).toThrow("'/etc/x.toml'");
    expect(() => read(text)).toThrow(message);
  });

  it("tells all that is wrong at once", () => {
    expect(() => read("max_clients = 0\nfoo = 1\nkeepalive_count = true")).toThrow(
      /max_clients is 0.*\.\n {2}foo is no setting.*\.\n {2}keepalive_count is true/s,
    );
    expect(() => read("[pools]\na = 1\n[pools.b]\nvolume_owner = -1\nfoo = 1")).toThrow(
      /pools\.a is 1.*\.\n {2}pools\.b\.volume_owner is -1.*\.\n {2}pools\.b\.foo is no setting/s,
    );
  });

  it("refuses owners that this host does not know, naming file and key", async () => {
    const configFile = join(directory, "unknown.toml");
    await writeFile(configFile, 'volume_owner = "no-such-user"\n[pools.b]\nvolume_group = "no-such-group"\n');
    const load = loadConfiguration({ configFile, configFileIsRequired: true });
    await expect(load).rejects.toBeInstanceOf(ConfigurationError);
    await expect(load).rejects.toThrow(
      `The configuration file '${configFile}' cannot be used:
  pools.b.volume_group is "no-such-group", but this host has no such group.
  volume_owner is "no-such-user", but this host has no such user.`,
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

  it("takes over on reload what is said of pools", () => {
    const wanted = read("[pools.a]\novercommit_warn_ratio = 2");
    expect(reloadConfiguration(read(""), wanted)).toEqual({ configuration: wanted, keysForNextStart: [] });
  });
});

describe("what the rest of the daemon is told of the configuration", () => {
  const told = async (text: string) => {
    const configFile = join(directory, "told.toml");
    await writeFile(configFile, text);
    return loadConfiguration({ configFile, configFileIsRequired: true });
  };

  it("is for a pool what its own table says, and for all else what holds for all", async () => {
    const configuration = await told(`volume_owner = 1
volume_group = 2
volume_mode = "0600"
overcommit_warn_ratio = 1.5
overcommit_refuse_ratio = 2

[pools.own]
volume_owner = 0
volume_mode = "0000"
volume_label = "a:b:c"
overcommit_warn_ratio = 0
overcommit_refuse_ratio = 10

[pools.__proto__]
volume_owner = 7
`);
    const { defaultsOf } = volumePolicyOf(() => configuration);
    const ratios = overcommitRatiosOf(() => configuration);
    expect(defaultsOf("own")).toEqual({ owner: 0, group: 2, mode: 0, label: "a:b:c" });
    expect([ratios.warnRatio("own"), ratios.refuseRatio("own")]).toEqual([null, 10]);
    for (const other of ["other", "toString", "constructor"]) {
      expect(defaultsOf(other)).toEqual({ owner: 1, group: 2, mode: 0o600, label: null });
      expect([ratios.warnRatio(other), ratios.refuseRatio(other)]).toEqual([1.5, 2]);
    }
    expect(defaultsOf("__proto__").owner).toBe(7);
  });

  it("is of an empty file libvirt's way, except that backing stores stay and clones share blocks", () => {
    const policy = volumePolicyOf(() => standardConfiguration);
    expect(policy.defaultsOf("x")).toEqual({ owner: null, group: null, mode: null, label: null });
    expect([policy.deletesBackingStores, policy.sharesBlocks]).toEqual([false, true]);
    const ratios = overcommitRatiosOf(() => standardConfiguration);
    expect([ratios.warnRatio("x"), ratios.refuseRatio("x")]).toEqual([1, null]);
    expect(jobSettingsOf(standardConfiguration)).toEqual({
      slots: { overall: 32, perPool: 16 },
      bandwidthBytesPerSecond: null,
      onDisconnect: "keep",
    });
  });

  it("is what is in force when it asks", async () => {
    let current = standardConfiguration;
    const policy = volumePolicyOf(() => current);
    current = await told('delete_backing_stores = "allow"\nreflink = "on-request"\n[pools.a]\nvolume_owner = 5');
    expect([policy.deletesBackingStores, policy.sharesBlocks, policy.defaultsOf("a").owner]).toEqual([true, false, 5]);
    expect(jobSettingsOf(await told("job_bandwidth_mib = 3")).bandwidthBytesPerSecond).toBe(3_145_728n);
  });
});

describe("what is written about the settings", () => {
  it("in the sample names every key with what holds otherwise", async () => {
    const sample = await project("packages/daemon/cisternd.toml");
    expect(read(sample)).toEqual(standardConfiguration);
    const uncommented = sample.replace(/^#(?=[a-z_]+ = |\[)/gm, "");
    const all = settingFields.filter((field) => field !== "pools");
    for (const field of all) expect(uncommented).toMatch(new RegExp(`^${settings[field].key} = `, "m"));
    // What has no standard stands there with an example; and with a group, the mode would follow it.
    const { images, ...others } = read(uncommented).pools;
    expect(images).toEqual({ volumeGroup: "kvm", volumeMode: 0o660, overcommitRefuseRatio: 1 });
    expect(others).toEqual({});
    const unset = all.filter((field) => settings[field].standard === null && field !== "socketMode");
    const withoutExamples = unset.reduce(
      (text, field) => text.replace(new RegExp(`^${settings[field].key} = .*$`, "m"), ""),
      uncommented.slice(0, uncommented.indexOf("[pools.")),
    );
    expect(read(withoutExamples)).toEqual({ ...standardConfiguration, socketMode: 0o700 });
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
    expect(await findGroup("daemon", "unix_sock_group")).toBe(1);
    expect(await findGroup("4711", "unix_sock_group")).toBe(4711);
  });

  it("that does not exist is refused by name", async () => {
    await expect(findGroup("no-such-group", "unix_sock_group")).rejects.toThrow(
      'unix_sock_group is "no-such-group", but this host has no such group.',
    );
  });
});
