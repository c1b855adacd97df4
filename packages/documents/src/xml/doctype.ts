/**
 * Where a document type declaration opens an internal subset (`<!DOCTYPE pool [ … ]>`), or null. Entities can be declared
 * only there (external subsets are never loaded), so a document without one holds no entity bomb.
 */
export function findInternalSubset(xml: string): number | null {
  if (!xml.includes("<!DOCTYPE")) {
    return null;
  }
  const start = endOfProlog(xml);
  if (!xml.startsWith("<!DOCTYPE", start)) {
    return null;
  }
  const declaration = /<!DOCTYPE(?:[^"'>[]|"[^"]*"|'[^']*')*\[/y;
  declaration.lastIndex = start;
  return declaration.test(xml) ? declaration.lastIndex - 1 : null;
}

/** White space, processing instructions and comments may stand before the declaration. */
function endOfProlog(xml: string): number {
  const part = /[\ufeff \t\r\n]+|<\?.*?\?>|<!--.*?-->/sy;
  let end = 0;
  while (part.test(xml)) {
    end = part.lastIndex;
  }
  return end;
}
