import { describe, expect, it } from "vitest";
import { ConfigurationError, findPlaces, parseCommandLine } from "../../dist/config/index.js";

const AS_ROOT = { userId: 0, homeDirectory: "/root", environment: {} };
const AS_ADA = { userId: 1000, homeDirectory: "/home/ada", environment: {} };
const places = (words: string, surroundings = AS_ROOT as Parameters<typeof findPlaces>[1]) =>
  findPlaces(parseCommandLine(words.split(" ").filter(Boolean), "/"), surroundings);

describe("the places", () => {
  it("of root are the system's", () => {
    expect(places("")).toMatchObject({
      mode: "system",
      configFile: "/etc/cistern/cisternd.toml",
      poolDirectory: "/etc/cistern/storage",
      autostartDirectory: "/etc/cistern/storage/autostart",
      secretDirectory: "/etc/cistern/secrets",
      runDirectory: "/run/cistern",
      poolStateDirectory: "/run/cistern/storage",
      autostartedMarker: "/run/cistern/storage/autostarted",
      lockFile: "/run/cistern/storage/driver.pid",
      socketPath: "/run/cistern/libvirt-sock",
      readOnlySocketPath: "/run/cistern/libvirt-sock-ro",
      stateDirectory: "/var/lib/cistern",
      journalDirectory: "/var/lib/cistern/journal",
      journalLockFile: "/var/lib/cistern/journal.pid",
      attachmentsDirectory: "/var/lib/cistern/attachments",
      secretDaemonSocketPath: null,
    });
  });

  it("with --root are below that directory, without a level 'cistern'", () => {
    expect(places("--root /x", AS_ADA)).toMatchObject({
      mode: "root-directory",
      configFile: "/x/etc/cisternd.toml",
      poolDirectory: "/x/etc/storage",
      autostartDirectory: "/x/etc/storage/autostart",
      secretDirectory: "/x/etc/secrets",
      poolStateDirectory: "/x/run/storage",
      lockFile: "/x/run/storage/driver.pid",
      socketPath: "/x/run/libvirt-sock",
      readOnlySocketPath: "/x/run/libvirt-sock-ro",
      stateDirectory: "/x/var",
      journalDirectory: "/x/var/journal",
      journalLockFile: "/x/var/journal.pid",
      attachmentsDirectory: "/x/var/attachments",
    });
  });

  it("with --drop-in are libvirt's own", () => {
    expect(places("--drop-in")).toMatchObject({
      mode: "drop-in",
      configFile: "/etc/cistern/cisternd.toml",
      poolDirectory: "/etc/libvirt/storage",
      autostartDirectory: "/etc/libvirt/storage/autostart",
      secretDirectory: "/etc/libvirt/secrets",
      poolStateDirectory: "/run/libvirt/storage",
      autostartedMarker: "/run/libvirt/storage/autostarted",
      lockFile: "/run/libvirt/storage/driver.pid",
      secretLockFile: "/run/libvirt/secrets/driver.pid",
      socketPath: "/run/libvirt/virtstoraged-sock",
      readOnlySocketPath: "/run/libvirt/virtstoraged-sock-ro",
      systemTokenFile: "/run/libvirt/common/system.token",
      journalDirectory: "/var/lib/cistern/drop-in/journal",
      journalLockFile: "/var/lib/cistern/drop-in/journal.pid",
      attachmentsDirectory: "/var/lib/cistern/drop-in/attachments",
      secretDaemonSocketPath: "/run/libvirt/virtsecretd-sock",
    });
  });

  it("of a user follow the XDG variables", () => {
    const environment = { XDG_CONFIG_HOME: "/c", XDG_RUNTIME_DIR: "/run/user/1000", XDG_STATE_HOME: "/s" };
    expect(places("", { ...AS_ADA, environment })).toMatchObject({
      mode: "user",
      configFile: "/c/cistern/cisternd.toml",
      poolDirectory: "/c/cistern/storage",
      socketPath: "/run/user/1000/cistern/libvirt-sock",
      lockFile: "/run/user/1000/cistern/storage/driver.pid",
      stateDirectory: "/s/cistern",
    });
  });

  it("of a user without XDG variables, or with relative ones, are in the home directory", () => {
    const wanted = {
      configFile: "/home/ada/.config/cistern/cisternd.toml",
      socketPath: "/home/ada/.cache/cistern/run/libvirt-sock",
      stateDirectory: "/home/ada/.local/state/cistern",
    };
    expect(places("", AS_ADA)).toMatchObject(wanted);
    const environment = { XDG_CONFIG_HOME: "c", XDG_RUNTIME_DIR: "", XDG_STATE_HOME: "./s" };
    expect(places("", { ...AS_ADA, environment })).toMatchObject(wanted);
  });

  it("take their settings from --config, which then must exist", () => {
    expect(places("--config /a.toml")).toMatchObject({ configFile: "/a.toml", configFileIsRequired: true });
    expect(places("")).toMatchObject({ configFileIsRequired: false });
  });

  it("refuse --drop-in to whoever is not root", () => {
    expect(() => places("--drop-in", AS_ADA)).toThrow(/belong to root: run it as root/);
  });

  it("refuse a socket path of 108 bytes with advice, and take one of 107", () => {
    const room = 107 - "/run/libvirt-sock-ro".length - 1;
    expect(places(`--root /${"d".repeat(room)}`).readOnlySocketPath).toHaveLength(107);
    const tooLong = () => places(`--root /${"d".repeat(room + 1)}`);
    expect(tooLong).toThrow(ConfigurationError);
    expect(tooLong).toThrow(/has 108 bytes, but the kernel takes at most 107. Choose a shorter directory for --root/);
  });

  it("count the bytes of a socket path, not its letters", () => {
    expect(() => places(`--root /${"ü".repeat(50)}`)).toThrow(/has 121 bytes/);
  });
});
