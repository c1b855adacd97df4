import type { Attachment } from "@cistern/client";
import { describe, expect, it } from "vitest";
import { formatDoubts } from "../dist/commands/doubts.js";
import { formatExplanation } from "../dist/commands/explain.js";
import { formatSentence } from "../dist/output/sentences.js";

describe("sentences", () => {
  it("are broken at blanks, so that they fit into 80 columns", () => {
    const text = formatSentence("word ".repeat(40).trim());
    const lines = text.trimEnd().split("\n");
    expect(lines).toHaveLength(3);
    for (const line of lines) expect([line.length <= 80, line.startsWith("  word")]).toEqual([true, true]);
    expect(text.split(/\s+/).filter(Boolean)).toHaveLength(40);
  });

  it("keep a word that is longer than a line, and show what could command a terminal", () => {
    const path = `/srv/${"x".repeat(100)}`;
    expect(formatSentence(`the file ${path} is gone`)).toBe(`  the file\n  ${path}\n  is gone\n`);
    expect(formatSentence("\x1b[2J")).toBe("  \\x1b[2J\n");
  });
});

const use: Attachment = {
  domain: { source: "/etc/libvirt/qemu", name: "web", uuid: null, state: "unknown" },
  ...{ when: "next-boot", role: "disk", format: "raw", isReadOnly: false, isShareable: false },
  ...{ target: "vda", bus: "virtio", address: null, place: "/images/a", through: [], problem: null },
  volumes: [{ pool: "images", volume: "a" }],
};

it("an explanation says the verdict first, and what is not known last", () => {
  const nothing = { attachments: [], overlays: [], jobs: [], obstacles: [], losses: [], isAnybodyAsked: true };
  expect(formatExplanation("images/a", { ...nothing, verdict: "unused", doubts: [] })).toBe(
    "Volume images/a is not used by anybody.\n\nNothing that is known keeps it from being deleted.\n",
  );
  // Files of definitions do not say whether their guests run.
  const defined = formatExplanation("images/a", { ...nothing, attachments: [use], verdict: "next-boot", doubts: [] });
  expect(defined).toMatch(/^Volume images\/a is not known to be used now, and is what guests are defined with\.\n/);
  expect(defined).toContain("\nOther clients may delete it; cistern does so only with --even-if-defined.\n");
  const doubts = ["The source is silent."];
  expect(formatExplanation("images/a", { ...nothing, verdict: "unknown", doubts })).toBe(
    "Volume images/a may be in use: it is unknown whether anybody uses it.\n\nNothing that is known keeps it from being deleted.\n\n" +
      "Not all is known:\n  The source is silent.\n",
  );
});

it("where nobody was asked, it says how cisternd is told of guests, and only there", () => {
  const doubts = ["no domain source is configured, so nobody was asked who uses volumes"];
  expect(formatDoubts({ doubts, isAnybodyAsked: false })).toContain("domain_sources =");
  expect(formatDoubts({ doubts, isAnybodyAsked: true })).not.toContain("domain_sources");
  expect(formatDoubts({ doubts: [], isAnybodyAsked: true })).toBe("");
});
