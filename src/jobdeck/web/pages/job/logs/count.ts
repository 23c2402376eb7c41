// Going through a whole log portion by portion, from the end: for a search, and to count lines of a kind.

import { addressOf, askLog, readLines, type Line, type Slice, type Where } from "./lines.ts";
import { type Patiently } from "./patience.ts";

export const MOST = 2000; // lines that are looked up one by one

/** A log, and how it is asked. */
export interface Asked {
  src: string;
  patiently: Patiently;
}

/** Lines of a log, each portion in front of the one before; `more`: whether there may be further ones. Throws Problem. */
export async function* portions({ src, patiently }: Asked, where: Where, isWanted: () => boolean): AsyncGenerator<{ lines: Line[]; more: boolean }> {
  let earlier: string | null = null;
  do {
    const place: Record<string, string> = { limit: String(MOST), ...(earlier !== null && { before: earlier }) };
    const slice: Slice | undefined = await patiently(() => readLines(src, where, place), isWanted);
    if (!slice) return;
    ({ earlier } = slice);
    yield { lines: slice.lines, more: earlier !== null };
  } while (earlier !== null);
}

/** How many lines there are of a kind, as a sum that grows; throws Problem. */
export async function* counts({ src, patiently }: Asked, where: Where, isWanted: () => boolean): AsyncGenerator<{ count: number; more: boolean }> {
  let earlier: string | null = null;
  let sum = 0;
  do {
    const place: Record<string, string> = earlier === null ? {} : { before: earlier };
    const found = await patiently(() => countLines(src, where, place), isWanted);
    if (!found) return;
    ({ earlier } = found);
    sum += found.count;
    yield { count: sum, more: earlier !== null };
  } while (earlier !== null);
}

async function countLines(src: string, where: Where, place: Record<string, string>): Promise<{ count: number; earlier: string | null }> {
  return (await askLog(addressOf(src.replace("/logs/lines", "/logs/count"), where, place))) as { count: number; earlier: string | null };
}
