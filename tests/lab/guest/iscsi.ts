import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { loadModules } from "./modules.js";
import { attempt, run, runDaemon } from "./run.js";
import { settle } from "./udev.js";

/** Starts the initiator: a name of its own, no nodes known, iscsid running. Once in a guest's life. */
export function startInitiator(iqn = "iqn.2004-04.org.example.lab:initiator"): void {
  loadModules("iscsi_tcp");
  mkdirSync("/etc/iscsi", { recursive: true });
  mkdirSync("/run/lock/iscsi", { recursive: true });
  for (const what of ["nodes", "send_targets"]) rmSync(`/etc/iscsi/${what}`, { recursive: true, force: true });
  writeFileSync("/etc/iscsi/initiatorname.iscsi", `InitiatorName=${iqn}\n`);
  runDaemon("iscsid");
}

/** The IQNs that a portal offers; they are known to the initiator from now on. */
export function discover(portal = "127.0.0.1"): readonly string[] {
  // 127.0.0.1:3260,1 iqn.2004-04.org.example.lab:disks
  const output = run("iscsiadm", ["--mode", "discovery", "--type", "sendtargets", "--portal", portal]);
  return output.split("\n").flatMap((line) => line.split(" ")[1] ?? []);
}

/** CHAP credentials for a node that has been discovered. */
export function setCredentials(iqn: string, portal: string, user: string, password: string): void {
  for (const [name, value] of [
    ["authmethod", "CHAP"],
    ["username", user],
    ["password", password],
  ]) {
    run("iscsiadm", [...node(iqn, portal), "-o", "update", "-n", `node.session.auth.${name}`, "-v", String(value)]);
  }
}

/** Logs in, and waits for the disks' names. Its exit status: 0, or what iscsiadm says (24: refused). */
export function login(iqn: string, portal = "127.0.0.1"): number {
  const { status } = attempt("iscsiadm", [...node(iqn, portal), "--login"]);
  settle();
  return status;
}

export function logout(iqn: string, portal = "127.0.0.1"): void {
  run("iscsiadm", [...node(iqn, portal), "--logout"]);
  settle();
}

/** Has all sessions look for new disks. */
export function rescanSessions(): void {
  run("iscsiadm", ["--mode", "session", "--rescan"]);
  settle();
}

function node(iqn: string, portal: string): readonly string[] {
  return ["--mode", "node", "--targetname", iqn, "--portal", portal];
}
