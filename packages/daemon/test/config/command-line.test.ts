import { describe, expect, it } from "vitest";
import { HELP, parseCommandLine, UsageError } from "../../dist/config/index.js";

const parse = (...words: string[]) => parseCommandLine(words, "/home/ada");

describe("the command line", () => {
  it("asks for nothing special when it is empty", () => {
    expect(parse()).toEqual({ action: "run", rootDirectory: null, configFile: null, dropIn: false, verbose: false });
  });

  it("takes paths from where the person stands, without a slash at the end", () => {
    expect(parse("--root", "x/../pools/", "--config=c.toml")).toMatchObject({
      rootDirectory: "/home/ada/pools",
      configFile: "/home/ada/c.toml",
    });
    expect(parse("--root", "/srv//a/")).toMatchObject({ rootDirectory: "/srv/a" });
  });

  it.each([
    [["--help"], "help"],
    [["-h", "--version"], "help"],
    [["--version"], "version"],
    [["-V"], "version"],
  ])("%j means %s", (words, action) => {
    expect(parse(...words).action).toBe(action);
  });

  it.each([
    [["--wrong"], "cisternd has no option --wrong."],
    [["--toString"], "cisternd has no option --toString."],
    [["-x"], "cisternd has no option -x."],
    [["start"], "cisternd takes no argument 'start', only options."],
    [["--", "x"], "cisternd takes no argument 'x', only options."],
    [["--root"], "--root needs a directory."],
    [["--root="], "--root needs a directory."],
    [["--root", "--drop-in"], "--root needs a directory."],
    [["--config"], "--config needs a file."],
    [["--drop-in=yes"], "--drop-in takes no value, but 'yes' is given."],
    [["--root", "a", "--root", "b"], "--root is given twice."],
    [["--root", "a", "--drop-in"], "--root and --drop-in exclude each other"],
  ])("refuses %j with a sentence", (words, message) => {
    expect(() => parse(...words)).toThrow(UsageError);
    expect(() => parse(...words)).toThrow(message);
  });

  it("explains every option, in lines that fit a terminal", () => {
    for (const option of ["--root DIR", "--drop-in", "--config FILE", "--verbose", "--help", "--version"]) {
      expect(HELP).toContain(`  ${option}`);
    }
    expect(HELP.split("\n").filter((line) => line.length > 80)).toEqual([]);
  });
});
