// How many lines of a log are of the kind that is chosen: looked up portion by portion, from the end.

import { readLines, type Line, type Slice, type Where } from "./log_lines.ts";

export const MOST = 2000; // lines of a kind that are looked up one by one

/** Lines of a log, each portion in front of the one before; `more`: whether there may be further ones. */
export async function* portions(src: string, where: Where): AsyncGenerator<{ lines: Line[]; more: boolean }> {
  let earlier: string | null = null;
  do {
    const slice: Slice = await readLines(src, where, { limit: String(MOST), ...(earlier !== null && { before: earlier }) });
    ({ earlier } = slice);
    yield { lines: slice.lines, more: earlier !== null };
  } while (earlier !== null);
}
