import type { VolumeDocument, VolumeEncryption } from "@cistern/documents";
import { describe, expect, test } from "vitest";
import type { CommandArgument } from "../../dist/host/host.js";
import { convertImage, convertKeyedImage, createImage, passphraseId, resizeImage } from "../../dist/tools/qemu-img.js";
import { checkBacking, checkEncryption, checkFormat, singleSecret } from "../../dist/tools/qemu-img-checks.js";
import { type ImageOptions, imageOptions } from "../../dist/tools/qemu-img-options.js";
import { volume } from "../drivers/documents.js";

// Arguments are compared as a person would type them, so a place needs no more than a path here.
const place = (path: string) => ({ in: { path } as never, name: "v" });
const key = (id: string) => ({ id, file: place("/run/secrets") });

describe("create", () => {
  const plain = { backing: null, passphrase: null, options: null, output: place("/P"), capacityBytes: 1_048_576n };
  test.each([
    [createImage({ ...plain, format: "bochs" }), "create -f bochs /P/v 1024K"],
    [
      createImage({ ...plain, format: "qcow2", options: "compat=0.10,cluster_size=1000" }),
      "create -f qcow2 -o compat=0.10,cluster_size=1000 /P/v 1024K",
    ],
    [createImage({ ...plain, format: "qcow2", capacityBytes: 1n }), "create -f qcow2 /P/v 1K"],
    [createImage({ ...plain, format: "qcow2", capacityBytes: 1_025n }), "create -f qcow2 /P/v 2K"],
    [
      createImage({ ...plain, format: "qcow2", backing: "/P/b", options: "backing_fmt=raw", capacityBytes: null }),
      "create -f qcow2 -b /P/b -o backing_fmt=raw /P/v",
    ],
    [
      createImage({ ...plain, format: "luks", passphrase: key("v_encrypt0"), options: "key-secret=v_encrypt0" }),
      "create -f luks --object secret,id=v_encrypt0,file=/run/secrets/v -o key-secret=v_encrypt0 /P/v 1024K",
    ],
    [
      createImage({ ...plain, format: "qcow2", backing: "b", backingIsChecked: true }),
      "create -f qcow2 -b b -u /P/v 1024K",
    ],
  ])("%#: %s", (command, expected) => {
    expect(command.program).toBe("qemu-img");
    expect(typed(command.args)).toBe(expected);
  });
});

describe("convert and resize", () => {
  const [input, output] = [place("/S"), place("/P")];
  const plain = { format: "qcow2", passphrase: null };
  test.each([
    [
      convertImage({ inputFormat: "raw", outputFormat: "qcow2", options: "compat=0.10", input, output }),
      "convert -f raw -O qcow2 -o compat=0.10 /S/v /P/v",
    ],
    [
      convertImage({ inputFormat: "qcow2", outputFormat: "raw", options: null, input, output }),
      "convert -f qcow2 -O raw /S/v /P/v",
    ],
    [
      convertKeyedImage(
        { format: "raw", passphrase: null, file: input },
        { format: "luks", passphrase: key("o"), file: output },
      ),
      "convert --image-opts -n --target-image-opts --object secret,id=o,file=/run/secrets/v " +
        "driver=raw,file.filename=/S/v driver=luks,file.filename=/P/v,key-secret=o",
    ],
    [
      convertKeyedImage(
        { format: "luks", passphrase: key("i"), file: input },
        { format: "qcow2", passphrase: key("o"), file: output },
      ),
      "convert --image-opts -n --target-image-opts --object secret,id=o,file=/run/secrets/v " +
        "--object secret,id=i,file=/run/secrets/v " +
        "driver=luks,file.filename=/S/v,key-secret=i driver=qcow2,file.filename=/P/v,encrypt.key-secret=o",
    ],
    [resizeImage({ image: output, ...plain, capacityBytes: 4_194_305n, shrinks: false }), "resize /P/v 4194816"],
    [resizeImage({ image: output, ...plain, capacityBytes: 1_024n, shrinks: true }), "resize --shrink /P/v 1024"],
    [
      resizeImage({
        image: output,
        format: "luks",
        passphrase: key("v"),
        capacityBytes: 512n,
        shrinks: false,
      }),
      "resize --object secret,id=v,file=/run/secrets/v --image-opts driver=luks,key-secret=v,file.filename=/P/v 512",
    ],
    [
      resizeImage({
        image: output,
        format: "qcow2",
        passphrase: key("v"),
        capacityBytes: 512n,
        shrinks: false,
      }),
      "resize --object secret,id=v,file=/run/secrets/v " +
        "--image-opts driver=qcow2,encrypt.key-secret=v,file.filename=/P/v 512",
    ],
  ])("%#: %s", (command, expected) => {
    expect(typed(command.args)).toBe(expected);
  });

  test("the format of an image to resize is said, but not shown", () => {
    const { args } = resizeImage({ image: output, ...plain, capacityBytes: 512n, shrinks: false });
    expect(args).toEqual(["resize", { unshown: "-f" }, { unshown: "qcow2" }, output, "512"]);
  });

  test("a comma in a name is doubled inside options, and only there", () => {
    const image = { in: { path: "/P" } as never, name: "a,b" };
    const withKey = { format: "luks", passphrase: key("v"), capacityBytes: 512n, shrinks: false };
    expect(typed(resizeImage({ image, ...withKey }).args)).toContain("file.filename=/P/a,,b");
    expect(typed(resizeImage({ image, ...plain, capacityBytes: 512n, shrinks: false }).args)).toBe("resize /P/a,b 512");
  });

  test("the name of a file stays its own where its path stands inside options", () => {
    const file = { file: { path: "/P,Q/a,b" } as never, name: "a,b" };
    const passphrase = { id: "o", file: { in: { path: "/run,x" } as never, name: "k,1" } };
    const output = { format: "luks", passphrase, file };
    const { args } = convertKeyedImage({ format: "raw", passphrase: null, file }, output);
    const names = args.flatMap((argument) => (typeof argument !== "string" && "name" in argument ? argument.name : []));
    expect(names).toEqual(["k,1", "a,b", "a,b"]);
    expect(typed(args)).toBe(
      "convert --image-opts -n --target-image-opts --object secret,id=o,file=/run,,x/k,,1 " +
        "driver=raw,file.filename=/P,,Q/a,,b driver=luks,file.filename=/P,,Q/a,,b,key-secret=o",
    );
  });

  test.each([
    ["disk.qcow2", "disk.qcow2_encrypt0"],
    ["1st", "volume_encrypt0"],
    ["a b", "volume_encrypt0"],
    ["a,file=/etc/shadow", "volume_encrypt0"],
  ])("the passphrase of '%s' is called %s", (name, id) => {
    expect(passphraseId(name)).toBe(id);
  });
});

describe("options, in libvirt's order", () => {
  const target = { noCopyOnWrite: false, compat: null, clusterSizeBytes: 0n, features: null };
  const qcow2: ImageOptions = { format: "qcow2", backingFormat: null, encryption: null, preallocation: null, target };
  const encryption: VolumeEncryption = {
    format: "luks",
    engine: null,
    secrets: [],
    cipher: { name: "aes", sizeBits: 256, mode: "cbc", hash: "sha256" },
    ivgen: { name: "essiv", hash: "sha256" },
  };
  const withoutCipher = { ...encryption, cipher: null, ivgen: null };
  test.each<[string, ImageOptions, string | null]>([
    ["qcow2 is version 2 when nothing is said", qcow2, "compat=0.10"],
    ["other formats have none", { ...qcow2, format: "vmdk" }, null],
    [
      "a compat level of a raw volume is none of qemu's",
      { ...qcow2, format: "luks", target: { ...target, compat: "1.1" } },
      null,
    ],
    [
      "everything",
      {
        ...qcow2,
        backingFormat: "raw",
        preallocation: "falloc",
        target: {
          noCopyOnWrite: true,
          compat: "1.1",
          clusterSizeBytes: 131_072n,
          features: ["lazy_refcounts", "extended_l2"],
        },
      },
      "backing_fmt=raw,preallocation=falloc,nocow=on,compat=1.1,cluster_size=131072,lazy_refcounts,extended_l2=on",
    ],
    [
      "LUKS",
      { ...qcow2, format: "luks", encryption: { passphraseId: "k", details: encryption } },
      "key-secret=k,cipher-alg=aes-256,cipher-mode=cbc,hash-alg=sha256,ivgen-alg=essiv,ivgen-hash-alg=sha256",
    ],
    [
      "LUKS inside qcow2",
      { ...qcow2, encryption: { passphraseId: "k", details: withoutCipher } },
      "encrypt.format=luks,encrypt.key-secret=k,compat=0.10",
    ],
  ])("%s", (_, image, expected) => {
    expect(imageOptions(image)).toBe(expected);
  });

  test.each([
    ["lazy_refcounts", "lazy_refcounts not supported with compat level 0.10"],
    ["extended_l2", "'extended_l2' not supported with compat level 0.10"],
  ] as const)("%s needs version 3", (feature, text) => {
    const image = { ...qcow2, target: { ...target, compat: "0.10", features: [feature] } };
    expect(() => imageOptions(image)).toThrow(
      expect.objectContaining({ code: 67, domain: 18, message: `unsupported configuration: ${text}` }),
    );
  });
});

describe("refusals before qemu-img is called", () => {
  const uuid = "11111111-2222-3333-4444-555555555555";
  const luks = encrypted("luks");
  const rows: [string, () => void, number, string][] = [
    [
      "preallocation of vmdk",
      () => checkFormat(volume("v", { format: "vmdk" }), true),
      67,
      "metadata preallocation only available with qcow2",
    ],
    [
      "compat of vmdk",
      () => checkFormat(volume("v", { format: "vmdk", compat: "1.1" }), false),
      67,
      "compatibility option only available with qcow2",
    ],
    [
      "features of vmdk",
      () => checkFormat(volume("v", { format: "vmdk", features: [], compat: "1.1" }), false),
      67,
      "compatibility option only available with qcow2",
    ],
    [
      "preallocation with a backing store",
      () => checkBacking(overlay("/b"), null, true),
      67,
      "metadata preallocation conflicts with backing store",
    ],
    [
      "a clone with another backing store",
      () => checkBacking(overlay("/b"), overlay("/c"), false),
      1,
      "a different backing store cannot be specified.",
    ],
    [
      "no secret",
      () => singleSecret({ ...luks, secrets: [] }),
      8,
      "A single <secret type='passphrase'...> element is expected in encryption description",
    ],
    [
      "two secrets",
      () => singleSecret({ ...luks, secrets: [...luks.secrets, ...luks.secrets] }),
      8,
      "A single <secret type='passphrase'...> element is expected in encryption description",
    ],
    [
      "encrypted vmdk",
      () => checkEncryption(volume("v", { format: "vmdk", encryption: luks })),
      67,
      "volume encryption unsupported with format vmdk",
    ],
    [
      "raw with qcow encryption",
      () => checkEncryption(volume("v", { format: "raw", encryption: encrypted("qcow") })),
      67,
      "unsupported volume encryption format 1",
    ],
    [
      "luks2",
      () => checkEncryption(volume("v", { format: "qcow2", encryption: encrypted("luks2") })),
      67,
      "unsupported volume encryption format 3",
    ],
    [
      "legacy encryption of qcow2",
      () => checkEncryption(volume("v", { format: "qcow2", encryption: encrypted("qcow") })),
      67,
      "creation of qcow2 encrypted image is not supported",
    ],
  ];
  test.each(rows)("%s", (_, check, code, text) => {
    expect(check).toThrow(expect.objectContaining({ code, domain: 18, message: expect.stringContaining(text) }));
  });

  test("what can be done passes", () => {
    expect(() => checkFormat(volume("v", { format: "qcow2", compat: "1.1" }), true)).not.toThrow();
    expect(() => checkBacking(overlay("/b"), overlay("/b"), false)).not.toThrow();
    expect(() => checkEncryption(volume("v", { format: "raw", encryption: luks }))).not.toThrow();
    expect(singleSecret(luks).lookup).toEqual({ uuid });
  });

  function encrypted(format: VolumeEncryption["format"]): VolumeEncryption {
    return { format, engine: null, secrets: [{ type: "passphrase", lookup: { uuid } }], cipher: null, ivgen: null };
  }
  function overlay(path: string): VolumeDocument {
    return volume("v", { format: "qcow2", backing: { path, format: "raw" } });
  }
});

/** The arguments as the host shows them in messages. */
function typed(args: readonly CommandArgument[]): string {
  return args
    .flatMap((argument) => {
      if (typeof argument === "string") return argument;
      if ("unshown" in argument) return [];
      const path = "in" in argument ? `${argument.in.path}/${argument.name}` : argument.file.path;
      const inserted = argument.escapesCommas === true ? path.replaceAll(",", ",,") : path;
      return `${argument.before ?? ""}${inserted}${argument.after ?? ""}`;
    })
    .join(" ");
}
