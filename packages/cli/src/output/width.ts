/** Marks that are drawn over the letter before them, and characters that are not drawn at all. */
const ZERO = /^[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]$/u;

/** What terminals draw two columns wide: East Asian letters, full-width forms and pictures. */
const WIDE =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}\p{Script=Yi}\p{Emoji_Presentation}\u3000-\u303e\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]$/u;
const HALF_WIDTH = /^[\uff61-\uffdc\uffe8-\uffee\u303f]$/u;

/** Of output that goes to no terminal, or to one that does not say how wide it is. */
const USUAL_COLUMNS = 80;

/** How wide a terminal is. A serial console says 0: it does not know. */
export function columnsOf({ columns }: { readonly columns?: number }): number {
  return columns === undefined || columns === 0 ? USUAL_COLUMNS : columns;
}

/** How many columns of a terminal a text takes that has no control characters. */
export function displayWidth(text: string): number {
  let columns = 0;
  for (const character of text) columns += widthOf(character);
  return columns;
}

/** As much of the beginning as fits into so many columns. */
export function fitToWidth(text: string, columns: number): string {
  let left = columns;
  let fitting = "";
  for (const character of text) {
    left -= widthOf(character);
    if (left < 0) break;
    fitting += character;
  }
  return fitting;
}

/** The text, or as much of its beginning as leaves room for an ellipsis. */
export function shorten(text: string, columns: number): string {
  return displayWidth(text) <= columns ? text : `${fitToWidth(text, Math.max(0, columns - 1))}…`;
}

function widthOf(character: string): number {
  if (character < "\u0300") return 1;
  if (ZERO.test(character)) return 0;
  return WIDE.test(character) && !HALF_WIDTH.test(character) ? 2 : 1;
}
