// A part of a page as the server makes it, without putting it anywhere.

import { Problem, problemOf } from "../../../assets/api.ts";
import { rooted } from "../../../assets/root.ts";

/** The fragment at `url`; throws Problem when the server says no. */
export async function fetchText(url: string): Promise<HTMLElement> {
  const answer = await fetch(rooted(url), { headers: { "HX-Request": "true", "HX-Current-URL": location.href }, credentials: "same-origin" });
  if (!answer.ok) throw new Problem(await problemOf(answer));
  return new DOMParser().parseFromString(await answer.text(), "text/html").body;
}
