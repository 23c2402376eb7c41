// Going through a whole log portion by portion, from the end: for a search, and to count lines of a kind.

import { Problem, problemOf } from "../../api.ts";
import { addressOf, readLines, type Line, type Slice, type Where } from "./log_lines.ts";

export const MOST = 2000; // lines that are looked up one by one

/** Lines of a log, each portion in front of the one before; `more`: whether there may be further ones. */
export async function* portions(src: string, where: Where): AsyncGenerator<{ lines: Line[]; more: boolean }> {
  let earlier: string | null = null;
  do {
    const slice: Slice = await readLines(src, where, { limit: String(MOST), ...(earlier !== null && { before: earlier }) });
    ({ earlier } = slice);
    yield { lines: slice.lines, more: earlier !== null };
  } while (earlier !== null);
}

/** How many lines there are of a kind, as a sum that grows; throws Problem. */
export async function* counts(src: string, where: Where): AsyncGenerator<{ count: number; more: boolean }> {
  let earlier: string | null = null;
  let sum = 0;
  do {
    const answer = await fetch(addressOf(src.replace("/logs/lines", "/logs/count"), where, earlier === null ? {} : { before: earlier }), { headers: { Accept: "application/json" }, credentials: "same-origin" });
    if (!answer.ok) throw new Problem(await problemOf(answer));
    const found = (await answer.json()) as { count: number; earlier: string | null };
    ({ earlier } = found);
    sum += found.count;
    yield { count: sum, more: earlier !== null };
  } while (earlier !== null);
}
