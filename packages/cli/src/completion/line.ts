/** A word of a command line as it is typed. */
export interface TypedWord {
  /** As the shell would hand it over. */
  readonly value: string;
  /** The quote that is not closed yet. */
  readonly openQuote: Quote | null;
  /** The beginning of `value` that bash lets stand: it replaces only what follows the last word break or the open quote. */
  readonly kept: string;
}

type Quote = "'" | '"';

/** The words of a command line up to the cursor; the last is being typed, and may be empty. `breaks`: bash's COMP_WORDBREAKS. */
export function readLine(line: string, breaks: string, home: string): readonly TypedWord[] {
  const words: TypedWord[] = [];
  let at = 0;
  do {
    while (isBlank(line[at])) at++;
    const { end, ...word } = readWord(line, at, breaks, home);
    words.push(word);
    at = end;
  } while (at < line.length);
  return words;
}

/** A word by itself, as it was typed: completions are shown words with their quotes. */
export function unquoted(word: string, home: string): string {
  return readWord(word, 0, "", home).value;
}

/** What is to be typed for `text` where this quote is open. */
export function quoted(text: string, openQuote: Quote | null): string {
  if (openQuote === "'") return text.replaceAll("'", "'\\''");
  // Between double quotes nothing takes from "!" that it calls up the history.
  if (openQuote === '"') return text.replace(/[\\"$`]/g, "\\$&").replaceAll("!", `"'!'"`);
  return text.replace(/[^\w@%+=:,./-]/g, (character) => (character > "\u007f" ? character : `\\${character}`));
}

/** From `start` to the first blank outside of quotes. */
function readWord(line: string, start: number, breaks: string, home: string): TypedWord & { readonly end: number } {
  const isBelowHome = line[start] === "~" && [undefined, "/"].includes(line[start + 1]);
  let value = isBelowHome ? home : "";
  let openQuote: Quote | null = null;
  /** Lengths of what bash keeps, and of what stood before the quote. */
  let kept = 0;
  let unquotedLength = 0;
  let at = isBelowHome ? start + 1 : start;
  for (; at < line.length; at++) {
    const character = line[at] ?? "";
    if (character === openQuote) openQuote = null;
    else if (isEscape(character, line[at + 1], openQuote)) value += line[++at] ?? "";
    else if (openQuote === null && isQuote(character)) {
      openQuote = character;
      unquotedLength = value.length;
    } else if (openQuote === null && isBlank(character)) break;
    else {
      value += character;
      // To readline "@" breaks words, and begins the next one.
      if (openQuote === null && breaks.includes(character)) kept = value.length - (character === "@" ? 1 : 0);
    }
  }
  return { value, openQuote, kept: value.slice(0, openQuote === null ? kept : unquotedLength), end: at };
}

/** A backslash at the end escapes what will come. */
function isEscape(character: string, next: string | undefined, openQuote: Quote | null): boolean {
  if (character !== "\\" || openQuote === "'") return false;
  return openQuote === null || next === undefined || '$`"\\\n'.includes(next);
}

function isQuote(character: string): character is Quote {
  return character === "'" || character === '"';
}

function isBlank(character: string | undefined): boolean {
  return character === " " || character === "\t" || character === "\n";
}
